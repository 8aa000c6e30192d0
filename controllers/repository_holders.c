#include "controllers/repository_holders.h"

#include <string.h>

#include "api/message.h"
#include "base/limits.h"

#define UID_MAX_BYTES 64
#define TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999 */

static const struct message_field holder_fields[] = {
    {.name = "session",
     .type = MESSAGE_TEXT,
     .required = true,
     .at = offsetof(struct holder, session),
     .high = UID_MAX_BYTES},
    {.name = "pod",
     .type = MESSAGE_TEXT,
     .required = true,
     .at = offsetof(struct holder, pod),
     .high = OBJECT_NAME_MAX_CHARS},
    {.name = "since",
     .type = MESSAGE_COUNT,
     .required = true,
     .at = offsetof(struct holder, since_s),
     .high = TIME_MAX_S},
};

static bool also_holder(const void *message, struct error *err)
{
    const struct holder *holder = message;

    return (*holder->session && *holder->pod) ||
           error_set(err, ERROR_INVALID, "a holder without a name");
}

static const struct message_shape holder_shape =
    MESSAGE_SHAPE(struct holder, holder_fields, also_holder);

static const struct message_field ledger_fields[] = {
    {.name = "exclusive", .type = MESSAGE_FLAG, .at = offsetof(struct holders, exclusive)},
    {.name = "wanted",
     .type = MESSAGE_COUNT,
     .at = offsetof(struct holders, wanted_s),
     .high = TIME_MAX_S},
    {.name = "holders",
     .type = MESSAGE_PARTS,
     .at = offsetof(struct holders, list),
     .count_at = offsetof(struct holders, count),
     .max = HOLDERS_MAX,
     .of = &holder_shape},
};

static bool is(const struct holder *holder, const char *session, const char *pod)
{
    return strcmp(holder->session, session) == 0 && strcmp(holder->pod, pod) == 0;
}

bool holders_has(const struct holders *holders, const char *session, const char *pod)
{
    for (size_t i = 0; i < holders->count; i++)
        if (is(&holders->list[i], session, pod))
            return true;
    return false;
}

static bool also_ledger(const void *message, struct error *err)
{
    const struct holders *holders = message;

    if (holders->exclusive && holders->count != 1)
        return error_set(err, ERROR_INVALID, "exclusive, and not one holder");
    for (size_t i = 1; i < holders->count; i++)
        for (size_t k = 0; k < i; k++)
            if (is(&holders->list[k], holders->list[i].session, holders->list[i].pod))
                return error_set(err, ERROR_INVALID, "a holder twice");
    return true;
}

static const struct message_shape ledger_shape =
    MESSAGE_SHAPE(struct holders, ledger_fields, also_ledger);

json_t *holders_read(struct span text, struct holders *holders, struct error *err)
{
    return message_read(&ledger_shape, text.length ? text : span_of("{}"), HOLDERS_MAX_BYTES,
                        holders, err);
}

void holders_write(const struct holders *holders, struct text *out)
{
    message_write(&ledger_shape, holders, out);
}

static bool session_is_in(const struct holders *holders, const char *session)
{
    for (size_t i = 0; i < holders->count; i++)
        if (strcmp(holders->list[i].session, session) == 0)
            return true;
    return false;
}

static void add(struct holders *holders, const char *session, const char *pod, int64_t now_s)
{
    holders->list[holders->count++] = (struct holder){session, pod, now_s};
}

static bool is_wanted(const struct holders *holders, int64_t now_s)
{
    return holders->wanted_s && now_s - holders->wanted_s < HOLDERS_WANTED_MAX_S;
}

/* What proves the end of what he did before proves nothing about what he begins now. */
static bool renew(struct holders *holders, const char *session, const char *pod, int64_t now_s)
{
    for (size_t i = 0; i < holders->count; i++)
        if (is(&holders->list[i], session, pod)) {
            holders->list[i].since_s = now_s;
            return true;
        }
    return false;
}

enum holders_answer holders_share(struct holders *holders, const char *session, const char *pod,
                                  int64_t now_s)
{
    if (!holders->exclusive && renew(holders, session, pod, now_s))
        return HOLDERS_ALREADY;
    if (holders->exclusive || holders->count == HOLDERS_MAX)
        return HOLDERS_WAIT;
    if (is_wanted(holders, now_s) && !session_is_in(holders, session))
        return HOLDERS_WAIT;
    add(holders, session, pod, now_s);
    return HOLDERS_LET_IN;
}

enum holders_answer holders_exclude(struct holders *holders, const char *session, const char *pod,
                                    int64_t now_s)
{
    if (holders->exclusive && holders_has(holders, session, pod))
        return HOLDERS_ALREADY;
    if (holders->count && is_wanted(holders, now_s))
        return HOLDERS_WAIT;
    if (holders->count) {
        holders->wanted_s = now_s;
        return HOLDERS_WANTED;
    }
    add(holders, session, pod, now_s);
    holders->exclusive = true;
    holders->wanted_s = 0;
    return HOLDERS_LET_IN;
}

bool holders_unwant(struct holders *holders)
{
    bool wanted = holders->wanted_s != 0;

    holders->wanted_s = 0;
    return wanted;
}

size_t holders_clear(struct holders *holders)
{
    size_t gone = holders->count;

    holders->count = 0;
    holders->exclusive = false;
    return gone;
}

size_t holders_sweep(struct holders *holders,
                     enum holder_state (*state)(void *context, const struct holder *holder),
                     void *context)
{
    size_t left = 0, before = holders->count;

    for (size_t i = 0; i < before; i++) {
        enum holder_state now = state(context, &holders->list[i]);

        if (now != HOLDER_ENDED && now != HOLDER_GONE)
            holders->list[left++] = holders->list[i];
    }
    holders->count = left;
    if (!left)
        holders->exclusive = false;
    return before - left;
}
