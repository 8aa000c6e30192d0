#include "controllers/maintenance_status.h"

#include <string.h>

#include "api/agent_messages.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/status_parts.h"
#include "kube/time.h"

#define DAMAGED "RepositoryDamaged"

/* How the conditions of the kinds are called, where Stash has one as Stash calls it. */
static const struct {
    const char *type, *done, *failed;
} words[MAINTENANCE_KINDS] = {
    [MAINTENANCE_WIPE] = {"RepositoryWiped", "SuccessfullyWipedRepository",
                          "FailedToWipeRepository"},
    [MAINTENANCE_KEY] = {"RepositoryPasswordValid", "RepositoryOpensWithPassword",
                         "FailedToExchangeRepositoryKey"},
    [MAINTENANCE_UNLOCK] = {"RepositoryUnlocked", "SuccessfullyUnlockedRepository",
                            "FailedToUnlockRepository"},
    [MAINTENANCE_FORGET] = {"RetentionPolicyApplied", "SuccessfullyAppliedRetentionPolicy",
                            "FailedToApplyRetentionPolicy"},
    [MAINTENANCE_PRUNE] = {"RepositoryPruned", "SuccessfullyPrunedRepository",
                           "FailedToPruneRepository"},
    [MAINTENANCE_CHECK] = {"RepositoryIntegrityVerified", "SuccessfullyVerifiedRepositoryIntegrity",
                           "FailedToVerifyRepositoryIntegrity"},
    [MAINTENANCE_VERIFY] = {"RestoreVerified", "SuccessfullyVerifiedRestore",
                            "FailedToVerifyRestore"},
};

const char *maintenance_condition(enum maintenance_kind kind)
{
    return words[kind].type;
}

const char *maintenance_done_word(enum maintenance_kind kind)
{
    return words[kind].done;
}

const char *maintenance_failed_word(enum maintenance_kind kind)
{
    return words[kind].failed;
}

/* ---- reading ---- */

static const json_t *entry_of(const json_t *status, enum maintenance_kind kind)
{
    return tree_item(tree_member(status, "maintenance", JSON_ARRAY), "kind",
                     maintenance_word(kind));
}

static int64_t moment_of(const json_t *entry, const char *key)
{
    int64_t moment_s;

    return time_parse(tree_span(entry, key), &moment_s) && moment_s > 0 ? moment_s : 0;
}

static int64_t count_of(const json_t *entry, const char *key)
{
    int64_t count = tree_int(entry, key, 0);

    return count > 0 ? count : 0;
}

/* What says that data are not as they were: an older leader wrote the reason alone. */
static bool is_finding(const char *reason)
{
    return reason &&
           (strcmp(reason, DAMAGED) == 0 || strcmp(reason, MAINTENANCE_COMMAND_FAILED) == 0);
}

/* True while it has found damage, and has not found since that it is gone. */
static bool has_found(const json_t *status, enum maintenance_kind kind)
{
    const json_t *entry = entry_of(status, kind);

    return tree_true(entry, "damaged") || is_finding(tree_text(entry, "reason"));
}

/* The others may meet damage too; but what is not done meanwhile would never find that it is gone.
 */
static bool is_damaged(const json_t *status)
{
    return has_found(status, MAINTENANCE_CHECK) || has_found(status, MAINTENANCE_VERIFY);
}

void maintenance_status_read(const json_t *status, struct maintenance *seen)
{
    for (int kind = 0; kind < MAINTENANCE_KINDS; kind++) {
        const json_t *entry = entry_of(status, (enum maintenance_kind)kind);

        seen->past[kind] = (struct maintenance_past){
            .succeeded_s = moment_of(entry, "lastSuccess"),
            .failed_s = moment_of(entry, "lastFailure"),
            .failures = count_of(entry, "failures"),
            .successes = count_of(entry, "successes"),
            .lost = span_is(tree_span(entry, "reason"), MAINTENANCE_POD_LOST),
        };
        if (kind != MAINTENANCE_KEY && span_is(tree_span(entry, "reason"), WRONG_PASSWORD) &&
            seen->past[kind].failed_s > seen->refused_s)
            seen->refused_s = seen->past[kind].failed_s;
    }
    seen->removed = count_of(entry_of(status, MAINTENANCE_FORGET), "removed") > 0;
    seen->refusal_said = condition_status(tree_get(status, "conditions"),
                                          words[MAINTENANCE_KEY].type) == CONDITION_FALSE;
    seen->damaged = is_damaged(status) || json_is_false(tree_get(status, "integrity"));
}

bool maintenance_status_has(const json_t *status, enum maintenance_kind kind, const char *job)
{
    return span_is(tree_span(entry_of(status, kind), "job"), job);
}

const char *maintenance_status_unlock(const json_t *status)
{
    const char *value = tree_text(entry_of(status, MAINTENANCE_UNLOCK), "asked");

    return value ? value : "";
}

/* ---- writing ---- */

static json_t *entry_to_edit(json_t *status, enum maintenance_kind kind)
{
    json_t *list = status_list(status, "maintenance");
    long index = tree_item_index(list, "kind", maintenance_word(kind));
    json_t *entry;

    if (index >= 0)
        return json_array_get(list, (size_t)index);
    entry = json_object();
    tree_put_text(entry, "kind", maintenance_word(kind));
    tree_push_new(list, entry);
    return entry;
}

static void put_success(json_t *entry, const struct maintenance_outcome *outcome)
{
    status_put_time(entry, "lastSuccess", outcome->since_s);
    tree_put_int(entry, "successes", count_of(entry, "successes") + 1);
    if (outcome->kind == MAINTENANCE_FORGET && outcome->result.removed > 0)
        tree_put_int(entry, "removed", count_of(entry, "removed") + outcome->result.removed);
    if (outcome->kind == MAINTENANCE_VERIFY) {
        tree_put_int(entry, "verified", outcome->result.verified);
        tree_put_int(entry, "restoredFiles", outcome->result.restored_files);
        tree_put_int(entry, "restoredBytes", outcome->result.restored_bytes);
    }
    json_object_del(entry, "damaged");
    json_object_del(entry, "lastFailure");
    json_object_del(entry, "failures");
    json_object_del(entry, "reason");
}

static void put_failure(json_t *entry, const struct maintenance_outcome *outcome, int64_t now_s)
{
    status_put_time(entry, "lastFailure", now_s);
    tree_put_int(entry, "failures", count_of(entry, "failures") + 1);
    tree_put_text(entry, "reason", outcome->reason);
    if (is_finding(outcome->reason) &&
        (outcome->kind == MAINTENANCE_CHECK || outcome->kind == MAINTENANCE_VERIFY))
        tree_put_bool(entry, "damaged", true);
}

/* As restic and Stash write a size. */
static void put_size(json_t *status, int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    AUTO(text) struct text text = {0};
    int unit = bytes < 1024 ? -1 : 0;

    while (unit >= 0 && unit < 3 && bytes >> (10 * (unit + 2)))
        unit++;
    if (unit < 0)
        text_addf(&text, "%lld B", (long long)bytes);
    else
        text_addf(&text, "%.3f %s", (double)bytes / (double)(INT64_C(1) << (10 * (unit + 1))),
                  units[unit]);
    tree_put_text(status, "totalSize", text_get(&text));
}

static void put_numbers(json_t *status, const struct maintenance_outcome *outcome)
{
    const struct maintenance_result *result = &outcome->result;

    if (result->snapshots >= 0)
        tree_put_int(status, "snapshotCount", result->snapshots);
    if (result->bytes >= 0)
        put_size(status, result->bytes);
    if (outcome->kind == MAINTENANCE_FORGET && result->removed >= 0)
        tree_put_int(status, "snapshotsRemovedOnLastCleanup", result->removed);
    if (outcome->kind == MAINTENANCE_PRUNE)
        tree_put_int(entry_to_edit(status, MAINTENANCE_FORGET), "removed", 0);
}

/* Whoever found damage has to find it gone: a check that reads another thirtieth does not. */
static void put_integrity(json_t *status, const struct maintenance_outcome *outcome, bool found)
{
    bool good = !outcome->reason && (outcome->kind == MAINTENANCE_CHECK ||
                                     (outcome->kind == MAINTENANCE_VERIFY && found));

    if (is_damaged(status) || is_finding(outcome->reason))
        tree_put_bool(status, "integrity", false);
    else if (good)
        tree_put_bool(status, "integrity", true);
}

static void put_condition(json_t *status, const struct maintenance_outcome *outcome, int64_t now_s)
{
    AUTO(free)
    char *message = outcome->reason ? text_format("%s: %s", outcome->reason,
                                                  outcome->message ? outcome->message : "")
                                    : NULL;
    const struct condition condition = {
        words[outcome->kind].type, outcome->reason ? CONDITION_FALSE : CONDITION_TRUE,
        outcome->reason ? words[outcome->kind].failed : words[outcome->kind].done, message};

    (void)condition_set(status_conditions(status), &condition, now_s);
}

void maintenance_status_put(json_t *status, const struct maintenance_outcome *outcome,
                            int64_t now_s)
{
    json_t *entry = entry_to_edit(status, outcome->kind);
    bool found = has_found(status, outcome->kind);

    tree_put_text(entry, "job", outcome->job);
    if (outcome->unlock && !outcome->reason)
        tree_put_text(entry, "asked", outcome->unlock);
    if (outcome->reason)
        put_failure(entry, outcome, now_s);
    else
        put_success(entry, outcome);
    if (!outcome->reason)
        put_numbers(status, outcome);
    put_integrity(status, outcome, found);
    put_condition(status, outcome, now_s);
}

void maintenance_status_put_refused(json_t *status, int64_t now_s)
{
    const struct condition condition = {
        words[MAINTENANCE_KEY].type, CONDITION_FALSE, "RepositoryRefusesPassword",
        "a session or a Job of maintenance has met WrongPassword: a Job looks whether "
        "RESTIC_PASSWORD_OLD of the storage Secret opens it, and exchanges the key"};

    (void)condition_set(status_conditions(status), &condition, now_s);
}

const char *maintenance_status_plan(const json_t *status, int64_t *since_s)
{
    const json_t *entry = entry_of(status, MAINTENANCE_VERIFY);
    const char *plan = tree_text(entry, "plan");

    *since_s = moment_of(entry, "since");
    return plan ? plan : "";
}

void maintenance_status_put_plan(json_t *status, const char *plan, int64_t now_s)
{
    json_t *entry = entry_to_edit(status, MAINTENANCE_VERIFY);

    tree_put_text(entry, "plan", plan);
    status_put_time(entry, "since", now_s);
}
