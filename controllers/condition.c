#include "controllers/condition.h"

#include <string.h>

#include "base/clock.h"
#include "base/tree.h"
#include "kube/time.h"

static const char *const words[] = {"", "True", "False", "Unknown"};

/* Without the fraction: the years of clock_format() have four digits. */
void condition_time(int64_t moment_s, char text[CONDITION_TIME_BYTES])
{
    char exact[CLOCK_TEXT_BYTES];
    size_t seconds = strlen("2024-05-01T13:30:00");

    clock_format(moment_s * 1000, exact);
    memcpy(text, exact, seconds);
    memcpy(text + seconds, "Z", 2);
}

static bool is_same(const json_t *item, const char *key, const char *text)
{
    return span_is(tree_span(item, key), text ? text : "");
}

static json_t *made(const struct condition *condition, const char *message, int64_t now_s)
{
    json_t *item = json_object();
    char time[CONDITION_TIME_BYTES];

    condition_time(now_s, time);
    tree_put_text(item, "type", condition->type);
    tree_put_text(item, "status", words[condition->status]);
    tree_put_text(item, "lastTransitionTime", time);
    if (condition->reason && *condition->reason)
        tree_put_text(item, "reason", condition->reason);
    if (*message)
        tree_put_text(item, "message", message);
    return item;
}

bool condition_set(json_t *conditions, const struct condition *condition, int64_t now_s)
{
    long at = tree_item_index(conditions, "type", condition->type);
    const json_t *old = at < 0 ? NULL : json_array_get(conditions, (size_t)at);

    if (condition->status == CONDITION_ABSENT)
        return old && json_array_remove(conditions, (size_t)at) == 0;

    AUTO(free)
    char *message = text_printable(span_of(condition->message), CONDITION_MESSAGE_MAX_BYTES);

    if (old && is_same(old, "status", words[condition->status]) &&
        is_same(old, "reason", condition->reason) && is_same(old, "message", message))
        return false;
    if (old)
        json_array_set_new(conditions, (size_t)at, made(condition, message, now_s));
    else
        tree_push_new(conditions, made(condition, message, now_s));
    return true;
}

enum condition_status condition_status(const json_t *conditions, const char *type)
{
    struct span status = tree_span(tree_item(conditions, "type", type), "status");

    for (int i = CONDITION_TRUE; i < CONDITION_UNKNOWN; i++)
        if (span_is(status, words[i]))
            return (enum condition_status)i;
    return status.length ? CONDITION_UNKNOWN : CONDITION_ABSENT;
}

const char *condition_reason(const json_t *conditions, const char *type)
{
    const char *reason = tree_text(tree_item(conditions, "type", type), "reason");

    return reason ? reason : "";
}

const char *condition_message(const json_t *conditions, const char *type)
{
    const char *message = tree_text(tree_item(conditions, "type", type), "message");

    return message ? message : "";
}

int64_t condition_since_s(const json_t *conditions, const char *type)
{
    int64_t moment_s;

    return time_parse(tree_span(tree_item(conditions, "type", type), "lastTransitionTime"),
                      &moment_s)
               ? moment_s
               : -1;
}
