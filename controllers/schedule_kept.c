#include "controllers/schedule_kept.h"

#include <string.h>

#include "api/cron.h"
#include "api/duration.h"
#include "base/tree.h"
#include "controllers/slot.h"
#include "kube/time.h"

/* Seconds that a pod may take to start and ask for its session: an image is pulled first. */
#define START_MAX_S 300

/* In the message: what comes before the moment of a slot. */
#define AT " at "

static int64_t max_s(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t time_of(const json_t *object, const char *key)
{
    int64_t moment_s;

    return time_parse(tree_span(object, key), &moment_s) ? moment_s : -1;
}

static int64_t jitter_s(const json_t *spec)
{
    struct span text = tree_span(spec, "jitter");
    struct error ignored;
    int64_t jitter_ns;

    if (!text.length || !duration_parse(text, &jitter_ns, &ignored) || jitter_ns < 0)
        return 0;
    return jitter_ns / SECOND_NS;
}

static int64_t grace_s(const struct slots *slots, const json_t *spec)
{
    int64_t half_s = cron_shortest_interval_s(&slots->cron) / 2;

    return jitter_s(spec) + (half_s < START_MAX_S ? half_s : START_MAX_S);
}

static const json_t *conditions_of(const struct schedule_seen *seen)
{
    return tree_at(seen->configuration, "status.conditions");
}

/* What the condition that is there says was missed: so many, the last of them at slot_s. */
struct told {
    int missed;
    int64_t slot_s;
};

/* Reads it back from our own words; somebody else's count as none. */
static struct told told_of(const struct schedule_seen *seen)
{
    const json_t *conditions = conditions_of(seen);
    const char *message = condition_message(conditions, CONDITION_SCHEDULE_KEPT);
    const char *at = strstr(message, AT), *moment = at ? at + strlen(AT) : "";
    struct told told = {(int)strtol(message, NULL, 10), -1};

    if (condition_status(conditions, CONDITION_SCHEDULE_KEPT) != CONDITION_FALSE ||
        told.missed < 1 || told.missed > SLOTS_MISSED_MAX || !strchr(moment, 'Z') ||
        !time_parse((struct span){moment, strcspn(moment, "Z") + 1}, &told.slot_s))
        return (struct told){0, -1};
    return told;
}

/* Since when slots count, beside what has begun and what was told: see the header. */
static int64_t counted_from_s(const struct schedule_seen *seen, const char *good)
{
    const json_t *conditions = conditions_of(seen);

    if (condition_status(conditions, CONDITION_SCHEDULE_KEPT) == CONDITION_TRUE &&
        strcmp(condition_message(conditions, CONDITION_SCHEDULE_KEPT), good) == 0)
        return condition_since_s(conditions, CONDITION_SCHEDULE_KEPT);
    return seen->now_s;
}

static char *message_of(const struct told *missed)
{
    char time[CONDITION_TIME_BYTES];

    condition_time(missed->slot_s, time);
    return text_format("%d%s session%s of the schedule did not begin, the last one" AT
                       "%s: see its CronJob, the Jobs of that and their pods",
                       missed->missed, missed->missed == SLOTS_MISSED_MAX ? " or more" : "",
                       missed->missed == 1 ? "" : "s", time);
}

static struct condition kept(enum condition_status status, const char *reason, const char *message)
{
    return (struct condition){CONDITION_SCHEDULE_KEPT, status, reason, message};
}

/* Adds what was missed since from_s to what was told. */
static struct told add(const struct told *told, const struct slots *slots, int64_t from_s,
                       int64_t due_s)
{
    int64_t slot_s = slot_last(slots, from_s, due_s);
    int missed = told->missed + slot_missed(slots, from_s, due_s);

    if (slot_s < 0)
        return *told;
    return (struct told){missed < SLOTS_MISSED_MAX ? missed : SLOTS_MISSED_MAX, slot_s};
}

static void judge(const struct schedule_seen *seen, const struct slots *slots,
                  struct schedule_kept *result)
{
    const json_t *spec = tree_get(seen->configuration, "spec");
    int64_t grace = grace_s(slots, spec), due_s = seen->now_s - grace;
    int64_t begun_s =
        max_s(seen->session_s, time_of(tree_get(seen->cronjob, "status"), "lastSuccessfulTime"));
    AUTO(free) char *good = text_format("the schedule is %s", tree_text(spec, "schedule"));
    struct told told = told_of(seen), missed;
    int64_t from_s = told.missed ? told.slot_s : counted_from_s(seen, good);

    result->look_s = slot_next(slots, due_s);
    if (result->look_s >= 0)
        result->look_s += grace;
    if (told.missed && begun_s >= told.slot_s)
        told.missed = 0;
    missed = add(&told, slots, max_s(begun_s, from_s), due_s);
    if (missed.missed == 0) {
        result->message = TAKE(good);
        result->condition = kept(CONDITION_TRUE, "SessionsBegin", result->message);
        return;
    }
    result->message = message_of(&missed);
    result->condition = kept(CONDITION_FALSE, "SessionsMissed", result->message);
    result->missed = missed.missed - told.missed;
}

struct schedule_kept schedule_kept_read(const struct schedule_seen *seen)
{
    const json_t *spec = tree_get(seen->configuration, "spec");
    struct schedule_kept result = {.condition = kept(CONDITION_ABSENT, "", NULL), .look_s = -1};
    struct slots slots = {.anchor_s = seen->made_s};
    struct error ignored;

    if (tree_true(spec, "paused")) {
        result.condition = kept(CONDITION_UNKNOWN, "Paused", NULL);
        return result;
    }
    if (slots.anchor_s < 0 || !tree_text(spec, "schedule") ||
        !cron_parse(&slots.cron, tree_span(spec, "schedule"), &ignored))
        return result;
    judge(seen, &slots, &result);
    return result;
}
