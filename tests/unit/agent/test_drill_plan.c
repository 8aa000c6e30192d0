#include "agent/drill_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define ID(digit) digit "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TAKEN(digit, hour, host, path, tags)                                                       \
    "{'id':'" ID(digit) "','time':'2026-11-21T" hour ":00:00Z','hostname':'" host                  \
                        "','paths':['" path "'],'tags':[" tags "]}"
#define OF(session) "'target:x','session:" session "'"

/* ---- which snapshots ---- */

static const struct {
    const char *what, *list, *chosen; /* begins of ids */
} lists[] = {
    {"nothing", "[]", ""},
    {"the newer one",
     "[" TAKEN("1", "11", "h", "/a", OF("t")) "," TAKEN("2", "10", "h", "/a", OF("s")) "]", "1"},
    {"each host's",
     "[" TAKEN("1", "10", "h", "/a", OF("s")) "," TAKEN("2", "11", "i", "/a", OF("s")) "," TAKEN(
         "3", "12", "h", "/a", OF("t")) "]",
     "23"},
    {"each path of the session",
     "[" TAKEN("1", "10", "h", "/a", OF("s")) "," TAKEN("2", "11", "h", "/b", OF("s")) "]", "12"},
    {"no path of an older session",
     "[" TAKEN("1", "10", "h", "/b", OF("s")) "," TAKEN("2", "11", "h", "/a", OF("t")) "]", "2"},
    {"without sessions the newest",
     "[" TAKEN("1", "10", "h", "/b", "") "," TAKEN("2", "11", "h", "/a", "") "]", "2"},
    {"odd shapes", "[7,{},{'id':'x','hostname':'h','time':'2026-11-21T10:00:00Z'},{'hostname':7}]",
     ""},
    {"odd list", "{}", ""},
};

START_TEST(test_snapshots)
    {
        AUTO(json) json_t *list = json_row(lists[_i].list);
        AUTO(json) json_t *chosen = drill_snapshots(list);
        AUTO(text) struct text digits = {0};
        const json_t *snapshot;
        size_t i;

        tree_items (chosen, i, snapshot)
            text_putc(&digits, tree_text(snapshot, "id")[0]);
        ck_assert_msg(strcmp(text_get(&digits), lists[_i].chosen) == 0, "%s: %s", lists[_i].what,
                      text_get(&digits));
    }
END_TEST

/* Whoever may write into a repository may call a host as he likes. */
static const struct {
    const char *host, *folder;
} folders[] = {
    {"host-0", "host-0"},
    {"a b", "a b"},
    {"", "snapshot-1aaaaaaa"},
    {".", "snapshot-1aaaaaaa"},
    {"..", "snapshot-1aaaaaaa"},
    {".hidden", "snapshot-1aaaaaaa"},
    {"../../etc", "snapshot-1aaaaaaa"},
    {"/etc", "snapshot-1aaaaaaa"},
};

START_TEST(test_folder)
    {
        AUTO(free)
        char *row = text_format("{'id':'" ID("1") "','hostname':'%s'}", folders[_i].host);
        AUTO(json) json_t *snapshot = json_row(row);
        AUTO(free) char *folder = drill_folder(snapshot);

        ck_assert_str_eq(folder, folders[_i].folder);
    }
END_TEST

/* ---- what is asked for ---- */

static const struct {
    const char *text;
    bool good;
} asked[] = {
    {"{\"tag\":\"t\",\"folder\":\"f\"}", true},
    {"{\"tag\":\"t\",\"folder\":\"f\",\"files\":1000,\"keep\":true}", true},
    {"{\"tag\":\"t\",\"folder\":\"f\",\"files\":1001}", false},
    {"{\"tag\":\"t\",\"folder\":\"f\",\"files\":-1}", false},
    {"{\"tag\":\"\",\"folder\":\"f\"}", false},
    {"{\"tag\":\"t\",\"folder\":\"../f\"}", false},
    {"{\"tag\":\"t\",\"folder\":\"a/f\"}", false},
    {"{\"tag\":\"t\",\"folder\":\"\"}", false},
    {"{\"tag\":\"t\"}", false},
    {"[]", false},
    {"", false},
};

START_TEST(test_read)
    {
        struct drill drill;
        struct error err;
        AUTO(json) json_t *document = drill_read(span_of(asked[_i].text), &drill, &err);

        ck_assert_int_eq(document != NULL, asked[_i].good);
    }
END_TEST

/* ---- what is drawn ---- */

static const struct {
    const char *path, *pattern;
} patterns[] = {
    {"/data/a", "/data/a"},
    {"/data/*[a]?\\", "/data/\\*\\[a]\\?\\\\"},
    {"/\xef\xbf\xbd\xef\xbf\xbdx", "/?\?x"},
    {"/a\nb $HOME !", "/a\nb $HOME !"},
    {"/\xc3\xbc", "/\xc3\xbc"},
};

START_TEST(test_pattern)
    {
        AUTO(text) struct text made = {0};

        drill_pattern(&made, patterns[_i].path);
        ck_assert_str_eq(text_get(&made), patterns[_i].pattern);
    }
END_TEST

static void take(struct drill_listing *listing, const char *path, int64_t bytes)
{
    AUTO(free)
    char *line = text_format("{\"message_type\":\"node\",\"type\":\"file\",\"path\":\"%s\","
                             "\"size\":%lld}",
                             path, (long long)bytes);

    ck_assert(drill_listing_take(listing, span_of(line)));
}

static const struct {
    const char *line;
    bool taken;
    int64_t files, bytes;
} lines[] = {
    {"{\"message_type\":\"snapshot\"}", true, 0, 0},
    {"{\"message_type\":\"node\",\"type\":\"dir\",\"path\":\"/a\"}", true, 0, 0},
    {"{\"message_type\":\"node\",\"type\":\"symlink\",\"path\":\"/a\",\"size\":3}", true, 0, 0},
    {"{\"message_type\":\"node\",\"type\":\"file\",\"path\":\"/a\",\"size\":3}", true, 1, 3},
    {"{\"message_type\":\"node\",\"type\":\"file\",\"path\":\"/a\"}", true, 1, 0},
    {"{\"message_type\":\"node\",\"type\":\"file\",\"path\":\"/a\",\"size\":-3}", true, 1, 0},
    {"{\"message_type\":\"node\",\"type\":\"file\",\"path\":7,\"size\":\"x\"}", true, 1, 0},
    {"{\"message_type\":\"exit_error\"}", false, 0, 0},
    {"panic: runtime error", false, 0, 0},
    {"[]", false, 0, 0},
    {"", false, 0, 0},
};

START_TEST(test_line)
    {
        AUTO(drill_listing) struct drill_listing listing = {0};

        drill_listing_init(&listing, 5, 1);
        ck_assert_int_eq(drill_listing_take(&listing, span_of(lines[_i].line)), lines[_i].taken);
        ck_assert_int_eq(listing.all.files, lines[_i].files);
        ck_assert_int_eq(listing.all.bytes, lines[_i].bytes);
    }
END_TEST

/* Whatever the number, what is drawn is what is counted, and nothing is drawn twice. */
START_TEST(test_drawn)
    {
        static const int64_t wanted[] = {0, 1, 7, 99, 100, 101, 5000};
        AUTO(drill_listing) struct drill_listing listing = {0};
        AUTO(json) json_t *seen = json_object();
        int64_t bytes = 0;

        drill_listing_init(&listing, wanted[_i % 7], (uint64_t)_i);
        for (int i = 0; i < 100; i++) {
            AUTO(free) char *path = text_format("/%d", i);

            take(&listing, path, i);
        }
        for (size_t i = 0; i < listing.count; i++) {
            ck_assert_int_eq(listing.list[i].bytes, atoi(listing.list[i].pattern + 1));
            ck_assert_ptr_null(json_object_get(seen, listing.list[i].pattern));
            tree_put_bool(seen, listing.list[i].pattern, true);
            bytes += listing.list[i].bytes;
        }
        ck_assert_int_eq(listing.drawn.bytes, bytes);
        ck_assert_int_eq(listing.drawn.files, (int64_t)listing.count);
        ck_assert_int_eq(listing.drawn.files, wanted[_i % 7] < 100 ? wanted[_i % 7] : 100);
    }
END_TEST

/* Each is as likely as any other: of 10, 1 is drawn 2,000 times. A tenth is 200; six deviations
 * from it are 80. */
START_TEST(test_fair)
    {
        int times[10] = {0};

        for (uint64_t seed = 0; seed < 2000; seed++) {
            AUTO(drill_listing) struct drill_listing listing = {0};

            drill_listing_init(&listing, 1, seed * 7919);
            for (int i = 0; i < 10; i++) {
                AUTO(free) char *path = text_format("/%d", i);

                take(&listing, path, 1);
            }
            times[atoi(listing.list[0].pattern + 1)]++;
        }
        for (int i = 0; i < 10; i++)
            ck_assert_msg(times[i] > 120 && times[i] < 280, "%d: %d", i, times[i]);
    }
END_TEST

/* All of it is one command line. */
START_TEST(test_long_names)
    {
        AUTO(drill_listing) struct drill_listing listing = {0};
        char name[4096];
        size_t bytes = 0;

        memset(name, 'x', sizeof name - 1);
        name[sizeof name - 1] = 0;
        drill_listing_init(&listing, 1000, 1);
        for (int i = 0; i < 3000; i++)
            take(&listing, name, 1);
        for (size_t i = 0; i < listing.count; i++)
            bytes += strlen(listing.list[i].pattern);
        ck_assert_uint_eq(listing.pattern_bytes, bytes);
        ck_assert(bytes <= DRILL_PATTERNS_MAX_BYTES && listing.count > 200);
        ck_assert_int_eq(listing.all.files, 3000);
    }
END_TEST

/* ---- what must come of it ---- */

static const struct {
    const char *snapshot;
    bool good;
} summaries[] = {
    {"{}", true},
    {"{'summary':7}", true},
    {"{'summary':{'total_files_processed':2}}", true},
    {"{'summary':{'total_files_processed':2,'total_bytes_processed':30}}", true},
    {"{'summary':{'total_files_processed':3,'total_bytes_processed':30}}", false},
    {"{'summary':{'total_files_processed':2,'total_bytes_processed':31}}", false},
};

START_TEST(test_summary)
    {
        AUTO(json) json_t *snapshot = json_row(summaries[_i].snapshot);
        struct error err;

        ck_assert_int_eq(drill_check_summary(snapshot, &(struct drill_count){2, 30}, &err),
                         summaries[_i].good);
    }
END_TEST

static const struct {
    int64_t wanted, files, bytes; /* all: 2 of 30; drawn: 1 of 10 */
    bool good;
} comings[] = {
    {0, 2, 30, true}, {0, 1, 30, false}, {0, 3, 30, false}, {0, 2, 29, false}, {0, 0, 0, false},
    {1, 1, 10, true}, {1, 2, 20, true},  {1, 1, 9, false},  {1, 0, 0, false},
};

START_TEST(test_restored)
    {
        const struct drill_listing listing = {
            .all = {2, 30}, .drawn = {1, 10}, .wanted = comings[_i].wanted};
        struct error err;

        ck_assert_int_eq(
            drill_check_restored(&listing,
                                 &(struct drill_count){comings[_i].files, comings[_i].bytes}, &err),
            comings[_i].good);
    }
END_TEST

SUITE(agent_drill_plan)
{
    suite_rows(tests, test_snapshots, lists);
    suite_rows(tests, test_folder, folders);
    suite_rows(tests, test_read, asked);
    suite_rows(tests, test_pattern, patterns);
    suite_rows(tests, test_line, lines);
    tcase_add_loop_test(tests, test_drawn, 0, 28);
    tcase_add_test(tests, test_fair);
    tcase_add_test(tests, test_long_names);
    suite_rows(tests, test_summary, summaries);
    suite_rows(tests, test_restored, comings);
}
