#include "api/plan.h"

#include "api/keys.h"
#include "api/names.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/api/planned.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* ---- what the pods carry ---- */

static const struct {
    struct request_row request;
    const char *mounts, *restore_mounts; /* NULL: nothing of the kind is carried */
    const char *local;                   /* mountPath, or NULL */
    bool if_exists;
} carry_rows[] = {
    {{0}, "a:/data", NULL, NULL, false},
    {{.annotations = ""}, NULL, NULL, NULL, false},
    {{.pod = "pvc a b; app a:/data; other b:/logs:x"}, "a:/data b:/logs:x", NULL, NULL, false},
    {{.annotations = ASKS ", 'stash.appscode.com/target-paths': '/logs/app'",
      .pod = "pvc a b; app a:/data b:/logs"},
     "b:/logs",
     NULL,
     NULL,
     false},
    {{.annotations = ASKS ", 'stash.appscode.com/volume-mounts': 'b:/backup'",
      .pod = "pvc a b; app a:/data b:/logs"},
     "b:/backup",
     NULL,
     NULL,
     false},
    /* not what the administrator leaves to nobody */
    {{.annotations = ASKS ", 'stash.appscode.com/target-paths': '/logs'",
      .pod = "pvc a b; app a:/data b:/logs",
      .objects = {BLUEPRINT("daily", ", 'overrides': []")}},
     "a:/data b:/logs",
     NULL,
     NULL,
     false},
    {{.objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}}, NULL, NULL, NULL, false},
    {{.annotations = ASKS ", 'granary.dev/restore-if-exists': 'true'"},
     "a:/data",
     NULL,
     NULL,
     true},
    {{.annotations = ASKS ", 'granary.dev/restore-if-exists': 'true'",
      .objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}},
     NULL,
     NULL,
     NULL,
     false},
    {{.annotations = "'stash.appscode.com/backup-blueprint': 'one'",
      .objects = {LOCAL_BLUEPRINT("one", "/safe", "x")}},
     "a:/data",
     NULL,
     "/safe",
     false},
    /* two backups in one container */
    {{.annotations = ASKS ", 'stash.appscode.com/target-paths': '/data'",
      .pod = "pvc a b; app a:/data b:/logs",
      .objects = {DAILY, CONFIGURATION("'name': 'mine'", ", 'paths': ['/logs']", "")}},
     "a:/data b:/logs",
     NULL,
     NULL,
     false},
    /* one whose objects can not be made leaves nothing behind */
    {{.annotations = "'stash.appscode.com/backup-blueprint': 'bad,daily'",
      .objects = {DAILY, "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint',"
                         " 'metadata': {'name': 'bad'}, 'spec': {'backupNamespace': 'x', " KEEP
                         ", 'backend': {'storageSecretName': 's', " STORE("/safe") "}}}"}},
     "a:/data",
     NULL,
     NULL,
     false},
    /* by hand, with the Repository's volume: of its namespace, or the one that it names */
    {{.annotations = "", .objects = {BY_HAND, REPO_LOCAL("/safe")}},
     "a:/data",
     NULL,
     "/safe",
     false},
    {{.annotations = "",
      .objects =
          {STASH("BackupConfiguration", "'name': 'mine'",
                 REF("Deployment",
                     "web") "}, 'schedule': '@daily', 'repository': {'name': 'repo', 'namespace':"
                            " 'other'}, " KEEP) "}",
           REPO_LOCAL("/safe")}},
     "a:/data",
     NULL,
     NULL,
     false},
    {{.annotations = "",
      .objects =
          {STASH("BackupConfiguration", "'name': 'mine'",
                 REF("Deployment",
                     "web") "}, 'schedule': '@daily', 'repository': {'name': 'repo', 'namespace':"
                            " ''}, " KEEP) "}",
           REPO_LOCAL("/safe")}},
     "a:/data",
     NULL,
     "/safe",
     false},
    {{.annotations = "", .objects = {CONFIGURATION("'name': 'mine'", ", 'paths': ['/opt']", "")}},
     NULL,
     NULL,
     NULL,
     false},
    /* restores */
    {{.annotations = "", .objects = {WAITING}}, NULL, "a:/data", NULL, false},
    {{.objects = {DAILY, WAITING}}, "a:/data", "a:/data", NULL, false},
    {{.annotations = "", .objects = {WAITING, REPO_LOCAL("/safe")}},
     NULL,
     "a:/data",
     "/safe",
     false},
    {{.annotations = "'stash.appscode.com/backup-blueprint': 'one'",
      .objects = {LOCAL_BLUEPRINT("one", "/safe", "x"), WAITING}},
     "a:/data",
     "a:/data",
     "/safe",
     false},
    {{.annotations = "",
      .pod = "pvc a b; app a:/data b:/logs",
      .objects = {RESTORE("'name': 'back'",
                          RULES ", 'volumeMounts': [{'name': 'b', 'mountPath':"
                                " '/into'}]",
                          "", "")}},
     NULL,
     "b:/into",
     NULL,
     false},
    /* our own container in the template is no reason for a mount */
    {{.pod = "pvc a; app a:/data; stash a:/stash-volumes/a"}, "a:/data", NULL, NULL, false},
};

START_TEST(carries)
    {
        AUTO(planned) struct planned asked = {0};
        const struct carry *carry = &asked.plan.carry;

        plan_row(&asked, &carry_rows[_i].request);

        AUTO(free) char *mounts = mounts_text(carry->mounts);
        AUTO(free) char *restore_mounts = mounts_text(carry->restore_mounts);

        ck_assert_int_eq(carry->backup, carry_rows[_i].mounts != NULL);
        ck_assert_int_eq(carry->restore, carry_rows[_i].restore_mounts != NULL);
        ck_assert_str_eq(mounts, carry_rows[_i].mounts ? carry_rows[_i].mounts : "");
        ck_assert_str_eq(restore_mounts,
                         carry_rows[_i].restore_mounts ? carry_rows[_i].restore_mounts : "");
        ck_assert_pstr_eq(tree_text(carry->local, "mountPath"), carry_rows[_i].local);
        ck_assert_int_eq(carry->restore_if_exists, carry_rows[_i].if_exists);
        ck_assert_int_eq(plan_carries_nothing(&asked.plan), !carry->backup && !carry->restore);
    }
END_TEST

/* The hosts of a session: none named is all of them. */
static const struct {
    const char *target, *rest; /* of the RestoreSession */
    const char *session;
} session_rows[] = {
    {RULES, "", "{'uid': 'u-9', 'namespace': 'shop', 'name': 'back'}"},
    {", 'rules': [{'targetHosts': ['host-0', 'host-1'], 'paths': ['/data']}]", "",
     "{'uid': 'u-9', 'namespace': 'shop', 'name': 'back', 'hosts': ['host-0', 'host-1']}"},
    {", 'rules': [{'targetHosts': ['host-0'], 'paths': ['/data']}, {'targetHosts': ['host-2'],"
     " 'paths': ['/data']}]",
     "", "{'uid': 'u-9', 'namespace': 'shop', 'name': 'back', 'hosts': ['host-0', 'host-2']}"},
    {", 'rules': [{'targetHosts': ['host-0'], 'paths': ['/data']}, {'paths': ['/data']}]", "",
     "{'uid': 'u-9', 'namespace': 'shop', 'name': 'back'}"},
    {", 'alias': 'app', 'rules': [{'paths': ['/data']}]", "",
     "{'uid': 'u-9', 'namespace': 'shop', 'name': 'back', 'alias': 'app'}"},
    /* at the top, where they stood once */
    {"", ", 'rules': [{'targetHosts': ['host-0'], 'paths': ['/data']}]",
     "{'uid': 'u-9', 'namespace': 'shop', 'name': 'back', 'hosts': ['host-0']}"},
};

START_TEST(sessions)
    {
        AUTO(free)
        char *session = text_format(
            "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'RestoreSession', 'metadata':"
            " {'namespace': 'shop', 'name': 'back', 'uid': 'u-9'}, 'spec': {" REF(
                "Deployment", "web") "%s}, 'repository': {'name': 'repo'}%s}}",
            session_rows[_i].target, session_rows[_i].rest);
        const struct request_row row = {.annotations = "", .objects = {session}};
        AUTO(planned) struct planned asked = {0};
        AUTO(json) json_t *expected = json_row(session_rows[_i].session);

        plan_row(&asked, &row);

        AUTO(free) char *got = tree_format(asked.plan.carry.session, NULL);

        ck_assert_msg(tree_equal(asked.plan.carry.session, expected), "%s", got);
        ck_assert(tree_equal(tree_get(asked.plan.carry.inputs, "session"), expected));
    }
END_TEST

/* A session that names more hosts than an agent takes names none: then it asks. */
START_TEST(hosts_are_bounded)
    {
        AUTO(text) struct text hosts = {0};

        for (unsigned i = 0; i < RESTORE_HOSTS_MAX + (unsigned)_i; i++)
            text_addf(&hosts, "%s'host-%u'", i ? ", " : "", i);

        AUTO(free)
        char *session = text_format(
            "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'RestoreSession',"
            " 'metadata': {'namespace': 'shop', 'name': 'back', 'uid': 'u-9'}, 'spec': {" REF(
                "Deployment", "web") ", 'rules': [{'targetHosts': [%s], 'paths':"
                                     " ['/data']}]}, 'repository': {'name': 'repo'}}}",
            text_get(&hosts));
        const struct request_row row = {.annotations = "", .objects = {session}};
        AUTO(planned) struct planned asked = {0};

        plan_row(&asked, &row);
        ck_assert(asked.plan.carry.restore);
        ck_assert_uint_eq(json_array_size(tree_get(asked.plan.carry.session, "hosts")),
                          _i ? 0 : RESTORE_HOSTS_MAX);
    }
END_TEST

/* Of several sessions that wait the oldest is planned; a newer one when that has ended. */
START_TEST(oldest_restore_first)
    {
#define DATED(name, day, status)                                                                   \
    RESTORE("'name': '" name "', 'creationTimestamp': '2026-01-0" day "T00:00:00Z'", RULES, "",    \
            status)
        const struct request_row both = {.annotations = "",
                                         .objects = {DATED("new", "2", ""), DATED("old", "1", "")}},
                                 ended = {.annotations = "",
                                          .objects = {DATED("new", "2", ""),
                                                      DATED("old", "1",
                                                            ", 'status': {'phase':"
                                                            " 'Succeeded'}")}};
        AUTO(planned) struct planned first = {0}, second = {0};

        plan_row(&first, &both);
        plan_row(&second, &ended);
        ck_assert_str_eq(tree_text(first.plan.carry.session, "name"), "old");
        ck_assert_str_eq(tree_text(second.plan.carry.session, "name"), "new");
        ck_assert_str_eq(tree_text(second.plan.carry.session, "uid"), "");
    }
END_TEST

/* A session that can not be used is told apart from none: what waits for it stays. */
START_TEST(unusable_restore)
    {
        const struct request_row invalid = {.annotations = "",
                                            .objects = {RESTORE("'name': 'back'", RULES,
                                                                ", 'timeOut': 'soon'", "")}},
                                 none = {.annotations = ""};
        AUTO(planned) struct planned asked = {0}, without = {0};

        plan_row(&asked, &invalid);
        plan_row(&without, &none);
        ck_assert(asked.plan.restore_broken && !asked.plan.backup_broken);
        ck_assert(!without.plan.restore_broken);
    }
END_TEST

/* Backups that were asked for and can not be planned: what is there stays. */
static const struct {
    struct request_row request;
    bool broken;
} broken_rows[] = {
    {{0}, false},
    {{.annotations = ""}, false},
    {{.annotations = "'stash.appscode.com/backup-blueprint': 'gone'"}, true},
    {{.annotations = "'stash.appscode.com/backup-blueprint': 'gone,daily'"}, false},
    {{.annotations = "'stash.appscode.com/backup-blueprint': 'gone'", .objects = {WAITING}}, true},
    {{.annotations = "'granary.dev/backup': 'false', 'stash.appscode.com/backup-blueprint':"
                     " 'gone'"},
     false},
};

START_TEST(broken_backups)
    {
        AUTO(planned) struct planned asked = {0};

        plan_row(&asked, &broken_rows[_i].request);
        ck_assert_int_eq(asked.plan.backup_broken, broken_rows[_i].broken);
    }
END_TEST

/* Mistakes are refused where the administrator, of the installation or of the blueprint, says so.
 */
static const struct {
    struct request_row request;
    bool deny;
} deny_rows[] = {
    {{0}, false},
    {{.settings = "{'enforcement': 'Warn'}"}, false},
    {{.settings = "{'enforcement': 'Deny'}"}, true},
    {{.objects = {BLUEPRINT("daily", ", 'enforcement': 'Deny'")}}, true},
    {{.objects = {BLUEPRINT("daily", ", 'enforcement': 'Warn'")}}, false},
    {{.settings = "{'enforcement': 'Deny'}",
      .objects = {BLUEPRINT("daily", ", 'enforcement': 'Warn'")}},
     true},
    /* also when it can not be used */
    {{.objects = {BLUEPRINT("daily", ", 'enforcement': 'Deny', 'allowedNamespaces': {'from':"
                                     " 'Same'}")}},
     true},
    {{.annotations = "", .objects = {BLUEPRINT("daily", ", 'enforcement': 'Deny'")}}, false},
};

START_TEST(denials)
    {
        AUTO(planned) struct planned asked = {0};

        plan_row(&asked, &deny_rows[_i].request);
        ck_assert_int_eq(asked.plan.deny, deny_rows[_i].deny);
    }
END_TEST

/* ---- the backups ---- */

static const char *name_of(const json_t *object)
{
    return tree_text(tree_get(object, "metadata"), "name");
}

static const char *own_name(const struct planned *asked, const char *blueprint)
{
    for (size_t i = 0; i < asked->plan.backup_count; i++)
        if (!strcmp(asked->plan.backups[i].origin, blueprint))
            return name_of(asked->plan.backups[i].repository);
    return NULL;
}

/* Who has the plain name: the first, or the one whose Repository has it already. */
static const struct {
    const char *list, *existing; /* name of a Repository, of blueprint weekly */
    const char *plain;
    const char *other; /* name of the other's Repository; NULL: by the rule for further ones */
} primary_rows[] = {
    {"daily,weekly", NULL, "daily", NULL},
    {"weekly,daily", NULL, "weekly", NULL},
    {"daily,weekly", "deploy-web", "weekly", NULL},
    {"weekly,daily", "deploy-web", "weekly", NULL},
    /* a place has one Repository, whatever its name */
    {"daily,weekly", "deploy-other", "daily", "deploy-other"},
    /* one that is not in the list any more has no say */
    {"daily", "deploy-web", "daily", NULL},
};

START_TEST(plain_names)
    {
        AUTO(free)
        char *annotations =
                 text_format("'stash.appscode.com/backup-blueprint': '%s'", primary_rows[_i].list),
             *repository =
                 primary_rows[_i].existing
                     ? text_format("{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind':"
                                   " 'Repository', 'metadata': {'name': '%s', 'namespace': 'shop',"
                                   " 'annotations': {" OURS "}, 'labels': {'granary.dev/blueprint':"
                                   " 'weekly'}}, 'spec': {'backend': {'gcs': {'bucket': 'b',"
                                   " 'prefix': '%s'}}}}",
                                   primary_rows[_i].existing,
                                   strchr(primary_rows[_i].list, ',') ? "weekly/deployment/web"
                                                                      : "daily/deployment/web")
                     : NULL;
        const struct request_row row = {.annotations = annotations,
                                        .objects = {DAILY, BLUEPRINT("weekly", ""), repository}};
        AUTO(planned) struct planned asked = {0};
        const char *further = strcmp(primary_rows[_i].plain, "daily") ? "daily" : "weekly";
        AUTO(free) char *other = name_further(NULL, "Deployment", "web", further);

        plan_row(&asked, &row);
        ck_assert_str_eq(own_name(&asked, primary_rows[_i].plain), "deploy-web");
        if (strchr(primary_rows[_i].list, ','))
            ck_assert_str_eq(own_name(&asked, further),
                             primary_rows[_i].other ? primary_rows[_i].other : other);
        else
            ck_assert_uint_eq(asked.plan.backup_count, 1);
    }
END_TEST

/* Where each backup comes from, in the order in which they are asked for. */
START_TEST(origins)
    {
        const struct request_row row = {.annotations =
                                            "'stash.appscode.com/backup-blueprint': 'weekly,daily'",
                                        .objects = {DAILY, BLUEPRINT("weekly", ""), BY_HAND,
                                                    LABELLED}},
                                 labelled = {.annotations = "", .objects = {DAILY, LABELLED}};
        AUTO(planned) struct planned asked = {0}, by_label = {0};
        const struct plan_backup *backups;

        plan_row(&asked, &row);
        plan_row(&by_label, &labelled);
        backups = asked.plan.backups;
        ck_assert_uint_eq(asked.plan.backup_count, 3);
        ck_assert_str_eq(backups[0].origin, "weekly");
        ck_assert_int_eq(backups[0].reason, REASON_ANNOTATION);
        ck_assert_str_eq(backups[1].origin, "daily");
        ck_assert_uint_eq(strlen(backups[1].sha256), 64);
        ck_assert_str_eq(backups[2].origin, "mine");
        ck_assert_int_eq(backups[2].reason, REASON_CONFIGURATION);
        ck_assert(!backups[2].repository && !backups[2].configuration && !*backups[2].sha256);
        ck_assert_uint_eq(by_label.plan.backup_count, 1);
        ck_assert_int_eq(by_label.plan.backups[0].reason, REASON_NAMESPACE);
        /* what the mark says of the three of them */
        ck_assert_uint_eq(json_array_size(tree_get(asked.plan.carry.inputs, "backups")), 3);
    }
END_TEST

/* What the owner wrote reaches the BackupConfiguration. */
static const struct {
    const char *kind, *annotations, *spec;
    const char *blueprint; /* more of its spec */
    const char *member;    /* of the BackupConfiguration's spec, by dots */
    const char *value;     /* NULL: absent */
} written_rows[] = {
    {NULL, "", NULL, "", "schedule", "'@daily'"},
    {NULL, ", 'stash.appscode.com/schedule': '@hourly'", NULL, "", "schedule", "'@hourly'"},
    {NULL, ", 'granary.dev/paused': 'true'", NULL, "", "paused", "true"},
    {NULL, ", 'granary.dev/exclude': '*.tmp'", NULL, "", "target.exclude", "['*.tmp']"},
    {NULL, ", 'granary.dev/timeout': '2h'", NULL, "", "timeOut", NULL},
    {NULL, ", 'granary.dev/timeout': '2h'", NULL, ", 'overrides': [{'key': 'timeout'}]", "timeOut",
     "'2h0m0s'"},
    {NULL, "", NULL, "", "target.paths", "['/data']"},
    {NULL, "", NULL, "", "target.volumeMounts", "[{'name': 'a', 'mountPath': '/data'}]"},
    {NULL, "", NULL, "", "mode", NULL},
    {NULL, "", NULL, ", 'task': {'name': 'x'}", "mode", "'Job'"},
    {"PersistentVolumeClaim", "", "{}", "", "task", "{'name': 'pvc-backup'}"},
    {"PersistentVolumeClaim", "", "{}", "", "mode", NULL},
    {"AppBinding", ", 'params.stash.appscode.com/args': '--all'", "{}", "", "task.params",
     "[{'name': 'args', 'value': '--all'}]"},
    {NULL, ", 'params.stash.appscode.com/args': '--all'", NULL, "", "task", NULL},
};

START_TEST(written)
    {
        AUTO(free)
        char *annotations = text_format(ASKS "%s", written_rows[_i].annotations),
             *blueprint = text_format(BLUEPRINT("daily", "%s"), written_rows[_i].blueprint);
        const struct request_row row = {.kind = written_rows[_i].kind,
                                        .annotations = annotations,
                                        .spec = written_rows[_i].spec,
                                        .objects = {blueprint}};
        AUTO(planned) struct planned asked = {0};
        AUTO(json)
        json_t *expected = written_rows[_i].value ? json_row(written_rows[_i].value) : NULL;

        plan_row(&asked, &row);
        ck_assert_uint_eq(asked.plan.backup_count, 1);

        const json_t *spec = tree_get(asked.plan.backups[0].configuration, "spec");
        AUTO(free) char *got = tree_format(tree_at(spec, written_rows[_i].member), NULL);

        ck_assert_msg(tree_equal(tree_at(spec, written_rows[_i].member), expected), "%s", got);
    }
END_TEST

/* Equal requests give equal plans, with and without a trace, and edit nothing. */
START_TEST(pure)
    {
        const struct request_row row = {.annotations =
                                            ASKS ", 'granary.dev/restore-if-exists': 'true'",
                                        .objects = {DAILY, BY_HAND, WAITING, LABELLED}};
        AUTO(planned) struct planned asked = {0}, again = {0};
        AUTO(plan) struct plan silent = {0};

        plan_row(&asked, &row);
        plan_row(&again, &row);
        ck_assert(tree_equal(asked.object, again.object));
        ck_assert(tree_equal(asked.objects, again.objects));
        plan_make(&silent, &(struct plan_request){&asked.settings, asked.cluster, &asked.target,
                                                  NULL, false});
        ck_assert(plan_same_carry(&asked.plan, &again.plan));
        ck_assert(plan_same_carry(&asked.plan, &silent));
        ck_assert_str_eq(text_get(&asked.plan.notes), text_get(&silent.notes));
        for (size_t i = 0; i < silent.backup_count; i++) {
            ck_assert_str_eq(silent.backups[i].sha256, asked.plan.backups[i].sha256);
            ck_assert(
                tree_equal(silent.backups[i].configuration, again.plan.backups[i].configuration));
        }
    }
END_TEST

/* ---- when two plans put the same into the pods ---- */

static const struct {
    struct request_row one, other;
    bool same;
} same_rows[] = {
    {{0}, {0}, true},
    /* what does not touch the container */
    {{0}, {.annotations = ASKS ", 'stash.appscode.com/schedule': '@hourly'"}, true},
    {{0}, {.annotations = ASKS ", 'granary.dev/paused': 'true'"}, true},
    {{0}, {.objects = {BLUEPRINT_AT("daily", "else", "")}}, true},
    {{0}, {.settings = "{'agent': {'image': 'other:1'}}"}, true},
    {{0}, {.annotations = "", .objects = {DAILY, LABELLED}}, true},
    /* what does */
    {{0}, {.annotations = ""}, false},
    {{0}, {.annotations = "'stash.appscode.com/backup-blueprint': 'gone'"}, false},
    {{.annotations = "'stash.appscode.com/backup-blueprint': 'gone'"},
     {.annotations = "'stash.appscode.com/backup-blueprint': 'lost'"},
     true},
    {{0}, {.annotations = ASKS ", 'stash.appscode.com/target-paths': '/data'"}, false},
    {{0}, {.pod = "pvc a; app a:/other"}, false},
    {{0}, {.objects = {BLUEPRINT("daily", ", 'fileAccess': 'Root'")}}, false},
    {{0}, {.objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}}, false},
    {{0}, {.objects = {BLUEPRINT("daily", ", 'tempDir': {'medium': 'Memory'}")}}, false},
    {{0},
     {.objects = {BLUEPRINT("daily", ", 'runtimeSettings': {'container': {'env': [{'name': 'A',"
                                     " 'value': 'b'}]}}")}},
     false},
    {{0}, {.annotations = ASKS ", 'granary.dev/restore-if-exists': 'true'"}, false},
    {{0}, {.objects = {DAILY, WAITING}}, false},
    {{.objects = {DAILY, WAITING}},
     {.objects = {DAILY, RESTORE("'name': 'other', 'uid': 'u-8'", RULES, "", "")}},
     false},
    {{.objects = {DAILY, WAITING}},
     {.objects = {DAILY,
                  RESTORE("'name': 'back', 'uid': 'u-9'",
                          RULES ", 'volumeMounts': [{'name': 'a', 'mountPath': '/x'}]", "", "")}},
     false},
    {{.objects = {DAILY, WAITING}},
     {.objects = {DAILY, RESTORE("'name': 'back', 'uid': 'u-9'", RULES,
                                 ", 'runtimeSettings': {'container': {'env': [{'name': 'A',"
                                 " 'value': 'b'}]}}",
                                 "")}},
     false},
    {{.annotations = "", .objects = {BY_HAND}},
     {.annotations = "", .objects = {BY_HAND, REPO_LOCAL("/safe")}},
     false},
    {{.annotations = "", .objects = {WAITING}},
     {.annotations = "", .objects = {WAITING, REPO_LOCAL("/safe")}},
     false},
    /* nothing is nothing, for whatever reason */
    {{.annotations = ""}, {.objects = {BLUEPRINT("daily", ", 'mode': 'Job'")}}, true},
};

START_TEST(same_carries)
    {
        AUTO(planned) struct planned one = {0}, other = {0};

        plan_row(&one, &same_rows[_i].one);
        plan_row(&other, &same_rows[_i].other);
        ck_assert_int_eq(plan_same_carry(&one.plan, &other.plan), same_rows[_i].same);
        ck_assert_int_eq(plan_same_carry(&other.plan, &one.plan), same_rows[_i].same);
    }
END_TEST

/* Each member of a carry counts on its own. */
START_TEST(members_of_a_carry)
    {
        struct plan plain = {.state = PLAN_MADE, .carry = {.backup = true}};
        AUTO(json) json_t *value = json_row("{'x': 1}");
        struct plan others[11];

        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            others[i] = plain;
        others[0].carry.backup = false;
        others[0].carry.restore = true;
        others[1].carry.restore = true;
        others[2].carry.restore_if_exists = true;
        others[3].carry.file_access = FILE_ACCESS_ROOT;
        others[4].carry.inputs = value;
        others[5].carry.mounts = value;
        others[6].carry.restore_mounts = value;
        others[7].carry.container = value;
        others[8].carry.restore_container = value;
        others[9].carry.temp_dir = value;
        others[10].carry.local = value;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            ck_assert_msg(!plan_same_carry(&plain, &others[i]), "%zu", i);
            ck_assert_msg(plan_same_carry(&others[i], &others[i]), "%zu", i);
        }
        others[0] = plain;
        others[0].carry.session = value;
        ck_assert(!plan_same_carry(&plain, &others[0]));
        ck_assert(!plan_carries_nothing(&plain));
        plain.carry = (struct carry){.restore_if_exists = true};
        ck_assert(!plan_carries_nothing(&plain));
    }
END_TEST

/* ---- the hash ---- */

START_TEST(hash_of_both)
    {
        AUTO(json)
        json_t *repository = json_row("{'kind': 'Repository', 'metadata': {'name': 'r',"
                                      " 'annotations': {'a': '1'}}, 'spec': {'x': 1, 'y': 2}}"),
               *turned = json_row("{'spec': {'y': 2, 'x': 1}, 'metadata': {'annotations': {'a':"
                                  " '1'}, 'name': 'r'}, 'kind': 'Repository'}"),
               *sealed = json_row("{'kind': 'Repository', 'metadata': {'name': 'r', 'annotations':"
                                  " {'a': '1', 'granary.dev/plan-sha256': 'x',"
                                  " 'granary.dev/blueprint-generation': '4'}, 'ownerReferences':"
                                  " [{'uid': 'u'}]}, 'spec': {'x': 1, 'y': 2}}"),
               *other = json_row("{'kind': 'Repository', 'metadata': {'name': 'r', 'annotations':"
                                 " {'a': '1'}}, 'spec': {'x': 1, 'y': 3}}"),
               *configuration = json_row("{'kind': 'BackupConfiguration'}"),
               *copy = tree_copy(sealed);
        char plain[65], same[65], without[65], changed[65], swapped[65];

        plan_seal(repository, configuration, plain);
        plan_sha256(turned, configuration, same);
        plan_sha256(sealed, configuration, without);
        plan_sha256(other, configuration, changed);
        plan_sha256(configuration, repository, swapped);
        ck_assert_str_eq(plain, same);
        ck_assert_str_eq(plain, without);
        ck_assert_str_ne(plain, changed);
        ck_assert_str_ne(plain, swapped);
        ck_assert(tree_equal(sealed, copy));
        /* by sha256sum, over both as jq -cS writes them */
        ck_assert_str_eq(plain, "5f6dd2eace37d7ee00efa6741bc099cb75b3aac9473c7797fadeaa82df160d8f");
    }
END_TEST

/* Who wrote a BackupConfiguration. */
static const struct {
    const char *metadata;
    bool hand_made;
} maker_rows[] = {
    {"{}", true},
    {"{'labels': {'app': 'x'}}", true},
    {"{'labels': {'granary.dev/blueprint': 'daily'}}", false},
    {"{'labels': {'granary.dev/blueprint': 1}}", true},
    {"{'ownerReferences': [{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'controller': true}]}",
     false},
    {"{'ownerReferences': [{'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'controller':"
     " true}]}",
     false},
    {"{'ownerReferences': [{'apiVersion': 'apps/v1', 'kind': 'Deployment'}]}", true},
    {"{'ownerReferences': [{'apiVersion': 'db.example/v1', 'kind': 'Database', 'controller':"
     " true}]}",
     true},
    {"[]", true},
};

START_TEST(makers)
    {
        AUTO(json) json_t *object = json_object();

        json_object_set_new(object, "metadata", json_row(maker_rows[_i].metadata));
        ck_assert_int_eq(configuration_is_hand_made(object), maker_rows[_i].hand_made);
    }
END_TEST

SUITE(api_plan_made)
{
    suite_rows(tests, carries, carry_rows);
    suite_rows(tests, sessions, session_rows);
    tcase_add_loop_test(tests, hosts_are_bounded, 0, 2);
    tcase_add_test(tests, oldest_restore_first);
    tcase_add_test(tests, unusable_restore);
    suite_rows(tests, broken_backups, broken_rows);
    suite_rows(tests, denials, deny_rows);
    suite_rows(tests, plain_names, primary_rows);
    tcase_add_test(tests, origins);
    suite_rows(tests, written, written_rows);
    tcase_add_test(tests, pure);
    suite_rows(tests, same_carries, same_rows);
    tcase_add_test(tests, members_of_a_carry);
    tcase_add_test(tests, hash_of_both);
    suite_rows(tests, makers, maker_rows);
}
