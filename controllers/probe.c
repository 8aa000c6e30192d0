#include "controllers/probe.h"

#include "api/keys.h"
#include "base/tree.h"

#define PROBE_NAME "granary-probe"

/* Behind the webhook's own limit in its configuration. */
#define PROBE_TIMEOUT_MS 15000

static const struct kube_resource restores = {GROUP_STASH, "v1beta1", "restoresessions",
                                              "RestoreSession", true};

static json_t *named(const char *name)
{
    json_t *made = json_object();

    tree_put_text(made, "name", name);
    return made;
}

static json_t *target(void)
{
    json_t *made = json_object(), *ref = named(PROBE_NAME);

    tree_put_text(ref, "apiVersion", "apps/v1");
    tree_put_text(ref, "kind", "Deployment");
    tree_put_new(made, "ref", ref);
    return made;
}

static json_t *rules(void)
{
    json_t *list = json_array(), *rule = json_object(), *paths = json_array();

    tree_push_text(paths, "/probe");
    tree_put_new(rule, "paths", paths);
    tree_push_new(list, rule);
    return list;
}

json_t *probe_object(const char *space)
{
    json_t *made = json_object(), *metadata = named(PROBE_NAME), *spec = json_object();

    tree_put_text(made, "apiVersion", API_STASH_V1BETA1);
    tree_put_text(made, "kind", "RestoreSession");
    tree_put_text(metadata, "namespace", space);
    tree_put_new(made, "metadata", metadata);
    tree_put_new(spec, "repository", named(PROBE_NAME));
    tree_put_new(spec, "target", target());
    tree_put_new(spec, "rules", rules());
    tree_put_new(made, "spec", spec);
    return made;
}

enum status_found probe_judge(bool answered, const json_t *object, enum error_code code,
                              const char **reason)
{
    if (answered && json_array_size(tree_at(object, "spec.target.rules")) > 0) {
        *reason = "the webhook is reached";
        return STATUS_YES;
    }
    if (answered) {
        *reason = "the API server passed the webhook over";
        return STATUS_NO;
    }
    *reason = code == ERROR_NOT_FOUND   ? "the kind RestoreSession is not installed"
              : code == ERROR_FORBIDDEN ? "the question is not allowed"
              : code == ERROR_INVALID   ? "the question was refused"
                                        : "the API server did not answer";
    return STATUS_UNKNOWN;
}

enum status_found probe_ask(struct kube_client *client, const char *space, const char **reason)
{
    AUTO(json) json_t *object = probe_object(space);
    AUTO(kube_result) struct kube_result result = {0};
    struct kube_ref ref = {.resource = &restores, .space = space, .name = PROBE_NAME};
    struct kube_options how = {.dry_run = true, .timeout_ms = PROBE_TIMEOUT_MS};
    struct error err = {.code = ERROR_NONE};
    bool answered = kube_create(client, &ref, object, &how, &result, &err);

    return probe_judge(answered, result.object, err.code, reason);
}
