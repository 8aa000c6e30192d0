#include "api/pairs.h"

#include <assert.h>
#include <stdint.h>

#include "base/text.h"

#define SHOWN 40

static int shown(struct span text)
{
    return text.length < SHOWN ? (int)text.length : SHOWN;
}

static bool find(const struct pairs *pairs, struct span key, size_t *index, struct error *err)
{
    for (size_t i = 0; pairs->keys[i]; i++) {
        assert(i < PAIRS_MAX);
        if (span_is(key, pairs->keys[i])) {
            *index = i;
            return true;
        }
    }

    const char *meant = text_did_you_mean(key, pairs->keys);

    return error_set(err, ERROR_INVALID, "unknown key \"%.*s\"%s%s%s", shown(key), key.data,
                     meant ? ": did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
}

static bool read_pair(const struct pairs *pairs, struct span pair, void *into, uint32_t *seen,
                      struct error *err)
{
    const char *sign = pair.length ? memchr(pair.data, '=', pair.length) : NULL;
    size_t key = 0;

    if (!sign)
        return error_set(err, ERROR_INVALID, "\"%.*s\" is not key=value", shown(pair),
                         pair.length ? pair.data : "");

    struct span name = {pair.data, (size_t)(sign - pair.data)};
    struct span value = {sign + 1, pair.length - name.length - 1};

    if (!find(pairs, text_trim(name), &key, err))
        return false;
    if (*seen & (1u << key))
        return error_set(err, ERROR_INVALID, "\"%s\" stands there twice", pairs->keys[key]);
    *seen |= 1u << key;
    value = text_trim(value);
    if (!value.length || pairs->set(into, key, value, err))
        return true;
    return error_wrap(err, "%s", pairs->keys[key]);
}

bool pairs_parse(const struct pairs *pairs, struct span text, void *into, struct error *err)
{
    uint32_t seen = 0;
    struct span pair;

    if (!text_trim(text).length)
        return error_set(err, ERROR_INVALID, "it is empty");
    while (text_split(&text, ',', &pair))
        if (!read_pair(pairs, text_trim(pair), into, &seen, err))
            return false;
    return true;
}
