#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/etcd_tool.h"
#include "agent/memory.h"
#include "base/auto.h"
#include "base/clock.h"
#include "tests/unit/suite.h"

static const struct {
    const char *text;
    bool good;
    struct etcd_version version;
} versions[] = {
    {"3.5.10", true, {3, 5, 10}},
    {"v3.4.23", true, {3, 4, 23}},
    {"3.6", true, {3, 6, 0}},
    {"3.6.0-rc.1", true, {3, 6, 0}},
    {"3.5.21+build", true, {3, 5, 21}},
    {"", false, {0}},
    {"3", false, {0}},
    {"3.", false, {0}},
    {"3.5.", false, {0}},
    {"3.5.1.2", false, {0}},
    {"3.5.1 ", false, {0}},
    {"3.-5", false, {0}},
    {"version", false, {0}},
    {"3.5.99999999999", false, {0}},
};

START_TEST(a_version_is_read)
    {
        struct etcd_version read = {9, 9, 9};

        ck_assert_msg(etcd_version_parse(span_of(versions[_i].text), &read) == versions[_i].good,
                      "%s", versions[_i].text);
        if (versions[_i].good)
            ck_assert_int_eq(etcd_version_compare(read, versions[_i].version), 0);
        else
            ck_assert_int_eq(read.major, 9);
    }
END_TEST

static const struct {
    struct etcd_version version;
    struct etcd_skills skills;
} skills[] = {
    {{3, 4, 23}, {false, false, false, false}}, {{3, 5, 0}, {true, false, false, true}},
    {{3, 5, 9}, {true, false, false, true}},    {{3, 5, 10}, {true, true, false, true}},
    {{3, 5, 35}, {true, true, false, true}},    {{3, 6, 0}, {true, true, true, true}},
    {{4, 0, 0}, {true, true, true, true}},
};

START_TEST(each_version_can_what_it_can)
    {
        struct etcd_skills got = etcd_skills_of(skills[_i].version);
        const struct etcd_skills *want = &skills[_i].skills;

        ck_assert(got.utl == want->utl && got.bump == want->bump &&
                  got.counts_keys == want->counts_keys && got.status_reads == want->status_reads);
    }
END_TEST

static const struct {
    const char *errors, *words;
} last[] = {
    {"", ""},
    {"Error: x\n", "Error: x"},
    {"{\"level\":\"warn\",\"msg\":\"y\"}\nError: context deadline exceeded\n",
     "Error: context deadline exceeded"},
    /* a log behind it does not hide it */
    {"Error: x\n{\"level\":\"info\"}\n", "Error: x"},
    {"{\"a\":1}\n{\"b\":2}\n", "{\"b\":2}"},
    {"one\n\n  two \n\n", "two"},
    {"a\033[1mb", "a?[1mb"},
};

START_TEST(last_words_are_for_people)
    {
        AUTO(free) char *words = etcd_last_words(span_of(last[_i].errors));

        ck_assert_str_eq(words, last[_i].words);
    }
END_TEST

/* ---- programs that are scripts ---- */

static char folder[64];

static void put(const char *name, const char *script)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);
    AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, script, strlen(script)), strlen(script));
}

static void make_folder(const char *name)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);

    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void setup(void)
{
    strcpy(folder, "/tmp/granary-etcd-tool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    scratch_remove(folder);
}

static struct children children = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static const struct etcd_run forever = {
    .children = &children, .stop_fd = -1, .until_ms = INT64_MAX};

#define SAYS(version) "#!/bin/sh\necho 'etcdutl version: " version "'\necho 'API version: 3.x'\n"

static const struct {
    const char *have; /* folders */
    struct etcd_version server;
    const char *found; /* version; NULL: none */
} places[] = {
    {"3.4 3.5 3.6", {3, 5, 3}, "3.5"},
    {"3.4 3.5 3.6", {3, 6, 0}, "3.6"},
    {"3.4 3.5 3.6", {3, 4, 23}, "3.4"},
    {"3.4 3.5 3.6", {0, 0, 0}, "3.6"},
    {"3.4 3.5 3.6", {3, 7, 0}, "3.6"},
    {"3.4 3.5 3.6", {3, 3, 1}, "3.4"},
    {"3.5 3.6", {3, 4, 23}, "3.5"},
    {"3.4", {3, 6, 0}, "3.4"},
    {"3.4 3.6", {3, 5, 1}, "3.6"},
    {". 3.6", {3, 5, 1}, "3.6"},
    {".", {3, 5, 1}, "3.5"},
    {"", {3, 5, 1}, NULL},
};

static void put_tools(const char *where)
{
    bool here = strcmp(where, ".") == 0;
    AUTO(free) char *ctl = text_format("%s/etcdctl", where);
    AUTO(free) char *utl = text_format("%s/etcdutl", where);
    AUTO(free) char *script = text_format(SAYS("%s.1"), here ? "3.5" : where);

    if (!here)
        make_folder(where);
    put(ctl, script);
    if (strcmp(where, "3.4") != 0)
        put(utl, script);
}

START_TEST(tools_are_found_for_a_server)
    {
        AUTO(etcd_tools) struct etcd_tools tools = {0};
        struct span have = span_of(places[_i].have), one;
        struct error err = {.message = ""};
        struct etcd_version want = {0};

        while (text_split(&have, ' ', &one)) {
            AUTO(free) char *name = text_dup(one.data, one.length);

            put_tools(name);
        }
        ck_assert_msg(etcd_tools_find(&forever, folder, places[_i].server, &tools, &err) ==
                          (places[_i].found != NULL),
                      "%s: %s", places[_i].have, err.message);
        if (!places[_i].found) {
            ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
            return;
        }
        ck_assert(etcd_version_parse(span_of(places[_i].found), &want));
        ck_assert_int_eq(tools.version.minor, want.minor);
        ck_assert_int_eq(tools.version.patch, 1);
        ck_assert((tools.utl != NULL) == (want.minor > 4));
    }
END_TEST

static const struct {
    const char *script;
    int stop; /* before it begins */
    int64_t for_ms;
    enum error_code code; /* ERROR_NONE: well */
    const char *out, *message;
} runs[] = {
    {"echo hello", 0, 60000, ERROR_NONE, "hello\n", ""},
    {"echo no >&2; exit 1", 0, 60000, ERROR_INTERNAL, "", "tool snapshot save: no"},
    {"exit 7", 0, 60000, ERROR_INTERNAL, "", "tool snapshot save: failed"},
    {"kill -9 $$", 0, 60000, ERROR_INTERNAL, "", "tool snapshot save: ended by signal 9"},
    {"exec sleep 60", 0, 50, ERROR_TIMEOUT, "", "tool snapshot save: took too long"},
    {"exec sleep 60", 1, 60000, ERROR_GONE, "", "tool snapshot save: told to end"},
    /* what it left running holds nobody up */
    {"sleep 60 & echo done", 0, 60000, ERROR_NONE, "done\n", ""},
    /* nothing of our environment, no input */
    {"cat; echo ${HOME:-none}", 0, 60000, ERROR_NONE, "none\n", ""},
};

START_TEST(a_run_is_judged)
    {
        AUTO(free) char *script = text_format("#!/bin/sh\n%s\n", runs[_i].script);
        AUTO(free) char *path = text_format("%s/tool", folder);
        AUTO(words) struct words argv = {0};
        AUTO(etcd_said) struct etcd_said said = {0};
        struct error err = {.message = ""};
        int ends[2];

        put("tool", script);
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert(!runs[_i].stop || write(ends[1], "x", 1) == 1);
        words_add(&argv, path);
        words_add(&argv, "snapshot");
        words_add(&argv, "save");

        struct etcd_run run = {.children = &children,
                               .stop_fd = ends[0],
                               .until_ms = clock_mono_ms() + runs[_i].for_ms};

        ck_assert_msg(etcd_run(&run, path, &argv, &said, &err) == (runs[_i].code == ERROR_NONE),
                      "%s: %s", runs[_i].script, err.message);
        ck_assert_int_eq(err.code, runs[_i].code);
        ck_assert_str_eq(err.message, runs[_i].message);
        ck_assert_str_eq(text_get(&said.out), runs[_i].out);
    }
END_TEST

START_TEST(what_is_not_there_is_not_started)
    {
        AUTO(words) struct words argv = {0};
        AUTO(etcd_said) struct etcd_said said = {0};
        struct error err = {.message = ""};

        words_add(&argv, "/nonexistent/etcdctl");
        ck_assert(!etcd_run(&forever, "/nonexistent/etcdctl", &argv, &said, &err));
        ck_assert_int_eq(err.code, ERROR_INTERNAL);
    }
END_TEST

START_TEST(much_output_is_bounded)
    {
        AUTO(free) char *path = text_format("%s/tool", folder);
        AUTO(words) struct words argv = {0};
        AUTO(etcd_said) struct etcd_said said = {0};
        struct error err = {.message = ""};

        put("tool", "#!/bin/sh\nhead -c 3000000 /dev/zero\nhead -c 3000000 /dev/zero >&2\n"
                    "echo >&2; echo the end >&2; exit 1\n");
        words_add(&argv, path);
        ck_assert(!etcd_run(&forever, path, &argv, &said, &err));
        ck_assert_uint_eq(said.out.length, 1u << 20);
        ck_assert_uint_le(said.errors.length, 8192);
        ck_assert_msg(strstr(err.message, "the end") != NULL, "%s", err.message);
    }
END_TEST

START_TEST(a_failure_says_what_to_do)
    {
        static const struct {
            const char *message, *advice;
        } rows[] = {
            {"etcdctl member list: authentication failed, invalid user ID",
             "username and password"},
            {"etcdctl member list: connection refused", "most of the members"},
            {"etcdctl endpoint status: Error: context deadline exceeded", "most of the members"},
            {"etcdctl member list: took too long", "most of the members"},
            {"x509: certificate signed by unknown authority", "caBundle"},
            {"remote error: tls: certificate required", "tlsSecret"},
        };

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            ck_assert_msg(strstr(etcd_advice(rows[i].message), rows[i].advice) != NULL, "%s",
                          rows[i].message);
        ck_assert_ptr_null(etcd_advice("the snapshot is cut off"));
    }
END_TEST

SUITE(agent_etcd_tool)
{
    tcase_add_test(tests, a_failure_says_what_to_do);
    tcase_add_checked_fixture(tests, setup, teardown);
    suite_rows(tests, a_version_is_read, versions);
    suite_rows(tests, each_version_can_what_it_can, skills);
    suite_rows(tests, last_words_are_for_people, last);
    suite_rows(tests, tools_are_found_for_a_server, places);
    suite_rows(tests, a_run_is_judged, runs);
    tcase_add_test(tests, what_is_not_there_is_not_started);
    tcase_add_test(tests, much_output_is_bounded);
}
