#include <string.h>

#include "base/tree.h"
#include "controllers/configuration_read.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2026-02-17 00:00:00 UTC */
#define NOW INT64_C(1771286400)

#define CONFIGURATION                                                                              \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration','metadata':{'name':"  \
    "'web','namespace':'shop','uid':'u','generation':3,'labels':{'granary.dev/blueprint':"         \
    "'nightly'}},'spec':{'repository':{'name':'web','namespace':'storage'},'schedule':"            \
    "'0 3 * * *','retentionPolicy':{'name':'a','keepLast':5,'prune':true},'target':{'ref':{"       \
    "'apiVersion':'apps/v1','kind':'Deployment','name':'web'},'paths':['/data'],'volumeMounts':["  \
    "{'name':'data','mountPath':'/data'}]}}}"
#define REPOSITORY                                                                                 \
    "{'metadata':{'name':'web','namespace':'storage'},'spec':{'backend':{'s3':{'endpoint':'s3',"   \
    "'bucket':'b'},'storageSecretName':'keys'},'usagePolicy':{'allowedNamespaces':{'from':'All'}}" \
    "}}"
#define BLUEPRINT "{'metadata':{'name':'nightly'},'spec':{}}"
#define SPACE "{'metadata':{'name':'shop','labels':{'team':'a'}}}"
#define TARGET "{'kind':'Deployment','metadata':{'name':'web','namespace':'shop'}}"
#define POD(name, annotations) "{'metadata':{'name':'" name "','annotations':" annotations "}}"
#define WITH "{'granary.dev/agent':'v1.a.b'}"

/* The part that is edited: all is well, but for one member at a path ("" is the part itself), set
 * or with NULL removed. */
enum part { OF_CONFIGURATION, OF_REPOSITORY, OF_SPACE, OF_BLUEPRINT, OF_TARGET, OF_PODS, PARTS };

static const char *const well[PARTS] = {CONFIGURATION, REPOSITORY, SPACE,
                                        BLUEPRINT,     TARGET,     "[" POD("web-1", WITH) "]"};

static const struct {
    const char *what;
    enum part part;
    const char *path, *member, *value;
    const char *type, *reason, *message; /* of the condition; the message holds this */
    enum condition_status status;
} rows[] = {
    {"all is well", OF_SPACE, "metadata", "x", "1", "RepositoryFound", "RepositoryAvailable", "",
     CONDITION_TRUE},
    {"no Repository", OF_REPOSITORY, "", NULL, NULL, "RepositoryFound", "RepositoryNotAvailable",
     "Repository storage/web does not exist", CONDITION_FALSE},
    {"no Repository: nobody knows the Secret", OF_REPOSITORY, "", NULL, NULL, "BackendSecretFound",
     "UnableToCheckBackendSecretAvailability", "there is none", CONDITION_UNKNOWN},
    {"a Repository that goes", OF_REPOSITORY, "metadata", "deletionTimestamp", "'x'",
     "RepositoryFound", "RepositoryNotAvailable", "storage/web is being deleted", CONDITION_FALSE},
    {"the Secret is there", OF_SPACE, "metadata", "x", "1", "BackendSecretFound",
     "BackendSecretAvailable", "", CONDITION_TRUE},
    {"no Secret is named", OF_REPOSITORY, "spec.backend", "storageSecretName", NULL,
     "BackendSecretFound", "BackendSecretNotAvailable", "names no storageSecretName",
     CONDITION_FALSE},
    {"a driver that we do not have", OF_CONFIGURATION, "spec", "driver", "'VolumeSnapshotter'",
     "ValidationPassed", "ResourceValidationFailed", "volume snapshots", CONDITION_FALSE},
    {"a schedule that can not be read", OF_CONFIGURATION, "spec", "schedule", "'often'",
     "ValidationPassed", "ResourceValidationFailed", "spec.schedule: ", CONDITION_FALSE},
    {"a hostile shape", OF_CONFIGURATION, "", "spec", "'odd'", "ValidationPassed",
     "ResourceValidationFailed", "spec: ", CONDITION_FALSE},
    {"usagePolicy: its own namespace", OF_REPOSITORY, "spec", "usagePolicy", NULL,
     "ValidationPassed", "ResourceValidationFailed",
     "usagePolicy of Repository storage/web does not let namespace shop use it", CONDITION_FALSE},
    {"usagePolicy: labels", OF_REPOSITORY, "spec.usagePolicy", "allowedNamespaces",
     "{'from':'Selector','selector':{'matchLabels':{'team':'a'}}}", "ValidationPassed",
     "ResourceValidationPassed", "", CONDITION_TRUE},
    {"usagePolicy: other labels", OF_REPOSITORY, "spec.usagePolicy", "allowedNamespaces",
     "{'from':'Selector','selector':{'matchLabels':{'team':'b'}}}", "ValidationPassed",
     "ResourceValidationFailed", "usagePolicy", CONDITION_FALSE},
    {"allowedNamespaces: all", OF_BLUEPRINT, "spec", "allowedNamespaces", "{'from':'All'}",
     "ValidationPassed", "ResourceValidationPassed", "", CONDITION_TRUE},
    {"allowedNamespaces: others", OF_BLUEPRINT, "spec", "allowedNamespaces",
     "{'from':'Selector','selector':{'matchLabels':{'team':'b'}}}", "ValidationPassed",
     "ResourceValidationFailed", "BackupBlueprint nightly may not be used in namespace shop",
     CONDITION_FALSE},
    {"the target is there", OF_SPACE, "metadata", "x", "1", "BackupTargetFound", "TargetAvailable",
     "", CONDITION_TRUE},
    {"no target", OF_TARGET, "", NULL, NULL, "BackupTargetFound", "TargetNotAvailable",
     "Deployment shop/web does not exist", CONDITION_FALSE},
    {"no target: nobody asks for pods", OF_TARGET, "", NULL, NULL, "StashSidecarInjected", "", "",
     CONDITION_ABSENT},
    {"a target that goes", OF_TARGET, "metadata", "deletionTimestamp", "'x'", "BackupTargetFound",
     "TargetNotAvailable", "shop/web is being deleted", CONDITION_FALSE},
    {"a target elsewhere", OF_CONFIGURATION, "spec.target.ref", "namespace", "'other'",
     "BackupTargetFound", "TargetAvailable", "", CONDITION_TRUE},
    {"all pods carry the agent", OF_SPACE, "metadata", "x", "1", "StashSidecarInjected",
     "SidecarInjectionSucceeded", "", CONDITION_TRUE},
    {"no pods", OF_PODS, "", NULL, NULL, "StashSidecarInjected", "SidecarInjectionSucceeded", "",
     CONDITION_TRUE},
    {"one of two", OF_PODS, "0", "annotations", "{}", "StashSidecarInjected",
     "SidecarInjectionFailed", "pods without the agent: web-1", CONDITION_FALSE},
    {"one that goes", OF_PODS, "0", "deletionTimestamp", "'x'", "StashSidecarInjected",
     "SidecarInjectionSucceeded", "", CONDITION_TRUE},
    {"a Job does it", OF_CONFIGURATION, "spec", "mode", "'Job'", "StashSidecarInjected", "", "",
     CONDITION_ABSENT},
    {"a Task does it", OF_CONFIGURATION, "spec", "task", "{'name':'pg'}", "StashSidecarInjected",
     "", "", CONDITION_ABSENT},
    {"a claim", OF_CONFIGURATION, "spec.target", "ref",
     "{'apiVersion':'v1','kind':'PersistentVolumeClaim','name':'data'}", "StashSidecarInjected", "",
     "", CONDITION_ABSENT},
    {"its blueprint is there", OF_SPACE, "metadata", "x", "1", "BlueprintFound",
     "BlueprintAvailable", "", CONDITION_TRUE},
    {"its blueprint is gone", OF_BLUEPRINT, "", NULL, NULL, "BlueprintFound",
     "BlueprintNotAvailable", "no BackupBlueprint nightly any more", CONDITION_FALSE},
    {"made by hand", OF_CONFIGURATION, "metadata", "labels", NULL, "BlueprintFound", "", "",
     CONDITION_ABSENT},
    {"wipeOut", OF_REPOSITORY, "spec", "wipeOut", "true", "WipeOutAccepted", "", "",
     CONDITION_ABSENT},
    {"wipeOut of what can not be", OF_REPOSITORY, "", "spec",
     "{'wipeOut':true,'backend':{'storageSecretName':'s','rest':{'url':'http://h'}}}",
     "WipeOutAccepted", "WipeOutNotSupported", "its data stay", CONDITION_FALSE},
    {"no wipeOut", OF_REPOSITORY, "spec", "wipeOut", "false", "WipeOutAccepted", "", "",
     CONDITION_ABSENT},
};

struct scene {
    json_t *parts[PARTS];
    struct settings settings;
};

static void auto_scene(struct scene *scene)
{
    for (int i = 0; i < PARTS; i++)
        json_decref(scene->parts[i]);
    settings_done(&scene->settings);
}

static struct configuration_facts facts_of(const struct scene *scene)
{
    return (struct configuration_facts){
        .configuration = scene->parts[OF_CONFIGURATION],
        .repository = scene->parts[OF_REPOSITORY],
        .space = scene->parts[OF_SPACE],
        .blueprint = scene->parts[OF_BLUEPRINT],
        .target = scene->parts[OF_TARGET],
        .pods = scene->parts[OF_PODS],
        .secret = SEEN_YES,
        .session_s = -1,
        .now_s = NOW,
        .settings = &scene->settings,
    };
}

static json_t *place_of(json_t *part, const char *path)
{
    if (strcmp(path, "0") == 0)
        return json_object_get(json_array_get(part, 0), "metadata");
    return *path ? (json_t *)tree_at(part, path) : part;
}

static void make_scene(struct scene *scene)
{
    settings_default(&scene->settings);
    for (int i = 0; i < PARTS; i++)
        scene->parts[i] = json_row(well[i]);
}

static void edit(struct scene *scene, int row)
{
    json_t **part = &scene->parts[rows[row].part];

    if (!rows[row].member) {
        json_decref(*part);
        *part = NULL;
        return;
    }

    json_t *place = place_of(*part, rows[row].path);

    ck_assert_msg(json_is_object(place), "%s", rows[row].what);
    if (rows[row].value)
        tree_put_new(place, rows[row].member, json_row(rows[row].value));
    else
        json_object_del(place, rows[row].member);
}

START_TEST(what_conditions_say)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(configuration_reading) struct configuration_reading reading = {0};

        make_scene(&scene);
        edit(&scene, _i);

        const struct configuration_facts facts = facts_of(&scene);

        configuration_read(&facts, &reading);

        AUTO(json) json_t *status = configuration_status(&reading.seen, NULL, 3, NOW);
        const json_t *conditions = tree_get(status, "conditions");
        const char *message = condition_message(conditions, rows[_i].type);

        ck_assert_msg(condition_status(conditions, rows[_i].type) == rows[_i].status, "%s: %s",
                      rows[_i].what, message);
        ck_assert_str_eq(condition_reason(conditions, rows[_i].type), rows[_i].reason);
        ck_assert_msg(strstr(message, rows[_i].message) != NULL, "%s: %s", rows[_i].what, message);
    }
END_TEST

/* ---- pods ---- */

#define WAITING                                                                                    \
    "the workload is older than this installation: its pods get the agent with its owner's next "  \
    "change of them, or by a new value of its annotation granary.dev/refresh"
#define SAYS_WAITING                                                                               \
    "{'conditions':[{'type':'StashSidecarInjected','status':'False','reason':'WaitingForOwner'}]}"

static const struct {
    const char *pods;
    enum seen waits;
    const char *status; /* that stands there; NULL: none */
    enum carried carried;
    const char *message;
} pod_rows[] = {
    {"[" POD("a", "{}") "," POD("b", WITH) "]", SEEN_YES, NULL, CARRIED_BY_SOME,
     "pods without the agent: a"},
    {"[" POD("a", "{}") "]", SEEN_NO, SAYS_WAITING, CARRIED_BY_NONE, "pods without the agent: a"},
    {"[" POD("a", "'odd'") "]", SEEN_YES, NULL, CARRIED_AFTER_OWNER,
     WAITING "; pods without the agent: a"},
    /* it has no pods: they would come without the agent */
    {"[]", SEEN_YES, NULL, CARRIED_AFTER_OWNER, WAITING},
    {"[]", SEEN_NO, SAYS_WAITING, CARRIED_BY_ALL, NULL},
    /* a new leader does not know yet: what stands there holds */
    {"[]", SEEN_UNKNOWN, SAYS_WAITING, CARRIED_AFTER_OWNER, WAITING},
    {"[" POD("a", "{}") "]", SEEN_UNKNOWN, NULL, CARRIED_BY_NONE, "pods without the agent: a"},
    /* it came with its owner's change */
    {"[" POD("a", WITH) "]", SEEN_UNKNOWN, SAYS_WAITING, CARRIED_BY_ALL, NULL},
    {"[" POD("g", "{}") "," POD("f", "{}") "," POD("e", "{}") "," POD("d", "{}") "," POD(
         "c", "{}") "," POD("b", "{}") "," POD("a", "{}") "]",
     SEEN_NO, NULL, CARRIED_BY_NONE, "pods without the agent: a, b, c, d, e and more"},
    {"[1,{},'odd']", SEEN_NO, NULL, CARRIED_BY_NONE, "pods without the agent: , , "},
    {"'odd'", SEEN_NO, "'odd'", CARRIED_BY_ALL, NULL},
};

START_TEST(pods_are_named)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(configuration_reading) struct configuration_reading reading = {0};
        const struct target_said said = {.known = true, .waits = pod_rows[_i].waits};

        make_scene(&scene);
        json_decref(scene.parts[OF_PODS]);
        scene.parts[OF_PODS] = json_row(pod_rows[_i].pods);
        if (pod_rows[_i].status)
            tree_put_new(scene.parts[OF_CONFIGURATION], "status", json_row(pod_rows[_i].status));

        struct configuration_facts facts = facts_of(&scene);

        facts.said = &said;
        configuration_read(&facts, &reading);
        ck_assert_int_eq(reading.seen.carried, pod_rows[_i].carried);
        ck_assert_ptr_eq(reading.seen.carried_message ? reading.texts : NULL,
                         pod_rows[_i].message ? reading.texts : NULL);
        if (pod_rows[_i].message)
            ck_assert_str_eq(reading.seen.carried_message, pod_rows[_i].message);
    }
END_TEST

/* ---- what is said of its target ---- */

#define SAYS_CONFLICT                                                                              \
    "{'conditions':[{'type':'PlanCarriedOut','status':'False','reason':'Conflict','message':"      \
    "'team','lastTransitionTime':'2024-05-01T13:30:00Z'}]}"

static const struct {
    const char *reason, *problem, *status;
    bool unknown;
    enum condition_status is;
    const char *shown, *message;
} said_rows[] = {
    {NULL, NULL, NULL, false, CONDITION_ABSENT, "", NULL},
    {"Conflict", "team", NULL, false, CONDITION_FALSE, "Conflict", "team"},
    /* it goes again */
    {NULL, NULL, SAYS_CONFLICT, false, CONDITION_ABSENT, "", NULL},
    /* and stays while a new leader does not know */
    {NULL, NULL, SAYS_CONFLICT, true, CONDITION_FALSE, "Conflict", "team"},
    {NULL, NULL, "{'conditions':'odd'}", true, CONDITION_ABSENT, "", ""},
};

START_TEST(what_is_said_of_its_target)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(configuration_reading) struct configuration_reading reading = {0};
        const struct target_said said = {.known = !said_rows[_i].unknown,
                                         .reason = (char *)said_rows[_i].reason,
                                         .problem = (char *)said_rows[_i].problem};

        make_scene(&scene);
        if (said_rows[_i].status)
            tree_put_new(scene.parts[OF_CONFIGURATION], "status", json_row(said_rows[_i].status));

        struct configuration_facts facts = facts_of(&scene);

        facts.said = &said;
        configuration_read(&facts, &reading);

        const struct condition *condition = &reading.more[CONFIGURATION_PLAN];

        ck_assert_str_eq(condition->type, "PlanCarriedOut");
        ck_assert_int_eq(condition->status, said_rows[_i].is);
        ck_assert_str_eq(condition->reason, said_rows[_i].shown);
        ck_assert_pstr_eq(condition->message, said_rows[_i].message);
    }
END_TEST

/* ---- the CronJob ---- */

/* What is done at first, when it is there, when somebody suspended it, and when that stays so
 * whatever is written. */
START_TEST(the_cronjob_is_wanted)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(configuration_reading) struct configuration_reading first = {0}, second = {0};
        AUTO(configuration_reading)
        struct configuration_reading third = {0}, fourth = {0}, fifth = {0};

        make_scene(&scene);

        struct configuration_facts facts = facts_of(&scene);

        configuration_read(&facts, &first);
        ck_assert_int_eq(configuration_next(&first.seen), CONFIGURATION_APPLY);
        ck_assert_str_eq(tree_text(tree_get(first.wanted, "spec"), "schedule"), "0 3 * * *");
        ck_assert_int_eq(first.kept.condition.status, CONDITION_TRUE);

        json_t *metadata = json_object_get(first.wanted, "metadata");

        tree_put_text(metadata, "uid", "c");
        tree_put_text(metadata, "creationTimestamp", "2026-02-10T00:00:00Z");
        tree_put_int(metadata, "generation", 4);
        facts.cronjob = first.wanted;
        configuration_read(&facts, &second);
        ck_assert_int_eq(second.seen.cronjob, CRONJOB_OURS);
        ck_assert_int_eq(configuration_next(&second.seen), CONFIGURATION_WAIT);
        ck_assert_int_eq(second.kept.condition.status, CONDITION_TRUE);

        tree_put_bool(json_object_get(first.wanted, "spec"), "suspend", true);
        configuration_read(&facts, &third);
        ck_assert_int_eq(configuration_next(&third.seen), CONFIGURATION_APPLY);

        AUTO(free) char *settled = configuration_settled(facts.cronjob, third.wanted);

        facts.settled = settled;
        configuration_read(&facts, &fourth);
        ck_assert_int_eq(configuration_next(&fourth.seen), CONFIGURATION_WAIT);

        /* not when something else is wanted */
        json_object_set_new(json_object_get(scene.parts[OF_CONFIGURATION], "spec"), "schedule",
                            json_string("0 4 * * *"));
        configuration_read(&facts, &fifth);
        ck_assert_int_eq(configuration_next(&fifth.seen), CONFIGURATION_APPLY);
    }
END_TEST

START_TEST(the_cronjob_is_somebody_elses)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(configuration_reading) struct configuration_reading reading = {0}, refused = {0};
        AUTO(json)
        json_t *theirs = json_row("{'metadata':{'name':'stash-trigger-web','uid':'t'},'spec':{}}");

        make_scene(&scene);

        struct configuration_facts facts = facts_of(&scene);

        facts.cronjob = theirs;
        configuration_read(&facts, &reading);
        ck_assert_int_eq(configuration_next(&reading.seen), CONFIGURATION_WAIT);
        ck_assert_str_eq(reading.seen.cronjob_message,
                         "CronJob stash-trigger-web belongs to somebody else: it is left alone");

        facts.cronjob = NULL;
        facts.refused = "quota";
        configuration_read(&facts, &refused);
        ck_assert_int_eq(refused.seen.cronjob, CRONJOB_REFUSED);
        ck_assert_str_eq(refused.seen.cronjob_message, "quota");
    }
END_TEST

/* ---- Secrets ---- */

static const struct {
    const char *secret; /* NULL: could not be read */
    enum error_code code;
    enum seen seen;
    const char *message;
} secret_rows[] = {
    {"{'data':{'RESTIC_PASSWORD':'eA=='}}", ERROR_NONE, SEEN_YES, NULL},
    {"{'data':{'AWS_ACCESS_KEY_ID':'eA=='}}", ERROR_NONE, SEEN_NO,
     "Secret storage/keys has no RESTIC_PASSWORD"},
    {"{'data':'odd'}", ERROR_NONE, SEEN_NO, "Secret storage/keys has no RESTIC_PASSWORD"},
    {NULL, ERROR_NOT_FOUND, SEEN_NO, "Secret storage/keys does not exist"},
    {NULL, ERROR_UNAVAILABLE, SEEN_UNKNOWN, "Secret storage/keys: why"},
    {NULL, ERROR_FORBIDDEN, SEEN_UNKNOWN,
     "the controller may not read Secret storage/keys: kubectl create rolebinding granary-secrets "
     "--namespace=storage --clusterrole=granary-secrets "
     "--serviceaccount=granary-system:granary-controller"},
};

START_TEST(secrets)
    {
        struct error err = {secret_rows[_i].code, "why"};
        AUTO(json)
        json_t *secret = secret_rows[_i].secret ? json_row(secret_rows[_i].secret) : NULL;
        AUTO(free) char *message = NULL;
        const struct secret_look look = {"storage", "keys", secret, &err, "granary-system"};

        ck_assert_int_eq(secret_seen(&look, &message), secret_rows[_i].seen);
        ck_assert_int_eq(message == NULL, secret_rows[_i].message == NULL);
        if (message)
            ck_assert_str_eq(message, secret_rows[_i].message);
    }
END_TEST

START_TEST(secrets_of_a_repository)
    {
        AUTO(json) json_t *plain = json_row(REPOSITORY);
        AUTO(json) json_t *odd = json_row("{'spec':{'backend':'odd','agentSecretName':''}}");

        ck_assert_str_eq(configuration_secret(plain, 0), "keys");
        ck_assert_ptr_null(configuration_secret(plain, 1));
        json_object_set_new(json_object_get(plain, "spec"), "agentSecretName", json_string("a"));
        ck_assert_str_eq(configuration_secret(plain, 1), "a");
        for (size_t i = 0; i < CONFIGURATION_SECRETS; i++)
            ck_assert_ptr_null(configuration_secret(odd, i));
    }
END_TEST

SUITE(controllers_configuration_read)
{
    suite_rows(tests, what_conditions_say, rows);
    suite_rows(tests, pods_are_named, pod_rows);
    suite_rows(tests, what_is_said_of_its_target, said_rows);
    tcase_add_test(tests, the_cronjob_is_wanted);
    tcase_add_test(tests, the_cronjob_is_somebody_elses);
    suite_rows(tests, secrets, secret_rows);
    tcase_add_test(tests, secrets_of_a_repository);
}
