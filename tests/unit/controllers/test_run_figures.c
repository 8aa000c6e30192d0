#include "controllers/run_figures.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NONE FIGURE_ABSENT

static const struct {
    const char *text;
    int64_t bytes;
} size_rows[] = {
    {"0 B", 0},
    {"17 B", 17},
    {"1.000 KiB", 1024},
    {"1.234 MiB", 1293943},
    {"2 GiB", INT64_C(2) << 30},
    {"1.5 TiB", INT64_C(3) << 39},
    {"7 PiB", INT64_C(7) << 50},
    /* nobody has so much, and a status may say anything */
    {"9e300 PiB", NONE},
    {"99999999 PiB", NONE},
    {"-1 B", NONE},
    {"nan B", NONE},
    {"inf B", NONE},
    {"1 MB", NONE},
    {"1MiB", NONE},
    {"1", NONE},
    {"MiB", NONE},
    {"", NONE},
    {NULL, NONE},
};

START_TEST(sizes)
    {
        ck_assert_int_eq(figure_bytes(size_rows[_i].text), size_rows[_i].bytes);
    }
END_TEST

static const struct {
    const char *text;
    int64_t seconds;
} time_rows[] = {
    {"0s", 0},
    {"1m30s", 90},
    {"1h0m1s", 3601},
    {"1.9s", 1},
    {"0:07", 7},
    {"1:30", 90},
    {"1:01:30", 3690},
    {"-5s", NONE},
    {"soon", NONE},
    {"1:x", NONE},
    {"99999999999999999999:00", NONE},
    {"", NONE},
    {NULL, NONE},
};

START_TEST(durations)
    {
        ck_assert_int_eq(figure_seconds(time_rows[_i].text), time_rows[_i].seconds);
    }
END_TEST

#define SESSION(status)                                                                            \
    "{'kind':'BackupSession','metadata':{'creationTimestamp':'2024-05-01T13:30:00Z'},'status':"    \
    "{" status "}}"
#define RESTORE(status)                                                                            \
    "{'kind':'RestoreSession','metadata':{'creationTimestamp':'2024-05-01T13:30:00Z'},'status':"   \
    "{" status "}}"
#define SNAPSHOT(size)                                                                             \
    "{'totalSize':'" size "','uploaded':'1 KiB','processingTime':'2s','fileStats':{'totalFiles':"  \
    "3,'newFiles':1,'modifiedFiles':1,'unmodifiedFiles':1}}"

static const struct {
    const char *what, *session;
    bool read, succeeded;
    int64_t bytes, files; /* over all hosts */
    size_t hosts;
} run_rows[] = {
    {"two hosts, two paths",
     SESSION("'phase':'Succeeded','targets':[{'phase':'Succeeded','totalHosts':2,'stats':[{"
             "'hostname':'pod-0','phase':'Succeeded','snapshots':[" SNAPSHOT("1 KiB") "," SNAPSHOT(
                 "2 KiB") "]},{'hostname':'pod-1','phase':'Succeeded','"
                          "snapshots':[" SNAPSHOT("1 B") "]}]}]"),
     true, true, 3073, 9, 2},
    {"failed",
     SESSION("'phase':'Failed','targets':[{'stats':[{'hostname':'a','phase':'Failed'}]}]"), true,
     false, NONE, NONE, 1},
    {"running", SESSION("'phase':'Running'"), false, false, NONE, NONE, 0},
    {"skipped", SESSION("'phase':'Skipped'"), false, false, NONE, NONE, 0},
    {"no status", "{'metadata':{'creationTimestamp':'2024-05-01T13:30:00Z'}}", false, false, NONE,
     NONE, 0},
    {"a host twice",
     SESSION(
         "'phase':'Succeeded','targets':[{'stats':[{'hostname':'a','phase':'Succeeded',"
         "'snapshots':[" SNAPSHOT(
             "1 B") "]},{'hostname':'a','phase':'Failed','snapshots':[" SNAPSHOT("7 B") "]}]}]"),
     true, true, 1, 3, 1},
    {"odd shapes",
     SESSION("'phase':'Succeeded','sessionDuration':7,'targets':[{'totalHosts':'x','stats':[1,{},"
             "{'hostname':3},{'hostname':'a','snapshots':[1,{'totalSize':[],'fileStats':{"
             "'totalFiles':-3}}]}]}]"),
     true, true, NONE, NONE, 1},
    {"no lists", SESSION("'phase':'Succeeded','targets':'x'"), true, true, NONE, NONE, 0},
    {"absurd sums",
     SESSION("'phase':'Succeeded','targets':[{'stats':[{'hostname':'a','snapshots':[{'fileStats':{"
             "'totalFiles':9000000000000000}},{'fileStats':{'totalFiles':9000000000000000}}]}]}]"),
     true, true, NONE, INT64_C(9000000000000000), 1},
    {"not made", "{'status':{'phase':'Succeeded'}}", false, false, NONE, NONE, 0},
    {"a restore",
     RESTORE("'phase':'Succeeded','totalHosts':1,'stats':[{'hostname':'a','phase':"
             "'Succeeded'}]"),
     true, true, NONE, NONE, 1},
    {"a restore of which nobody knows", RESTORE("'phase':'Unknown'"), true, false, NONE, NONE, 0},
    {"an invalid one", RESTORE("'phase':'Invalid'"), false, false, NONE, NONE, 0},
};

START_TEST(runs)
    {
        AUTO(json) json_t *session = json_row(run_rows[_i].session);
        AUTO(run_figures) struct run_figures run = {0};

        ck_assert_msg(run_figures_read(&run, session) == run_rows[_i].read, "%s",
                      run_rows[_i].what);
        ck_assert_msg(run.succeeded == run_rows[_i].succeeded, "%s", run_rows[_i].what);
        ck_assert_uint_eq(run.host_count, run_rows[_i].hosts);
        ck_assert_int_eq(run_figures_sum(&run, offsetof(struct host_figures, bytes)),
                         run_rows[_i].bytes);
        ck_assert_int_eq(run_figures_sum(&run, offsetof(struct host_figures, files)),
                         run_rows[_i].files);
        if (run_rows[_i].read)
            ck_assert_int_eq(run.created_s, 1714570200);
    }
END_TEST

/* A DaemonSet on thousands of nodes. */
START_TEST(hosts_are_bounded)
    {
        AUTO(json)
        json_t *session = json_row(SESSION("'phase':'Succeeded','targets':[{'stats':[]}]"));
        json_t *status = json_object_get(session, "status");
        json_t *target = json_array_get(json_object_get(status, "targets"), 0);
        json_t *stats = json_object_get(target, "stats");
        AUTO(run_figures) struct run_figures run = {0};

        for (unsigned i = 0; i < FIGURE_HOSTS_MAX + 9; i++) {
            AUTO(free) char *name = text_format("node-%u", i);
            json_t *stat = json_object();

            tree_put_text(stat, "hostname", name);
            tree_push_new(stats, stat);
        }
        ck_assert(run_figures_read(&run, session));
        ck_assert_uint_eq(run.host_count, FIGURE_HOSTS_MAX);
    }
END_TEST

SUITE(controllers_run_figures)
{
    suite_rows(tests, sizes, size_rows);
    suite_rows(tests, durations, time_rows);
    suite_rows(tests, runs, run_rows);
    tcase_add_test(tests, hosts_are_bounded);
}
