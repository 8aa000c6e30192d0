#include "mutators/meaning.h"

#include "api/quantity.h"
#include "base/tree.h"

/*
 * The comparison walks both values at once. A member that one side lacks counts as what the server
 * makes of its absence: the default that it fills in there, or the zero value that it leaves out
 * when it writes the object. Where a member name means two things, its parent tells them apart.
 */

static const struct {
    const char *parent; /* the member that holds the object (or the list of objects); NULL: any */
    const char *member;
    const char *text; /* NULL: it is a number */
    int number;
} defaults[] = {
    /* containers */
    {NULL, "terminationMessagePath", "/dev/termination-log", 0},
    {NULL, "terminationMessagePolicy", "File", 0},
    {NULL, "procMount", "Default", 0},
    {NULL, "divisor", "0", 0},
    {"fieldRef", "apiVersion", "v1", 0},
    {"ports", "protocol", "TCP", 0},
    {"httpGet", "path", "/", 0},
    {"httpGet", "scheme", "HTTP", 0},
    {NULL, "timeoutSeconds", NULL, 1},
    {NULL, "periodSeconds", NULL, 10},
    {NULL, "successThreshold", NULL, 1},
    {NULL, "failureThreshold", NULL, 3},
    /* volumes */
    {NULL, "defaultMode", NULL, 420},
    {"serviceAccountToken", "expirationSeconds", NULL, 3600},
    {"podCertificate", "maxExpirationSeconds", NULL, 86400},
    {NULL, "volumeMode", "Filesystem", 0},
    {"azureDisk", "cachingMode", "ReadWrite", 0},
    {"azureDisk", "fsType", "ext4", 0},
    {"azureDisk", "kind", "Shared", 0},
    {"iscsi", "iscsiInterface", "default", 0},
    {"rbd", "pool", "rbd", 0},
    {"rbd", "user", "admin", 0},
    {"rbd", "keyring", "/etc/ceph/keyring", 0},
};

/* Where false, 0 or "" is not the same as nothing. */
static const struct {
    const char *parent, *member;
} own_zeros[] = {
    {NULL, "runAsUser"},        {NULL, "runAsGroup"},
    {NULL, "runAsNonRoot"},     {NULL, "allowPrivilegeEscalation"},
    {NULL, "defaultMode"},      {NULL, "mode"},
    {NULL, "storageClassName"}, {"fc", "lun"},
};

/* Maps, whose members are somebody's own words; amounts are compared as numbers. */
static const struct {
    const char *member;
    bool amounts;
} maps[] = {
    {"limits", true},       {"requests", true},          {"labels", false},  {"annotations", false},
    {"matchLabels", false}, {"volumeAttributes", false}, {"options", false},
};

/* What an object is part of. */
struct frame {
    const char *parent; /* NULL at the top */
    bool map;
    bool amounts;
};

static bool same(const struct frame *frame, const json_t *a, const json_t *b);
static bool says_nothing(const struct frame *frame, const json_t *object);

static bool is_member(const char *parent, const char *member, const struct frame *frame,
                      const char *key)
{
    return !strcmp(member, key) && (!parent || (frame->parent && !strcmp(parent, frame->parent)));
}

static bool is_default(const struct frame *frame, const char *key, const json_t *value)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (is_member(defaults[i].parent, defaults[i].member, frame, key))
            return defaults[i].text
                       ? span_is(tree_value(value), defaults[i].text)
                       : json_is_integer(value) && json_integer_value(value) == defaults[i].number;
    return false;
}

static bool has_own_zero(const struct frame *frame, const char *key)
{
    for (size_t i = 0; i < sizeof own_zeros / sizeof *own_zeros; i++)
        if (is_member(own_zeros[i].parent, own_zeros[i].member, frame, key))
            return true;
    return false;
}

/* What the server leaves out when it writes an object. */
static bool is_zero(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_FALSE:
        return true;
    case JSON_INTEGER:
        return json_integer_value(value) == 0;
    case JSON_STRING:
        return json_string_length(value) == 0;
    case JSON_ARRAY:
        return json_array_size(value) == 0;
    default:
        return false;
    }
}

static struct frame frame_below(const struct frame *frame, const char *key)
{
    struct frame below = {.parent = key,
                          .amounts = !strcmp(key, "sizeLimit") || !strcmp(key, "divisor")};

    if (frame->map)
        return (struct frame){.map = true, .amounts = frame->amounts};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        if (!strcmp(key, maps[i].member))
            return (struct frame){.map = true, .amounts = maps[i].amounts};
    return below;
}

/* The server writes these out, also when nothing was said. */
static bool is_written_empty(const char *key)
{
    return !strcmp(key, "resources") || !strcmp(key, "metadata");
}

/* "latest" is pulled always: also when nothing names another tag or a digest. */
static const char *pull_policy_of(const json_t *reference)
{
    const char *text = json_string_value(reference);
    const char *slash = text ? strrchr(text, '/') : NULL;
    const char *tag = text ? strchr(slash ? slash : text, ':') : NULL;

    if (!text || strchr(text, '@'))
        return "IfNotPresent";
    return !tag || !strcmp(tag, ":latest") ? "Always" : "IfNotPresent";
}

static bool is_pull_policy(const json_t *object, const char *key, const json_t *value)
{
    const char *image = !strcmp(key, "imagePullPolicy") ? "image"
                        : !strcmp(key, "pullPolicy")    ? "reference"
                                                        : NULL;

    return image && span_is(tree_value(value), pull_policy_of(tree_get(object, image)));
}

/* True when this member of the object says what the server takes for granted without it. */
static bool goes_without_saying(const struct frame *frame, const json_t *object, const char *key)
{
    const json_t *value = tree_get(object, key);
    struct frame below = frame_below(frame, key);

    if (frame->map)
        return false;
    if (!value || json_is_null(value))
        return true;
    if (json_is_object(value))
        return (below.map || is_written_empty(key)) && says_nothing(&below, value);
    return is_default(frame, key, value) || is_pull_policy(object, key, value) ||
           (is_zero(value) && !has_own_zero(frame, key));
}

static bool says_nothing(const struct frame *frame, const json_t *object)
{
    const json_t *value;
    const char *key;

    tree_each (object, key, value) {
        if (!goes_without_saying(frame, object, key))
            return false;
    }
    return true;
}

/* Every member of `a` is met by the same in `b`, or needs not be said there. */
static bool covered(const struct frame *frame, const json_t *a, const json_t *b)
{
    const json_t *value;
    const char *key;

    tree_each (a, key, value) {
        const json_t *other = tree_get(b, key);
        struct frame below = frame_below(frame, key);

        if (!(other && same(&below, value, other)) &&
            !(goes_without_saying(frame, a, key) && goes_without_saying(frame, b, key)))
            return false;
    }
    return true;
}

/* Every member of `b` that `a` has not needs not be said. */
static bool adds_nothing(const struct frame *frame, const json_t *a, const json_t *b)
{
    const json_t *value;
    const char *key;

    tree_each (b, key, value) {
        if (!tree_get(a, key) && !goes_without_saying(frame, b, key))
            return false;
    }
    return true;
}

static bool same_list(const struct frame *frame, const json_t *a, const json_t *b)
{
    const json_t *item;
    size_t i;

    if (json_array_size(a) != json_array_size(b))
        return false;
    tree_items (a, i, item) {
        if (!same(frame, item, json_array_get(b, i)))
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

static bool same(const struct frame *frame, const json_t *a, const json_t *b)
{
    if (json_is_object(a) && json_is_object(b))
        return covered(frame, a, b) && adds_nothing(frame, a, b);
    if (json_is_array(a) && json_is_array(b))
        return same_list(frame, a, b);
    return tree_equal(a, b) || (frame->amounts && same_amount(a, b));
}

bool container_same_meaning(const json_t *a, const json_t *b)
{
    return same(&(struct frame){.parent = NULL}, a, b);
}

bool volume_same_meaning(const json_t *a, const json_t *b)
{
    return same(&(struct frame){.parent = NULL}, a, b);
}
