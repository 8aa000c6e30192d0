#include "kube/reflector.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* Errors 500 in watches, streaming lists that are cut, watches without a byte, in turn: so many,
 * then another way is taken. */
#define ERRORS_MAX 3
#define CUT_MAX 3
#define SILENT_MAX 2

/* What follows. */
enum answer {
    ANSWER_AGAIN_NOW, /* the same */
    ANSWER_AGAIN,     /* the same after a backoff */
    ANSWER_GENTLY,    /* the same after the shortest backoff */
    ANSWER_RELIST,    /* a list not older than the last version, after a backoff */
    ANSWER_AFRESH,    /* a list without version, after a backoff */
    ANSWER_WHOLE,     /* the same list without pages */
    ANSWER_FALL_BACK  /* a plain list from now on */
};

static int64_t otherwise(int64_t given, int64_t fallback)
{
    return given > 0 ? given : fallback;
}

struct reflector reflector_make(const struct reflector_limits *limits, bool streams)
{
    struct reflector_limits given = limits ? *limits : (struct reflector_limits){0};

    return (struct reflector){
        .limits = {.backoff_ms = otherwise(given.backoff_ms, 800),
                   .backoff_max_ms = otherwise(given.backoff_max_ms, 30000),
                   .backoff_reset_ms = otherwise(given.backoff_reset_ms, 120000),
                   .short_ms = otherwise(given.short_ms, 1000),
                   .watch_s = otherwise(given.watch_s, 300),
                   .quiet_ms = otherwise(given.quiet_ms, 150000),
                   .initial_ms = otherwise(given.initial_ms, 10000),
                   .initial_max_ms = otherwise(given.initial_max_ms, 60000),
                   .answer_ms = otherwise(given.answer_ms, KUBE_TIMEOUT_MS),
                   .page_ms = otherwise(given.page_ms, 120000),
                   .missing_ms = otherwise(given.missing_ms, 60000),
                   .doubt_ms = otherwise(given.doubt_ms, 600000),
                   .look_ms = otherwise(given.look_ms, 5000),
                   .second_ms = otherwise(given.second_ms, 1000)},
        .act = streams ? REFLECTOR_STREAM : REFLECTOR_LIST,
        .streams = streams,
        .back_ms = -1};
}

/* Versions. */

static bool is_number(const char *version)
{
    return *version && *version != '0' && version[strspn(version, "0123456789")] == '\0';
}

/* Compared only to notice that something is wrong. Numbers without leading zeros. */
static bool is_less(const char *version, const char *than)
{
    size_t length = strlen(version), other = strlen(than);

    if (!is_number(version) || !is_number(than))
        return false;
    return length != other ? length < other : strcmp(version, than) < 0;
}

static void take_version(struct reflector *reflector, const char *version)
{
    snprintf(reflector->version, sizeof reflector->version, "%s", version);
}

/* A list is what the server has, whatever was known before. */
static void take_list(struct reflector *reflector, const char *version, int64_t now_ms)
{
    if (is_less(version, reflector->version))
        reflector->back_ms = now_ms;
    take_version(reflector, version);
    reflector->listed = true;
    reflector->fresh = reflector->whole = reflector->away = false;
    reflector->cut = reflector->errors = reflector->silent = 0;
    reflector->act = REFLECTOR_WATCH;
}

bool reflector_in_doubt(const struct reflector *reflector, int64_t now_ms)
{
    return reflector->back_ms >= 0 && now_ms - reflector->back_ms < reflector->limits.doubt_ms;
}

enum reflector_verdict reflector_saw(struct reflector *reflector, const struct watch_event *event,
                                     int64_t now_ms)
{
    reflector->events++;
    reflector->silent = 0;
    if (reflector->act == REFLECTOR_STREAM) {
        /* versions of initial events are in no order */
        if (!event->initial_end)
            return REFLECTOR_TAKE;
        if (!event->version)
            return REFLECTOR_LEAVE;
        take_list(reflector, event->version, now_ms);
        return REFLECTOR_COMPLETE;
    }
    if (!event->version)
        return REFLECTOR_TAKE;
    if (is_less(event->version, reflector->version))
        return REFLECTOR_LEAVE;
    take_version(reflector, event->version);
    reflector->errors = 0;
    reflector->away = false;
    return REFLECTOR_TAKE;
}

/* What to do about it. */

/* The one who answers is not the server, or it is not able to: nothing is known of the version. */
static bool is_away(int status)
{
    return status == 0 || status == ERROR_TOO_MANY_REQUESTS || status == 502 ||
           status == ERROR_UNAVAILABLE;
}

/* Says who asks nothing about how he asks. */
static bool is_about_us(int status)
{
    return status == ERROR_UNAUTHORIZED || status == ERROR_FORBIDDEN || status == ERROR_NOT_FOUND;
}

static const char *asked_version(const struct reflector *reflector)
{
    if (reflector->fresh)
        return "";
    if (*reflector->version)
        return reflector->version;
    return reflector->act == REFLECTOR_LIST ? "0" : "";
}

static enum answer after_list(struct reflector *reflector, const struct reflector_outcome *outcome)
{
    bool expired = outcome->status == ERROR_GONE;

    if (expired && outcome->later_page && !reflector->whole)
        return ANSWER_WHOLE;
    if (!expired && !outcome->too_large_version)
        return ANSWER_AGAIN;
    return *asked_version(reflector) ? ANSWER_AFRESH : ANSWER_AGAIN;
}

static enum answer after_stream(struct reflector *reflector,
                                const struct reflector_outcome *outcome)
{
    switch (outcome->end) {
    case REFLECTOR_FAILED:
    case REFLECTOR_REPORTED:
        if (outcome->status == ERROR_GONE || outcome->too_large_version)
            return ANSWER_AFRESH;
        if (is_away(outcome->status) || is_about_us(outcome->status) ||
            outcome->status == ERROR_TIMEOUT)
            return ANSWER_AGAIN;
        return ANSWER_FALL_BACK;
    case REFLECTOR_ENDED:
    case REFLECTOR_GARBLED:
        return ++reflector->cut < CUT_MAX ? ANSWER_AGAIN : ANSWER_FALL_BACK;
    default:
        return ANSWER_FALL_BACK;
    }
}

static enum answer after_refusal(const struct reflector_outcome *outcome)
{
    if (outcome->too_large_version)
        return ANSWER_AFRESH;
    return is_away(outcome->status) ? ANSWER_AGAIN : ANSWER_RELIST;
}

static enum answer after_report(struct reflector *reflector,
                                const struct reflector_outcome *outcome)
{
    if (outcome->status == ERROR_INTERNAL && !outcome->too_large_version)
        return ++reflector->errors < ERRORS_MAX ? ANSWER_AGAIN : ANSWER_RELIST;
    return after_refusal(outcome);
}

/* One that ends at once is not asked for again at once, whether a proxy breaks it or the server.
 * While events come with it, it is of use. */
static enum answer after_end(const struct reflector *reflector,
                             const struct reflector_outcome *outcome)
{
    if (outcome->lasted_ms >= reflector->limits.short_ms)
        return ANSWER_AGAIN_NOW;
    return reflector->events > 0 ? ANSWER_GENTLY : ANSWER_AGAIN;
}

static enum answer after_watch(struct reflector *reflector, const struct reflector_outcome *outcome)
{
    switch (outcome->end) {
    case REFLECTOR_FAILED:
        return after_refusal(outcome);
    case REFLECTOR_REPORTED:
        return after_report(reflector, outcome);
    case REFLECTOR_ENDED:
        return after_end(reflector, outcome);
    case REFLECTOR_SILENT:
        /* a server that has gone back keeps silent until it gets there again */
        return ++reflector->silent < SILENT_MAX ? ANSWER_AGAIN_NOW : ANSWER_RELIST;
    case REFLECTOR_LEFT:
        return ANSWER_AFRESH;
    default:
        return ANSWER_RELIST;
    }
}

static enum answer judge(struct reflector *reflector, const struct reflector_outcome *outcome)
{
    if (reflector->act == REFLECTOR_LIST)
        return after_list(reflector, outcome);
    return reflector->act == REFLECTOR_STREAM ? after_stream(reflector, outcome)
                                              : after_watch(reflector, outcome);
}

/* Steps. */

static struct reflector_step ask(struct reflector *reflector, uint64_t random)
{
    const struct reflector_limits *limits = &reflector->limits;
    const char *version = asked_version(reflector);
    bool any = !*version || strcmp(version, "0") == 0;
    struct reflector_step step = {.act = reflector->act, .version = version};

    reflector->events = 0;
    if (reflector->act == REFLECTOR_LIST) {
        /* pages would make a list of a known version miss the server's cache */
        step.limit = !reflector->whole && (any || reflector->paged) ? KUBE_PAGE_ITEMS : 0;
        return step;
    }
    step.timeout_s = limits->watch_s + (int64_t)(random % (uint64_t)(limits->watch_s + 1));
    step.quiet_ms = reflector->act == REFLECTOR_STREAM ? limits->initial_ms : limits->quiet_ms;
    return step;
}

/* At least as long as the server wants it (B2). */
static struct reflector_step back_off(struct reflector *reflector, bool gently, int64_t after_s,
                                      int64_t now_ms, uint64_t random)
{
    const struct reflector_limits *limits = &reflector->limits;
    int64_t next_ms = 2 * reflector->backoff_ms, wait_ms;

    if (!reflector->backoff_ms || now_ms - reflector->failed_ms >= limits->backoff_reset_ms)
        next_ms = limits->backoff_ms;
    if (next_ms > limits->backoff_max_ms)
        next_ms = limits->backoff_max_ms;
    if (gently)
        next_ms = limits->backoff_ms;
    else
        reflector->backoff_ms = next_ms;
    wait_ms = next_ms + (int64_t)(random % (uint64_t)(next_ms + 1));
    if (wait_ms < after_s * limits->second_ms)
        wait_ms = after_s * limits->second_ms;
    reflector->failed_ms = now_ms + wait_ms;
    return (struct reflector_step){.act = REFLECTOR_WAIT, .version = "", .wait_ms = wait_ms};
}

/* True once, when the server is back and does not have our version any more: it answers, so that a
 * pause which grew while it did not is of no use. Whatever fails next waits that long again. */
static bool is_back(struct reflector *reflector, const struct reflector_outcome *outcome)
{
    bool refused = outcome->end == REFLECTOR_FAILED || outcome->end == REFLECTOR_REPORTED;
    bool back =
        refused && reflector->away && (outcome->status == ERROR_GONE || outcome->too_large_version);

    if (refused && is_away(outcome->status))
        reflector->away = true;
    else if (back ||
             (outcome->end == REFLECTOR_ENDED && outcome->lasted_ms >= reflector->limits.short_ms))
        reflector->away = false;
    return back;
}

static enum reflector_act listing(const struct reflector *reflector)
{
    return reflector->streams ? REFLECTOR_STREAM : REFLECTOR_LIST;
}

struct reflector_step reflector_next(struct reflector *reflector,
                                     const struct reflector_outcome *outcome, int64_t now_ms,
                                     uint64_t random)
{
    if (outcome->end == REFLECTOR_LISTED) {
        /* only where the server had to page on its own accord */
        reflector->paged |= outcome->paged && strcmp(asked_version(reflector), "0") == 0;
        take_list(reflector, outcome->version, now_ms);
    }
    if (outcome->end == REFLECTOR_BEGAN || outcome->end == REFLECTOR_WAITED ||
        outcome->end == REFLECTOR_LISTED)
        return ask(reflector, random);

    bool gently = is_back(reflector, outcome);

    switch (judge(reflector, outcome)) {
    case ANSWER_AGAIN_NOW:
        return ask(reflector, random);
    case ANSWER_WHOLE:
        reflector->whole = true;
        return ask(reflector, random);
    case ANSWER_FALL_BACK:
        reflector->streams = false;
        reflector->act = REFLECTOR_LIST;
        return ask(reflector, random);
    case ANSWER_AFRESH:
        reflector->fresh = true;
        reflector->act = listing(reflector);
        break;
    case ANSWER_RELIST:
        reflector->act = listing(reflector);
        break;
    case ANSWER_GENTLY:
        gently = true;
        break;
    case ANSWER_AGAIN:
        break;
    }
    reflector->whole = false;
    return back_off(reflector, gently, outcome->retry_after_s, now_ms, random);
}
