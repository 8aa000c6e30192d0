#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/options.h"
#include "agent/run.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/suite.h"

#define WORDS_MAX 16
#define SESSION "--session=s", "--session-namespace=n", "--session-uid=u"

static int count_words(const char *const *words)
{
    int count = 0;

    while (words[count])
        count++;
    return count;
}

static const struct {
    const char *words[WORDS_MAX];
    enum agent_verdict verdict;
    const char *error;
} rows[] = {
    {{"agent", "sidecar"}, AGENT_RUN, NULL},
    {{"agent", "sidecar", "--identity", "/x"}, AGENT_RUN, NULL},
    {{"agent", "init"}, AGENT_RUN, NULL},
    {{"agent", "init", "--restore-if-exists"}, AGENT_RUN, NULL},
    {{"agent", "init", SESSION}, AGENT_RUN, NULL},
    {{"agent", "init", "--target-kind=Deployment"}, AGENT_RUN, NULL},
    {{"agent", "init", SESSION, "--alias=app"}, AGENT_RUN, NULL},
    {{"agent", "init", "--target-kind=DaemonSet", SESSION, "--host=a", "--host", "b"},
     AGENT_RUN,
     NULL},
    {{"agent", "--help"}, AGENT_HELP, NULL},
    {{"agent", "-h"}, AGENT_HELP, NULL},
    {{"agent", "init", "--help"}, AGENT_HELP, NULL},
    {{"agent", "--version"}, AGENT_VERSION, NULL},
    {{"agent", "sidecar", "--version"}, AGENT_VERSION, NULL},
    {{"agent"},
     AGENT_BAD,
     "the first word must be sidecar, init, step, trigger, maintain or update-status"},
    {{"agent", ""},
     AGENT_BAD,
     "the first word must be sidecar, init, step, trigger, maintain or update-status"},
    {{"agent", "--identity=/x", "sidecar"},
     AGENT_BAD,
     "the first word must be sidecar, init, step, trigger, maintain or update-status"},
    {{"agent", "Sidecar"},
     AGENT_BAD,
     "the first word must be sidecar, init, step, trigger, maintain or update-status"},
    {{"agent", "sidecar", "more"}, AGENT_BAD, "\"more\" is not expected"},
    {{"agent", "sidecar", "--nonsense"}, AGENT_BAD, "--nonsense: no such option"},
    {{"agent", "sidecar", "--identity"}, AGENT_BAD, "--identity: its value is missing"},
    {{"agent", "sidecar", "--identity="}, AGENT_BAD, "--identity: its value is empty"},
    {{"agent", "sidecar", "--host=a"}, AGENT_BAD, "--host is for init only"},
    {{"agent", "sidecar", "--restore-if-exists"},
     AGENT_BAD,
     "--restore-if-exists is for init only"},
    {{"agent", "init", "--session=s"},
     AGENT_BAD,
     "--session, --session-namespace and --session-uid belong together"},
    {{"agent", "init", "--session-uid=s", "--session=s"},
     AGENT_BAD,
     "--session, --session-namespace and --session-uid belong together"},
    {{"agent", "init", "--host=a"}, AGENT_BAD, "--host needs --session"},
    {{"agent", "init", "--alias=a"}, AGENT_BAD, "--alias needs --session"},
    {{"agent", "init", SESSION, "--host=a"}, AGENT_BAD, "--host needs --target-kind"},
    {{"agent", "sidecar", "--target-kind=Job"}, AGENT_BAD, "--target-kind is for init only"},
    {{"agent", "step"}, AGENT_RUN, NULL},
    {{"agent", "step", "--scratch=/x", "--mountinfo=/y"}, AGENT_RUN, NULL},
    {{"agent", "step", SESSION}, AGENT_BAD, "--session is for init only"},
    {{"agent", "step", "--deadline=1m"}, AGENT_BAD, "--deadline is for trigger only"},
    {{"agent", "maintain", "--kind=check", "--secret=/s", "--backend={}", "--run=[]", "--run=x"},
     AGENT_RUN,
     NULL},
    {{"agent", "maintain", "--kind=check", "--secret=/s", "--run=[]"},
     AGENT_BAD,
     "maintain needs --kind, --secret, --backend and at least one --run"},
    {{"agent", "maintain", "--kind=check", "--secret=/s", "--backend={}"},
     AGENT_BAD,
     "maintain needs --kind, --secret, --backend and at least one --run"},
    {{"agent", "maintain", "--kind=verify", "--secret=/s", "--backend={}", "--drill={}",
      "--restored=/r", "--room=10240Mi"},
     AGENT_RUN,
     NULL},
    {{"agent", "maintain", "--kind=verify", "--secret=/s", "--backend={}", "--drill={}"},
     AGENT_BAD,
     "--drill needs --restored, and no --run beside it"},
    {{"agent", "maintain", "--kind=verify", "--secret=/s", "--backend={}", "--drill={}",
      "--restored=/r", "--run=[]"},
     AGENT_BAD,
     "--drill needs --restored, and no --run beside it"},
    {{"agent", "sidecar", "--drill={}"}, AGENT_BAD, "--drill is for maintain only"},
    {{"agent", "sidecar", "--room=1"}, AGENT_BAD, "--room is for maintain only"},
    {{"agent", "maintain", "--kind=wipe", "--secret=/s", "--backend={}", "--cluster=u",
      "--rclone=/r"},
     AGENT_RUN,
     NULL},
    {{"agent", "maintain", "--kind=wipe", "--secret=/s", "--backend={}"},
     AGENT_BAD,
     "--kind wipe needs --cluster, and no --run"},
    {{"agent", "maintain", "--kind=wipe", "--secret=/s", "--backend={}", "--cluster=u", "--run=x"},
     AGENT_BAD,
     "--kind wipe needs --cluster, and no --run"},
    {{"agent", "maintain", "--kind=etcd", "--secret=/s", "--backend={}", "--fetch={}",
      "--restored=/r"},
     AGENT_RUN,
     NULL},
    {{"agent", "maintain", "--kind=etcd", "--secret=/s", "--backend={}", "--restored=/r"},
     AGENT_BAD,
     "--kind etcd and --fetch need each other"},
    {{"agent", "maintain", "--kind=etcd", "--secret=/s", "--backend={}", "--fetch={}"},
     AGENT_BAD,
     "--kind etcd and --fetch need each other"},
    {{"agent", "maintain", "--kind=prune", "--secret=/s", "--backend={}", "--fetch={}", "--run=[]",
      "--restored=/r"},
     AGENT_BAD,
     "--kind etcd and --fetch need each other"},
    {{"agent", "sidecar", "--fetch={}"}, AGENT_BAD, "--fetch is for maintain only"},
    {{"agent", "sidecar", "--rclone=/r"}, AGENT_BAD, "--rclone is for maintain only"},
    {{"agent", "maintain", "--identity=/x"}, AGENT_BAD, "--identity is not for maintain"},
    {{"agent", "sidecar", "--run=[]"}, AGENT_BAD, "--run is for maintain only"},
    {{"agent", "sidecar", "--result=/x"}, AGENT_BAD, "--result is not for sidecar"},
    {{"agent", "trigger"}, AGENT_RUN, NULL},
    {{"agent", "trigger", "--jitter=5m", "--deadline=30s"}, AGENT_RUN, NULL},
    {{"agent", "trigger", "--jitter=5"}, AGENT_BAD, "--jitter 5: a number lacks its unit"},
    {{"agent", "trigger", "--jitter=25h"}, AGENT_BAD, "--jitter 25h: expected 0 to 24h"},
    {{"agent", "trigger", "--jitter=-1s"}, AGENT_BAD, "--jitter -1s: expected 0 to 24h"},
    {{"agent", "trigger", "--deadline=0s"}, AGENT_BAD, "--deadline 0s: not understood"},
    {{"agent", "trigger", "--alias=a"}, AGENT_BAD, "--alias is for init only"},
    {{"agent", "trigger", "--scratch=/x"}, AGENT_BAD, "--scratch is not for trigger"},
    {{"agent", "sidecar", "--jitter=1s"}, AGENT_BAD, "--jitter is for trigger only"},
    {{"agent", "init", "--deadline=1m"}, AGENT_BAD, "--deadline is for trigger only"},
    {{"agent", "init", "--restore-if-exists=yes"},
     AGENT_BAD,
     "--restore-if-exists=yes: takes no value"},
};

START_TEST(words_are_understood)
    {
        struct agent_options options = {.identity = "before"};
        struct error err = {.message = ""};

        ck_assert_int_eq(agent_options_parse(count_words(rows[_i].words), (char **)rows[_i].words,
                                             &options, &err),
                         rows[_i].verdict);
        if (rows[_i].error)
            ck_assert_msg(strncmp(err.message, rows[_i].error, strlen(rows[_i].error)) == 0, "%s",
                          err.message);
        if (rows[_i].verdict != AGENT_RUN)
            ck_assert_str_eq(options.identity, "before");
    }
END_TEST

START_TEST(values_arrive)
    {
        const char *words[] = {"agent",
                               "init",
                               SESSION,
                               "--target-kind=StatefulSet",
                               "--alias=db",
                               "--host=db-0",
                               "--host=db-1",
                               "--identity=/run",
                               "--restore-if-exists"};
        struct agent_options options;
        struct error err;

        ck_assert_int_eq(
            agent_options_parse(sizeof words / sizeof *words, (char **)words, &options, &err),
            AGENT_RUN);
        ck_assert_int_eq(options.mode, AGENT_INIT);
        ck_assert_str_eq(options.session, "s");
        ck_assert_str_eq(options.session_namespace, "n");
        ck_assert_str_eq(options.session_uid, "u");
        ck_assert_str_eq(options.target_kind, "StatefulSet");
        ck_assert_str_eq(options.alias, "db");
        ck_assert_uint_eq(options.host_count, 2);
        ck_assert_str_eq(options.hosts[0], "db-0");
        ck_assert_str_eq(options.hosts[1], "db-1");
        ck_assert_str_eq(options.identity, "/run");
        ck_assert(options.restore_if_exists);
    }
END_TEST

START_TEST(hosts_are_bounded)
    {
        static char words[RESTORE_HOSTS_MAX + 7][28] = {
            "agent",           "init",
            "--session=s",     "--session-namespace=n",
            "--session-uid=u", "--target-kind=StatefulSet"};
        char *argv[RESTORE_HOSTS_MAX + 7];
        struct agent_options options;
        struct error err = {.message = ""};

        for (size_t i = 0; i < RESTORE_HOSTS_MAX + 7; i++) {
            if (i >= 6)
                snprintf(words[i], sizeof words[i], "--host=h%zu", i);
            argv[i] = words[i];
        }
        ck_assert_int_eq(agent_options_parse(RESTORE_HOSTS_MAX + 6, argv, &options, &err),
                         AGENT_RUN);
        ck_assert_uint_eq(options.host_count, RESTORE_HOSTS_MAX);
        ck_assert_int_eq(agent_options_parse(RESTORE_HOSTS_MAX + 7, argv, &options, &err),
                         AGENT_BAD);
        ck_assert_str_eq(err.message, "--host h262: more than 256");
    }
END_TEST

/* An application must not start into an empty volume while nobody can say that nothing is restored
 * there. */
static const struct {
    const char *kind, *session, *alias, *host; /* one that the session names, beside host-9 */
    bool if_exists, waits;
    const char *pod, *node;
} starts[] = {
    {"Deployment", NULL, NULL, NULL, false, false, "db-0", "n1"},
    {"Deployment", "s", NULL, NULL, false, true, "db-0", "n1"},
    {"Deployment", NULL, NULL, NULL, true, true, "db-0", "n1"},
    {"Deployment", "s", NULL, "host-0", false, true, "db-0", "n1"},
    {"Deployment", "s", "app", "host-0", false, false, "db-0", "n1"},
    {"StatefulSet", "s", NULL, "host-0", false, true, "db-0", "n1"},
    {"StatefulSet", "s", NULL, "host-0", false, false, "db-1", "n1"},
    {"StatefulSet", "s", NULL, "host-0", false, true, "db-9", "n1"},
    {"StatefulSet", "s", "app", "app-1", false, true, "db-1", "n1"},
    {"DaemonSet", "s", NULL, "n2", false, false, "db-x", "n1"},
    {"DaemonSet", "s", NULL, "n1", false, true, "db-x", "n1"},
    /* not of the session, but it has to ask whether there is a backup */
    {"StatefulSet", "s", NULL, "host-0", true, true, "db-1", "n1"},
    /* who it is can not be known */
    {"StatefulSet", "s", NULL, "host-0", false, true, NULL, NULL},
    {"StatefulSet", "s", NULL, "host-0", false, true, "odd", "n1"},
    {"DaemonSet", "s", NULL, "n2", false, true, "db-x", NULL},
};

START_TEST(an_application_starts_when_nothing_is_asked)
    {
        struct agent_options options = {.mode = AGENT_INIT,
                                        .target_kind = starts[_i].kind,
                                        .session = starts[_i].session,
                                        .alias = starts[_i].alias,
                                        .hosts = {"host-9", starts[_i].host},
                                        .host_count = starts[_i].host ? 2 : 0,
                                        .restore_if_exists = starts[_i].if_exists};
        const char *reason = agent_must_wait(&options, starts[_i].pod, starts[_i].node);

        ck_assert_int_eq(reason != NULL, starts[_i].waits);
    }
END_TEST

/* What admission writes into pods. */
static size_t try_container(const json_t *value, const char *name)
{
    const char *argv[64] = {"agent"};
    const json_t *word;
    struct agent_options options;
    struct error err = {.message = ""};
    size_t i;

    if (!span_is(tree_span(value, "name"), name))
        return 0;
    tree_items (tree_get(value, "args"), i, word) {
        ck_assert_uint_lt(i, 62);
        argv[i + 1] = json_string_value(word);
    }
    ck_assert_msg(agent_options_parse(count_words(argv), (char **)argv, &options, &err) ==
                      AGENT_RUN,
                  "%s", err.message);
    ck_assert_int_eq(options.mode, strcmp(name, CONTAINER_INIT) ? AGENT_SIDECAR : AGENT_INIT);
    return 1;
}

static size_t try_all(const json_t *tree)
{
    const json_t *value;
    const char *key;
    size_t i, found = 0;

    if (json_is_object(tree) && tree_get(tree, "args"))
        found += try_container(tree, CONTAINER_SIDECAR) + try_container(tree, CONTAINER_INIT);
    tree_each (tree, key, value)
        found += try_all(value);
    tree_items (tree, i, value)
        found += try_all(value);
    return found;
}

START_TEST(what_admission_writes_is_understood)
    {
        struct dirent **names;
        int count = scandir("tests/golden", &names, NULL, alphasort);
        size_t found = 0;

        ck_assert_int_gt(count, 0);
        for (int i = 0; i < count; i++) {
            AUTO(free) char *path = text_format("tests/golden/%s/answer.json", names[i]->d_name);
            AUTO(json) json_t *answer = json_load_file(path, JSON_ALLOW_NUL, NULL);

            found += try_all(answer);
            free(names[i]);
        }
        free(names);
        ck_assert_uint_gt(found, 100);
    }
END_TEST

SUITE(agent_options)
{
    suite_rows(tests, words_are_understood, rows);
    tcase_add_test(tests, values_arrive);
    tcase_add_test(tests, hosts_are_bounded);
    suite_rows(tests, an_application_starts_when_nothing_is_asked, starts);
    tcase_add_test(tests, what_admission_writes_is_understood);
}
