#include "api/names.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"

#define HASH_CHARS 8

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The characters of names; a label value also takes upper case. */
static bool is_alnum(char c)
{
    return is_lower(c) || is_digit(c);
}

static bool is_inner(char c)
{
    return is_alnum(c) || c == '-';
}

/* One label of a name, of any length. */
static bool is_part(struct span part)
{
    if (!part.length || !is_alnum(part.data[0]) || !is_alnum(part.data[part.length - 1]))
        return false;
    for (size_t i = 0; i < part.length; i++)
        if (!is_inner(part.data[i]))
            return false;
    return true;
}

bool name_is_label(struct span name)
{
    return name.length <= NAME_MAX_CHARS && is_part(name);
}

bool name_is_subdomain(struct span name)
{
    if (!name.length || name.length > OBJECT_NAME_MAX_CHARS || name.data[name.length - 1] == '.')
        return false;

    struct span part;

    while (text_split(&name, '.', &part))
        if (!is_part(part))
            return false;
    return true;
}

static bool is_value_end(char c)
{
    return is_alnum(c) || is_upper(c);
}

static bool is_value_inner(char c)
{
    return is_value_end(c) || c == '-' || c == '_' || c == '.';
}

bool name_is_label_value(struct span value)
{
    if (!value.length)
        return true;
    if (value.length > NAME_MAX_CHARS || !is_value_end(value.data[0]) ||
        !is_value_end(value.data[value.length - 1]))
        return false;
    for (size_t i = 0; i < value.length; i++)
        if (!is_value_inner(value.data[i]))
            return false;
    return true;
}

/* Eight hex digits. One of them is always a letter, so that no date or number looks like it. */
static void hash_of(const char *identity, char hash[HASH_CHARS + 1])
{
    char hex[65];

    text_sha256(span_of(identity), hex);
    memcpy(hash, hex, HASH_CHARS);
    hash[HASH_CHARS] = '\0';
    if (strspn(hash, "0123456789") == HASH_CHARS)
        hash[0] = (char)('a' + (hash[0] - '0') % 6);
}

static bool ends_in_hash(const char *name)
{
    size_t length = strlen(name);

    if (length <= HASH_CHARS || name[length - HASH_CHARS - 1] != '-')
        return false;

    const char *tail = name + length - HASH_CHARS;

    return strspn(tail, "0123456789abcdef") == HASH_CHARS && strcspn(tail, "abcdef") < HASH_CHARS;
}

/* Makes the head of a name legal: what stands before "-<hash>". */
static void mend(char *head, size_t length, bool (*end)(char), bool (*inner)(char))
{
    for (size_t i = 0; i < length; i++) {
        bool dot =
            head[i] == '.' && i > 0 && i + 1 < length && end(head[i - 1]) && end(head[i + 1]);

        if (!inner(head[i]) && !dot)
            head[i] = '-';
    }
    if (length && !end(head[0]))
        head[0] = 'x';
}

static char *hashed(const char *readable, const char *identity, size_t max_chars, bool (*end)(char),
                    bool (*inner)(char))
{
    AUTO(text) struct text out = {0};
    size_t length = strlen(readable), room = max_chars - HASH_CHARS - 1;
    char hash[HASH_CHARS + 1];

    text_add(&out, readable, length < room ? length : room);
    mend(out.data, out.length, end, inner);
    hash_of(identity, hash);
    text_addf(&out, "-%s", hash);
    return text_take(&out);
}

static char *hashed_name(const char *readable, const char *identity, size_t max_chars)
{
    return hashed(*readable ? readable : "x", identity, max_chars, is_alnum, is_inner);
}

/* The readable name where it is unmistakable, else with the hash of the identity. */
static char *name_or_hashed(const char *readable, const char *identity)
{
    if (strlen(readable) <= NAME_MAX_CHARS && name_is_subdomain(span_of(readable)) &&
        !ends_in_hash(readable))
        return text_dup(readable, strlen(readable));
    return hashed_name(readable, identity, NAME_MAX_CHARS);
}

char *name_short(const char *kind)
{
    static const struct {
        const char *kind, *brief;
    } forms[] = {
        {"Deployment", "deploy"},        {"StatefulSet", "sts"},           {"DaemonSet", "ds"},
        {"ReplicationController", "rc"}, {"PersistentVolumeClaim", "pvc"}, {"Pod", "po"},
        {"AppBinding", "app"},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(kind, forms[i].kind) == 0)
            return text_dup(forms[i].brief, strlen(forms[i].brief));

    char *lower = text_dup(kind, strlen(kind));

    for (char *c = lower; *c; c++)
        if (is_upper(*c))
            *c = (char)(*c - 'A' + 'a');
    return lower;
}

char *name_of_target(const char *kind, const char *name)
{
    AUTO(free) char *brief = name_short(kind);
    AUTO(free) char *readable = text_format("%s-%s", brief, name);
    AUTO(free) char *identity = text_format("%s/%s/", kind, name);

    return name_or_hashed(readable, identity);
}

char *name_outside(const char *space, const char *kind, const char *name)
{
    AUTO(free) char *brief = name_short(kind);
    AUTO(free) char *readable = text_format("%s-%s-%s", space, brief, name);
    AUTO(free) char *identity = text_format("%s/%s/%s/", space, kind, name);

    return hashed_name(readable, identity, NAME_MAX_CHARS);
}

char *name_further(const char *space, const char *kind, const char *name, const char *blueprint)
{
    AUTO(free) char *brief = name_short(kind);
    AUTO(free)
    char *readable =
        text_format("%s%s%s-%s-%s", space ? space : "", space ? "-" : "", brief, name, blueprint);
    AUTO(free)
    char *identity =
        text_format("%s/%s/%s/blueprint/%s/", space ? space : "", kind, name, blueprint);

    return hashed_name(readable, identity, NAME_MAX_CHARS);
}

char *name_at_location(const char *name, const char *location)
{
    AUTO(free) char *identity = text_format("%s/location/%s/", name, location);

    return hashed_name(name, identity, NAME_MAX_CHARS);
}

/* Cut names are exactly max_chars long, so only a name of that length could be taken for one. */
char *name_fit(const char *name, size_t max_chars)
{
    size_t length = strlen(name);
    bool fits = length < max_chars || (length == max_chars && !ends_in_hash(name));

    if (fits && name_is_subdomain(span_of(name)))
        return text_dup(name, length);
    return hashed_name(name, name, max_chars);
}

char *name_label_value(const char *value)
{
    if (name_is_label_value(span_of(value)))
        return text_dup(value, strlen(value));
    return hashed(value, value, NAME_MAX_CHARS, is_value_end, is_value_inner);
}
