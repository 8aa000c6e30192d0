#include "api/settings.h"
#include "base/tree.h"
#include "controllers/cronjob_state.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define CONFIGURATION                                                                              \
    "{'metadata':{'name':'web','namespace':'shop','uid':'u','labels':{'own':'1'}},'spec':{"        \
    "'schedule':'0 3 * * *','runtimeSettings':{'pod':{'serviceAccountName':'sa'},'container':{"    \
    "'resources':{'limits':{'cpu':'0.5'}}}}}}"

#define POD "spec.jobTemplate.spec.template.spec"
#define CONTAINERS POD ".containers"

/* Sets (or with NULL removes) a member of what is at the path; of a list: of its first element. */
static const struct {
    const char *what, *path, *member, *value;
    enum cronjob state;
} rows[] = {
    {"as it was made", "spec", "schedule", "'0 3 * * *'", CRONJOB_OURS},
    {"another schedule", "spec", "schedule", "'0 4 * * *'", CRONJOB_OTHER},
    {"suspended", "spec", "suspend", "true", CRONJOB_OTHER},
    {"no deadline", "spec", "startingDeadlineSeconds", NULL, CRONJOB_OTHER},
    {"its kind's zeros", "spec", "suspend", NULL, CRONJOB_OURS},
    {"history", "spec", "successfulJobsHistoryLimit", "3", CRONJOB_OTHER},
    {"another image", CONTAINERS, "image", "'evil'", CRONJOB_OTHER},
    {"a command", CONTAINERS, "command", "['sleep']", CRONJOB_OTHER},
    {"what the server fills in", CONTAINERS, "terminationMessagePath", "'/dev/termination-log'",
     CRONJOB_OURS},
    {"amounts", CONTAINERS, "resources", "{'limits':{'cpu':'500m'}}", CRONJOB_OURS},
    {"other amounts", CONTAINERS, "resources", "{'limits':{'cpu':'600m'}}", CRONJOB_OTHER},
    {"the second name of the account", POD, "serviceAccount", "'sa'", CRONJOB_OURS},
    {"another account", POD, "serviceAccountName", "'other'", CRONJOB_OTHER},
    {"defaults of pods", POD, "dnsPolicy", "'ClusterFirst'", CRONJOB_OURS},
    {"defaults of pods", POD, "schedulerName", "'default-scheduler'", CRONJOB_OURS},
    {"defaults of pods", POD, "terminationGracePeriodSeconds", "30", CRONJOB_OURS},
    {"defaults of pods", POD, "securityContext", "{}", CRONJOB_OURS},
    {"no defaults of pods", POD, "dnsPolicy", "'Default'", CRONJOB_OTHER},
    {"no defaults of pods", POD, "securityContext", "{'runAsUser':0}", CRONJOB_OTHER},
    {"no pod", "spec.jobTemplate.spec.template", "spec", "'odd'", CRONJOB_OTHER},
    {"an init container", POD, "initContainers", "[{'name':'a','image':'b'}]", CRONJOB_OTHER},
    {"our label is gone", "metadata.labels", "own", NULL, CRONJOB_OTHER},
    {"somebody's label", "metadata.labels", "theirs", "'x'", CRONJOB_OURS},
    {"somebody's annotation", "metadata", "annotations", "{'theirs':'x'}", CRONJOB_OURS},
    {"what the server says", "metadata", "resourceVersion", "'7'", CRONJOB_OURS},
    {"status", "", "status", "{'lastScheduleTime':'x'}", CRONJOB_OURS},
    {"nobody's", "metadata", "ownerReferences", NULL, CRONJOB_FOREIGN},
    {"an earlier configuration's", "metadata", "ownerReferences",
     "[{'uid':'old','controller':true}]", CRONJOB_FOREIGN},
    {"owned, not controlled", "metadata", "ownerReferences", "[{'uid':'u'}]", CRONJOB_FOREIGN},
    {"one of its name without uid, while it has one", "metadata", "ownerReferences",
     "[{'kind':'BackupConfiguration','name':'web','controller':true}]", CRONJOB_FOREIGN},
    {"odd owners", "metadata", "ownerReferences", "'odd'", CRONJOB_FOREIGN},
    {"no spec", "", "spec", NULL, CRONJOB_OTHER},
};

static json_t *made(const json_t *configuration)
{
    AUTO(settings) struct settings settings = {0};

    settings_default(&settings);
    return cronjob_make(&(struct cronjob_request){configuration, &settings, 86400});
}

static void edit(json_t *object, const char *path, const char *member, const char *value)
{
    json_t *at = *path ? (json_t *)tree_at(object, path) : object;

    if (json_is_array(at))
        at = json_array_get(at, 0);
    ck_assert(json_is_object(at));
    if (value)
        tree_put_new(at, member, json_row(value));
    else
        json_object_del(at, member);
}

START_TEST(what_is_found)
    {
        AUTO(json) json_t *configuration = json_row(CONFIGURATION);
        AUTO(json) json_t *wanted = made(configuration);
        AUTO(json) json_t *found = tree_copy(wanted);

        edit(found, rows[_i].path, rows[_i].member, rows[_i].value);
        ck_assert_msg(cronjob_state(found, wanted, configuration) == rows[_i].state, "%s",
                      rows[_i].what);
    }
END_TEST

START_TEST(what_is_not_there)
    {
        AUTO(json) json_t *configuration = json_row(CONFIGURATION);
        AUTO(json) json_t *anonymous = json_row("{'metadata':{'name':'web'}}");
        AUTO(json) json_t *wanted = made(configuration);

        ck_assert_int_eq(cronjob_state(NULL, wanted, configuration), CRONJOB_ABSENT);
        ck_assert_int_eq(cronjob_state(wanted, NULL, configuration), CRONJOB_OURS);
        ck_assert_int_eq(cronjob_state(wanted, wanted, anonymous), CRONJOB_FOREIGN);
    }
END_TEST

SUITE(controllers_cronjob_state)
{
    suite_rows(tests, what_is_found, rows);
    tcase_add_test(tests, what_is_not_there);
}
