#include "controllers/status_parts.h"

#include "api/agent_messages.h"
#include "api/duration.h"
#include "base/tree.h"
#include "controllers/condition.h"

json_t *status_list(json_t *object, const char *key)
{
    if (!tree_member(object, key, JSON_ARRAY))
        tree_put_new(object, key, json_array());
    return json_object_get(object, key);
}

json_t *status_conditions(json_t *object)
{
    return status_list(object, "conditions");
}

const json_t *status_stat(const json_t *stats, const char *host)
{
    return tree_item(stats, "hostname", host);
}

void status_put_time(json_t *object, const char *key, int64_t moment_s)
{
    char time[CONDITION_TIME_BYTES];

    condition_time(moment_s, time);
    tree_put_text(object, key, time);
}

void status_put_duration(json_t *object, const char *key, int64_t seconds)
{
    AUTO(text) struct text text = {0};

    duration_format(&text, (seconds > 0 ? seconds : 0) * SECOND_NS);
    tree_put_text(object, key, text_get(&text));
}

void status_put_hook(json_t *object, const struct status_hook *hook, int result, int64_t now_s)
{
    bool bad = result == MESSAGE_HOOK_FAILED;
    const struct condition condition = {
        hook->type, bad ? CONDITION_FALSE : CONDITION_TRUE, bad ? hook->failed : hook->done,
        result == MESSAGE_HOOK_SKIPPED ? "skipped by policy" : NULL};

    if (result == MESSAGE_HOOK_NOT_ASKED ||
        (!bad && condition_status(tree_get(object, "conditions"), hook->type) == CONDITION_FALSE))
        return;
    (void)condition_set(status_conditions(object), &condition, now_s);
}

char *status_error(const struct work_step *step)
{
    AUTO(free) char *error = text_format("%s: %s", step->reason, step->message);

    return text_printable(span_of(error), CONDITION_MESSAGE_MAX_BYTES);
}

char *status_report_error(const struct message_report *report, bool proven, const char *unproven)
{
    if (report->outcome == MESSAGE_SUCCEEDED && proven)
        return NULL;
    if (report->has_error)
        return text_format("%s: %s", report->error.reason, report->error.message);
    return text_format("NoProof: %s", unproven);
}
