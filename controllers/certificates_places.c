#include "controllers/certificates_parts.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/base64.h"
#include "base/tree.h"
#include "certs/inspect.h"

static const struct kube_resource secrets = {"", "v1", "secrets", "Secret", true};
static const struct kube_resource config_maps = {"", "v1", "configmaps", "ConfigMap", true};
static const struct kube_resource services = {"", "v1", "services", "Service", true};
static const struct kube_resource mutating = {"admissionregistration.k8s.io", "v1",
                                              "mutatingwebhookconfigurations",
                                              "MutatingWebhookConfiguration", false};
static const struct kube_resource validating = {"admissionregistration.k8s.io", "v1",
                                                "validatingwebhookconfigurations",
                                                "ValidatingWebhookConfiguration", false};

static const struct {
    const struct kube_resource *resource;
    const char *name, *type; /* of a Secret */
    bool place;              /* clients read there whom to trust */
} objects[CERTIFICATES_OBJECTS] = {
    [CERTIFICATES_CA] = {&secrets, "granary-ca", "Opaque", false},
    [CERTIFICATES_LEAF] = {&secrets, "granary-webhook-tls", "kubernetes.io/tls", false},
    [CERTIFICATES_MUTATING] = {&mutating, "granary-webhook", NULL, true},
    [CERTIFICATES_VALIDATING] = {&validating, "granary-webhook", NULL, true},
    [CERTIFICATES_AGENT] = {&config_maps, IDENTITY_CONFIGMAP, NULL, true},
    [CERTIFICATES_AGENTS] = {&services, CERTIFICATES_AGENTS_SERVICE, NULL, false},
};

const struct kube_resource *certificates_resource(enum certificates_object object)
{
    return objects[object].resource;
}

const char *certificates_name(enum certificates_object object)
{
    return objects[object].name;
}

/* ---- what the places say ---- */

bool certificates_is_there(const struct certificates_view *view, enum certificates_object object)
{
    return view->seen->objects[object].state == CERTIFICATES_THERE;
}

const json_t *certificates_found(const struct certificates_view *view,
                                 enum certificates_object object)
{
    return certificates_is_there(view, object) ? view->seen->objects[object].object : NULL;
}

/* Entries that call somebody else are not ours to change. */
static bool calls_us(const struct certificates_view *view, const json_t *webhook)
{
    const json_t *service = tree_at(webhook, "clientConfig.service");

    return span_is(tree_span(service, "name"), CERTIFICATES_SERVICE) &&
           span_is(tree_span(service, "namespace"), view->seen->space);
}

bool certificates_is_configuration(enum certificates_object object)
{
    return object == CERTIFICATES_MUTATING || object == CERTIFICATES_VALIDATING;
}

/* Where something is to be published: what is not installed is no place. */
bool certificates_is_place(const struct certificates_view *view, enum certificates_object object)
{
    if (object == CERTIFICATES_MUTATING && view->seen->mutator_waits)
        return false;
    if (certificates_is_configuration(object))
        return view->seen->objects[object].state != CERTIFICATES_ABSENT;
    if (object == CERTIFICATES_LEAF)
        return view->seen->source == CERTIFICATES_SELF && certificates_is_there(view, object);
    return objects[object].place;
}

bool certificates_said_next(const struct certificates_view *view, enum certificates_object object,
                            struct certificates_said *said)
{
    const json_t *entries = tree_get(certificates_found(view, object), "webhooks"), *entry;

    text_done(&said->text);
    while ((entry = json_array_get(entries, said->next))) {
        said->entry = said->next++;
        if (!calls_us(view, entry))
            continue;

        struct span coded = tree_span(tree_get(entry, "clientConfig"), "caBundle");

        /* one that can not be read says nothing */
        (void)(coded.length <= 2 * CERTS_MAX_BYTES && base64_decode(&said->text, coded));
        return true;
    }
    return false;
}

static void read_text(const struct certificates_view *view, enum certificates_object object,
                      struct text *out)
{
    struct span text;

    if (object == CERTIFICATES_LEAF) {
        (void)secret_member(certificates_found(view, object), KEY_BUNDLE, out);
        return;
    }
    text = tree_span(tree_get(certificates_found(view, object), "data"), KEY_BUNDLE);
    text_add(out, text.data ? text.data : "", text.length);
}

/* Where agents find us stands beside whom they trust. */
static bool has_addresses(const struct certificates_view *view, enum certificates_object object)
{
    return object != CERTIFICATES_AGENT || view->addresses.length == 0 ||
           span_equal(tree_span(tree_get(certificates_found(view, object), "data"), KEY_ADDRESSES),
                      certificates_span(&view->addresses));
}

bool certificates_has_exactly(const struct certificates_view *view, enum certificates_object object)
{
    AUTO(certificates_said) struct certificates_said said = {0};

    if (!certificates_is_there(view, object) || !has_addresses(view, object))
        return false;
    if (!certificates_is_configuration(object)) {
        read_text(view, object, &said.text);
        return span_equal(certificates_span(&said.text), certificates_span(&view->bundle));
    }
    while (certificates_said_next(view, object, &said))
        if (!span_equal(certificates_span(&said.text), certificates_span(&view->bundle)))
            return false;
    return true;
}

static bool bundle_has(struct span bundle, struct span cert)
{
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (!certs_list_read(bundle, &list, &err))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (span_equal(certs_pem_span(&list.items[i]), cert))
            return true;
    return false;
}

static bool place_trusts(const struct certificates_view *view, enum certificates_object object,
                         struct span cert)
{
    AUTO(certificates_said) struct certificates_said said = {0};

    if (!certificates_is_there(view, object))
        return false;
    if (!certificates_is_configuration(object)) {
        read_text(view, object, &said.text);
        return bundle_has(certificates_span(&said.text), cert);
    }
    while (certificates_said_next(view, object, &said))
        if (!bundle_has(certificates_span(&said.text), cert))
            return false;
    return true;
}

/* Clients in every place trust it. */
bool certificates_is_everywhere(const struct certificates_view *view, struct span cert)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++)
        if (objects[object].place && certificates_is_place(view, object) &&
            !place_trusts(view, object, cert))
            return false;
    return true;
}

/* The API server trusts it, for all that it asks us. */
bool certificates_is_trusted_by_server(const struct certificates_view *view, struct span cert)
{
    static const enum certificates_object both[] = {CERTIFICATES_MUTATING, CERTIFICATES_VALIDATING};

    for (size_t i = 0; i < 2; i++)
        if (certificates_is_place(view, both[i]) && !place_trusts(view, both[i], cert))
            return false;
    return true;
}

bool certificates_all_published(const struct certificates_view *view)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++)
        if (certificates_is_place(view, object) && !certificates_has_exactly(view, object))
            return false;
    return true;
}

bool certificates_any_unknown(const struct certificates_view *view)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++)
        if (certificates_is_place(view, object) &&
            view->seen->objects[object].state == CERTIFICATES_UNKNOWN)
            return true;
    return false;
}

/* ---- what is written ---- */

static json_t *operation(const char *op, const char *path, json_t *value_new)
{
    json_t *made = json_object();

    tree_put_text(made, "op", op);
    tree_put_text(made, "path", path);
    tree_put_new(made, "value", value_new);
    return made;
}

/* A patch of the object as it was read, and of no other state. */
static json_t *patch_of(const struct certificates_view *view, enum certificates_object object)
{
    const char *version =
        tree_text(tree_get(certificates_found(view, object), "metadata"), "resourceVersion");
    json_t *patch = json_array();

    tree_push_new(
        patch, operation("test", "/metadata/resourceVersion", json_string(version ? version : "")));
    return patch;
}

static json_t *object_of(const struct certificates_view *view, enum certificates_object object)
{
    json_t *made = json_object(), *metadata = json_object(), *labels = json_object();

    tree_put_text(made, "apiVersion", "v1");
    tree_put_text(made, "kind", objects[object].resource->kind);
    tree_put_text(metadata, "name", objects[object].name);
    tree_put_text(metadata, "namespace", view->seen->space);
    tree_put_text(labels, "app.kubernetes.io/part-of", "granary");
    tree_put_text(labels, "app.kubernetes.io/managed-by", "granary-controller");
    tree_put_new(metadata, "labels", labels);
    tree_put_new(made, "metadata", metadata);
    if (objects[object].type)
        tree_put_text(made, "type", objects[object].type);
    return made;
}

static void write_new(struct certificates_plan *plan, enum certificates_object object, bool create,
                      json_t *body_new)
{
    plan->writes[plan->count++] = (struct certificates_write){object, create, body_new};
}

/* All of a Secret's data. */
void certificates_write_data_new(const struct certificates_view *view,
                                 struct certificates_plan *plan, enum certificates_object object,
                                 json_t *data_new)
{
    bool create = !certificates_is_there(view, object);
    json_t *body = create ? object_of(view, object) : patch_of(view, object);

    if (create)
        tree_put_new(body, "data", data_new);
    else
        tree_push_new(body, operation("add", "/data", data_new));
    write_new(plan, object, create, body);
}

static void publish_in_configuration(const struct certificates_view *view,
                                     struct certificates_plan *plan,
                                     enum certificates_object object)
{
    AUTO(certificates_said) struct certificates_said said = {0};
    AUTO(text) struct text coded = {0};
    json_t *patch = patch_of(view, object);

    base64_encode(&coded, certificates_span(&view->bundle));
    while (certificates_said_next(view, object, &said)) {
        AUTO(free)
        char *path = text_format("/webhooks/%zu/clientConfig/caBundle", said.entry);

        if (!span_equal(certificates_span(&said.text), certificates_span(&view->bundle)))
            tree_push_new(patch, operation("add", path, json_string(text_get(&coded))));
    }
    write_new(plan, object, false, patch);
}

/* One member beside others, which stay. */
static void publish_in_data(const struct certificates_view *view, struct certificates_plan *plan,
                            enum certificates_object object)
{
    json_t *data = tree_copy(tree_member(certificates_found(view, object), "data", JSON_OBJECT));

    if (!data)
        data = json_object();
    if (object == CERTIFICATES_LEAF)
        secret_put(data, KEY_BUNDLE, certificates_span(&view->bundle));
    else
        tree_put_text(data, KEY_BUNDLE, text_get(&view->bundle));
    if (object == CERTIFICATES_AGENT && view->addresses.length > 0)
        tree_put_text(data, KEY_ADDRESSES, text_get(&view->addresses));
    certificates_write_data_new(view, plan, object, data);
}

void certificates_publish(const struct certificates_view *view, struct certificates_plan *plan)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++) {
        if (!certificates_is_place(view, object) || certificates_has_exactly(view, object) ||
            view->seen->objects[object].state == CERTIFICATES_UNKNOWN)
            continue;
        if (certificates_is_configuration(object))
            publish_in_configuration(view, plan, object);
        else
            publish_in_data(view, plan, object);
    }
}
