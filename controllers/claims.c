#include "controllers/claims.h"

#include <string.h>

#include "api/message.h"
#include "base/limits.h"
#include "base/tree.h"

#define UID_MAX_BYTES 64
#define TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999 */

static const struct message_field claim_fields[] = {
    {.name = "host",
     .type = MESSAGE_TEXT,
     .required = true,
     .at = offsetof(struct claim, host),
     .high = OBJECT_NAME_MAX_CHARS},
    {.name = "pod", .type = MESSAGE_TEXT, .at = offsetof(struct claim, pod), .high = UID_MAX_BYTES},
    {.name = "instance",
     .type = MESSAGE_TEXT,
     .at = offsetof(struct claim, instance),
     .high = UID_MAX_BYTES},
    {.name = "job", .type = MESSAGE_TEXT, .at = offsetof(struct claim, job), .high = UID_MAX_BYTES},
    {.name = "hook", .type = MESSAGE_TEXT, .at = offsetof(struct claim, hook), .high = 64},
    {.name = "attempt",
     .type = MESSAGE_COUNT,
     .required = true,
     .at = offsetof(struct claim, attempt),
     .high = INT32_MAX},
    {.name = "since",
     .type = MESSAGE_COUNT,
     .required = true,
     .at = offsetof(struct claim, since_s),
     .high = TIME_MAX_S},
};

static bool also_claim(const void *message, struct error *err)
{
    const struct claim *claim = message;

    if (!claim->pod != !claim->instance)
        return error_set(err, ERROR_INVALID, "a pod without instance, or the other way round");
    return claim->attempt > 0 || (claim->job && !claim->pod) ||
           error_set(err, ERROR_INVALID, "a claim of no attempt");
}

static const struct message_shape claim_shape =
    MESSAGE_SHAPE(struct claim, claim_fields, also_claim);

static const struct message_field ledger_fields[] = {
    {.name = "session",
     .type = MESSAGE_TEXT,
     .required = true,
     .at = offsetof(struct claims, session),
     .high = UID_MAX_BYTES},
    {.name = "since",
     .type = MESSAGE_COUNT,
     .required = true,
     .at = offsetof(struct claims, since_s),
     .high = TIME_MAX_S},
    {.name = "claims",
     .type = MESSAGE_PARTS,
     .at = offsetof(struct claims, list),
     .count_at = offsetof(struct claims, count),
     .max = CLAIMS_MAX,
     .of = &claim_shape},
};

static const struct claim *find(const struct claims *claims, const char *host)
{
    for (size_t i = 0; i < claims->count; i++)
        if (strcmp(claims->list[i].host, host) == 0)
            return &claims->list[i];
    return NULL;
}

static struct claim *find_editable(struct claims *claims, const char *host)
{
    return (struct claim *)find(claims, host);
}

static bool also_ledger(const void *message, struct error *err)
{
    const struct claims *claims = message;

    for (size_t i = 0; i < claims->count; i++)
        if (find(claims, claims->list[i].host) != &claims->list[i])
            return error_set(err, ERROR_INVALID, "a host twice");
    return true;
}

static const struct message_shape ledger_shape =
    MESSAGE_SHAPE(struct claims, ledger_fields, also_ledger);

json_t *claims_read(struct span text, struct claims *claims, struct error *err)
{
    return message_read(&ledger_shape, text, CLAIMS_MAX_BYTES, claims, err);
}

void claims_write(const struct claims *claims, struct text *out)
{
    message_write(&ledger_shape, claims, out);
}

static bool is_his(const struct claim *claim, const struct claims_caller *caller)
{
    return claim && claim->pod && strcmp(claim->pod, caller->pod) == 0 &&
           strcmp(claim->instance, caller->instance) == 0;
}

bool claims_is_of(const struct claims *claims, const char *host, const struct claims_caller *caller,
                  int64_t attempt)
{
    const struct claim *claim = find(claims, host);

    return is_his(claim, caller) && claim->attempt == attempt;
}

static void let_go(struct claim *claim)
{
    claim->pod = claim->instance = NULL;
}

bool claims_begin_hook(struct claims *claims, const char *host, const char *hook)
{
    struct claim *claim = find_editable(claims, host);

    if (!claim || (claim->hook && strcmp(claim->hook, hook) == 0))
        return false;
    claim->hook = hook;
    return true;
}

const char *claims_pod(const struct claims *claims, const char *host)
{
    const struct claim *claim = find(claims, host);

    return claim ? claim->pod : NULL;
}

bool claims_has_pod(const struct claims *claims, const char *pod)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->list[i].pod && strcmp(claims->list[i].pod, pod) == 0)
            return true;
    return false;
}

bool claims_drop(struct claims *claims, const char *host)
{
    struct claim *claim = find_editable(claims, host);

    if (!claim || !claim->pod)
        return false;
    let_go(claim);
    return true;
}

bool claims_set_job(struct claims *claims, const char *host, const char *job, int64_t now_s)
{
    struct claim *claim = find_editable(claims, host);

    if (!claim) {
        if (claims->count == CLAIMS_MAX)
            return false;
        claim = &claims->list[claims->count++];
        *claim = (struct claim){.host = host};
    }
    claim->job = job;
    claim->since_s = now_s;
    return true;
}

const char *claims_host_of_job(const struct claims *claims, const char *job)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->list[i].job && strcmp(claims->list[i].job, job) == 0)
            return claims->list[i].host;
    return NULL;
}

bool claims_any(const struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->list[i].pod)
            return true;
    return false;
}

void claims_fill(const struct claims *claims, struct work_host *hosts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct claim *claim = find(claims, hosts[i].name);

        hosts[i].claimed = claim && claim->pod;
        hosts[i].attempt = claim ? claim->attempt : 0;
        hosts[i].has_job = claim && claim->job;
        if (claim && claim->since_s > hosts[i].heard_s)
            hosts[i].heard_s = claim->since_s;
    }
}

/* The one host as it is after the edits of this call. */
static struct work only(const struct work *work, struct work_host *host, const struct claim *claim)
{
    struct work one = *work;

    host->claimed = claim && claim->pod;
    host->gone = false;
    host->attempt = claim ? claim->attempt : 0;
    one.hosts = host;
    one.host_count = 1;
    return one;
}

static void take(struct claims *claims, const char *host, const struct claims_caller *caller,
                 int64_t now_s)
{
    struct claim *claim = find_editable(claims, host);

    if (!claim) {
        claim = &claims->list[claims->count++];
        *claim = (struct claim){.host = host};
    }
    claim->pod = caller->pod;
    claim->instance = caller->instance;
    claim->attempt++;
    claim->since_s = now_s;
}

/* Not while somebody else is about to make the repository, nor when the ledger is full. */
static bool has_room(const struct claims *claims, const struct claim *claim, bool initialized)
{
    return (initialized || !claims_any(claims)) && (claim || claims->count < CLAIMS_MAX);
}

enum claims_answer claims_ask(struct claims *claims, const struct work *work, size_t host,
                              const struct claims_caller *caller, bool initialized, int64_t now_s)
{
    struct work_host own = work->hosts[host];
    struct claim *claim = find_editable(claims, own.name);
    bool his_pod = claim && claim->pod && strcmp(claim->pod, caller->pod) == 0;
    struct work one = only(work, &own, claim);

    if (is_his(claim, caller) && work_goes_on(&one, 0, now_s))
        return CLAIMS_AGAIN;
    if (his_pod) /* the container was restarted, or its session does not want it any more */
        let_go(claim);
    one = only(work, &own, claim);
    if (work_is_offered(&one, 0, now_s) && has_room(claims, claim, initialized)) {
        take(claims, own.name, caller, now_s);
        return CLAIMS_WORK;
    }
    return his_pod ? CLAIMS_RELEASE : CLAIMS_NOTHING;
}

static const json_t *ledger_of(const json_t *lease)
{
    return tree_get(tree_at(lease, "metadata.annotations"), KEY_LEDGER);
}

bool claims_are_in(const json_t *lease)
{
    return ledger_of(lease) != NULL;
}

json_t *claims_of_lease(const json_t *lease, struct claims *claims, struct error *err)
{
    *claims = (struct claims){0};
    if (!claims_are_in(lease)) {
        error_set(err, ERROR_NOT_FOUND, "no ledger");
        return NULL;
    }
    return claims_read(tree_value(ledger_of(lease)), claims, err);
}
