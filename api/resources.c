#include "api/resources.h"

#include "api/pairs.h"
#include "base/tree.h"

static const char *const keys[] = {"cpu", "memory", "limits.cpu", "limits.memory", NULL};

/* REQUEST_x + LIMIT_OF is the limit of the same resource. */
#define LIMIT_OF (LIMIT_CPU - REQUEST_CPU)

static bool is_memory(enum resource kind)
{
    return kind == REQUEST_MEMORY || kind == LIMIT_MEMORY;
}

static bool is_below_mebibyte(const struct quantity *amount)
{
    return quantity_ceil(amount) < 1 << 20;
}

static bool set(void *into, size_t key, struct span value, struct error *err)
{
    struct resources *resources = into;
    struct quantity amount;

    if (value.length > QUANTITY_MAX_CHARS)
        return error_set(err, ERROR_INVALID, "longer than %u characters", QUANTITY_MAX_CHARS);
    if (!quantity_parse(value, &amount, err))
        return false;
    if (quantity_sign(&amount) <= 0)
        return error_set(err, ERROR_INVALID, "must be above zero");
    if (is_memory((enum resource)key) && is_below_mebibyte(&amount))
        return error_set(err, ERROR_INVALID,
                         "less than 1Mi: \"m\" is a thousandth, \"Mi\" and "
                         "\"M\" are megabytes");
    memcpy(resources->of[key].text, value.data, value.length);
    resources->of[key].amount = amount;
    return true;
}

static bool is_set(const struct resources *resources, enum resource kind)
{
    return resources && resources->of[kind].text[0];
}

static bool exceeds(const struct resources *resources, enum resource request)
{
    enum resource limit = request + LIMIT_OF;

    return is_set(resources, request) && is_set(resources, limit) &&
           quantity_compare(&resources->of[request].amount, &resources->of[limit].amount) > 0;
}

bool resources_parse(struct span text, struct resources *resources, struct error *err)
{
    static const struct pairs pairs = {keys, set};
    struct resources made = {0};
    bool any = false;

    if (!pairs_parse(&pairs, text, &made, err))
        return false;
    for (enum resource kind = 0; kind < RESOURCE_KINDS; kind++)
        any = any || is_set(&made, kind);
    if (!any)
        return error_set(err, ERROR_INVALID, "it sets nothing");
    for (enum resource kind = 0; kind < LIMIT_OF; kind++)
        if (exceeds(&made, kind))
            return error_set(err, ERROR_INVALID, "%s=%s is above %s=%s", keys[kind],
                             made.of[kind].text, keys[kind + LIMIT_OF],
                             made.of[kind + LIMIT_OF].text);
    *resources = made;
    return true;
}

static void change(struct resources *resources, enum resource kind, const struct resources *to,
                   enum resource from, struct text *told)
{
    text_addf(told, "%s%s=%s instead of %s", told->length ? ", " : "", keys[kind],
              to->of[from].text, resources->of[kind].text);
    resources->of[kind] = to->of[from];
}

bool resources_clamp(struct resources *resources, const struct resources *min,
                     const struct resources *max, struct text *told)
{
    size_t before = told->length;

    for (enum resource kind = 0; kind < RESOURCE_KINDS; kind++) {
        const struct quantity *amount = &resources->of[kind].amount;

        if (!is_set(resources, kind))
            continue;
        if (is_set(min, kind) && quantity_compare(amount, &min->of[kind].amount) < 0)
            change(resources, kind, min, kind, told);
        if (is_set(max, kind) && quantity_compare(amount, &max->of[kind].amount) > 0)
            change(resources, kind, max, kind, told);
    }
    for (enum resource kind = 0; kind < LIMIT_OF; kind++)
        if (exceeds(resources, kind))
            change(resources, kind, resources, kind + LIMIT_OF, told);
    return told->length != before;
}

static json_t *list_of(json_t *requirements, enum resource kind)
{
    const char *key = kind < LIMIT_OF ? "requests" : "limits";
    json_t *list = json_object_get(requirements, key);

    if (json_is_object(list))
        return list;
    tree_put_new(requirements, key, json_object());
    return json_object_get(requirements, key);
}

static const char *resource_name(enum resource kind)
{
    return is_memory(kind) ? "memory" : "cpu";
}

/* What somebody else set for the other of the pair gives way to the owner's wish. */
static void follow(json_t *requirements, enum resource kind, const struct resources *resources)
{
    bool request = kind < LIMIT_OF;
    enum resource other = request ? kind + LIMIT_OF : kind - LIMIT_OF;
    const json_t *theirs =
        tree_get(tree_get(requirements, request ? "limits" : "requests"), resource_name(kind));
    struct quantity amount;
    struct error err;

    if (is_set(resources, other) || !theirs || !quantity_read(theirs, &amount, &err))
        return;

    int order = quantity_compare(&resources->of[kind].amount, &amount);

    if (request ? order > 0 : order < 0)
        tree_put_text(list_of(requirements, other), resource_name(kind), resources->of[kind].text);
}

void resources_put(json_t *requirements, const struct resources *resources)
{
    for (enum resource kind = 0; kind < RESOURCE_KINDS; kind++) {
        if (!is_set(resources, kind))
            continue;
        tree_put_text(list_of(requirements, kind), resource_name(kind), resources->of[kind].text);
        follow(requirements, kind, resources);
    }
}
