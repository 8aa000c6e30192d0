#include "controllers/stamp_next.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "mutators/inject.h"
#include "tests/unit/api/planned.h"
#include "tests/unit/suite.h"

#define ACTIVE_S INT64_C(1714570200) /* 2024-05-01T13:30:00Z */
#define OLD "'creationTimestamp': '2024-05-01T00:00:00Z'"
#define NEW "'creationTimestamp': '2024-05-02T00:00:00Z'"
#define BLUEPRINT_OF(metadata, rest)                                                               \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint', 'metadata': {'name':" \
    " 'daily', " metadata "}, 'spec': {'schedule': '@daily', " KEEP                                \
    ", " AT("daily/${TARGET_KIND}/${TARGET_NAME}") rest "}}"
#define HAND(metadata)                                                                             \
    CONFIGURATION("'name': 'mine', " metadata,                                                     \
                  ", 'paths': ['/data'], 'volumeMounts': [{'name': 'a', 'mountPath': '/data'}]",   \
                  "")
#define SESSION(metadata, status)                                                                  \
    RESTORE("'name': 'back', 'uid': 'u-9', " metadata,                                             \
            ", 'volumeMounts': [{'name': 'a', 'mountPath': '/data'}]" RULES, "", status)
#define TAKEN_POD "pvc a; app a:/data; stash a:/data"
#define NONE ""

static const struct {
    struct request_row request;
    bool carries; /* what the usual request gives */
    bool unknown; /* since when our mutator is in force */
    enum stamp_verdict verdict;
    int64_t per_minute; /* 0: the usual one */
} rows[] = {
    /* nothing is asked for, and nothing is there */
    {{.annotations = NONE}, false, false, STAMP_RESTS, 0},
    /* all is as it should be; another release changes nothing */
    {{.metadata = OLD}, true, false, STAMP_RESTS, 0},
    {{.metadata = NEW, .settings = "{'agent': {'image': 'another'}}"}, true, false, STAMP_RESTS, 0},
    /* installing restarts nobody */
    {{.metadata = OLD, .objects = {BLUEPRINT_OF(OLD, "")}}, false, false, STAMP_WAITS, 0},
    {{.metadata = NEW, .objects = {BLUEPRINT_OF(NEW, "")}}, false, true, STAMP_WAITS, 0},
    /* unless it is asked for */
    {{.metadata = OLD, .objects = {BLUEPRINT_OF(OLD, ", 'existing': 'Restart'")}},
     false,
     false,
     STAMP_IT,
     0},
    {{.metadata = OLD,
      .objects = {BLUEPRINT_OF(OLD, ", 'existing': 'Restart', 'rollout': {'maxPerMinute': 3}")}},
     false,
     false,
     STAMP_IT,
     3},
    /* admission was missed: of a workload or of a reason that is younger than the installation */
    {{.metadata = NEW, .objects = {BLUEPRINT_OF(OLD, "")}}, false, false, STAMP_IT, 0},
    {{.metadata = OLD, .objects = {BLUEPRINT_OF(NEW, "")}}, false, false, STAMP_IT, 0},
    {{.metadata = OLD, .annotations = NONE, .objects = {HAND(NEW)}}, false, false, STAMP_IT, 0},
    {{.metadata = OLD, .annotations = NONE, .objects = {HAND(OLD)}}, false, false, STAMP_WAITS, 0},
    {{.metadata = OLD, .annotations = NONE, .objects = {SESSION(NEW, "")}},
     false,
     false,
     STAMP_IT,
     0},
    {{.metadata = OLD, .objects = {BLUEPRINT_OF(OLD, ""), SESSION(NEW, "")}},
     true,
     false,
     STAMP_IT,
     0},
    /* a removal that nobody saw */
    {{.metadata = OLD, .annotations = NONE}, true, false, STAMP_IT, 0},
    {{.metadata = OLD, .annotations = NONE}, true, true, STAMP_IT, 0},
    {{.metadata = OLD, .annotations = ASKS ", 'granary.dev/backup': 'false'"},
     true,
     false,
     STAMP_IT,
     0},
    /* one reason can not be planned, another one came */
    {{.metadata = NEW, .objects = {WAITING}, .annotations = ASKS}, true, false, STAMP_IT, 0},
    /* what can not be planned stays */
    {{.metadata = NEW,
      .objects = {UNSCHEDULED, NAMESPACE("")},
      .annotations = "'stash.appscode.com/backup-blueprint': 'other'"},
     true,
     false,
     STAMP_RESTS,
     0},
    {{.metadata = NEW, .settings = "{'excludedNamespaces': ['shop']}"},
     false,
     false,
     STAMP_RESTS,
     0},
    /* somebody else's container */
    {{.metadata = NEW, .pod = TAKEN_POD}, false, false, STAMP_RESTS, 0},
    /* no workload */
    {{.kind = "PersistentVolumeClaim", .metadata = NEW, .spec = "{}"},
     false,
     false,
     STAMP_RESTS,
     0},
};

static void carry(json_t *workload)
{
    static const struct request_row usual = {0};
    AUTO(planned) struct planned was = {0};
    json_t *spec = json_object_get(workload, "spec");

    plan_row(&was, &usual);
    tree_put_new(
        spec, "template",
        template_inject(&was.plan, &was.settings, tree_get(spec, "template"), NULL, false));
}

START_TEST(judges)
    {
        AUTO(planned) struct planned asked = {0};
        struct stamp_seen seen = {.active_s = rows[_i].unknown ? 0 : ACTIVE_S};
        struct stamp_next next;

        plan_row(&asked, &rows[_i].request);
        if (rows[_i].carries)
            carry(asked.object);
        seen.workload = asked.object;
        seen.cluster = asked.cluster;
        seen.settings = &asked.settings;
        next = stamp_next(&seen);
        ck_assert_int_eq(next.verdict, rows[_i].verdict);
        ck_assert_int_eq(next.per_minute, rows[_i].per_minute ? rows[_i].per_minute : 10);
    }
END_TEST

SUITE(controllers_stamp_next)
{
    suite_rows(tests, judges, rows);
}
