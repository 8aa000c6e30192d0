#include "kube/election.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"

/* What a Lease that was given back says; a shorter time can not be written. */
#define RELEASED_S 1

/* Somebody else's duration counts up to this. */
#define DURATION_MAX_S 60

struct election election_make(const struct election_rules *rules, const char *self, int64_t now_ms)
{
    struct election election = {.rules = *rules, .act = ELECTION_WAIT, .next_ms = now_ms};
    struct election_rules *all = &election.rules;

    all->duration_ms = all->duration_ms > 0 ? all->duration_ms : 15000;
    all->leads_ms = all->leads_ms > 0 ? all->leads_ms : 10000;
    all->retry_ms = all->retry_ms > 0 ? all->retry_ms : 2000;
    all->answer_ms = all->answer_ms > 0 ? all->answer_ms : 4000;
    snprintf(election.self, sizeof election.self, "%s", self);
    return election;
}

int64_t election_left_ms(const struct election *election, int64_t now_ms)
{
    return election->leads_until_ms > now_ms ? election->leads_until_ms - now_ms : 0;
}

void election_stop(struct election *election, int64_t now_ms)
{
    election->stopping = true;
    election->leads_until_ms = 0;
    election->next_ms = now_ms;
    election->stop_until_ms = now_ms + ELECTION_STOP_MS;
}

/* What is known by now. */

/* Whoever wrote it: another version is a sign of life. */
static bool is_same(const struct election_record *a, const struct election_record *b)
{
    return a->present == b->present && strcmp(a->version, b->version) == 0;
}

static bool is_given_back(const struct election_record *record)
{
    return record->present && !*record->holder && record->duration_s == RELEASED_S;
}

/* Of a Lease that is new to us nobody knows whether another one was there before, by which somebody
 * leads until he finds out. */
static void reckon(struct election *election, const struct election_record *record, int64_t now_ms)
{
    const struct election_record *seen = &election->seen;

    if (is_given_back(record))
        election->alone_ms = now_ms;
    else if (record->present && (!seen->present || strcmp(seen->uid, record->uid) != 0))
        election->alone_ms = now_ms + election->rules.duration_ms;
}

static void see(struct election *election, const struct election_record *record, int64_t now_ms)
{
    if (election->seen_ms == 0 || !is_same(&election->seen, record))
        election->seen_ms = now_ms;
    reckon(election, record, now_ms);
    election->seen = *record;
    election->fresh = true;
}

static bool is_alone(const struct election *election, int64_t now_ms)
{
    return now_ms >= election->alone_ms;
}

static bool is_ours(const struct election *election)
{
    return election->fresh && election->seen.present &&
           strcmp(election->seen.holder, election->self) == 0;
}

static void written(struct election *election, const struct election_record *record, int64_t now_ms)
{
    see(election, record, now_ms);
    if (election->act == ELECTION_RELEASE) {
        election->over = true;
    } else if (is_ours(election) && !election->stopping && is_alone(election, now_ms)) {
        /* from when it was sent: the others may have seen it ever since */
        election->leads_until_ms = election->sent_ms + election->rules.leads_ms;
        election->led = true;
    } else if (is_ours(election) && election->alone_ms < election->next_ms) {
        election->next_ms = election->alone_ms;
    }
}

static void absorb(struct election *election, const struct election_outcome *outcome,
                   int64_t now_ms)
{
    switch (outcome->end) {
    case ELECTION_BEGAN:
    case ELECTION_WAITED:
        break;
    case ELECTION_SEEN:
        see(election, outcome->record, now_ms);
        /* what we wrote without being told is confirmed by writing again */
        if (is_ours(election))
            election->next_ms = now_ms;
        break;
    case ELECTION_WRITTEN:
        written(election, outcome->record, now_ms);
        break;
    case ELECTION_FAILED:
        /* what was written, and whether, has to be read; by a leader soon */
        if (election->led && election->fresh)
            election->next_ms = election->sent_ms + election->rules.retry_ms / 4;
        election->fresh = false;
        break;
    }
    election->act = ELECTION_WAIT;
}

/* What follows. */

static struct election_step rest_until(int64_t until_ms, int64_t now_ms)
{
    return (struct election_step){.act = ELECTION_WAIT,
                                  .wait_ms = until_ms > now_ms ? until_ms - now_ms : 1};
}

static struct election_step ask(struct election *election, enum election_act act, int64_t pause_ms,
                                int64_t now_ms)
{
    int64_t left_ms =
        election->stopping ? election->stop_until_ms - now_ms : election_left_ms(election, now_ms);
    bool cut = left_ms > 0 && left_ms < election->rules.answer_ms;

    election->claimed |= act != ELECTION_READ;
    election->act = act;
    election->sent_ms = now_ms;
    election->next_ms = now_ms + pause_ms;
    return (struct election_step){.act = act,
                                  .timeout_ms = cut ? left_ms : election->rules.answer_ms};
}

static struct election_step end(struct election *election, enum election_act act)
{
    election->over = true;
    election->leads_until_ms = 0;
    return (struct election_step){.act = act};
}

static struct election_step lead(struct election *election, int64_t now_ms)
{
    int64_t left_ms = election_left_ms(election, now_ms), retry_ms = election->rules.retry_ms;
    if (left_ms == 0 || (election->fresh && !is_ours(election)))
        return end(election, ELECTION_LOST);
    if (now_ms < election->next_ms)
        return rest_until(
            election->next_ms < now_ms + left_ms ? election->next_ms : now_ms + left_ms, now_ms);
    return ask(election, election->fresh ? ELECTION_RENEW : ELECTION_READ, retry_ms, now_ms);
}

/* When it may be had. Given back, or none: at once. What says less than we know of our own kind,
 * waits as long. */
static int64_t free_at_ms(const struct election *election)
{
    const struct election_record *seen = &election->seen;
    int64_t duration_ms =
        (seen->duration_s < DURATION_MAX_S ? seen->duration_s : DURATION_MAX_S) * 1000;

    if (!seen->present || is_given_back(seen))
        return election->seen_ms;
    if (duration_ms < election->rules.duration_ms)
        duration_ms = election->rules.duration_ms;
    return election->seen_ms + duration_ms;
}

static struct election_step stand(struct election *election, int64_t now_ms, uint64_t random)
{
    int64_t retry_ms = election->rules.retry_ms;
    int64_t pause_ms = retry_ms + (int64_t)(random % (uint64_t)(retry_ms / 2 + 1));
    int64_t free_ms = free_at_ms(election);
    enum election_act take = election->seen.present ? ELECTION_TAKE : ELECTION_CREATE;

    if (is_ours(election) && now_ms >= election->next_ms)
        return ask(election, ELECTION_RENEW, pause_ms, now_ms);
    if (election->fresh && !is_ours(election) && now_ms >= free_ms)
        return ask(election, take, pause_ms, now_ms);
    if (now_ms >= election->next_ms)
        return ask(election, ELECTION_READ, pause_ms, now_ms);
    return rest_until(election->fresh && free_ms < election->next_ms ? free_ms : election->next_ms,
                      now_ms);
}

/* A Lease that may be ours is given back, unless that takes too long, or says too much. */
static struct election_step give_back(struct election *election, int64_t now_ms)
{
    if (election->over || !election->claimed || now_ms >= election->stop_until_ms ||
        (election->fresh && (!is_ours(election) || !is_alone(election, now_ms))))
        return end(election, ELECTION_OVER);
    if (now_ms < election->next_ms)
        return rest_until(election->next_ms, now_ms);
    return ask(election, election->fresh ? ELECTION_RELEASE : ELECTION_READ,
               election->rules.retry_ms / 4, now_ms);
}

struct election_step election_next(struct election *election,
                                   const struct election_outcome *outcome, int64_t now_ms,
                                   uint64_t random)
{
    absorb(election, outcome, now_ms);
    if (election->stopping)
        return give_back(election, now_ms);
    if (election->over || election->led)
        return lead(election, now_ms);
    return stand(election, now_ms, random);
}

/* The Lease. */

static void copy(char *out, size_t room, struct span value)
{
    if (value.length >= room || (value.length && memchr(value.data, '\0', value.length)))
        value.length = 0;
    if (value.length)
        memcpy(out, value.data, value.length);
    out[value.length] = '\0';
}

struct election_record election_record(const json_t *lease)
{
    const json_t *spec = tree_get(lease, "spec");
    struct election_record record = {.present = lease != NULL};

    copy(record.holder, sizeof record.holder, tree_span(spec, "holderIdentity"));
    copy(record.version, sizeof record.version,
         tree_span(tree_get(lease, "metadata"), "resourceVersion"));
    copy(record.uid, sizeof record.uid, tree_span(tree_get(lease, "metadata"), "uid"));
    record.duration_s = tree_int(spec, "leaseDurationSeconds", 0);
    record.transitions = tree_int(spec, "leaseTransitions", 0);
    return record;
}

/* MicroTime is read with exactly six digits. */
static void put_time(json_t *spec, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES], micro[CLOCK_TEXT_BYTES + 8];

    clock_format(wall_ms, text);
    snprintf(micro, sizeof micro, "%.*s000Z", (int)strcspn(text, "Z"), text);
    tree_put_text(spec, key, micro);
}

static json_t *spec_of(const struct election *election, enum election_act act, int64_t wall_ms)
{
    bool takes = act == ELECTION_CREATE || act == ELECTION_TAKE, gives = act == ELECTION_RELEASE;
    int64_t duration_s = (election->rules.duration_ms + 999) / 1000;
    int64_t transitions = election->seen.present ? election->seen.transitions : 0;
    json_t *spec = json_object();

    tree_put_text(spec, "holderIdentity", gives ? "" : election->self);
    tree_put_int(spec, "leaseDurationSeconds", gives ? RELEASED_S : duration_s);
    tree_put_int(spec, "leaseTransitions", transitions + (act == ELECTION_TAKE));
    if (takes)
        put_time(spec, "acquireTime", wall_ms);
    put_time(spec, "renewTime", wall_ms);
    return spec;
}

json_t *election_body(const struct election *election, enum election_act act, int64_t wall_ms)
{
    json_t *body = json_object(), *metadata = json_object();

    if (act == ELECTION_CREATE) {
        tree_put_text(body, "apiVersion", "coordination.k8s.io/v1");
        tree_put_text(body, "kind", "Lease");
    } else {
        tree_put_text(metadata, "resourceVersion", election->seen.version);
    }
    tree_put_new(body, "metadata", metadata);
    tree_put_new(body, "spec", spec_of(election, act, wall_ms));
    return body;
}
