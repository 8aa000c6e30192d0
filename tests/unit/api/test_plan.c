#include "api/plan.h"

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/api/planned.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* What is decided, and what is said of it. */

static void says(const struct text *text, const char *part)
{
    ck_assert_msg(strstr(text_get(text), part) != NULL, "\"%s\" is not in: %s", part,
                  text_get(text));
}

/* A request; what is decided (NULL: a backup is planned); and a part of each text. Of mistakes and
 * cautions NULL is none at all, notes and trace are not looked at then. */
struct decision_row {
    struct request_row request;
    enum plan_state state;
    const char *why, *mistake, *caution, *note, *trace;
};

static void check_decision(const struct decision_row *row)
{
    AUTO(planned) struct planned asked = {0};

    plan_row(&asked, &row->request);
    ck_assert_str_eq(asked.plan.why, row->why ? row->why : "planned");
    ck_assert_int_eq(asked.plan.state, row->why ? row->state : PLAN_MADE);
    findings_say(&asked.plan.mistakes, row->mistake ? row->mistake : "");
    findings_say(&asked.plan.cautions, row->caution ? row->caution : "");
    if (row->note)
        says(&asked.plan.notes, row->note);
    if (row->trace)
        says(&asked.trace, row->trace);
}

/* Never ours, or nobody asks. */
static const struct decision_row untouched_rows[] = {
    {.request = {.kind = "ReplicaSet",
                 .metadata = "'ownerReferences': [{'kind': 'Deployment', 'controller': true}]"},
     .state = PLAN_FOREIGN,
     .why = "owned",
     .trace = "ReplicaSet web is made by another object, which is backed up in its place."},
    {.request = {.kind = "ReplicationController",
                 .metadata = "'ownerReferences': [{'kind': 'X', 'controller': true}]",
                 .spec = "{}"},
     .state = PLAN_FOREIGN,
     .why = "owned"},
    /* an owner that does not control, and a kind whose owner does not back it up */
    {.request = {.kind = "ReplicaSet", .metadata = "'ownerReferences': [{'kind': 'X'}]"}},
    {.request = {.kind = "StatefulSet",
                 .metadata = "'ownerReferences': [{'kind': 'MyDatabase', 'controller': true}]"}},
    {.request = {.settings = "{'excludedNamespaces': ['other', 'shop']}"},
     .state = PLAN_FOREIGN,
     .why = "excluded-namespace",
     .trace = "Namespace shop is excluded by the settings of the installation."},
    {.request = {.settings = "{'excludedNamespaces': ['other']}"}},
    {.request = {.annotations = ""},
     .state = PLAN_NONE,
     .why = "no-reason",
     .trace = "No annotation, namespace label"},
    {.request = {.annotations = "'stash.appscode.com/schedule': '@daily'"},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.kind = "PersistentVolumeClaim", .annotations = ""},
     .state = PLAN_NONE,
     .why = "no-reason"},
    /* a blueprint's name with nothing in it is no name, yet it is told */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': ''"},
     .state = PLAN_NONE,
     .why = "no-reason",
     .mistake = "it is empty, so it says nothing"},
    /* what follows from a blueprint is no reason for itself */
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION(
                     "'name': 'deploy-web', 'labels': {'granary.dev/blueprint':"
                     " 'daily'}",
                     "", "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
};

START_TEST(untouched)
    {
        check_decision(&untouched_rows[_i]);
    }
END_TEST

/* Blueprints that there are, and that may and can be used. */
static const struct decision_row blueprint_rows[] = {
    {.trace =
         "BackupBlueprint daily, named by the annotation stash.appscode.com/backup-blueprint."},
    {.note = "/data is backed up by blueprint daily, schedule \"@daily\""},
    {.note = "Repository shop/deploy-web: gcs b/daily/deployment/web"},
    {.note = "BackupConfiguration shop/deploy-web follows"},
    {.trace = "  ${TARGET_NAME} in spec.backend.gcs.prefix is \"web\", "},
    {.trace = "A sidecar, since the workload's own pods can read the data best."},
    /* not there */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'dayly'"},
     .state = PLAN_BROKEN,
     .why = "blueprint-missing",
     .mistake = "no BackupBlueprint \"dayly\": did you mean \"daily\"?",
     .trace = "There is none of that name."},
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'x'"},
     .state = PLAN_BROKEN,
     .why = "blueprint-missing",
     .mistake = "no BackupBlueprint \"x\", nothing is backed up by it yet"},
    /* its administrator's fault is no mistake of the owner */
    {.request = {.objects = {BLUEPRINT("daily", ", 'timeOut': 'soon'")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-invalid",
     .caution = "BackupBlueprint \"daily\" is not valid (spec.timeOut: ",
     .trace = "It is not valid: spec.timeOut"},
    {.request = {.objects = {BLUEPRINT_AT("daily", "${TARGET_APP_TYPE}", "")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-unresolved",
     .caution = "TARGET_APP_TYPE",
     .trace = "Its variables can not be replaced: "},
    {.request = {.objects = {BLUEPRINT("daily", ", 'timeOut': '${TARGET_NAME}'")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-unresolved",
     .caution = "BackupBlueprint \"daily\", spec.timeOut of this target: "},
    /* what is only doubtful in it holds nothing up */
    {.request = {.objects = {BLUEPRINT("daily", ", 'tempDir': {'mediun': '${TARGET_NAME}'}")}},
     .trace = "A sidecar"},
    /* who may use it */
    {.request = {.objects = {BLUEPRINT("daily", ", 'allowedNamespaces': {'from': 'All'}")}}},
    {.request = {.objects = {BLUEPRINT("daily", ", 'allowedNamespaces': null")}}},
    {.request = {.objects = {BLUEPRINT("daily",
                                       ", 'allowedNamespaces': {'from': 'Selector', 'selector':"
                                       " {'matchLabels': {'tier': 'gold'}}}"),
                             NAMESPACE("'tier': 'gold'")}}},
    {.request = {.objects = {BLUEPRINT("daily",
                                       ", 'allowedNamespaces': {'from': 'Selector', 'selector':"
                                       " {'matchLabels': {'tier': 'gold'}}}"),
                             NAMESPACE("'tier': 'lead'")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-forbidden",
     .mistake = "BackupBlueprint \"daily\" may not be used in namespace shop",
     .trace = "Its allowedNamespaces leave namespace shop out."},
    /* a namespace that is not known is not let in */
    {.request = {.objects = {BLUEPRINT("daily",
                                       ", 'allowedNamespaces': {'from': 'Selector', 'selector':"
                                       " {'matchLabels': {'tier': 'gold'}}}")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-forbidden",
     .mistake = "may not be used"},
    /* nothing to back up */
    {.request = {.pod = "dir tmp; app tmp:/tmp"},
     .state = PLAN_BROKEN,
     .why = "nothing-to-back-up",
     .mistake = "there is nothing to back up: the pod mounts no volume of a PersistentVolumeClaim",
     .trace = "Its pods mount nothing that could be backed up."},
    {.request = {.annotations = ASKS ", 'stash.appscode.com/target-paths': '/opt'"},
     .state = PLAN_BROKEN,
     .why = "nothing-to-back-up",
     .mistake =
         "there is nothing to back up: none of the paths and mounts asked for is in the pod"},
    {.request = {.annotations = ASKS ", 'stash.appscode.com/volume-mounts': 'x:/x'"},
     .state = PLAN_BROKEN,
     .why = "nothing-to-back-up",
     .mistake = "none of the paths and mounts asked for"},
    /* our name is taken by what somebody wrote */
    {.request = {.objects = {DAILY, STASH("BackupConfiguration", "'name': 'deploy-web'",
                                          REF("StatefulSet",
                                              "db") "}, 'repository': {'name': 'r'}, " KEEP) "}"}},
     .state = PLAN_BROKEN,
     .why = "name-taken",
     .mistake = "a BackupConfiguration shop/deploy-web that was made by hand stands in the way of "
                "BackupBlueprint \"daily\"",
     .trace = "BackupConfiguration shop/deploy-web has the name, and was made by hand."},
    /* the names of both blueprints: each is said */
    {.request =
         {.annotations = "'stash.appscode.com/backup-blueprint': 'daily,weekly'",
          .objects = {DAILY, BLUEPRINT("weekly", ""),
                      STASH("BackupConfiguration", "'name': 'deploy-web'",
                            REF("StatefulSet", "db") "}, 'repository': {'name': 'r'}, " KEEP) "}",
                      STASH("BackupConfiguration", "'name': 'deploy-web-weekly-8bd2e028'",
                            REF("StatefulSet", "db") "}, 'repository': {'name': 'r'}, " KEEP) "}"}},
     .state = PLAN_BROKEN,
     .why = "name-taken",
     .mistake = "shop/deploy-web-weekly-8bd2e028 that was made by hand stands in the way of "
                "BackupBlueprint "
                "\"weekly\""},
    /* ours, or Stash's, is not in the way */
    {.request = {.objects = {DAILY, CONFIGURATION(
                                        "'name': 'deploy-web', 'labels': {'granary.dev/blueprint':"
                                        " 'daily'}",
                                        "", "")}}},
    {.request = {.objects = {DAILY,
                             CONFIGURATION(
                                 "'name': 'deploy-web', 'ownerReferences': [{'apiVersion':"
                                 " 'apps/v1', 'kind': 'Deployment', 'name': 'web', 'controller':"
                                 " true}]",
                                 "", "")}}},
    /* can not work */
    {.request = {.objects = {BLUEPRINT("daily", ", 'backupNamespace': 'backups'")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-unfit",
     .caution = "BackupBlueprint \"daily\": spec.backupNamespace works for AppBindings only",
     .trace = "It does not fit: spec.backupNamespace"},
    {.request = {.metadata = "'name': '', 'generateName': 'web-'",
                 .objects = {BLUEPRINT("daily", ", 'backupNamespace': 'backups'")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-unfit",
     .caution = "spec.backupNamespace works for AppBindings only"},
    {.request =
         {.objects = {DAILY,
                      REPOSITORY("deploy-web", "'granary.dev/target': 'apps/Deployment/a/b'", "",
                                 "'gcs': {'bucket': 'b', 'prefix': 'daily/deployment/web'}")}},
     .state = PLAN_BROKEN,
     .why = "blueprint-unfit",
     .caution = "Repository shop/deploy-web belongs to apps/Deployment/a/b"},
    /* works, but */
    {.request = {.objects = {UNSCHEDULED}},
     .caution = "BackupBlueprint \"daily\" names no schedule: backups run by hand only",
     .note = "schedule \"none\""},
    {.request = {.annotations = ASKS ", 'granary.dev/paused': 'true'"},
     .note = "schedule \"@daily\", paused"},
    {.request = {.annotations = ASKS ", 'stash.appscode.com/schedule': '@hourly'"},
     .note = "schedule \"@hourly\""},
    {.request = {.annotations = ASKS ", 'granary.dev/retention': 'last=3'"},
     .mistake = "does not let owners set this: it is ignored"},
    {.request = {.pod = "pvc a b; app a:/data b:/logs"},
     .note = "/data, /logs is backed up by blueprint daily"},
    /* no name yet: the pods are planned, the objects follow later */
    {.request = {.metadata = "'name': '', 'generateName': 'web-'"}, .trace = "A sidecar"},
};

START_TEST(blueprints)
    {
        check_decision(&blueprint_rows[_i]);
    }
END_TEST

/* The label of a namespace, and its precedence. Spec: design, What owners can write. */
static const struct decision_row namespace_rows[] = {
    {.request = {.annotations = "", .objects = {DAILY, LABELLED}},
     .trace = "BackupBlueprint daily, named by the label granary.dev/blueprint of the namespace."},
    {.request = {.annotations = "", .objects = {BLUEPRINT("other", ""), LABELLED}},
     .state = PLAN_BROKEN,
     .why = "blueprint-missing",
     .mistake = "no BackupBlueprint \"daily\""},
    {.request = {.annotations = "", .objects = {DAILY, NAMESPACE("'granary.dev/blueprint': ''")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    /* its own goes first */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'own'",
                 .objects = {DAILY, BLUEPRINT("own", ""), LABELLED}},
     .note = "by blueprint own",
     .trace = "The label of the namespace (daily) does not count: the target names its own."},
    /* opts out */
    {.request = {.annotations = "'granary.dev/backup': 'false'", .objects = {DAILY, LABELLED}},
     .state = PLAN_NONE,
     .why = "opted-out",
     .trace = "granary.dev/backup is \"false\": not this one, whatever else names it."},
    {.request = {.annotations = ASKS ", 'granary.dev/backup': 'false'",
                 .objects = {DAILY, BY_HAND}},
     .state = PLAN_NONE,
     .why = "opted-out"},
    /* workloads with claims only; claims that are in no pod are the controller's */
    {.request = {.annotations = "", .pod = "dir tmp; app tmp:/tmp", .objects = {DAILY, LABELLED}},
     .state = PLAN_NONE,
     .why = "no-reason",
     .trace = "The label of the namespace (daily) is for workloads with claims."},
    {.request = {.kind = "PersistentVolumeClaim", .annotations = "", .objects = {DAILY, LABELLED}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.kind = "PersistentVolumeClaim",
                 .annotations = "",
                 .spec = "{}",
                 .objects = {DAILY, LABELLED},
                 .bare = true},
     .note = "PersistentVolumeClaim is backed up by blueprint daily",
     .trace = "BackupBlueprint daily, named by the label granary.dev/blueprint of the namespace."},
    {.request = {.kind = "PersistentVolumeClaim",
                 .annotations = "'granary.dev/backup': 'false'",
                 .spec = "{}",
                 .objects = {DAILY, LABELLED},
                 .bare = true},
     .state = PLAN_NONE,
     .why = "opted-out"},
    {.request = {.annotations = "", .pod = "pvc a; app", .objects = {DAILY, LABELLED}},
     .state = PLAN_BROKEN,
     .why = "nothing-to-back-up",
     .mistake = "there is nothing to back up",
     .caution = "volume a is mounted by no container"},
};

START_TEST(namespaces)
    {
        check_decision(&namespace_rows[_i]);
    }
END_TEST

/* Several of one list: each on its own. */
static const struct decision_row several_rows[] = {
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'daily, weekly'",
                 .objects = {DAILY, BLUEPRINT("weekly", "")}},
     .note = "by blueprint weekly"},
    /* one that can not be planned does not hold up the other */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'gone,daily'"},
     .mistake = "no BackupBlueprint \"gone\"",
     .note = "by blueprint daily"},
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'gone,lost'"},
     .state = PLAN_BROKEN,
     .why = "blueprint-missing",
     .mistake = "\"lost\""},
    /* two in one place would forget each other's snapshots */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'daily,same'",
                 .objects = {DAILY, BLUEPRINT_AT("same", "daily/${TARGET_KIND}/web/", "")}},
     .caution = "BackupBlueprint \"same\": its location already holds the backup by \"daily\"",
     .trace = "It does not fit: its location already holds"},
    /* of an object without a name yet there is no place to compare */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'daily,same'",
                 .metadata = "'name': '', 'generateName': 'web-'",
                 .objects = {DAILY, BLUEPRINT_AT("same", "daily/${TARGET_KIND}/web/", "")}},
     .trace = "BackupBlueprint same, named by the annotation"},
    /* the first one's settings hold in the one container */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'daily,root'",
                 .objects = {DAILY, BLUEPRINT("root", ", 'fileAccess': 'Root'")}},
     .caution = "root asks for other fileAccess than the backup before it"},
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'one,two'",
                 .objects = {LOCAL_BLUEPRINT("one", "/safe", "x"),
                             LOCAL_BLUEPRINT("two", "/safe", "y")}},
     .caution = "no sidecar, a Job backs this up: another backup of this workload uses another "
                "local backend",
     .trace = "No sidecar: another backup"},
};

START_TEST(several)
    {
        check_decision(&several_rows[_i]);
    }
END_TEST

/* A sidecar or a Job, and why. */
static const struct decision_row mode_rows[] = {
    {.request = {.objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}},
     .trace = "No sidecar: daily asks for a Job."},
    {.request = {.objects = {BLUEPRINT("daily", ", 'task': {'name': 'mine'}")}},
     .trace = "No sidecar: daily asks for a Job."},
    {.request = {.pod = WEB_POD " + {'shareProcessNamespace': true}"},
     .caution = "no sidecar, a Job backs this up: the pod shares its process namespace",
     .trace = "No sidecar: the pod shares"},
    {.request = {.pod = WEB_POD " + {'shareProcessNamespace': true}",
                 .objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}},
     .trace = "asks for a Job"},
    {.request = {.kind = "PersistentVolumeClaim", .spec = "{}"},
     .note = "PersistentVolumeClaim is backed up by blueprint daily",
     .trace = "A Job: PersistentVolumeClaim web has no pods of its own."},
    {.request = {.kind = "AppBinding",
                 .spec = "{'parameters': {'stash': {'addon': {'backupTask': {'name': 'pg-14'}}}}}"},
     .note = "AppBinding is backed up by blueprint daily",
     .trace = "A Job: AppBinding"},
    {.request = {.kind = "AppBinding",
                 .spec = "{'version': '14'}",
                 .objects = {BLUEPRINT("daily",
                                       ", 'task': {'name': 'pg-${TARGET_APP_VERSION}'}")}}},
    {.request = {.kind = "AppBinding",
                 .spec = "{}",
                 .objects = {BLUEPRINT_AT("daily", "p/${TARGET_APP_VERSION}", "")}},
     .caution = "neither BackupBlueprint",
     .trace = "${TARGET_APP_VERSION} in spec.backend.gcs.prefix is \"\", spec.version."},
    {.request = {.kind = "AppBinding", .spec = "{}"},
     .caution =
         "neither BackupBlueprint \"daily\" nor the AppBinding names the Task that backs it up"},
    /* annotations of another class */
    {.request = {.kind = "PersistentVolumeClaim",
                 .annotations = ASKS ", 'stash.appscode.com/target-paths': '/x'",
                 .spec = "{}"},
     .mistake = "target-paths and volume-mounts are for workloads: a PersistentVolumeClaim is "
                "backed up as a"
                " whole"},
    {.request = {.kind = "AppBinding",
                 .annotations = ASKS ", 'stash.appscode.com/volume-mounts': 'a:/x'",
                 .spec = "{}"},
     .mistake = "an AppBinding is backed up as a whole",
     .caution = "neither BackupBlueprint"},
    {.request = {.kind = "PersistentVolumeClaim",
                 .annotations = ASKS ", 'granary.dev/dump-command': '[\\'a\\']'",
                 .spec = "{}",
                 .objects = {BLUEPRINT("daily", ", 'overrides': [{'key': 'dump'}]")}},
     .note = "PersistentVolumeClaim is backed up by blueprint daily",
     .mistake = "a command runs in the pods of a workload: a PersistentVolumeClaim has none"},
    {.request = {.kind = "AppBinding",
                 .annotations = ASKS ", 'granary.dev/dump-command': '[\\'a\\']'",
                 .spec = "{}",
                 .objects = {BLUEPRINT("daily", ", 'overrides': [{'key': 'dump'}]")}},
     .mistake = "a command runs in the pods of a workload: an AppBinding has none",
     .caution = "neither BackupBlueprint"},
    {.request = {.annotations = ASKS ", 'params.stash.appscode.com/args': '--all'"},
     .mistake = "parameters are for the Task of an AppBinding: a Deployment has none"},
    {.request = {.kind = "AppBinding",
                 .annotations = ASKS ", 'params.stash.appscode.com/args': '--all'",
                 .spec = "{}"},
     .caution = "neither BackupBlueprint"},
    /* pods that carry nothing of ours */
    {.request = {.pod = WEB_POD " + {'os': {'name': 'windows'}}"},
     .state = PLAN_BROKEN,
     .why = "windows",
     .caution = "Windows pods can not be backed up: nothing is injected",
     .trace = "Its pods are Windows pods"},
    {.request = {.annotations = "", .pod = WEB_POD " + {'os': {'name': 'windows'}}"},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.pod = WEB_POD " + {'containers': [{'name': 'stash'}]}"},
     .mistake = "the pod has a container or volume \"stash\", a name of ours",
     .trace = "has one of our names: nothing is injected"},
    {.request = {.pod = WEB_POD " + {'initContainers': [{'name': 'stash-init'}]}"},
     .mistake = "container or volume \"stash-init\""},
    {.request = {.pod = WEB_POD " + {'volumes': [{'name': 'stash-local'}]}"},
     .mistake = "container or volume \"stash-local\""},
    /* which is nobody's business where nothing would be injected */
    {.request = {.pod = WEB_POD " + {'containers': [{'name': 'stash'}]}",
                 .objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}}},
};

START_TEST(modes)
    {
        check_decision(&mode_rows[_i]);
    }
END_TEST

/* Pods with more parts than are looked at: told to those who ask only. */
START_TEST(too_large)
    {
        AUTO(text) struct text pod = {0};

        text_puts(&pod, "pvc a; app");
        for (unsigned n = 0; n < POD_MAX_PARTS; n++)
            text_addf(&pod, " a:/%u", n);

        const struct decision_row asked = {.request = {.pod = text_get(&pod)},
                                           .state = PLAN_BROKEN,
                                           .why = "too-large",
                                           .caution = "is not looked at: nothing is injected",
                                           .trace = "Its pods have more parts than are looked at."},
                                  labelled = {.request = {.annotations = "",
                                                          .pod = text_get(&pod),
                                                          .objects = {DAILY, LABELLED}},
                                              .state = PLAN_BROKEN,
                                              .why = "too-large",
                                              .caution = "is not looked at"},
                                  silent = {.request = {.annotations = "", .pod = text_get(&pod)},
                                            .state = PLAN_NONE,
                                            .why = "no-reason"};

        check_decision(&asked);
        check_decision(&labelled);
        check_decision(&silent);
    }
END_TEST

#define NOWHERE(kind, name, rest)                                                                  \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': '" kind "', 'metadata': {'name':"        \
    " '" name "'}, 'spec': {" REF("Deployment", "web") "}, 'repository': {'name': 'repo'}, " rest  \
                                                       "}}"
#define STORE_BACKEND "'backend': {'storageSecretName': 's', " STORE("/data") "}"

/* BackupConfigurations that somebody wrote. Spec: stash-behaviour 4.1; design, One function. */
static const struct decision_row hand_rows[] = {
    {.request = {.annotations = "", .objects = {BY_HAND}},
     .note = "BackupConfiguration mine backs this workload up by a sidecar",
     .trace = "BackupConfiguration mine, made by hand, names this workload."},
    {.request = {.objects = {DAILY, BY_HAND}},
     .note = "BackupConfiguration mine backs this workload up"},
    /* another operator's is somebody's too */
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION(
                     "'name': 'mine', 'ownerReferences': [{'apiVersion': 'db.example/v1',"
                     " 'kind': 'Database', 'name': 'x', 'controller': true}]",
                     "", "")}},
     .note = "BackupConfiguration mine"},
    /* Stash's own is not */
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION(
                     "'name': 'deploy-web', 'ownerReferences': [{'apiVersion':"
                     " 'apps/v1', 'kind': 'Deployment', 'name': 'web', 'controller':"
                     " true}]",
                     "", "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    /* a Job's */
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'mine'", "", ", 'mode': 'Job'")}},
     .trace = "No sidecar: mine asks for a Job."},
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'mine'", "", ", 'task': {'name': 'x'}")}},
     .trace = "No sidecar: mine asks for a Job."},
    {.request = {.annotations = "", .pod = WEB_POD " + {'hostPID': true}", .objects = {BY_HAND}},
     .caution = "no sidecar, a Job backs this up: the pod shares"},
    /* not ours to carry out, or on its way out */
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'mine'", "",
                                           ", 'driver': 'VolumeSnapshotter'")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'mine'", "", ", 'driver': 'Restic'")}}},
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION(
                     "'name': 'mine', 'deletionTimestamp': '2026-01-01T00:00:00Z'", "", "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    /* one that slipped past validation holds nothing up and takes nothing away */
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'mine'", "", ", 'timeOut': 'soon'")}},
     .state = PLAN_BROKEN,
     .why = "invalid",
     .caution = "BackupConfiguration shop/mine is not valid (spec.timeOut: ",
     .trace = "BackupConfiguration mine is not valid: spec.timeOut"},
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'bad'", "", ", 'timeOut': 'soon'"), BY_HAND}},
     .caution = "bad is not valid",
     .note = "BackupConfiguration mine"},
    /* its paths and mounts: what is wrong is a caution, for it is another object's mistake */
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'mine'", ", 'paths': ['/opt']", "")}},
     .caution = "/opt lies outside of every mount"},
    {.request = {.annotations = "",
                 .objects = {CONFIGURATION("'name': 'mine'",
                                           ", 'volumeMounts': [{'name': 'x', 'mountPath':"
                                           " '/x'}]",
                                           "")}},
     .caution = "the pod has no volume \"x\""},
    /* a manifest that leaves the namespace to whoever applies it */
    {.request = {.annotations = "",
                 .metadata = "'namespace': 'default'",
                 .objects = {NOWHERE("BackupConfiguration", "mine", "'schedule': '@daily', " KEEP),
                             NOWHERE("Repository", "repo", STORE_BACKEND)}},
     .caution = "a volume of the pod is mounted where the local backend"},
    {.request = {.annotations = "",
                 .metadata = "'namespace': 'default'",
                 .objects = {NOWHERE("BackupConfiguration", "mine", "'timeOut': 'soon'")}},
     .state = PLAN_BROKEN,
     .why = "invalid",
     .caution = "BackupConfiguration default/mine is not valid (spec."},
    /* its Repository's volume */
    {.request = {.annotations = "", .objects = {BY_HAND, REPO_LOCAL("/data")}},
     .caution = "a volume of the pod is mounted where the local backend"},
};

START_TEST(made_by_hand)
    {
        check_decision(&hand_rows[_i]);
    }
END_TEST

/* A RestoreSession that waits. Spec: design, Admission, Removal; stash-behaviour 7. */
static const struct decision_row restore_rows[] = {
    {.request = {.annotations = "", .objects = {WAITING}},
     .note = "RestoreSession back is restored before the containers of each new pod start",
     .trace = "RestoreSession back waits for this workload."},
    {.request = {.objects = {DAILY, WAITING}},
     .note = "RestoreSession back is restored",
     .trace = "An init container restores before the containers"},
    /* opting out of backups is no reason to lose a restore */
    {.request = {.annotations = "'granary.dev/backup': 'false'", .objects = {DAILY, WAITING}},
     .note = "RestoreSession back is restored"},
    /* over, overridden or leaving: none waits */
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'", RULES, "",
                                     ", 'status': {'phase': 'Succeeded'}")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.annotations = "",
                 .objects = {RESTORE(
                     "'name': 'back', 'annotations': {'granary.dev/start-anyway': 'true'}", RULES,
                     "", "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.annotations = "",
                 .objects = {RESTORE(
                     "'name': 'back', 'annotations': {'granary.dev/start-anyway': 'no'}", RULES, "",
                     "")}}},
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back', 'deletionTimestamp': '2026-01-01T00:00:00Z'",
                                     RULES, "", "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    /* while it is anything else, it waits */
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'", RULES, "",
                                     ", 'status': {'phase': 'Running'}")}}},
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'", RULES, "",
                                     ", 'status': {'phase': 'Failed'}")}}},
    /* a Job's */
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'", RULES, ", 'task': {'name': 'x'}", "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'",
                                     ", 'volumeClaimTemplates': [{'metadata': {'name':"
                                     " 'c'}}]",
                                     "", "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'", RULES, ", 'driver': 'VolumeSnapshotter'",
                                     "")}},
     .state = PLAN_NONE,
     .why = "no-reason"},
    /* can not be in these pods */
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'", RULES, ", 'timeOut': 'soon'", "")}},
     .state = PLAN_NONE,
     .why = "no-reason",
     .caution = "RestoreSession shop/back is not valid (spec.timeOut",
     .trace = "RestoreSession back is not valid"},
    {.request = {.annotations = "", .pod = WEB_POD " + {'hostPID': true}", .objects = {WAITING}},
     .state = PLAN_NONE,
     .why = "no-reason",
     .caution = "RestoreSession back can not restore in these pods: the pod shares",
     .trace = "No init container: the pod shares"},
    {.request = {.annotations = "", .pod = "app", .objects = {WAITING}},
     .state = PLAN_NONE,
     .why = "no-reason",
     .caution = "RestoreSession back can not restore in these pods: they mount nothing"},
    {.request = {.annotations = "",
                 .objects = {RESTORE("'name': 'back'",
                                     RULES ", 'volumeMounts': [{'name': 'x', 'mountPath':"
                                           " '/x'}]",
                                     "", "")}},
     .state = PLAN_NONE,
     .why = "no-reason",
     .caution = "the pod has no volume \"x\""},
    /* beside a backup whose local backend is another, or in the way */
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'one'",
                 .objects = {LOCAL_BLUEPRINT("one", "/safe", "x"), WAITING, REPO_LOCAL("/safe")}},
     .caution =
         "RestoreSession back can not restore in these pods: another backup of this workload uses"
         " another local backend"},
    {.request = {.annotations = "'stash.appscode.com/backup-blueprint': 'one'",
                 .objects = {LOCAL_BLUEPRINT("one", "/safe", "store"), WAITING,
                             REPO_LOCAL("/safe")}},
     .note = "RestoreSession back is restored"},
    {.request = {.objects = {DAILY,
                             RESTORE("'name': 'back'",
                                     RULES ", 'volumeMounts': [{'name': 'a', 'mountPath':"
                                           " '/else'}]",
                                     "", ""),
                             REPO_LOCAL("/data")}},
     .caution = "mounted where the local backend has to be"},
};

START_TEST(restores)
    {
        check_decision(&restore_rows[_i]);
    }
END_TEST

#define NONROOT(rest) "'securityContext': {'runAsNonRoot': true" rest "}"

/* What the owner is told of the user and the scratch space. Spec: design, User and Scratch. */
static const struct decision_row user_rows[] = {
    {.request = {.pod = WEB_POD " + {" NONROOT("") "}"},
     .caution = "the pod names no runAsUser: files that others may not read can be missed"},
    {.request = {.pod = WEB_POD " + {" NONROOT(", 'runAsUser': 5") "}"}},
    {.request =
         {.pod = "pvc a; app a:/data; other a:/data + {" NONROOT(
              "") ", 'containers': [{'name': 'app',"
                  " 'securityContext': {'runAsUser': 5}}, {'name': 'other', 'securityContext':"
                  " {'runAsUser': 6}}]}"},
     .caution = "the containers run as different users: the backup reads as UID 5"},
    {.request = {.pod = WEB_POD " + {" NONROOT("") "}",
                 .objects = {BLUEPRINT("daily", ", 'fileAccess': 'Root'")}},
     .caution = "fileAccess Root: our container runs as UID 0 in a pod that promises runAsNonRoot"},
    {.request = {.objects = {BLUEPRINT("daily", ", 'fileAccess': 'Root'")}}},
    {.request = {.objects = {BLUEPRINT("daily", ", 'fileAccess': 'Follow'")}},
     .caution = "the pod names no runAsUser"},
    /* the administrator named one */
    {.request = {.pod = WEB_POD " + {" NONROOT("") "}",
                 .objects = {BLUEPRINT("daily",
                                       ", 'runtimeSettings': {'container': {'securityContext':"
                                       " {'runAsUser': 7}}}")}}},
    /* a restore alone */
    {.request = {.annotations = "", .pod = WEB_POD " + {" NONROOT("") "}", .objects = {WAITING}},
     .caution = "the pod names no runAsUser"},
    {.request = {.annotations = "",
                 .pod = WEB_POD " + {" NONROOT("") "}",
                 .objects = {RESTORE("'name': 'back'", RULES,
                                     ", 'runtimeSettings': {'container':"
                                     " {'securityContext': {'runAsUser': 7}}}",
                                     "")}}},
    /* nobody is told where nothing is injected */
    {.request = {.pod = WEB_POD " + {" NONROOT("") "}",
                 .objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}}},
    {.request = {.objects = {BLUEPRINT("daily", ", 'tempDir': {'sizeLimit': '1Gi'}")}},
     .caution = "tempDir.sizeLimit: the whole pod is evicted"},
    {.request = {.objects = {BLUEPRINT("daily", ", 'tempDir': {'medium': 'Memory'}")}}},
};

START_TEST(users)
    {
        check_decision(&user_rows[_i]);
    }
END_TEST

SUITE(api_plan)
{
    suite_rows(tests, untouched, untouched_rows);
    suite_rows(tests, blueprints, blueprint_rows);
    suite_rows(tests, namespaces, namespace_rows);
    suite_rows(tests, several, several_rows);
    suite_rows(tests, modes, mode_rows);
    tcase_add_test(tests, too_large);
    suite_rows(tests, made_by_hand, hand_rows);
    suite_rows(tests, restores, restore_rows);
    suite_rows(tests, users, user_rows);
}
