#include "agent/restic_command.h"

#include <stdlib.h>
#include <string.h>

#include "agent/restic_line.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A piece of work as a message says it; its texts live as long as the document. */
static json_t *read_work(const char *row, struct message_work *work)
{
    AUTO(free)
    char *text =
        text_format("{\"work\":{\"session\":{\"namespace\":\"n\",\"name\":\"s\",\"uid\":"
                    "\"5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3e\"},\"host\":\"host-0\",\"attempt\":1,"
                    "\"progressSeconds\":10,%s}}",
                    row);
    struct message_granted *granted = calloc(1, sizeof *granted);
    struct error err = {.message = ""};

    for (char *c = strstr(text, "10,"); *c; c++)
        if (*c == '\'')
            *c = '"';

    json_t *document = message_read(&message_granted_shape, span_of(text), MESSAGE_ANSWER_MAX_BYTES,
                                    granted, &err);

    ck_assert_msg(document != NULL, "%s", err.message);
    *work = granted->work;
    free(granted);
    return document;
}

static void join(struct words *words, struct text *out)
{
    const char *const *list = words_list(words);

    for (size_t i = 0; list[i]; i++)
        text_addf(out, "%s%s", i ? "|" : "", list[i]);
}

#define BACKUP(url, backup, more)                                                                  \
    "'kind':'backup','repository':{'url':'" url "','cluster':"                                     \
    "'1b4e28ba-2fa1-11d2-883f-0016d3cca427'" more "},'backup':" backup
#define LIMITS ",'limits':{'connections':7,'cache':true}"

/* Each backend's own option for connections. */
static const struct {
    const char *work, *argv; /* or what the error says */
    bool good;
} backups[] = {
    {BACKUP("/repo", "{'paths':['/data']}", ""),
     "restic|backup|--json|--no-cache|--retry-lock=5m|--host=host-0|--exclude=.granary-restore|--|"
     "/data",
     true},
    {BACKUP("s3:https://h/b", "{'paths':['/data']}", ",'insecureTLS':true") LIMITS,
     "restic|backup|--json|--cleanup-cache|--insecure-tls|--option=s3.connections=7|--retry-lock="
     "5m|--host=host-0|--exclude=.granary-restore|--|/data",
     true},
#define ROW(url, name)                                                                             \
    {                                                                                              \
        BACKUP(url, "{'paths':['/-x']}", "")                                                       \
        LIMITS,                                                                                    \
            "restic|backup|--json|--cleanup-cache|--option=" name                                  \
            ".connections=7|--retry-lock=5m|--host=host-0|--exclude=.granary-restore|--|/-x",      \
            true                                                                                   \
    }
    ROW("/r", "local"),
    ROW("gs:b:/p", "gs"),
    ROW("azure:c:/p", "azure"),
    ROW("swift:c:/p", "swift"),
    ROW("b2:b:/p", "b2"),
    ROW("rest:https://h/", "rest"),
#undef ROW
    {BACKUP("/r",
            "{'paths':['/d'],'tags':['a','b=c'],'exclude':['*.tmp','-o x','$HOME'],"
            "'args':['--tag x y','--exclude','e','--limit-upload=5','-x']}",
            ""),
     "restic|backup|--json|--no-cache|--retry-lock=5m|--host=host-0|--tag=a|--tag=b=c|--exclude=*."
     "tmp|--exclude=-o x|--exclude=$HOME|--exclude=.granary-restore|--tag|x y|--exclude|e|--limit-"
     "upload=5|-x|--|/d",
     true},
    {BACKUP("/r", "{'paths':['/d'],'args':['-x','--repo=/other']}", ""),
     "args[1]: option --repo is not allowed", false},
    {BACKUP("/r", "{'paths':['/d'],'args':['/etc/shadow']}", ""), "args[0]: only options", false},
};

START_TEST(backups_are_called)
    {
        struct message_work work;
        AUTO(json) json_t *document = read_work(backups[_i].work, &work);
        struct restic_place place = {.work = &work, .scratch = "/s"};
        AUTO(words) struct words argv = {0};
        AUTO(text) struct text joined = {0};
        struct error err = {.message = ""};
        bool good = document && restic_backup(&argv, &place, work.backup.paths[0], &err);

        ck_assert_int_eq(good, backups[_i].good);
        join(&argv, &joined);
        if (good)
            ck_assert_str_eq(text_get(&joined), backups[_i].argv);
        else
            ck_assert_msg(strstr(err.message, backups[_i].argv) != NULL, "%s", err.message);
    }
END_TEST

/* Compares what was added, and takes it away. */
static void expect(struct words *argv, const char *wanted)
{
    AUTO(text) struct text joined = {0};

    join(argv, &joined);
    ck_assert_str_eq(text_get(&joined), wanted);
    words_done(argv);
}

#define BEGIN(command) "restic|" command "|--json|--no-cache|"
#define MARKS                                                                                      \
    BEGIN("backup")                                                                                \
    "--retry-lock=5m|--host=granary|"                                                              \
    "--tag=granary-cluster,1b4e28ba-2fa1-11d2-883f-0016d3cca427"
#define RESTORE                                                                                    \
    BEGIN("restore") "--retry-lock=5m|--target=/data|--exclude-xattr=" MARK_ATTRIBUTE "|--sparse|"

START_TEST(other_commands_are_called)
    {
        struct message_work work;
        AUTO(json)
        json_t *document = read_work(BACKUP("/repo", "{'paths':['/data']}", ""), &work);
        struct restic_place place = {.work = &work, .scratch = "/s"};
        struct message_rule rule = {.include = {"/data/a", "*.txt", "/database"},
                                    .include_count = 3};
        struct words argv = {0};

        ck_assert_ptr_nonnull(document);
        restic_owners(&argv, &place);
        expect(&argv, BEGIN("snapshots") "--no-lock|--host=granary|--tag=granary-cluster");
        restic_keys(&argv, &place);
        expect(&argv, BEGIN("key") "list|--no-lock");
        restic_key_add(&argv, &place);
        expect(&argv, BEGIN("key") "add|--retry-lock=5m");
        restic_key_remove(&argv, &place, ID);
        expect(&argv, BEGIN("key") "remove|--retry-lock=5m|--|" ID);
        restic_list_locks(&argv, &place);
        expect(&argv, BEGIN("list") "--no-lock|locks");
        restic_read_lock(&argv, &place, ID);
        expect(&argv, BEGIN("cat") "--no-lock|lock|" ID);
        restic_unlock(&argv, &place);
        expect(&argv, "restic|unlock|--json|--no-cache");
        restic_init(&argv, &place);
        expect(&argv, "restic|init|--json|--no-cache");
        restic_mark_owner(&argv, &place, NULL);
        expect(&argv, MARKS "|--stdin|--stdin-filename=cluster");
        restic_mark_owner(&argv, &place, ID);
        expect(&argv, MARKS ",adopts:" ID "|--stdin|--stdin-filename=cluster");
        restic_listed(&argv, &place, ID);
        expect(&argv, BEGIN("snapshots") "--no-lock|--|" ID);
        restic_snapshots(&argv, &place, "h", "/p");
        expect(&argv, BEGIN("snapshots") "--no-lock|--host=h|--path=/p");
        restic_tagged(&argv, &place, "target:apps/Deployment/shop/web");
        expect(&argv, BEGIN("snapshots") "--no-lock|--tag=target:apps/Deployment/shop/web");
        restic_snapshots(&argv, &place, NULL, NULL);
        expect(&argv, BEGIN("snapshots") "--no-lock");
        restic_restore(&argv, &place, ID, "/data", &rule, RESTIC_DRY);
        expect(&argv, RESTORE "--dry-run|--verbose=2|--include=/a|--include=*.txt|"
                              "--include=/database|--|" ID ":/data");
        rule = (struct message_rule){.exclude = {"/data/b"}, .exclude_count = 1};
        restic_restore(&argv, &place, ID, "/data", &rule, RESTIC_VERIFY);
        expect(&argv, RESTORE "--verify|--exclude=/b|--exclude=/.granary-restore|--|" ID ":/data");
        restic_restore(&argv, &place, ID, "/data", &rule, RESTIC_PLAIN);
        expect(&argv, RESTORE "--exclude=/b|--exclude=/.granary-restore|--|" ID ":/data");
    }
END_TEST

static const struct {
    const char *more;
    int64_t memory_bytes;
    const char *added; /* behind what all have; or what the error says */
    bool good;
} environments[] = {
    {"", 0, "", true},
    {"", 100, "|GOMEMLIMIT=75|GOGC=50", true},
    {",'environment':[{'name':'RESTIC_PASSWORD','value':'a b=c'}]", 0, "|RESTIC_PASSWORD=a b=c",
     true},
    {",'environment':[{'name':'AWS_ACCESS_KEY_ID','value':'a'},{'name':'OS_PASSWORD','value':'b'},"
     "{'name':'B2_ACCOUNT_KEY','value':'c'}]",
     0, "|AWS_ACCESS_KEY_ID=a|OS_PASSWORD=b|B2_ACCOUNT_KEY=c", true},
    {",'files':[{'name':'a','data':'eA=='},{'name':'b','data':'eA=='}],'environment':[{'name':"
     "'RESTIC_CACERT','value':'$GRANARY_FILES/b'}]",
     0, "|RESTIC_CACERT=/proc/self/fd/11", true},
    {",'environment':[{'name':'RESTIC_CACERT','value':'$GRANARY_FILES/b'}]", 0,
     "the file that RESTIC_CACERT names", false},
    {",'environment':[{'name':'LD_PRELOAD','value':'x'}]", 0, "no variable LD_PRELOAD", false},
    {",'environment':[{'name':'PATH','value':'x'}]", 0, "no variable PATH", false},
    {",'environment':[{'name':'RESTIC_PASSWORD_COMMAND','value':'x'}]", 0,
     "no variable RESTIC_PASSWORD_COMMAND", false},
    {",'environment':[{'name':'RESTIC_REPOSITORY','value':'x'}]", 0, "no variable", false},
    {",'environment':[{'name':'AWS_CONFIG_FILE','value':'x'}]", 0, "no variable", false},
};

START_TEST(environments_are_made)
    {
        static const char *const ours[] = {"HOME=/root",        "HTTPS_PROXY=p", "SECRET=x",
                                           "HTTPS_PROXY_NOT=q", "no_proxy=",     NULL};
        AUTO(free)
        char *row =
            text_format(BACKUP("/repo", "{'paths':['/data']}", "") "%s", environments[_i].more);
        struct message_work work;
        AUTO(json) json_t *document = read_work(row, &work);
        struct restic_place place = {&work, "/s", environments[_i].memory_bytes, ours};
        AUTO(words) struct words made = {0};
        AUTO(text) struct text joined = {0};
        AUTO(text) struct text wanted = {0};
        struct error err = {.message = ""};

        ck_assert_ptr_nonnull(document);
        ck_assert_int_eq(restic_environment(&made, &place, &err), environments[_i].good);
        if (!environments[_i].good) {
            ck_assert_msg(strstr(err.message, environments[_i].added) != NULL, "%s", err.message);
            return;
        }
        join(&made, &joined);
        text_puts(&wanted, "PATH=/usr/bin:/bin|HOME=/s|TMPDIR=/s");
        if (environments[_i].memory_bytes)
            text_puts(&wanted, environments[_i].added);
        text_puts(&wanted, "|HTTPS_PROXY=p|no_proxy=|RESTIC_CACHE_DIR=/s/restic-cache|"
                           "RESTIC_REPOSITORY=/repo|RESTIC_PROGRESS_FPS=1");
        if (!environments[_i].memory_bytes)
            text_puts(&wanted, environments[_i].added);
        ck_assert_str_eq(text_get(&joined), text_get(&wanted));
    }
END_TEST

START_TEST(addresses_are_judged)
    {
        static const char *const good[] = {"/r",        "s3:h/b", "gs:b:/",       "azure:c:/",
                                           "swift:c:/", "b2:b:/", "rest:http://h"};
        static const char *const bad[] = {"sftp:u@h:/r", "rclone:x:y", "r",     "",
                                          "local:/r",    "-r",         "S3:h/b"};
        struct error err;

        for (size_t i = 0; i < sizeof good / sizeof *good; i++)
            ck_assert(restic_url_check(good[i], &err));
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            ck_assert(!restic_url_check(bad[i], &err));
    }
END_TEST

/* What restic 0.18 writes. */
static const struct {
    const char *text;
    enum restic_message kind;
    int64_t numbers[4]; /* of status: bytes and files; of summary: bytes, files, restored, added */
    const char *id, *item, *message;
} lines[] = {
    {"{'message_type':'status','percent_done':0.5,'total_files':4,'files_done':2,'total_bytes':100,"
     "'bytes_done':50,'current_files':['/a']}",
     RESTIC_STATUS,
     {50, 100, 2, 4},
     "",
     "",
     ""},
    {"{'message_type':'status','total_files':3,'files_restored':1,'files_skipped':1,'total_bytes':"
     "9,"
     "'bytes_restored':2,'bytes_skipped':3}",
     RESTIC_STATUS,
     {5, 9, 2, 3},
     "",
     "",
     ""},
    {"{'message_type':'summary','files_new':2,'data_added':2087,'data_added_packed':1706,"
     "'total_files_processed':2,'total_bytes_processed':5,'snapshot_id':'" ID "'}",
     RESTIC_SUMMARY,
     {5, 2, 0, 1706},
     ID,
     "",
     ""},
    {"{'message_type':'summary','total_files':3,'files_restored':2,'files_skipped':1,"
     "'total_bytes':5}",
     RESTIC_SUMMARY,
     {5, 3, 3, 0},
     "",
     "",
     ""},
    {"{'message_type':'summary'}", RESTIC_SUMMARY, {0}, "", "", ""},
    {"{'message_type':'summary','snapshot_id':'0123'}", RESTIC_SUMMARY, {0}, "", "", ""},
    {"{'message_type':'summary','snapshot_id':7,'total_bytes':-1,'total_files':'x'}",
     RESTIC_SUMMARY,
     {0},
     "",
     "",
     ""},
    {"{'message_type':'error','error':{'message':'denied'},'during':'archival','item':'/a\\nb'}",
     RESTIC_ITEM_ERROR,
     {0},
     "",
     "/a?b",
     "denied"},
    {"{'message_type':'error'}", RESTIC_ITEM_ERROR, {0}, "", "", ""},
    {"{'message_type':'exit_error','code':12,'message':'Fatal: wrong password'}",
     RESTIC_EXIT_ERROR,
     {0},
     "",
     "",
     "Fatal: wrong password"},
    {"{'message_type':'verbose_status','item':'/a'}", RESTIC_ITEM, {0}, "", "", ""},
    {"{'message_type':7}", RESTIC_OTHER, {0}, "", "", ""},
    {"{'message_type':'summ", RESTIC_OTHER, {0}, "", "", "{\"message_type\":\"summ"},
    {"[1]", RESTIC_OTHER, {0}, "", "", "[1]"},
    {"panic: x\x1b[2K", RESTIC_OTHER, {0}, "", "", "panic: x?[2K"},
    {"", RESTIC_OTHER, {0}, "", "", ""},
};

START_TEST(lines_are_read)
    {
        AUTO(free) char *text = text_dup(lines[_i].text, strlen(lines[_i].text));
        const int64_t *numbers = lines[_i].numbers;
        struct restic_line line;

        for (char *c = text; *c; c++)
            if (*c == '\'')
                *c = '"';
        restic_line_read(span_of(text), &line);
        ck_assert_int_eq(line.kind, lines[_i].kind);
        ck_assert_str_eq(line.id, lines[_i].id);
        ck_assert_str_eq(line.item, lines[_i].item);
        ck_assert_str_eq(line.message, lines[_i].message);
        if (line.kind == RESTIC_STATUS) {
            ck_assert_int_eq(line.bytes_done, numbers[0]);
            ck_assert_int_eq(line.bytes_total, numbers[1]);
            ck_assert_int_eq(line.files_done, numbers[2]);
            ck_assert_int_eq(line.files_total, numbers[3]);
        } else {
            ck_assert_int_eq(line.total_bytes, numbers[0]);
            ck_assert_int_eq(line.total_files, numbers[1]);
            ck_assert_int_eq(line.files_restored, numbers[2]);
            ck_assert_int_eq(line.added_bytes, numbers[3]);
        }
    }
END_TEST

#define AT(id, time) "{'id':'" id "','time':'" time "'}"

static const struct {
    const char *list, *as_of, *id; /* NULL: none */
} choices[] = {
    {"[]", NULL, NULL},
    {"[" AT(ID, "2026-11-21T19:10:00.1Z") "]", NULL, ID},
    {"[" AT(ID, "2026-11-21T19:10:00.12Z") "," AT(ID2, "2026-11-21T19:10:00.1Z") "]", NULL, ID},
    /* the same moment in two zones, and one that is later by its offset */
    {"[" AT(ID, "2026-11-21T21:10:00+02:00") "," AT(ID2, "2026-11-21T19:10:01Z") "]", NULL, ID2},
    {"[" AT(ID, "2026-11-21T14:10:02-05:00") "," AT(ID2, "2026-11-21T19:10:01Z") "]", NULL, ID},
    {"[" AT(ID, "2026-12-31T23:59:59Z") "," AT(ID2, "2027-01-01T00:00:00Z") "]", NULL, ID2},
    {"[" AT(ID, "2024-02-29T12:00:00Z") "," AT(ID2, "2024-03-01T00:00:00Z") "]",
     "2024-02-29T23:59:59Z", ID},
    {"[" AT(ID, "2026-11-21T19:10:00Z") "]", "2026-11-21T19:10:00Z", ID},
    {"[" AT(ID, "2026-11-21T19:10:00.5Z") "]", "2026-11-21T19:10:00Z", NULL},
    {"[" AT(ID, "yesterday") "]", NULL, NULL},
    {"[" AT("short", "2026-11-21T19:10:00Z") ",{},7]", NULL, NULL},
    {"{}", NULL, NULL},
};

START_TEST(the_newest_is_found)
    {
        AUTO(json) json_t *list = json_row(choices[_i].list);
        const json_t *found = restic_newest(list, choices[_i].as_of);

        if (choices[_i].id)
            ck_assert_str_eq(tree_text(found, "id"), choices[_i].id);
        else
            ck_assert(!found);
    }
END_TEST

#define MARK(id, time, uid, more)                                                                  \
    "{'id':'" id "','time':'2026-11-21T" time "Z','tags':['granary-cluster','" uid "'" more "]}"
#define ADOPTS(id) ",'adopts:" id "'"
#define UID_A "aaaaaaaa-2fa1-11d2-883f-0016d3cca427"
#define UID_B "bbbbbbbb-2fa1-11d2-883f-0016d3cca427"
#define UID_C "cccccccc-2fa1-11d2-883f-0016d3cca427"
#define OF_A MARK("1", "10:00:00", UID_A, "")

static const struct {
    const char *list, *owner;
} owners[] = {
    {"[]", NULL},
    {"[" OF_A "]", UID_A},
    {"[" OF_A "," MARK("2", "09:00:00", UID_B, "") "]", UID_B},
    /* of one moment: all readers see the same */
    {"[" OF_A "," MARK("2", "10:00:00", UID_B, "") "]", UID_A},
    {"[" MARK("2", "10:00:00", UID_B, "") "," OF_A "]", UID_A},
    /* adopted, even by somebody whose clock is behind */
    {"[" OF_A "," MARK("2", "11:00:00", UID_B, ADOPTS("1")) "]", UID_B},
    {"[" OF_A "," MARK("2", "09:00:00", UID_B, ADOPTS("1")) "]", UID_B},
    /* by two at once: the earlier one */
    {"[" OF_A "," MARK("2", "11:00:01", UID_B, ADOPTS("1")) "," MARK("3", "11:00:00", UID_C,
                                                                     ADOPTS("1")) "]",
     UID_C},
    /* there and back */
    {"[" OF_A "," MARK("2", "11:00:00", UID_B, ADOPTS("1")) "," MARK("3", "12:00:00", UID_A,
                                                                     ADOPTS("2")) "]",
     UID_A},
    /* the first mark has gone */
    {"[" MARK("2", "11:00:00", UID_B, ADOPTS("1")) "]", UID_B},
    /* a circle, which no repository can hold, ends */
    {"[" MARK("1", "10:00:00", UID_A, ADOPTS("2")) "," MARK("2", "11:00:00", UID_B,
                                                            ADOPTS("1")) "]",
     NULL},
    {"[" OF_A "," MARK("2", "11:00:00", UID_B, ADOPTS("3")) "," MARK("3", "12:00:00", UID_A,
                                                                     ADOPTS("2")) "]",
     UID_A},
    {"[{'id':'1','time':'2026-11-21T19:10:00Z','tags':['granary-cluster']}]", NULL},
    {"[{'id':'1','time':'2026-11-21T19:10:00Z','tags':'" UID_A "'}]", NULL},
    {"[{'time':'2026-11-21T19:10:00Z','tags':['" UID_A "']}]", NULL},
    {"[{'id':'1','time':'never','tags':['" UID_A "']}]", NULL},
};

START_TEST(owners_are_found)
    {
        AUTO(json) json_t *list = json_row(owners[_i].list);
        const char *owner = restic_owner(list).uid;

        ck_assert(owner ? owners[_i].owner && strcmp(owner, owners[_i].owner) == 0
                        : !owners[_i].owner);
    }
END_TEST

SUITE(agent_restic)
{
    suite_rows(tests, backups_are_called, backups);
    suite_rows(tests, environments_are_made, environments);
    suite_rows(tests, lines_are_read, lines);
    suite_rows(tests, the_newest_is_found, choices);
    suite_rows(tests, owners_are_found, owners);
    tcase_add_test(tests, other_commands_are_called);
    tcase_add_test(tests, addresses_are_judged);
}
