#include <string.h>

#include "api/agent_messages.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define UID "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3e"
#define INSTANCE "0f2c9b1e7d5a4c3b8e6f1a2b3c4d5e6f"
#define SNAPSHOT INSTANCE INSTANCE
#define SESSION "'session':{'namespace':'shop','name':'deploy-web-1771286400','uid':'" UID "'}"
#define ATTEMPT "'session':'" UID "','host':'host-0','instance':'" INSTANCE "','attempt':1"
#define REPOSITORY "'repository':{'url':'s3:https://s3.example.com/b/p'}"
#define WORK                                                                                       \
    "'kind':'backup'," SESSION ",'host':'host-0','attempt':1,'progressSeconds':10," REPOSITORY
#define REPORT ATTEMPT ",'outcome':'Succeeded','durationMilliseconds':5"
#define FAILED ATTEMPT ",'outcome':'Failed','durationMilliseconds':5"

/* As large as the largest of them. */
union message {
    struct message_trigger trigger;
    struct message_triggered triggered;
    struct message_claim claim;
    struct message_granted granted;
    struct message_progress progress;
    struct message_verdict verdict;
    struct message_report report;
    struct message_receipt receipt;
};

static char *quoted(const char *text)
{
    char *copy = text_dup(text, strlen(text));

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

static json_t *read_one(const struct message_shape *shape, const char *text, void *message,
                        struct error *err)
{
    AUTO(free) char *json = quoted(text);

    return message_read(shape, span_of(json), MESSAGE_ANSWER_MAX_BYTES, message, err);
}

/* Members stand in the order in which they are written; what has its default is absent. */
static const struct {
    const struct message_shape *shape;
    const char *text;
} good_rows[] = {
    {&message_trigger_shape, "{'agentVersion':'0.1.0'}"},
    {&message_triggered_shape, "{" SESSION "}"},
    {&message_triggered_shape, "{" SESSION ",'created':true}"},
    {&message_claim_shape,
     "{'agentVersion':'0.1.0','instance':'" INSTANCE "','role':'sidecar','waitSeconds':300}"},
    {&message_claim_shape,
     "{'agentVersion':'0.1.0','instance':'" INSTANCE "','role':'init','session':'" UID "'}"},
    {&message_granted_shape, "{}"},
    {&message_granted_shape, "{'retryAfterSeconds':3600}"},
    {&message_granted_shape, "{'pass':true}"},
    {&message_granted_shape, "{'work':{" WORK ",'backup':{'paths':['/var/www']}}}"},
    {&message_granted_shape,
     "{'work':{'kind':'backup'," SESSION
     ",'host':'node-1.example','attempt':1000000,'deadlineSeconds':0,'progressSeconds':300,"
     "'repository':{'url':'local:/x','initialize':true,'cluster':'" UID "'},"
     "'environment':[{'name':'RESTIC_PASSWORD','value':'p w'},{'name':'EMPTY','value':''}],"
     "'files':[{'name':'ca.crt','data':'YQ=='}],"
     "'backup':{'paths':['/a','/b'],'exclude':['*.tmp'],'args':['--x'],'tags':['t']},"
     "'hooks':{'before':{'exec':{'command':['sync']}},'after':{'tcpSocket':{'port':1}},"
     "'afterPolicy':'OnFinalRetryFailure'},'retryLeft':2147483647,"
     "'limits':{'connections':5,'memoryBytes':1048576,'cache':true,'nice':-20,'ioniceClass':3,"
     "'ioniceData':0}}}"},
    {&message_granted_shape,
     "{'work':{'kind':'restore'," SESSION ",'host':'host-0','attempt':2,'progressSeconds':1,"
     "" REPOSITORY ",'restore':{'ifExists':true,'rules':[{'snapshots':['latest','9d0f1c6e'],"
     "'include':['*'],'exclude':['x'],'sourceHost':'host-1'},"
     "{'paths':['/a'],'asOf':'2026-02-01T00:00:00Z'}]}}}"},
    {&message_progress_shape, "{" ATTEMPT ",'stage':'HookBefore'}"},
    {&message_progress_shape, "{" ATTEMPT ",'stage':'Work','bytesDone':1,'bytesTotal':"
                              "9007199254740991,'filesDone':2,'filesTotal':3,'initialized':true}"},
    {&message_verdict_shape, "{'continue':true}"},
    {&message_verdict_shape, "{'continue':false,'reason':'the session was deleted'}"},
    {&message_report_shape, "{" REPORT "}"},
    {&message_report_shape,
     "{" FAILED ",'error':{'reason':'OutOfMemory','message':'no\\nroom'},'initialized':true,"
     "'hookBefore':'SkippedByPolicy','hookAfter':'Failed','snapshots':[{'id':'" SNAPSHOT
     "','path':'/a','totalBytes':1,'uploadedBytes':2,'processingMilliseconds':3,'filesTotal':4,"
     "'filesNew':5,'filesChanged':6,'filesUnmodified':7}]}"},
    {&message_receipt_shape, "{'recorded':true}"},
};

START_TEST(messages_are_read_and_written_alike)
    {
        AUTO(free) union message *message = text_alloc(sizeof *message);
        AUTO(free) char *wanted = quoted(good_rows[_i].text);
        AUTO(text) struct text written = {0};
        struct error err = {0};
        AUTO(json) json_t *document = NULL;

        document = read_one(good_rows[_i].shape, good_rows[_i].text, message, &err);
        ck_assert_msg(document, "%s", err.message);
        message_write(good_rows[_i].shape, message, &written);
        ck_assert_str_eq(text_get(&written), wanted);
    }
END_TEST

static const struct {
    const struct message_shape *shape;
    const char *text, *said;
    enum error_code code;
} bad_rows[] = {
    /* AF: no JSON, or not one value */
    {&message_trigger_shape, "", "", ERROR_BAD_REQUEST},
    {&message_trigger_shape, "{'agentVersion':'1'} x", "", ERROR_BAD_REQUEST},
    {&message_trigger_shape, "{'agentVersion':'1','agentVersion':'2'}", "", ERROR_BAD_REQUEST},
    {&message_trigger_shape, "{'agentVersion':'\xff'}", "", ERROR_BAD_REQUEST},
    {&message_trigger_shape, "[]", "an object", ERROR_INVALID},
    {&message_trigger_shape, "null", "an object", ERROR_INVALID},
    {&message_trigger_shape, "{}", "\"agentVersion\" is missing", ERROR_INVALID},
    {&message_trigger_shape, "{'agentVersion':null}", "a string", ERROR_INVALID},
    {&message_trigger_shape, "{'agentVersion':1}", "a string", ERROR_INVALID},
    {&message_trigger_shape, "{'agentVersion':''}", "a text", ERROR_INVALID},
    {&message_trigger_shape, "{'agentVersion':'a\\nb'}", "", ERROR_INVALID},
    {&message_trigger_shape, "{'agentVersion':'a\\u0000'}", "NUL", ERROR_INVALID},
    {&message_trigger_shape,
     "{'agentVersion':'0123456789012345678901234567890123456789012345678901234567890123x'}",
     "longer than 64", ERROR_INVALID},
    {&message_triggered_shape, "{'session':{'namespace':'Shop','name':'a','uid':'" UID "'}}",
     "\"session\": \"namespace\"", ERROR_INVALID},
    {&message_triggered_shape, "{'session':{'namespace':'a','name':'../a','uid':'" UID "'}}",
     "\"name\"", ERROR_INVALID},
    {&message_triggered_shape, "{'session':{'namespace':'a','name':'a','uid':'x'}}", "UID",
     ERROR_INVALID},
    {&message_triggered_shape,
     "{'session':{'namespace':'a','name':'a','uid':'5f0d8a3e_6b0f-4f0e-9a55-0b6f7a1c2d3e'}}", "UID",
     ERROR_INVALID},
    {&message_triggered_shape, "{" SESSION ",'created':'true'}", "true or false", ERROR_INVALID},
    {&message_claim_shape, "{'agentVersion':'1','instance':'0F','role':'job'}", "32 hex",
     ERROR_INVALID},
    {&message_claim_shape, "{'agentVersion':'1','instance':'" INSTANCE "','role':'root'}", "a word",
     ERROR_INVALID},
    {&message_claim_shape, "{'agentVersion':'1','instance':'" INSTANCE "','role':0}", "a word",
     ERROR_INVALID},
    {&message_claim_shape,
     "{'agentVersion':'1','instance':'" INSTANCE "','role':'job','waitSeconds':301}",
     "between 0 and 300", ERROR_INVALID},
    {&message_claim_shape,
     "{'agentVersion':'1','instance':'" INSTANCE "','role':'job','waitSeconds':-1}",
     "between 0 and 300", ERROR_INVALID},
    {&message_claim_shape,
     "{'agentVersion':'1','instance':'" INSTANCE "','role':'job','waitSeconds':1.5}", "whole",
     ERROR_INVALID},
    {&message_granted_shape, "{'work':{" WORK "}}", "expected \"backup\"", ERROR_INVALID},
    {&message_granted_shape, "{'work':{" WORK ",'backup':{}}}", "no path", ERROR_INVALID},
    {&message_granted_shape, "{'work':{" WORK ",'backup':{'paths':['/a']},'restore':{}}}",
     "no other kind", ERROR_INVALID},
    {&message_granted_shape, "{'work':{" WORK ",'backup':{'paths':['a/../b']}}}", "[0]",
     ERROR_INVALID},
    {&message_granted_shape, "{'work':{" WORK ",'backup':{'paths':'/a'}}}", "a list",
     ERROR_INVALID},
    {&message_granted_shape, "{'pass':true,'work':{" WORK ",'backup':{'paths':['/a']}}}", "both",
     ERROR_INVALID},
    {&message_granted_shape,
     "{'work':{" WORK
     ",'backup':{'paths':['/a']},'environment':[{'name':'A=B','value':'secret'}]}}",
     "\"environment\": [0]: \"name\"", ERROR_INVALID},
    {&message_granted_shape,
     "{'work':{" WORK ",'backup':{'paths':['/a']},'hooks':{'before':['sh']}}}", "an object",
     ERROR_INVALID},
    {&message_progress_shape, "{" ATTEMPT "}", "\"stage\" is missing", ERROR_INVALID},
    {&message_progress_shape, "{" ATTEMPT ",'stage':'Work','bytesDone':9007199254740992}",
     "between", ERROR_INVALID},
    {&message_progress_shape,
     "{'session':'" UID "','host':'-x','instance':'" INSTANCE "','attempt':1,'stage':'Work'}",
     "\"host\"", ERROR_INVALID},
    {&message_progress_shape,
     "{'session':'" UID "','host':'x','instance':'" INSTANCE "','attempt':0,'stage':'Work'}",
     "\"attempt\"", ERROR_INVALID},
    {&message_verdict_shape, "{}", "\"continue\" is missing", ERROR_INVALID},
    /* no success without proof, no failure without a reason */
    {&message_report_shape, "{" FAILED "}", "\"error\" with Failed", ERROR_INVALID},
    {&message_report_shape, "{" REPORT ",'error':{'reason':'A','message':'b'}}",
     "\"error\" with Failed", ERROR_INVALID},
    {&message_report_shape, "{" FAILED ",'error':{'reason':'two words','message':'b'}}",
     "letters and digits", ERROR_INVALID},
    {&message_report_shape, "{" FAILED ",'error':{'reason':'A','message':''}}", "a text",
     ERROR_INVALID},
    {&message_report_shape, "{" REPORT ",'hookBefore':'Failed'}", "a hook failed", ERROR_INVALID},
    {&message_report_shape, "{" REPORT ",'snapshots':[{'id':'latest','path':'/a'}]}", "64 hex",
     ERROR_INVALID},
    {&message_report_shape, "{" REPORT ",'snapshots':[{'id':'" SNAPSHOT "'}]}",
     "\"path\" is missing", ERROR_INVALID},
    {&message_receipt_shape, "{'recorded':1}", "true or false", ERROR_INVALID},
};

START_TEST(what_is_wrong_is_refused)
    {
        AUTO(free) union message *message = text_alloc(sizeof *message);
        AUTO(free) union message *before = text_alloc(sizeof *before);
        struct error err = {0};

        memset(message, 0x5a, sizeof *message);
        memset(before, 0x5a, sizeof *before);

        AUTO(json)
        json_t *document = read_one(bad_rows[_i].shape, bad_rows[_i].text, message, &err);

        ck_assert_ptr_null(document);
        ck_assert_int_eq(err.code, bad_rows[_i].code);
        ck_assert_msg(strstr(err.message, bad_rows[_i].said), "%s", err.message);
        ck_assert_msg(!strstr(err.message, "secret"), "%s", err.message);
        ck_assert_mem_eq(message, before, sizeof *message);
    }
END_TEST

START_TEST(members_of_newer_releases_are_ignored)
    {
        struct message_receipt receipt = {0};
        struct error err = {0};
        AUTO(json) json_t *document = NULL;

        document =
            read_one(&message_receipt_shape, "{'later':[{'x':1}],'recorded':true}", &receipt, &err);
        ck_assert(document && receipt.recorded);
    }
END_TEST

START_TEST(lists_and_texts_are_bounded)
    {
        AUTO(free) struct message_report *report = text_alloc(sizeof *report);
        AUTO(text) struct text many = {0};
        struct error err = {0};

        text_puts(&many, "{" REPORT ",'snapshots':[");
        for (unsigned i = 0; i <= PATHS_MAX; i++)
            text_addf(&many, "%s{'id':'" SNAPSHOT "','path':'/%u'}", i ? "," : "", i);
        text_puts(&many, "]}");

        AUTO(json)
        json_t *document = read_one(&message_report_shape, text_get(&many), report, &err);

        ck_assert_ptr_null(document);
        ck_assert_msg(strstr(err.message, "more than 64 elements"), "%s", err.message);
        document = message_read(&message_report_shape, span_of(text_get(&many)), many.length - 1,
                                report, &err);
        ck_assert_ptr_null(document);
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
    }
END_TEST

static const struct {
    const char *paths, *snapshots;
    bool covers;
} proof_rows[] = {
    {"['/a']", "['/a']", true},       {"['/a','/b']", "['/b','/a','/c']", true},
    {"['/a','/b']", "['/a']", false}, {"['/a']", "['/a/']", false},
    {"['/a']", "[]", false},          {"[]", "['/a']", false},
};

START_TEST(each_path_needs_a_snapshot)
    {
        AUTO(free) struct message_report *report = text_alloc(sizeof *report);
        AUTO(free) struct message_backup *backup = text_alloc(sizeof *backup);
        AUTO(json) json_t *paths = json_row(proof_rows[_i].paths);
        AUTO(json) json_t *snapshots = json_row(proof_rows[_i].snapshots);

        *report = (struct message_report){.snapshot_count = json_array_size(snapshots)};
        *backup = (struct message_backup){.path_count = json_array_size(paths)};
        for (size_t i = 0; i < backup->path_count; i++)
            backup->paths[i] = json_string_value(json_array_get(paths, i));
        for (size_t i = 0; i < report->snapshot_count; i++)
            report->snapshots[i].path = json_string_value(json_array_get(snapshots, i));
        ck_assert(message_report_covers(report, backup) == proof_rows[_i].covers);
    }
END_TEST

SUITE(api_agent_messages)
{
    suite_rows(tests, messages_are_read_and_written_alike, good_rows);
    suite_rows(tests, what_is_wrong_is_refused, bad_rows);
    tcase_add_test(tests, members_of_newer_releases_are_ignored);
    tcase_add_test(tests, lists_and_texts_are_bounded);
    suite_rows(tests, each_path_needs_a_snapshot, proof_rows);
}
