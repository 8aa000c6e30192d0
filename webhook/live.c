#include "webhook/live.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "kube/client.h"

/* A blueprint and a workload that names it come in one file: the next change is waited for only so
 * long, and a snapshot is made at most so often while changes come all the time. */
#define SETTLE_MS 5
#define SETTLE_MAX_MS 250

struct live {
    struct live_plan plan;
    struct kube_client *client;
    struct informer *kinds;
    struct kube_watched secret_kind;
    struct informer *secret; /* NULL: none is followed */
    bool failing;            /* what was last logged */
    int64_t since_ms;
};

static void secret_changed(void *context, const struct informer_change *change)
{
    struct live *live = context;

    live->plan.secret_changed(live->plan.context, change->after);
}

static bool follow_kinds(struct live *live, struct error *err)
{
    struct informer_options options = {
        .kinds = followed_kinds,
        .count = followed_count,
        .settled = live->plan.known,
        .settle_ms = SETTLE_MS,
        .settle_max_ms = SETTLE_MAX_MS,
        .context = live->plan.known_context,
    };

    live->kinds = informer_start(live->client, &options, err);
    return live->kinds != NULL;
}

/* On its own: a Secret that may not be read keeps nobody from knowing the rest. */
static bool follow_secret(struct live *live, struct error *err)
{
    struct informer_options options = {
        .kinds = &live->secret_kind,
        .count = 1,
        .changed = secret_changed,
        .context = live,
    };

    if (!live->plan.secret->name)
        return true;
    live->secret_kind = followed_secret_kind(live->plan.secret);
    live->secret = informer_start(live->client, &options, err);
    return live->secret != NULL;
}

struct live *live_start(const struct live_plan *plan, struct error *err)
{
    struct kube_client_limits limits = {.user_agent = "granary-webhook/" GRANARY_VERSION};
    struct live *live = text_alloc(sizeof *live);

    live->plan = *plan;
    live->client = kube_client_start(plan->config, &limits, err);
    if (live->client && follow_kinds(live, err) && follow_secret(live, err))
        return live;
    live_stop(live);
    return NULL;
}

void live_stop(struct live *live)
{
    if (!live)
        return;
    if (live->client)
        kube_client_cancel(live->client);
    informer_stop(live->secret);
    informer_stop(live->kinds);
    kube_client_stop(live->client);
    free(live);
}

size_t live_count(const struct live *live)
{
    return followed_count + (live->secret ? 1 : 0);
}

void live_look(struct live *live, size_t index, struct live_kind *kind)
{
    bool is_secret = index == followed_count;
    const struct kube_watched *watched = is_secret ? &live->secret_kind : &followed_kinds[index];

    kind->facts = informer_look(is_secret ? live->secret : live->kinds, is_secret ? 0 : index);

    const struct follower_facts *facts = &kind->facts.follower;
    bool absent = watched->optional && facts->status == ERROR_NOT_FOUND;

    kind->plural = watched->resource.plural;
    kind->synced = kind->facts.synced;
    kind->failing = facts->problem[0] && !absent;
    kind->objects = kind->facts.objects;
    kind->contact_ms = facts->contact_ms;
    kind->errors = facts->errors;
    kind->problem = facts->problem;
}

/* Names of the kinds of which `is` says so, and the first problem among them. */
static bool names(struct live *live, bool (*is)(const struct live_kind *kind), struct text *text)
{
    char problem[sizeof((struct follower_facts *)0)->problem] = "";
    bool any = false;

    for (size_t i = 0; i < live_count(live); i++) {
        struct live_kind kind;

        live_look(live, i, &kind);
        if (!is(&kind))
            continue;
        text_addf(text, "%s%s", any ? ", " : "", kind.plural);
        any = true;
        if (!problem[0])
            memcpy(problem, kind.problem, sizeof problem);
    }
    if (problem[0])
        text_addf(text, " (%s)", problem);
    return any;
}

static bool is_missing(const struct live_kind *kind)
{
    return !kind->synced;
}

static bool is_failing(const struct live_kind *kind)
{
    return kind->failing;
}

bool live_missing(struct live *live, struct text *text)
{
    return names(live, is_missing, text);
}

bool live_failing(struct live *live, struct text *text)
{
    return names(live, is_failing, text);
}

void live_watch(struct live *live, int64_t now_ms)
{
    AUTO(text) struct text which = {0};
    bool failing = live_failing(live, &which);

    if (failing == live->failing)
        return;
    live->failing = failing;
    if (failing)
        log_warn("the cluster can not be followed, answers come from what is known",
                 LOG_S("kinds", text_get(&which)));
    else
        log_info("the cluster is followed again", LOG_N("after-ms", now_ms - live->since_ms));
    live->since_ms = now_ms;
}
