#include <string.h>

#include "api/names.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/configuration_next.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NOW INT64_C(1714570200)

#define GOOD                                                                                       \
    .repository = SEEN_YES, .secret = SEEN_YES, .target = SEEN_YES, .carried = CARRIED_BY_ALL,     \
    .scheduled = true, .cronjob = CRONJOB_OURS

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct {
    const char *what;
    struct configuration_seen seen;
    const char *phase, *condition, *reason;
    enum condition_status status;
    enum configuration_action action;
    bool obstacle;
} rows[] = {
    {"all there",
     {GOOD},
     "Ready",
     "CronJobCreated",
     "CronJobCreationSucceeded",
     CONDITION_TRUE,
     CONFIGURATION_WAIT,
     false},
    {"new",
     {GOOD, .cronjob = CRONJOB_ABSENT},
     "NotReady",
     "CronJobCreated",
     "",
     CONDITION_ABSENT,
     CONFIGURATION_APPLY,
     false},
    {"edited",
     {GOOD, .cronjob = CRONJOB_OTHER},
     "Ready",
     "CronJobCreated",
     "CronJobCreationSucceeded",
     CONDITION_TRUE,
     CONFIGURATION_APPLY,
     false},
    {"somebody's CronJob",
     {GOOD, .cronjob = CRONJOB_FOREIGN},
     "NotReady",
     "CronJobCreated",
     "CronJobCreationFailed",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     false},
    {"the write was refused",
     {GOOD, .cronjob = CRONJOB_REFUSED, .cronjob_message = "quota"},
     "NotReady",
     "CronJobCreated",
     "CronJobCreationFailed",
     CONDITION_FALSE,
     CONFIGURATION_APPLY,
     false},
    {"no Repository",
     {GOOD, .repository = SEEN_NO},
     "NotReady",
     "RepositoryFound",
     "RepositoryNotAvailable",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     true},
    {"an API server that does not answer",
     {GOOD, .repository = SEEN_UNKNOWN},
     "NotReady",
     "RepositoryFound",
     "UnableToCheckRepositoryAvailability",
     CONDITION_UNKNOWN,
     CONFIGURATION_WAIT,
     true},
    {"no Secret yet",
     {GOOD, .secret = SEEN_NO, .cronjob = CRONJOB_ABSENT},
     "NotReady",
     "BackendSecretFound",
     "BackendSecretNotAvailable",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     true},
    {"Secret may not be read",
     {GOOD, .secret = SEEN_UNKNOWN},
     "NotReady",
     "BackendSecretFound",
     "UnableToCheckBackendSecretAvailability",
     CONDITION_UNKNOWN,
     CONFIGURATION_WAIT,
     true},
    {"usagePolicy",
     {GOOD, .invalid = "not allowed", .cronjob = CRONJOB_ABSENT},
     "Invalid",
     "ValidationPassed",
     "ResourceValidationFailed",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     true},
    {"no target yet",
     {GOOD, .target = SEEN_NO, .cronjob = CRONJOB_ABSENT},
     "NotReady",
     "BackupTargetFound",
     "TargetNotAvailable",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     true},
    {"target deleted: sessions say so",
     {GOOD, .target = SEEN_NO},
     "NotReady",
     "BackupTargetFound",
     "TargetNotAvailable",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     true},
    {"target unknown",
     {GOOD, .target = SEEN_UNKNOWN},
     "NotReady",
     "BackupTargetFound",
     "UnableToCheckTargetAvailability",
     CONDITION_UNKNOWN,
     CONFIGURATION_WAIT,
     true},
    {"a Job",
     {GOOD, .carried = CARRIED_NOT_ASKED},
     "Ready",
     "StashSidecarInjected",
     "",
     CONDITION_ABSENT,
     CONFIGURATION_WAIT,
     false},
    {"injected",
     {GOOD},
     "Ready",
     "StashSidecarInjected",
     "SidecarInjectionSucceeded",
     CONDITION_TRUE,
     CONFIGURATION_WAIT,
     false},
    {"OnDelete: some pods are old",
     {GOOD, .carried = CARRIED_BY_SOME},
     "NotReady",
     "StashSidecarInjected",
     "SidecarInjectionFailed",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     false},
    {"missed",
     {GOOD, .carried = CARRIED_BY_NONE},
     "NotReady",
     "StashSidecarInjected",
     "SidecarInjectionFailed",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     true},
    {"older than the installation",
     {GOOD, .carried = CARRIED_AFTER_OWNER},
     "NotReady",
     "StashSidecarInjected",
     "WaitingForOwner",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     true},
    {"by hand only",
     {GOOD, .scheduled = false, .cronjob = CRONJOB_ABSENT},
     "Ready",
     "CronJobCreated",
     "",
     CONDITION_ABSENT,
     CONFIGURATION_WAIT,
     false},
    {"schedule taken away",
     {GOOD, .scheduled = false},
     "Ready",
     "CronJobCreated",
     "CronJobCreationSucceeded",
     CONDITION_TRUE,
     CONFIGURATION_DELETE,
     false},
    {"somebody's CronJob is not deleted",
     {GOOD, .scheduled = false, .cronjob = CRONJOB_FOREIGN},
     "NotReady",
     "CronJobCreated",
     "CronJobCreationFailed",
     CONDITION_FALSE,
     CONFIGURATION_WAIT,
     false},
    {"deleted",
     {GOOD, .deleted = true, .cronjob = CRONJOB_OTHER},
     "Ready",
     "CronJobCreated",
     "CronJobCreationSucceeded",
     CONDITION_TRUE,
     CONFIGURATION_WAIT,
     true},
};
#pragma GCC diagnostic pop

START_TEST(conditions_phase_and_cronjob)
    {
        AUTO(json) json_t *status = configuration_status(&rows[_i].seen, NULL, 3, NOW);
        AUTO(json) json_t *again = configuration_status(&rows[_i].seen, status, 3, NOW + 60);
        const json_t *conditions = tree_get(status, "conditions");

        ck_assert_msg(strcmp(tree_text(status, "phase"), rows[_i].phase) == 0, "%s: %s",
                      rows[_i].what, tree_text(status, "phase"));
        ck_assert_msg(condition_status(conditions, rows[_i].condition) == rows[_i].status, "%s",
                      rows[_i].what);
        ck_assert_str_eq(condition_reason(conditions, rows[_i].condition), rows[_i].reason);
        ck_assert_msg(configuration_next(&rows[_i].seen) == rows[_i].action, "%s", rows[_i].what);
        ck_assert_msg((configuration_obstacle(&rows[_i].seen) != NULL) == rows[_i].obstacle, "%s",
                      rows[_i].what);
        ck_assert_msg(tree_equal(status, again), "%s: written again", rows[_i].what);
    }
END_TEST

START_TEST(what_others_wrote_stays)
    {
        const struct configuration_seen seen = {GOOD};
        AUTO(json)
        json_t *before = json_row("{'conditions':[{'type':'Theirs','status':'True'}],'x':1}");
        AUTO(json) json_t *odd = json_row("{'conditions':'odd'}");
        AUTO(json) json_t *status = configuration_status(&seen, before, 1, NOW);
        AUTO(json) json_t *mended = configuration_status(&seen, odd, 1, NOW);

        ck_assert_int_eq(condition_status(tree_get(status, "conditions"), "Theirs"),
                         CONDITION_TRUE);
        ck_assert_int_eq(tree_int(status, "x", 0), 1);
        ck_assert_uint_eq(json_array_size(json_object_get(mended, "conditions")), 6);
    }
END_TEST

static const struct {
    const char *configuration, *name; /* NULL: cut, with a hash */
} name_rows[] = {
    {"deploy-web", "stash-trigger-deploy-web"},
    {"a.b", "stash-trigger-a.b"},
    {"a2345678901234567890123456789012345678",
     "stash-trigger-a2345678901234567890123456789012345678"},
    {"a23456789012345678901234567890123456789", NULL},
};

START_TEST(names_of_cronjobs)
    {
        AUTO(free) char *name = cronjob_name(name_rows[_i].configuration);

        ck_assert(strlen(name) <= 52 && name_is_subdomain(span_of(name)));
        ck_assert(strncmp(name, "stash-trigger-", 14) == 0);
        if (name_rows[_i].name)
            ck_assert_str_eq(name, name_rows[_i].name);
        else
            ck_assert_str_ne(name + 14, name_rows[_i].configuration);
    }
END_TEST

/* Two that are cut have different names. */
START_TEST(long_names_differ)
    {
        AUTO(free) char *a = cronjob_name("a23456789012345678901234567890123456789-one");
        AUTO(free) char *b = cronjob_name("a23456789012345678901234567890123456789-two");

        ck_assert_str_ne(a, b);
    }
END_TEST

static const struct {
    const char *spec;
    int64_t interval_s;
    const char *path, *value;
} made_rows[] = {
    {"{}", 60, "spec.timeZone", "'Etc/UTC'"},
    {"{}", 60, "spec.concurrencyPolicy", "'Forbid'"},
    {"{}", 60, "spec.suspend", "false"},
    {"{'paused':true}", 60, "spec.suspend", "true"},
    {"{'schedule':'*/5 * * * *'}", 300, "spec.schedule", "'*/5 * * * *'"},
    {"{}", 300, "spec.startingDeadlineSeconds", "300"},
    {"{}", 1, "spec.startingDeadlineSeconds", "60"},
    {"{}", 31536000, "spec.startingDeadlineSeconds", "86400"},
    {"{}", 300, "spec.jobTemplate.spec.activeDeadlineSeconds", "900"},
    {"{}", 60, "spec.successfulJobsHistoryLimit", "1"},
    {"{}", 60, "spec.failedJobsHistoryLimit", "1"},
    {"{}", 60, "spec.jobTemplate.spec.template.spec.restartPolicy", "'Never'"},
    /* no rights in the cluster: the only token is the one for the agent API */
    {"{}", 60, "spec.jobTemplate.spec.template.spec.automountServiceAccountToken", "false"},
    {"{'runtimeSettings':{'pod':{'automountServiceAccountToken':true}}}", 60,
     "spec.jobTemplate.spec.template.spec.automountServiceAccountToken", "false"},
    {"{'runtimeSettings':{'pod':{'nodeSelector':{'a':'b'}}}}", 60,
     "spec.jobTemplate.spec.template.spec.nodeSelector", "{'a':'b'}"},
    {"{'runtimeSettings':{'pod':{'podAnnotations':{'a':'b'}}}}", 60,
     "spec.jobTemplate.spec.template.metadata.annotations", "{'a':'b'}"},
    {"{'runtimeSettings':{'pod':{'podLabels':{'x':'y','app.kubernetes.io/component':'z'}}}}", 60,
     "spec.jobTemplate.spec.template.metadata.labels",
     "{'own':'1','app.kubernetes.io/component':'stash-backup',"
     "'app.kubernetes.io/managed-by':'stash.appscode.com','x':'y'}"},
    {"{}", 60, "metadata.namespace", "'shop'"},
};

static json_t *cronjob_of(const char *spec, int64_t interval_s)
{
    AUTO(json)
    json_t *configuration = json_row("{'metadata':{'name':'web','namespace':'shop','uid':'u',"
                                     "'labels':{'own':'1'}}}");
    struct settings settings = {0};

    tree_put_new(configuration, "spec", json_row(spec));
    settings_default(&settings);

    const struct cronjob_request request = {configuration, &settings, interval_s};
    json_t *made = cronjob_make(&request);

    settings_done(&settings);
    return made;
}

START_TEST(cronjobs)
    {
        AUTO(json) json_t *made = cronjob_of(made_rows[_i].spec, made_rows[_i].interval_s);
        AUTO(json) json_t *wanted = json_row(made_rows[_i].value);

        ck_assert_msg(tree_equal(tree_at(made, made_rows[_i].path), wanted), "%s",
                      made_rows[_i].path);
    }
END_TEST

START_TEST(the_pod_of_a_cronjob)
    {
        AUTO(json)
        json_t *made = cronjob_of("{'jitter':'5m','runtimeSettings':{'container':{'env':[{'name':"
                                  "'A','value':'b'}],'nice':{'adjustment':1}}}}",
                                  60);
        const json_t *spec = tree_at(made, "spec.jobTemplate.spec.template.spec");
        const json_t *container = json_array_get(tree_get(spec, "containers"), 0);
        AUTO(json) json_t *args = json_row("['trigger','--jitter=5m']");
        AUTO(json)
        json_t *owners = json_row("[{'apiVersion':'stash.appscode.com/v1beta1','kind':"
                                  "'BackupConfiguration','name':'web','uid':'u',"
                                  "'controller':true,'blockOwnerDeletion':false}]");

        ck_assert_str_eq(tree_text(container, "name"), "stash-trigger");
        ck_assert(tree_equal(tree_get(container, "args"), args));
        ck_assert(tree_named(tree_get(container, "env"), "A"));
        ck_assert_ptr_null(tree_get(container, "nice"));
        ck_assert(tree_true(tree_get(container, "securityContext"), "readOnlyRootFilesystem"));
        ck_assert_uint_eq(json_array_size(tree_get(spec, "volumes")), 1);
        ck_assert(tree_named(tree_get(spec, "volumes"), "granary-identity"));
        ck_assert(tree_equal(tree_at(made, "metadata.ownerReferences"), owners));
    }
END_TEST

SUITE(controllers_configuration_next)
{
    suite_rows(tests, conditions_phase_and_cronjob, rows);
    tcase_add_test(tests, what_others_wrote_stays);
    suite_rows(tests, names_of_cronjobs, name_rows);
    tcase_add_test(tests, long_names_differ);
    suite_rows(tests, cronjobs, made_rows);
    tcase_add_test(tests, the_pod_of_a_cronjob);
}
