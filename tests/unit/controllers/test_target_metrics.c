#include "controllers/target_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "controllers/exposition.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define CONFIGURATION(more)                                                                        \
    "{'metadata':{'namespace':'shop','name':'deploy-web','creationTimestamp':"                     \
    "'2024-05-01T13:00:00Z'},'spec':{'repository':{'name':'r'},'target':{'ref':{'apiVersion':"     \
    "'apps/v1','kind':'Deployment','name':'web'}}}" more "}"
#define REPOSITORY                                                                                 \
    "{'metadata':{'namespace':'shop','name':'r'},'spec':{'backend':{'s3':{'endpoint':'e','bucket'" \
    ":'b','prefix':'p'}}},'status':{'integrity':true,'totalSize':'2.000 MiB','snapshotCount':4,"   \
    "'snapshotsRemovedOnLastCleanup':1,'lastBackupTime':'2024-05-01T13:30:00Z','maintenance':[{"   \
    "'kind':'forget','lastSuccess':'2024-05-01T13:31:00Z','successes':3},{'kind':'check',"         \
    "'lastFailure':'2024-05-01T13:32:00Z','failures':2}]}}"
#define STAT(host, phase)                                                                          \
    "{'hostname':'" host "','phase':'" phase "','duration':'9s','snapshots':[{'totalSize':"        \
    "'1 KiB','uploaded':'1 B','processingTime':'3s','fileStats':{'totalFiles':5,'newFiles':1,"     \
    "'modifiedFiles':2,'unmodifiedFiles':2}}]}"
#define SESSION(made, phase, stats)                                                                \
    "{'kind':'BackupSession','metadata':{'creationTimestamp':'" made                               \
    "'},'status':{'phase':'" phase "','sessionDuration':'1m0s','targets':[{'phase':'" phase        \
    "','totalHosts':1,'stats':[" stats "]}]}}"
#define GOOD SESSION("2024-05-01T13:30:00Z", "Succeeded", STAT("host-0", "Succeeded"))
#define BAD                                                                                        \
    SESSION("2024-05-01T14:30:00Z", "Failed", "{'hostname':'host-0','phase':'Failed','error':'x'}")

#define STASH_LABELS                                                                               \
    "invoker_kind=\"BackupConfiguration\",invoker_name=\"deploy-web\",namespace=\"shop\",driver="  \
    "\"Restic\",repository=\"r\""
#define TARGET STASH_LABELS ",kind=\"Deployment\",group=\"apps\",name=\"web\""
#define OURS                                                                                       \
    "namespace=\"shop\",configuration=\"deploy-web\",kind=\"Deployment\",group=\"apps\",name="     \
    "\"web\",repository=\"r\""

static const struct {
    const char *what;
    const char *configuration, *repository, *last, *success;
    const char *lines[12]; /* among others; "!" before: none that begins so */
} rows[] = {
    {"never ran: a series with 0, so that an alert on it can be",
     CONFIGURATION(""),
     NULL,
     NULL,
     NULL,
     {"granary_backup_last_success_timestamp_seconds{" OURS "} 0\n",
      "granary_backup_last_attempt_timestamp_seconds{" OURS "} 0\n",
      "granary_backup_created_timestamp_seconds{" OURS "} 1714568400\n",
      "granary_backup_ready{" OURS "} 0\n", "granary_backup_missed_runs_total{" OURS "} 7\n",
      "!granary_backup_duration_seconds{", "!granary_backup_bytes{", "!granary_backup_check_ok{",
      "!granary_backup_schedule_kept{", "!stash_backup_session_success{", "!stash_backup_host_"}},
    {"a success",
     CONFIGURATION(",'status':{'phase':'Ready','conditions':[{'type':'ScheduleKept','status':"
                   "'True'}]}"),
     REPOSITORY,
     GOOD,
     GOOD,
     {"granary_backup_last_success_timestamp_seconds{" OURS "} 1714570200\n",
      "granary_backup_bytes{" OURS "} 1024\n", "granary_backup_files{" OURS "} 5\n",
      "granary_backup_schedule_kept{" OURS "} 1\n", "granary_backup_retention_ok{" OURS "} 1\n",
      "granary_backup_check_ok{" OURS "} 0\n", "granary_backup_last_attempt_success{" OURS "} 1\n",
      "stash_backup_session_success{" STASH_LABELS "} 1\n",
      "stash_backup_session_last_success_time_seconds{" STASH_LABELS "} 1714570260\n",
      "stash_backup_target_host_count_total{" TARGET "} 1\n",
      "stash_backup_host_data_size_bytes{" TARGET ",hostname=\"host-0\"} 1024\n",
      "stash_repository_size_bytes{invoker_kind=\"BackupConfiguration\",invoker_name="
      "\"deploy-web\",driver=\"Restic\",repository=\"r\",name=\"r\",namespace=\"shop\",backend="
      "\"s3\",bucket=\"b\",prefix=\"p\"} 2097152\n"}},
    {"a failure after it keeps what the success brought",
     CONFIGURATION(""),
     REPOSITORY,
     BAD,
     GOOD,
     {"granary_backup_last_success_timestamp_seconds{" OURS "} 1714570200\n",
      "granary_backup_last_attempt_success{" OURS "} 0\n", "granary_backup_bytes{" OURS "} 1024\n",
      "stash_backup_session_success{" STASH_LABELS "} 0\n",
      "stash_backup_target_success{" TARGET "} 0\n",
      "stash_backup_session_last_success_time_seconds{" STASH_LABELS "} 1714570260\n",
      "stash_backup_session_duration_seconds{" STASH_LABELS "} 60\n",
      "stash_backup_host_backup_success{" TARGET ",hostname=\"host-0\"} 0\n",
      "stash_backup_host_files_new{" TARGET ",hostname=\"host-0\"} 1\n"}},
    {"failures only",
     CONFIGURATION(""),
     NULL,
     BAD,
     NULL,
     {"granary_backup_last_success_timestamp_seconds{" OURS "} 0\n",
      "stash_backup_session_success{" STASH_LABELS "} 0\n",
      "!stash_backup_session_last_success_time_seconds{", "!stash_backup_session_duration_seconds{",
      "!stash_backup_host_data_size_bytes{", "!stash_repository_size_bytes{"}},
    {"odd shapes",
     "{'metadata':7,'spec':{'repository':[],'target':{'ref':4}},'status':'x'}",
     "{'metadata':[],'spec':{'backend':{'s3':7}},'status':{'totalSize':3,'integrity':'yes'}}",
     GOOD,
     GOOD,
     {"granary_backup_created_timestamp_seconds{namespace=\"\",configuration=\"\",kind=\"\",group="
      "\"\",name=\"\",repository=\"\"} 0\n",
      "!stash_repository_integrity{", "!stash_repository_size_bytes{"}},
};

static bool begins_somewhere(const char *text, const char *line)
{
    AUTO(free) char *inside = text_format("\n%s", line);

    return strncmp(text, line, strlen(line)) == 0 || strstr(text, inside) != NULL;
}

static void write_all(const struct target_metrics *metrics, struct text *text)
{
    target_metrics_write(metrics, METRICS_STASH, text);
    target_metrics_write(metrics, METRICS_OURS, text);
}

START_TEST(backups)
    {
        AUTO(json) json_t *configuration = json_row(rows[_i].configuration);
        AUTO(json) json_t *repository = rows[_i].repository ? json_row(rows[_i].repository) : NULL;
        AUTO(json) json_t *last = rows[_i].last ? json_row(rows[_i].last) : NULL;
        AUTO(json) json_t *success = rows[_i].success ? json_row(rows[_i].success) : NULL;
        AUTO(run_figures) struct run_figures newest = {0}, good = {0};
        AUTO(target_metrics) struct target_metrics *metrics = target_metrics_make();
        AUTO(text) struct text text = {0};
        const struct backup_seen seen = {
            .configuration = configuration,
            .repository = repository,
            .last = last && run_figures_read(&newest, last) ? &newest : NULL,
            .success = success && run_figures_read(&good, success) ? &good : NULL,
            .success_s = good.created_s,
            .missed = 7,
        };

        ck_assert(target_metrics_backup(metrics, &seen));
        write_all(metrics, &text);
        for (size_t i = 0; i < 12 && rows[_i].lines[i]; i++) {
            const char *line = rows[_i].lines[i];
            bool wanted = *line != '!';

            ck_assert_msg(begins_somewhere(text_get(&text), line + !wanted) == wanted, "%s: %s\n%s",
                          rows[_i].what, line, text_get(&text));
        }
    }
END_TEST

/* Two configurations of one name with one Repository: a series that came twice would make all of a
 * scrape worthless. */
START_TEST(no_series_twice)
    {
        AUTO(json) json_t *one = json_row(CONFIGURATION(""));
        AUTO(json) json_t *other = json_row(CONFIGURATION(""));
        AUTO(json) json_t *repository = json_row(REPOSITORY);
        AUTO(json) json_t *session = json_row(GOOD);
        AUTO(run_figures) struct run_figures run = {0};
        AUTO(target_metrics) struct target_metrics *metrics = target_metrics_make();
        AUTO(json) json_t *lines = json_object();
        AUTO(text) struct text text = {0};
        struct span rest, line;

        tree_put_text(json_object_get(other, "metadata"), "namespace", "bank");
        ck_assert(run_figures_read(&run, session));
        ck_assert(target_metrics_backup(
            metrics, &(struct backup_seen){one, repository, &run, &run, 0, 0, false, 0}));
        ck_assert(target_metrics_backup(
            metrics, &(struct backup_seen){other, repository, &run, &run, 0, 0, false, 0}));
        ck_assert(target_metrics_repository(metrics, repository));
        write_all(metrics, &text);
        rest = span_of(text_get(&text));
        while (text_split(&rest, '\n', &line)) {
            const char *blank = line.length ? memrchr(line.data, ' ', line.length) : NULL;
            AUTO(free) char *name = blank ? text_dup(line.data, (size_t)(blank - line.data)) : NULL;

            if (!name || *name == '#')
                continue;
            ck_assert_msg(!tree_get(lines, name), "%s", name);
            tree_put_bool(lines, name, true);
        }
        ck_assert_uint_gt(json_object_size(lines), 40);
    }
END_TEST

static const struct {
    const char *session;
    const char *line; /* "!": none that begins so */
} restore_rows[] = {
    {"{'kind':'RestoreSession','metadata':{'namespace':'shop','name':'back','creationTimestamp':"
     "'2024-05-01T13:30:00Z'},'spec':{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'v1',"
     "'kind':'PersistentVolumeClaim','name':'data'}}},'status':{'phase':'Succeeded',"
     "'sessionDuration':'5s','totalHosts':1,'stats':[{'hostname':'host-0','phase':'Succeeded',"
     "'duration':'4s'}]}}",
     "stash_restore_host_restore_duration_seconds{invoker_kind=\"RestoreSession\",invoker_name="
     "\"back\",namespace=\"shop\",driver=\"Restic\",repository=\"r\",kind=\"PersistentVolumeClaim\""
     ",group=\"\",name=\"data\",hostname=\"host-0\"} 4\n"},
    {"{'kind':'RestoreSession','metadata':{'creationTimestamp':'2024-05-01T13:30:00Z'},'status':{"
     "'phase':'Failed','sessionDuration':'5s'}}",
     "!stash_restore_session_duration_seconds{"},
    {"{'kind':'RestoreSession','metadata':{'creationTimestamp':'2024-05-01T13:30:00Z'},'status':{"
     "'phase':'Running'}}",
     "!stash_restore_session_success{"},
};

START_TEST(restores)
    {
        AUTO(json) json_t *session = json_row(restore_rows[_i].session);
        AUTO(target_metrics) struct target_metrics *metrics = target_metrics_make();
        AUTO(text) struct text text = {0};
        const char *line = restore_rows[_i].line;
        bool wanted = *line != '!';

        ck_assert(target_metrics_restore(metrics, session));
        write_all(metrics, &text);
        ck_assert_msg(begins_somewhere(text_get(&text), line + !wanted) == wanted, "%s\n%s", line,
                      text_get(&text));
    }
END_TEST

START_TEST(problems_and_repositories)
    {
        AUTO(json) json_t *repository = json_row(REPOSITORY);
        AUTO(target_metrics) struct target_metrics *metrics = target_metrics_make();
        AUTO(text) struct text text = {0};
        static const char *const lines[] = {
            "granary_target_problem{group=\"apps\",kind=\"Deployment\",namespace=\"shop\",name="
            "\"web\",reason=\"NoBlueprint\"} 1\n",
            "granary_repository_snapshots{namespace=\"shop\",repository=\"r\"} 4\n",
            "granary_repository_maintenance_last_success_timestamp_seconds{namespace=\"shop\","
            "repository=\"r\",kind=\"prune\"} 0\n",
            "granary_repository_maintenance_failures{namespace=\"shop\",repository=\"r\",kind="
            "\"check\"} 2\n",
            "granary_controller_series_left_out 0\n",
        };

        ck_assert(target_metrics_problem(metrics, "apps/Deployment/shop/web", "NoBlueprint"));
        ck_assert(target_metrics_problem(metrics, "odd", NULL));
        ck_assert(target_metrics_repository(metrics, repository));
        write_all(metrics, &text);
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            ck_assert_msg(begins_somewhere(text_get(&text), lines[i]), "%s\n%s", lines[i],
                          text_get(&text));
    }
END_TEST

START_TEST(what_is_too_much_is_counted)
    {
        AUTO(target_metrics) struct target_metrics *metrics = target_metrics_make();
        AUTO(text) struct text text = {0};

        for (unsigned i = 0; i < TARGET_METRICS_MAX; i++)
            ck_assert(target_metrics_problem(metrics, "apps/Deployment/shop/web", "x"));
        ck_assert(!target_metrics_problem(metrics, "apps/Deployment/shop/web", "x"));
        target_metrics_write(metrics, METRICS_OURS, &text);
        ck_assert(begins_somewhere(text_get(&text), "granary_controller_series_left_out 1\n"));
    }
END_TEST

static const struct {
    const char *value, *label;
} label_rows[] = {
    {"web", "x=\"web\""},
    {"", "x=\"\""},
    {NULL, "x=\"\""},
    {"a\"b\\c\nd", "x=\"a\\\"b\\\\c\\nd\""},
    {"} 1\n# TYPE evil", "x=\"} 1\\n# TYPE evil\""},
};

START_TEST(labels_are_escaped)
    {
        AUTO(text) struct text text = {0};

        exposition_label(&text, "x", label_rows[_i].value);
        ck_assert_str_eq(text_get(&text), label_rows[_i].label);
    }
END_TEST

SUITE(controllers_target_metrics)
{
    suite_rows(tests, backups, rows);
    tcase_add_test(tests, no_series_twice);
    suite_rows(tests, restores, restore_rows);
    tcase_add_test(tests, problems_and_repositories);
    tcase_add_test(tests, what_is_too_much_is_counted);
    suite_rows(tests, labels_are_escaped, label_rows);
}
