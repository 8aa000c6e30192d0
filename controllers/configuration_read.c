#include "controllers/configuration_read.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/cron.h"
#include "api/demand.h"
#include "api/keys.h"
#include "api/plan.h"
#include "api/rclone_access.h"
#include "api/selector.h"
#include "api/target.h"
#include "api/validate.h"
#include "base/tree.h"
#include "controllers/cronjob_state.h"
#include "kube/meta.h"

#define PASSWORD "RESTIC_PASSWORD"

static const char *name_of(const json_t *object)
{
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    return name ? name : "";
}

static const char *space_of(const json_t *object)
{
    const char *space = tree_text(tree_get(object, "metadata"), "namespace");

    return space ? space : "";
}

static bool is_leaving(const json_t *object)
{
    return tree_get(tree_get(object, "metadata"), "deletionTimestamp") != NULL;
}

/* A text that lives as long as the reading. */
static const char *keep(struct configuration_reading *reading, char *text)
{
    if (reading->text_count == CONFIGURATION_TEXTS)
        abort();
    reading->texts[reading->text_count++] = text;
    return text;
}

static const char *given(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = tree_text(object, key);

    return text && *text ? text : otherwise;
}

/* ---- Repository and Secret ---- */

static void read_repository(const struct configuration_facts *facts,
                            struct configuration_reading *reading)
{
    const json_t *ref = tree_at(facts->configuration, "spec.repository");
    const char *space = given(ref, "namespace", space_of(facts->configuration));
    struct configuration_seen *seen = &reading->seen;

    if (facts->repository && !is_leaving(facts->repository)) {
        seen->repository = SEEN_YES;
        return;
    }
    seen->repository = SEEN_NO;
    seen->repository_message =
        keep(reading, text_format("Repository %s/%s %s", space, given(ref, "name", ""),
                                  facts->repository ? "is being deleted" : "does not exist"));
}

static void read_secret(const struct configuration_facts *facts,
                        struct configuration_reading *reading)
{
    struct configuration_seen *seen = &reading->seen;

    if (!facts->repository) {
        seen->secret = SEEN_UNKNOWN;
        seen->secret_message = "the Repository names it, and there is none";
    } else if (!configuration_secret(facts->repository, 0)) {
        seen->secret = SEEN_NO;
        seen->secret_message = "the Repository names no storageSecretName";
    } else {
        seen->secret = facts->secret;
        seen->secret_message = facts->secret_message;
    }
}

const char *configuration_secret(const json_t *repository, size_t which)
{
    const json_t *spec = tree_get(repository, "spec");

    return which == 0 ? given(tree_get(spec, "backend"), "storageSecretName", NULL)
                      : given(spec, "agentSecretName", NULL);
}

static char *binding(const struct secret_look *look)
{
    return text_format("the controller may not read Secret %s/%s: kubectl create rolebinding "
                       "granary-secrets --namespace=%s --clusterrole=granary-secrets "
                       "--serviceaccount=%s:granary-controller",
                       look->space, look->name, look->space, look->controller);
}

enum seen secret_seen(const struct secret_look *look, char **message)
{
    *message = NULL;
    if (look->secret && tree_get(tree_get(look->secret, "data"), PASSWORD))
        return SEEN_YES;
    if (look->secret) {
        *message = text_format("Secret %s/%s has no " PASSWORD, look->space, look->name);
        return SEEN_NO;
    }
    if (look->err->code == ERROR_NOT_FOUND) {
        *message = text_format("Secret %s/%s does not exist", look->space, look->name);
        return SEEN_NO;
    }
    *message = look->err->code == ERROR_FORBIDDEN
                   ? binding(look)
                   : text_format("Secret %s/%s: %s", look->space, look->name, look->err->message);
    return SEEN_UNKNOWN;
}

/* ---- what can never work ---- */

static const char *fault_of(const struct configuration_facts *facts,
                            struct configuration_reading *reading)
{
    AUTO(findings) struct findings found = {0};

    validate_object(&(struct validation){.object = facts->configuration}, &found);
    for (size_t i = 0; i < found.count; i++)
        if (found.items[i].level == FINDING_ERROR)
            return keep(reading,
                        text_format("%s%s%s", found.items[i].field,
                                    *found.items[i].field ? ": " : "", found.items[i].message));
    return NULL;
}

static const char *usage_fault(const struct configuration_facts *facts,
                               struct configuration_reading *reading)
{
    const char *space = space_of(facts->configuration);

    if (!facts->repository ||
        usage_of_repository(facts->repository, space, facts->space) == USAGE_ALLOWED)
        return NULL;
    return keep(reading,
                text_format("the usagePolicy of Repository %s/%s does not let namespace "
                            "%s use it",
                            space_of(facts->repository), name_of(facts->repository), space));
}

static const char *target_space(const struct configuration_facts *facts)
{
    return given(tree_at(facts->configuration, "spec.target.ref"), "namespace",
                 space_of(facts->configuration));
}

/* Whose policy asks for labels means the target's namespace; that of the configuration is the same
 * but for applications with a backupNamespace, whose labels are not at hand: they stay. */
static const char *blueprint_fault(const struct configuration_facts *facts,
                                   struct configuration_reading *reading)
{
    const json_t *allowed = tree_at(facts->blueprint, "spec.allowedNamespaces");
    const char *space = target_space(facts);
    bool here = strcmp(space, space_of(facts->configuration)) == 0;
    enum usage usage = !allowed || json_is_null(allowed)
                           ? USAGE_ALLOWED
                           : usage_allowed(allowed, "", space, here ? facts->space : NULL);

    if (usage == USAGE_ALLOWED || (usage == USAGE_UNKNOWN && !here))
        return NULL;
    return keep(reading, text_format("BackupBlueprint %s may not be used in namespace %s "
                                     "(allowedNamespaces)",
                                     name_of(facts->blueprint), space));
}

static void read_faults(const struct configuration_facts *facts,
                        struct configuration_reading *reading)
{
    reading->seen.invalid = fault_of(facts, reading);
    if (!reading->seen.invalid)
        reading->seen.invalid = usage_fault(facts, reading);
    if (!reading->seen.invalid)
        reading->seen.invalid = blueprint_fault(facts, reading);
}

/* ---- target and agent ---- */

static void read_target(const struct configuration_facts *facts,
                        struct configuration_reading *reading)
{
    const json_t *ref = tree_at(facts->configuration, "spec.target.ref");

    if (facts->target ? !is_leaving(facts->target) : !ref) {
        reading->seen.target = SEEN_YES;
        return;
    }
    reading->seen.target = SEEN_NO;
    reading->seen.target_message =
        keep(reading, text_format("%s %s/%s %s", given(ref, "kind", "object"), target_space(facts),
                                  given(ref, "name", ""),
                                  facts->target ? "is being deleted" : "does not exist"));
}

/* A workload whose pods do the work themselves. */
static bool wants_agent(const struct configuration_facts *facts)
{
    const struct demand demand = {.spec = tree_get(facts->configuration, "spec")};
    const struct target_kind *kind =
        target_kind_in(tree_at(facts->configuration, "spec.target.ref"));

    return kind && kind->class == TARGET_WORKLOAD && !demand_wants_job(&demand);
}

static bool has_agent(const json_t *pod)
{
    return tree_text(tree_at(pod, "metadata.annotations"), KEY_AGENT) != NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Few of them, always the same ones, so that a rollout of many pods writes little. */
static char *names_text(const char **names, size_t count)
{
    AUTO(text) struct text text = {0};

    qsort(names, count, sizeof *names, compare_names);
    text_puts(&text, "pods without the agent: ");
    for (size_t i = 0; i < count && i < CONFIGURATION_PODS_NAMED; i++)
        text_addf(&text, "%s%s", i ? ", " : "", names[i]);
    if (count > CONFIGURATION_PODS_NAMED)
        text_puts(&text, " and more");
    return text_take(&text);
}

static const json_t *conditions_of(const json_t *configuration)
{
    return tree_get(tree_get(configuration, "status"), "conditions");
}

/* A new leader knows it a moment later: until then what stands there holds. */
static bool waits_for_owner(const struct configuration_facts *facts)
{
    const char *reason =
        condition_reason(conditions_of(facts->configuration), "StashSidecarInjected");

    return facts->said && facts->said->waits != SEEN_UNKNOWN
               ? facts->said->waits == SEEN_YES
               : strcmp(reason, "WaitingForOwner") == 0;
}

/* Also a workload without pods may wait: those that it gets will not carry the agent. */
static enum carried carried_of(const struct configuration_facts *facts, size_t with, size_t without)
{
    if (with == 0 && waits_for_owner(facts))
        return CARRIED_AFTER_OWNER;
    if (without == 0)
        return CARRIED_BY_ALL;
    return with > 0 ? CARRIED_BY_SOME : CARRIED_BY_NONE;
}

static const char waiting[] =
    "the workload is older than this installation: its pods get the agent with its owner's next "
    "change of them, or by a new value of its annotation " KEY_REFRESH;

/* Without pods there is none that lacks it. */
static void read_agent(const struct configuration_facts *facts,
                       struct configuration_reading *reading)
{
    size_t with = 0, without = 0, i, room = json_array_size(facts->pods) + 1;
    AUTO(free) const char **names = text_alloc(room * sizeof *names);
    const json_t *pod;

    reading->seen.carried = CARRIED_NOT_ASKED;
    if (!wants_agent(facts) || reading->seen.target != SEEN_YES)
        return;
    tree_items (facts->pods, i, pod) {
        if (is_leaving(pod))
            continue;
        if (has_agent(pod))
            with++;
        else
            names[without++] = name_of(pod);
    }
    reading->seen.carried = carried_of(facts, with, without);
    if (without > 0)
        reading->seen.carried_message = keep(reading, names_text(names, without));
    if (reading->seen.carried == CARRIED_AFTER_OWNER)
        reading->seen.carried_message =
            keep(reading, text_format("%s%s%s", waiting, without > 0 ? "; " : "",
                                      without > 0 ? reading->seen.carried_message : ""));
}

/* ---- the CronJob ---- */

char *configuration_settled(const json_t *cronjob, const json_t *wanted)
{
    const json_t *metadata = tree_get(cronjob, "metadata");
    AUTO(text) struct text text = {0};
    char hex[65];

    tree_write(&text, wanted, true);
    text_sha256((struct span){text_get(&text), text.length}, hex);
    return text_format("%s/%lld/%s", given(metadata, "uid", ""),
                       (long long)tree_int(metadata, "generation", 0), hex);
}

static void want_cronjob(const struct configuration_facts *facts,
                         struct configuration_reading *reading)
{
    struct cron cron;
    struct error ignored;

    reading->seen.scheduled =
        cron_parse(&cron, tree_span(tree_get(facts->configuration, "spec"), "schedule"), &ignored);
    if (!reading->seen.scheduled)
        return;
    reading->wanted = cronjob_make(&(struct cronjob_request){
        .configuration = facts->configuration,
        .settings = facts->settings,
        .interval_s = cron_shortest_interval_s(&cron),
    });
}

static bool is_settled(const struct configuration_facts *facts, const json_t *wanted)
{
    AUTO(free) char *now = facts->settled ? configuration_settled(facts->cronjob, wanted) : NULL;

    return facts->settled && strcmp(facts->settled, now) == 0;
}

static void read_cronjob(const struct configuration_facts *facts,
                         struct configuration_reading *reading)
{
    struct configuration_seen *seen = &reading->seen;

    want_cronjob(facts, reading);
    seen->cronjob = cronjob_state(facts->cronjob, reading->wanted, facts->configuration);
    if (seen->cronjob == CRONJOB_OTHER && is_settled(facts, reading->wanted))
        seen->cronjob = CRONJOB_OURS;
    if (seen->cronjob == CRONJOB_FOREIGN) {
        seen->cronjob_message =
            keep(reading, text_format("CronJob %s belongs to somebody else: it is left alone",
                                      name_of(facts->cronjob)));
    } else if (seen->cronjob == CRONJOB_ABSENT && reading->wanted && facts->refused) {
        seen->cronjob = CRONJOB_REFUSED;
        seen->cronjob_message = facts->refused;
    }
}

/* ---- what decides nothing ---- */

static const char blueprint_found[] = "BlueprintFound";

static struct condition of_blueprint(const struct configuration_facts *facts,
                                     struct configuration_reading *reading)
{
    const char *name = tree_text(tree_at(facts->configuration, "metadata.labels"), LABEL_BLUEPRINT);

    if (!name || configuration_is_hand_made(facts->configuration))
        return (struct condition){blueprint_found, CONDITION_ABSENT, "", NULL};
    if (facts->blueprint)
        return (struct condition){blueprint_found, CONDITION_TRUE, "BlueprintAvailable", NULL};
    return (struct condition){
        blueprint_found, CONDITION_FALSE, "BlueprintNotAvailable",
        keep(reading, text_format("there is no BackupBlueprint %s any more: the backup goes on "
                                  "with its last settings",
                                  name))};
}

static struct condition of_wipe_out(const struct configuration_facts *facts,
                                    struct configuration_reading *reading)
{
    static const char type[] = "WipeOutAccepted";

    const json_t *spec = tree_get(facts->repository, "spec");

    if (!tree_true(spec, "wipeOut") || rclone_reaches(backend_provider(tree_get(spec, "backend"))))
        return (struct condition){type, CONDITION_ABSENT, "", NULL};
    return (struct condition){
        type, CONDITION_FALSE, "WipeOutNotSupported",
        keep(reading, text_format("wipeOut of Repository %s/%s can not be followed, since nothing "
                                  "removes data from its kind of backend: when the Repository is "
                                  "deleted its data stay",
                                  space_of(facts->repository), name_of(facts->repository)))};
}

/* What keeps it, or one that it stands in the way of, from being as asked for. */
static struct condition of_plan(const struct configuration_facts *facts)
{
    static const char type[] = "PlanCarriedOut";
    const json_t *there = conditions_of(facts->configuration);
    const struct target_said *said = facts->said;

    if (!said || !said->known)
        return (struct condition){type, condition_status(there, type),
                                  condition_reason(there, type), condition_message(there, type)};
    if (!said->reason)
        return (struct condition){type, CONDITION_ABSENT, "", NULL};
    return (struct condition){type, CONDITION_FALSE, said->reason, said->problem};
}

/* One that is about to be made begins now. */
static int64_t made_s(const struct configuration_facts *facts,
                      const struct configuration_seen *seen)
{
    int64_t moment_s;

    if (seen->cronjob == CRONJOB_OURS || seen->cronjob == CRONJOB_OTHER)
        return meta_made(facts->cronjob, &moment_s) ? moment_s : -1;
    return configuration_next(seen) == CONFIGURATION_APPLY ? facts->now_s : -1;
}

static void read_more(const struct configuration_facts *facts,
                      struct configuration_reading *reading)
{
    reading->kept = schedule_kept_read(&(struct schedule_seen){
        .configuration = facts->configuration,
        .cronjob = facts->cronjob,
        .made_s = made_s(facts, &reading->seen),
        .session_s = facts->session_s,
        .now_s = facts->now_s,
    });
    reading->more[CONFIGURATION_KEPT] = reading->kept.condition;
    reading->more[CONFIGURATION_BLUEPRINT] = of_blueprint(facts, reading);
    reading->more[CONFIGURATION_WIPE_OUT] = of_wipe_out(facts, reading);
    reading->more[CONFIGURATION_PLAN] = of_plan(facts);
    reading->seen.more = reading->more;
    reading->seen.more_count = CONFIGURATION_MORE;
}

void configuration_read(const struct configuration_facts *facts,
                        struct configuration_reading *reading)
{
    reading->seen.deleted = is_leaving(facts->configuration);
    read_repository(facts, reading);
    read_secret(facts, reading);
    read_faults(facts, reading);
    read_target(facts, reading);
    read_agent(facts, reading);
    read_cronjob(facts, reading);
    read_more(facts, reading);
}

void configuration_reading_done(struct configuration_reading *reading)
{
    for (size_t i = 0; i < reading->text_count; i++)
        free(reading->texts[i]);
    json_decref(reading->wanted);
    auto_schedule_kept(&reading->kept);
    *reading = (struct configuration_reading){0};
}
