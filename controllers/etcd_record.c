#include "controllers/etcd_record.h"

#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/restore_next.h"
#include "controllers/status_parts.h"

#define JOURNAL "etcd"

static const char *const stages[] = {
    [ETCD_STAGE_NEW] = "",
    [ETCD_STAGE_PLANNED] = "Planned",
    [ETCD_STAGE_DOWN] = "Stopping",
    [ETCD_STAGE_RESTORING] = "Restoring",
    [ETCD_STAGE_RESTORED] = "Restored",
    [ETCD_STAGE_STOPPING] = "StoppingAgain",
    [ETCD_STAGE_UNDOING] = "Undoing",
    [ETCD_STAGE_UNDONE] = "Undone",
    [ETCD_STAGE_SUCCEEDED] = "Succeeded",
    [ETCD_STAGE_FAILED] = "Failed",
};

/* ---- reading ---- */

/* A word that nobody knows: it was written by a newer one of us, and nothing is done. */
static enum etcd_stage stage_of(const char *word)
{
    if (!word)
        return ETCD_STAGE_NEW;
    for (int i = ETCD_STAGE_PLANNED; i <= ETCD_STAGE_FAILED; i++)
        if (strcmp(word, stages[i]) == 0)
            return (enum etcd_stage)i;
    return ETCD_STAGE_FAILED;
}

void etcd_record_read(const json_t *status, struct etcd_record *record)
{
    const json_t *said = tree_member(status, JOURNAL, JSON_OBJECT);

    *record = (struct etcd_record){.stage = stage_of(tree_text(said, "stage")),
                                   .written = tree_true(said, "written"),
                                   .undone = tree_true(said, "undone"),
                                   .replicas = tree_int(said, "replicas", 0),
                                   .revision = tree_int(said, "revision", 0),
                                   .bump = tree_int(said, "bump", 0),
                                   .snapshot = tree_text(said, "snapshot"),
                                   .workload = tree_text(said, "workload"),
                                   .initial_cluster = tree_text(said, "initialCluster"),
                                   .data_dir = tree_text(said, "dataDir"),
                                   .token = tree_text(said, "token")};
}

/* ---- the plan ---- */

static void say_source(const json_t *proof, struct text *out)
{
    const char *newest = tree_text(proof, "newest");

    text_addf(out, "snapshot %.8s of %s, revision %lld, %lld keys", tree_text(proof, "snapshot"),
              tree_text(proof, "time") ? tree_text(proof, "time") : "?",
              (long long)tree_int(proof, "revision", 0), (long long)tree_int(proof, "keys", 0));
    if (newest)
        text_addf(out, "; the newest is %.8s of %s: what was written between the two is lost",
                  newest, tree_text(proof, "newestTime") ? tree_text(proof, "newestTime") : "?");
    else
        text_puts(out, ", the newest: what was written since is lost");
}

static void say_bump(const json_t *proof, struct text *out)
{
    int64_t bump = tree_int(proof, "bump", 0), next = tree_int(proof, "revision", 0) + bump;
    const char *version = tree_text(proof, "toolVersion");

    if (bump > 0)
        text_addf(out, ". Revisions go on behind %lld, all before are marked as compacted",
                  (long long)next);
    else
        text_addf(out,
                  ". Revisions are not bumped (tools %s; 3.5.10 can): restart all clients that "
                  "watch",
                  version ? version : "?");
}

/* The first four are as good as all of them. */
static char *plan_text(const struct etcd_found *found)
{
    AUTO(text) struct text out = {0};

    say_source(found->proof, &out);
    say_bump(found->proof, &out);
    text_addf(&out, ". StatefulSet %s is scaled from %lld to 0", found->workload,
              (long long)found->replicas);
    for (size_t i = 0; i < found->plan->count && i < 4; i++) {
        const struct etcd_plan_member *member = &found->plan->members[i];

        text_addf(&out, "%s member %s in %s of claim %s", i ? "," : ";", member->name,
                  member->data_dir, member->claim);
    }
    text_puts(&out, ". What is there now is kept beside it");
    return text_dup(text_get(&out), out.length);
}

static void put_plan(json_t *journal, const struct etcd_found *found)
{
    static const char *const texts[] = {"snapshot", "time", "newest", "newestTime", "toolVersion"};
    static const char *const numbers[] = {"revision", "keys", "bump"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        tree_put_text(journal, texts[i], tree_text(found->proof, texts[i]));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        tree_put_int(journal, numbers[i], tree_int(found->proof, numbers[i], 0));
    tree_put_text(journal, "workload", found->workload);
    tree_put_text(journal, "initialCluster", found->plan->initial_cluster);
    tree_put_text(journal, "token", found->plan->token);
    tree_put_text(journal, "dataDir", found->asked->data_dir);
}

/* ---- stages ---- */

static const struct {
    const char *type, *reason;
    enum condition_status status;
} said[] = {
    [ETCD_STAGE_PLANNED] = {"EtcdPlanned", "SnapshotProven", CONDITION_TRUE},
    [ETCD_STAGE_DOWN] = {"EtcdStopped", "ScalingDown", CONDITION_FALSE},
    [ETCD_STAGE_RESTORING] = {"EtcdStopped", "PodsAreGone", CONDITION_TRUE},
    [ETCD_STAGE_RESTORED] = {"EtcdRestored", "AllMembersRestored", CONDITION_TRUE},
    [ETCD_STAGE_STOPPING] = {"EtcdRolledBack", "ScalingDown", CONDITION_FALSE},
    [ETCD_STAGE_UNDOING] = {"EtcdRolledBack", "PodsAreGone", CONDITION_FALSE},
    [ETCD_STAGE_UNDONE] = {"EtcdRolledBack", "OldDataIsBack", CONDITION_TRUE},
    [ETCD_STAGE_SUCCEEDED] = {"EtcdHealthy", "AllMembersAreHealthy", CONDITION_TRUE},
    [ETCD_STAGE_FAILED] = {"EtcdHealthy", "RestoreFailed", CONDITION_FALSE},
};

static json_t *copy_of(const json_t *status)
{
    return json_is_object(status) ? tree_copy(status) : json_object();
}

static json_t *journal_of(json_t *status)
{
    struct error ignored;
    json_t *journal = tree_object(status, JOURNAL, &ignored);

    if (journal)
        return journal;
    journal = json_object();
    tree_put_new(status, JOURNAL, journal);
    return journal;
}

static void put_phase(json_t *status, enum etcd_stage stage, int64_t created_s, int64_t now_s)
{
    enum restore_phase phase = stage == ETCD_STAGE_SUCCEEDED ? RESTORE_SUCCEEDED
                               : stage == ETCD_STAGE_FAILED  ? RESTORE_FAILED
                               : stage == ETCD_STAGE_PLANNED ? RESTORE_PENDING
                                                             : RESTORE_RUNNING;

    tree_put_text(status, "phase", restore_phase_word(phase));
    if (restore_phase_is_final(phase))
        status_put_duration(status, "sessionDuration", now_s - created_s);
}

static void put_condition(json_t *status, const struct condition *condition, int64_t now_s)
{
    (void)condition_set(status_conditions(status), condition, now_s);
}

json_t *etcd_record_stage(const json_t *status, const struct etcd_step *step,
                          const struct etcd_found *found, int64_t created_s, int64_t now_s)
{
    json_t *next = copy_of(status), *journal = journal_of(next);
    AUTO(free)
    char *plan = step->stage == ETCD_STAGE_PLANNED && found ? plan_text(found) : NULL;
    const struct condition condition = {said[step->stage].type, said[step->stage].status,
                                        said[step->stage].reason, plan ? plan : step->message};
    const struct condition allowed = {"EtcdScalingAllowed", CONDITION_ABSENT, NULL, NULL};
    const struct condition waiting = {"EtcdWaiting", CONDITION_ABSENT, NULL, NULL};

    tree_put_text(journal, "stage", stages[step->stage]);
    if (step->stage == ETCD_STAGE_PLANNED && found)
        put_plan(journal, found);
    if (step->stage == ETCD_STAGE_DOWN) {
        tree_put_bool(journal, "written", true);
        tree_put_int(journal, "replicas", found ? found->replicas : 0);
        put_condition(next, &allowed, now_s);
    }
    if (step->stage == ETCD_STAGE_UNDONE)
        tree_put_bool(journal, "undone", true);
    put_phase(next, step->stage, created_s, now_s);
    put_condition(next, &condition, now_s);
    put_condition(next, &waiting, now_s);
    return next;
}

json_t *etcd_record_wait(const json_t *status, const char *message, bool may_scale,
                         const char *space, int64_t now_s)
{
    json_t *next = copy_of(status);
    AUTO(free)
    char *command = text_format("granary may not scale StatefulSets in namespace %s. What to do: "
                                "kubectl create rolebinding granary-scale --namespace=%s "
                                "--clusterrole=granary-scale "
                                "--serviceaccount=granary-system:granary-controller",
                                space, space);
    const struct condition waiting = {"EtcdWaiting", message ? CONDITION_TRUE : CONDITION_ABSENT,
                                      "Waiting", message};
    const struct condition missing = {"EtcdScalingAllowed",
                                      may_scale ? CONDITION_ABSENT : CONDITION_FALSE,
                                      "RoleNotBound", command};

    if (!tree_text(next, "phase"))
        tree_put_text(next, "phase", restore_phase_word(RESTORE_PENDING));
    put_condition(next, &waiting, now_s);
    put_condition(next, &missing, now_s);
    return next;
}
