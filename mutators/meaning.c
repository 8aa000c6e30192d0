#include "mutators/meaning.h"

#include "api/quantity.h"
#include "base/tree.h"

/*
 * The comparison walks both values at once. A member that one side lacks counts as the default that
 * the server fills in there; defaults are known by the name of the member alone, which is enough
 * within the few types that our part consists of.
 */

static const struct {
    const char *member, *value; /* value as JSON */
} defaults[] = {
    {"terminationMessagePath", "\"/dev/termination-log\""},
    {"terminationMessagePolicy", "\"File\""},
    {"protocol", "\"TCP\""},
    {"apiVersion", "\"v1\""},
    {"divisor", "\"0\""},
    {"scheme", "\"HTTP\""},
    {"path", "\"/\""},
    {"service", "\"\""},
    {"timeoutSeconds", "1"},
    {"periodSeconds", "10"},
    {"successThreshold", "1"},
    {"failureThreshold", "3"},
    {"defaultMode", "420"},
    {"expirationSeconds", "3600"},
    {"type", "\"\""},
    {"readOnly", "false"},
    {"optional", "false"},
    {"resources", "{}"},
    {"requests", "{}"},
    {"limits", "{}"},
    {"env", "[]"},
    {"envFrom", "[]"},
    {"args", "[]"},
    {"command", "[]"},
    {"ports", "[]"},
    {"volumeMounts", "[]"},
    {"value", "\"\""},
    {"subPath", "\"\""},
    {"medium", "\"\""},
};

static bool same(const json_t *a, const json_t *b, bool quantities);

static bool is_default(const char *member, const json_t *value)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        if (strcmp(member, defaults[i].member) != 0)
            continue;

        AUTO(json) json_t *expected = json_loads(defaults[i].value, JSON_DECODE_ANY, NULL);

        return tree_equal(expected, value);
    }
    return json_is_null(value);
}

static bool holds_quantities(const char *member)
{
    return !strcmp(member, "requests") || !strcmp(member, "limits") || !strcmp(member, "sizeLimit");
}

/* Every member of `a` is met by the same in `b`, or is a default that `b` lacks. */
static bool covered(const json_t *a, const json_t *b, bool quantities)
{
    const json_t *value, *other;
    const char *key;

    tree_each (a, key, value) {
        other = tree_get(b, key);
        if (other ? !same(value, other, quantities || holds_quantities(key))
                  : !is_default(key, value))
            return false;
    }
    return true;
}

static bool same_list(const json_t *a, const json_t *b, bool quantities)
{
    const json_t *item;
    size_t i;

    if (json_array_size(a) != json_array_size(b))
        return false;
    tree_items (a, i, item) {
        if (!same(item, json_array_get(b, i), quantities))
            return false;
    }
    return true;
}

static bool same_amount(const json_t *a, const json_t *b)
{
    struct quantity one, other;
    struct error ignored;

    return quantity_read(a, &one, &ignored) && quantity_read(b, &other, &ignored) &&
           quantity_compare(&one, &other) == 0;
}

static bool same(const json_t *a, const json_t *b, bool quantities)
{
    if (json_is_object(a) && json_is_object(b))
        return covered(a, b, quantities) && covered(b, a, quantities);
    if (json_is_array(a) && json_is_array(b))
        return same_list(a, b, quantities);
    return tree_equal(a, b) || (quantities && same_amount(a, b));
}

bool container_same_meaning(const json_t *a, const json_t *b)
{
    return same(a, b, false);
}

bool volume_same_meaning(const json_t *a, const json_t *b)
{
    return same(a, b, false);
}
