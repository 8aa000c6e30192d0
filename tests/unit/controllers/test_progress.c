#include "controllers/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/known.h"
#include "controllers/progress_status.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define UID "22222222-0000-4000-8000-000000000001"
#define NOW_S INT64_C(1714570200)
#define BACKUP(status) "{'kind':'BackupSession','metadata':{'uid':'" UID "'},'status':" status "}"

struct bench {
    struct progress_book *book;
};

static void auto_bench(struct bench *bench)
{
    progress_book_free(bench->book);
}

/* "host attempt bytesDone bytesTotal filesDone filesTotal" at each of these seconds. */
struct said {
    int64_t at_s;
    const char *host;
    int64_t attempt, numbers[4];
};

static bool say(struct progress_book *book, const char *session, const struct said *said)
{
    const struct message_progress message = {.session = session,
                                             .host = said->host,
                                             .attempt = said->attempt,
                                             .bytes_done = said->numbers[0],
                                             .bytes_total = said->numbers[1],
                                             .files_done = said->numbers[2],
                                             .files_total = said->numbers[3]};

    return progress_book_note(book, &message, said->at_s * 1000);
}

#define SHOWN(numbers, more)                                                                       \
    "{" numbers more ",'time':'2024-05-01T13:30:00Z','hosts':[{'hostname':'a'," numbers "}]}"
#define HALF "'bytesDone':50,'bytesTotal':100,'filesDone':1,'filesTotal':2,'percent':50"

static const struct {
    const char *what;
    struct said said[4];
    bool news; /* of the last */
    const char *session;
    const char *shown; /* at 110 s; NULL: nothing */
} rows[] = {
    {"half of it, in ten seconds",
     {{100, "a", 1, {50, 100, 1, 2}}},
     true,
     BACKUP("{}"),
     SHOWN(HALF, ",'remaining':'10s'")},
    {"nothing yet",
     {{100, "a", 1, {0, 0, 0, 0}}},
     true,
     BACKUP("{}"),
     SHOWN("'bytesDone':0,'bytesTotal':0,'filesDone':0,'filesTotal':0", "")},
    {"the same again",
     {{100, "a", 1, {50, 100, 1, 2}}, {101, "a", 1, {50, 100, 1, 2}}},
     false,
     BACKUP("{}"),
     SHOWN(HALF, ",'remaining':'10s'")},
    {"backwards does not count",
     {{100, "a", 1, {50, 100, 1, 2}}, {101, "a", 1, {10, 20, 0, 1}}},
     false,
     BACKUP("{}"),
     SHOWN(HALF, ",'remaining':'10s'")},
    {"another attempt begins anew",
     {{100, "a", 1, {90, 100, 1, 2}}, {105, "a", 2, {50, 100, 1, 2}}},
     true,
     BACKUP("{}"),
     SHOWN(HALF, ",'remaining':'5s'")},
    {"an attempt that is over",
     {{100, "a", 2, {50, 100, 1, 2}}, {101, "a", 1, {99, 100, 2, 2}}},
     false,
     BACKUP("{}"),
     SHOWN(HALF, ",'remaining':'10s'")},
    {"more than all is all",
     {{100, "a", 1, {300, 100, 7, 2}}},
     true,
     BACKUP("{}"),
     SHOWN("'bytesDone':300,'bytesTotal':300,'filesDone':7,'filesTotal':7,'percent':100",
           ",'remaining':'0s'")},
    {"as much as a message can say",
     {{100, "a", 1, {1, 9007199254740991, 0, 9007199254740991}}},
     true,
     BACKUP("{}"),
     SHOWN("'bytesDone':1,'bytesTotal':9007199254740991,'filesDone':0,'filesTotal':"
           "9007199254740991,'percent':0",
           "")},
    {"after the report",
     {{100, "a", 1, {50, 100, 1, 2}}},
     true,
     BACKUP("{'targets':[{'stats':[{'hostname':'a','phase':'Succeeded'}]}]}"),
     NULL},
    {"after that of another host",
     {{100, "a", 1, {50, 100, 1, 2}}, {100, "b", 1, {1, 1, 1, 1}}},
     true,
     BACKUP("{'targets':[{'stats':[{'hostname':'b','phase':'Failed'}]}]}"),
     SHOWN(HALF, ",'remaining':'10s'")},
    {"two hosts",
     {{100, "a", 1, {50, 100, 1, 2}}, {100, "b", 1, {0, 900, 1, 8}}},
     true,
     BACKUP("{}"),
     "{'bytesDone':50,'bytesTotal':1000,'filesDone':2,'filesTotal':10,'percent':5,'remaining':"
     "'10s','time':'2024-05-01T13:30:00Z','hosts':[{'hostname':'a'," HALF "},{'hostname':'b',"
     "'bytesDone':0,'bytesTotal':900,'filesDone':1,'filesTotal':8,'percent':0}]}"},
    {"a restore, whose host is at work",
     {{100, "a", 1, {50, 100, 1, 2}}},
     true,
     "{'kind':'RestoreSession','metadata':{'uid':'" UID "'},'status':{'stats':[{'hostname':'a',"
     "'phase':'Running'}]}}",
     SHOWN(HALF, ",'remaining':'10s'")},
    {"a session without uid", {{100, "a", 1, {50, 100, 1, 2}}}, true, "{}", NULL},
};

START_TEST(what_is_shown)
    {
        AUTO(bench) struct bench bench = {progress_book_make()};
        AUTO(json) json_t *session = json_row(rows[_i].session);
        AUTO(json) json_t *wanted = rows[_i].shown ? json_row(rows[_i].shown) : NULL;
        bool news = false;

        for (size_t i = 0; i < 4 && rows[_i].said[i].host; i++)
            news = say(bench.book, UID, &rows[_i].said[i]);
        ck_assert_msg(news == rows[_i].news, "%s", rows[_i].what);

        AUTO(json) json_t *shown = progress_book_show(bench.book, session, NOW_S, 110000);
        AUTO(free) char *text = shown ? tree_format(shown, NULL) : NULL;

        ck_assert_msg(shown && wanted ? tree_equal(shown, wanted) : shown == wanted, "%s: %s",
                      rows[_i].what, text ? text : "nothing");
    }
END_TEST

/* A DaemonSet on thousands of nodes, and agents that make hosts up. */
START_TEST(hosts_and_sessions_are_bounded)
    {
        AUTO(bench) struct bench bench = {progress_book_make()};
        AUTO(json) json_t *session = json_row(BACKUP("{}"));

        for (unsigned i = 0; i < PROGRESS_HOSTS_MAX + 9; i++) {
            AUTO(free) char *host = text_format("node-%u", i);
            const struct said said = {1, host, 1, {1, 2, 3, 4}};

            ck_assert_int_eq(say(bench.book, UID, &said), i < PROGRESS_HOSTS_MAX);
        }
        for (unsigned i = 0; i < PROGRESS_SESSIONS_MAX + 9; i++) {
            AUTO(free) char *uid = text_format("%u", i);
            const struct said said = {1, "a", 1, {1, 2, 3, 4}};

            (void)say(bench.book, uid, &said);
        }

        AUTO(json) json_t *shown = progress_book_show(bench.book, session, NOW_S, 2000);

        ck_assert_uint_eq(json_array_size(tree_get(shown, "hosts")), PROGRESS_SHOWN_MAX);
        ck_assert_int_eq(tree_int(shown, "bytesTotal", 0), 2 * PROGRESS_HOSTS_MAX);
        ck_assert_uint_eq(progress_book_size(bench.book), PROGRESS_SESSIONS_MAX);
        progress_book_forget(bench.book, UID);
        ck_assert_uint_eq(progress_book_size(bench.book), PROGRESS_SESSIONS_MAX - 1);
    }
END_TEST

START_TEST(one_session_is_written_now_and_then)
    {
        AUTO(bench) struct bench bench = {progress_book_make()};

        ck_assert_int_eq(progress_book_turn(bench.book, UID, 20, 0), -1);
        (void)say(bench.book, UID, &(struct said){0, "a", 1, {1, 9, 0, 0}});
        ck_assert_int_eq(progress_book_turn(bench.book, UID, 20, 0), 0);
        ck_assert_int_eq(progress_book_turn(bench.book, UID, 20, 0), -1);
        (void)say(bench.book, UID, &(struct said){1, "a", 1, {2, 9, 0, 0}});
        ck_assert_int_eq(progress_book_turn(bench.book, UID, 20, 1000), PROGRESS_EVERY_MS - 1000);
        ck_assert_int_eq(progress_book_turn(bench.book, UID, 20, PROGRESS_EVERY_MS), 0);
        /* somebody else was faster */
        progress_book_again(bench.book, UID);
        ck_assert_int_gt(progress_book_turn(bench.book, UID, 20, PROGRESS_EVERY_MS + 1), 0);
        progress_book_forget(bench.book, UID);
        progress_book_again(bench.book, UID);
        ck_assert_int_eq(progress_book_turn(bench.book, UID, 20, PROGRESS_EVERY_MS + 1), -1);
    }
END_TEST

#define CROWD 1000

/* 1,000 agents at work for half an hour, each with news every ten seconds: a quarter of the writes
 * is theirs at most, and each gets its turn. */
START_TEST(a_crowd_starves_nobody)
    {
        AUTO(bench) struct bench bench = {progress_book_make()};
        int64_t due_ms[CROWD] = {0}, written_ms[CROWD] = {0}, longest_ms = 0;
        int writes = 0, asked = 0;

        for (int64_t now_ms = 0; now_ms < 1800000; now_ms += 100)
            for (int i = 0; i < CROWD; i++) {
                char uid[16];
                int64_t wait_ms;

                snprintf(uid, sizeof uid, "%d", i);
                if ((now_ms + 10 * (int64_t)i) % 10000 < 100 &&
                    say(bench.book, uid,
                        &(struct said){now_ms / 1000, "a", 1, {now_ms + 1, 0, 0, 0}}) &&
                    due_ms[i] < 0)
                    due_ms[i] = now_ms;
                if (due_ms[i] < 0 || due_ms[i] > now_ms)
                    continue;
                asked++;
                wait_ms = progress_book_turn(bench.book, uid, 20, now_ms);
                due_ms[i] = wait_ms > 0 ? now_ms + wait_ms : -1;
                if (wait_ms != 0)
                    continue;
                writes++;
                if (now_ms - written_ms[i] > longest_ms)
                    longest_ms = now_ms - written_ms[i];
                written_ms[i] = now_ms;
            }
        ck_assert_int_le(writes, 1800 * 5 + 1);
        ck_assert_int_ge(writes, 1800 * 5 * 9 / 10);
        ck_assert_int_le(longest_ms, 230000);
        ck_assert_int_le(asked, 10 * writes); /* and waiting costs little */
    }
END_TEST

static const struct {
    const char *status, *host, *after;
} leave_rows[] = {
    {"{'phase':'Running','progress':{'percent':5,'hosts':[{'hostname':'a'},{'hostname':'b'}]}}",
     "a", "{'phase':'Running','progress':{'percent':5,'hosts':[{'hostname':'b'}]}}"},
    {"{'progress':{'hosts':[{'hostname':'a'}]}}", "a", "{}"},
    {"{'progress':{'hosts':[{'hostname':'a'}]}}", "b", "{'progress':{'hosts':[{'hostname':'a'}]}}"},
    {"{}", "a", "{}"},
    {"{'progress':7}", "a", "{}"},
    {"{'progress':{'hosts':{}}}", "a", "{}"},
};

START_TEST(a_host_leaves)
    {
        AUTO(json) json_t *status = json_row(leave_rows[_i].status);
        AUTO(json) json_t *after = json_row(leave_rows[_i].after);

        progress_leave(status, leave_rows[_i].host);
        ck_assert(tree_equal(status, after));
    }
END_TEST

#define STATE(version, more)                                                                       \
    "{'metadata':{'uid':'u','resourceVersion':'" version "','managedFields':[" version "]}," more  \
    "}"

static const struct {
    enum known_kind kind;
    const char *before, *after;
    bool is_all;
} change_rows[] = {
    {KNOWN_SESSION, STATE("1", "'status':{'phase':'Running'}"),
     STATE("2", "'status':{'phase':'Running','progress':{'percent':5}}"), true},
    {KNOWN_RESTORE, STATE("1", "'status':{'progress':{'percent':4}}"),
     STATE("2", "'status':{'progress':{'percent':5}}"), true},
    {KNOWN_SESSION, STATE("1", "'status':{'phase':'Running','progress':{'percent':4}}"),
     STATE("2", "'status':{'phase':'Failed'}"), false},
    {KNOWN_SESSION, STATE("1", "'status':{'progress':{'percent':4}}"),
     STATE("2", "'spec':{},'status':{'progress':{'percent':5}}"), false},
    {KNOWN_SESSION, STATE("1", "'status':{}"), STATE("2", "'status':{}"), false},
    {KNOWN_SESSION, "{'metadata':{'uid':'u'},'status':{'progress':1}}",
     "{'metadata':{'uid':'u','deletionTimestamp':'x'},'status':{'progress':2}}", false},
    {KNOWN_SESSION, NULL, STATE("2", "'status':{'progress':{}}"), false},
    {KNOWN_SESSION, STATE("2", "'status':{'progress':{}}"), NULL, false},
    {KNOWN_REPOSITORY, STATE("1", "'status':{'progress':1}"), STATE("2", "'status':{'progress':2}"),
     false},
};

START_TEST(progress_is_no_news_for_loops)
    {
        AUTO(json)
        json_t *before = change_rows[_i].before ? json_row(change_rows[_i].before) : NULL;
        AUTO(json) json_t *after = change_rows[_i].after ? json_row(change_rows[_i].after) : NULL;
        const struct informer_change change = {
            .kind = change_rows[_i].kind, .before = before, .after = after};

        ck_assert_int_eq(progress_is_all(&change), change_rows[_i].is_all);
    }
END_TEST

SUITE(controllers_progress)
{
    suite_rows(tests, what_is_shown, rows);
    tcase_add_test(tests, hosts_and_sessions_are_bounded);
    tcase_add_test(tests, one_session_is_written_now_and_then);
    tcase_add_test(tests, a_crowd_starves_nobody);
    suite_rows(tests, a_host_leaves, leave_rows);
    suite_rows(tests, progress_is_no_news_for_loops, change_rows);
}
