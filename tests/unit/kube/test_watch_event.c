#include "kube/watch_event.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/watching.h"
#include "tests/unit/suite.h"

#define POD "'apiVersion':'v1','kind':'Pod','metadata':{'namespace':'shop','name':'a',"
#define PART "'apiVersion':'meta.k8s.io/v1','kind':'PartialObjectMetadata',"

static const struct {
    const char *frame;
    const struct kube_watched *watched;
    const char *out; /* type, version or status, kept object or message; NULL: no JSON */
} rows[] = {
    {"{'type':'ADDED','object':{" POD "'resourceVersion':'5'},'spec':{}}}", &watched_pods,
     "0 5 {" POD "'resourceVersion':'5'},'spec':{}}"},
    {"{'object':{" POD "'resourceVersion':'6'}},'type':'MODIFIED','more':1}", &watched_pods,
     "0 6 {" POD "'resourceVersion':'6'}}"},
    {"{'type':'DELETED','object':{" POD "'resourceVersion':'7','managedFields':[{}]}}}",
     &watched_pods, "1 7 {" POD "'resourceVersion':'7'}}"},
    /* what is not kept is known nevertheless */
    {"{'type':'MODIFIED','object':{" POD "'resourceVersion':'8'},'status':{}}}", &watched_cut,
     "0 8 {'apiVersion':'v1','kind':'Pod','metadata':{'namespace':'shop','name':'a'}}"},
    /* metadata only: kept under its own kind */
    {"{'type':'ADDED','object':{" PART
     "'metadata':{'namespace':'n','name':'d','resourceVersion':'8'}}}",
     &watched_parts,
     "0 8 {'apiVersion':'apps/v1','kind':'Deployment',"
     "'metadata':{'namespace':'n','name':'d','resourceVersion':'8'}}"},
    {"{'type':'ADDED','object':{'apiVersion':'example.com/v1beta1','kind':'Thing',"
     "'metadata':{'name':'t','resourceVersion':'9'}}}",
     &watched_things,
     "0 9 {'apiVersion':'example.com/v1beta1','kind':'Thing',"
     "'metadata':{'name':'t','resourceVersion':'9'}}"},
    {"{'type':'BOOKMARK','object':{'kind':'Pod','apiVersion':'v1','metadata':{'resourceVersion':"
     "'12','creationTimestamp':null}}}",
     &watched_pods, "2 12 "},
    {"{'type':'BOOKMARK','object':{'metadata':{'resourceVersion':'13','annotations':{"
     "'k8s.io/initial-events-end':'true'}}}}",
     &watched_pods, "2 13 end "},
    {"{'type':'BOOKMARK','object':{'metadata':{'annotations':{'k8s.io/initial-events-end':"
     "'false'}}}}",
     &watched_pods, "2 - "},
    /* AF8: a bookmark that says nothing */
    {"{'type':'BOOKMARK'}", &watched_pods, "2 - "},
    {"{'type':'BOOKMARK','object':[]}", &watched_pods, "2 - "},
    {"{'type':'BOOKMARK','object':{'metadata':{'resourceVersion':12}}}", &watched_pods, "2 - "},
    {"{'type':'BOOKMARK','object':{'metadata':{'resourceVersion':''}}}", &watched_pods, "2 - "},
    /* W10, W14 */
    {"{'type':'ERROR','object':{'kind':'Status','code':410,'reason':'Expired','message':'too old "
     "resource version'}}",
     &watched_pods, "3 410 too old resource version"},
    {"{'type':'ERROR','object':{'kind':'Status','reason':'Gone','message':'gone'}}", &watched_pods,
     "3 410 gone"},
    {"{'type':'ERROR','object':{'kind':'Status','code':504,'reason':'Timeout','message':'Too large "
     "resource version: 9, current: 4','details':{'causes':[{'reason':'ResourceVersionTooLarge'}]"
     "}}}",
     &watched_pods, "3 504 large Too large resource version: 9, current: 4"},
    {"{'type':'ERROR','object':{'code':504,'message':'Too large resource version: 9'}}",
     &watched_pods, "3 504 large Too large resource version: 9"},
    {"{'type':'ERROR','object':{'code':500,'message':'RequestWatchProgress is disabled'}}",
     &watched_pods, "3 500 RequestWatchProgress is disabled"},
    {"{'type':'ERROR','object':{'code':200}}", &watched_pods, "3 500 an error event"},
    {"{'type':'ERROR'}", &watched_pods, "3 500 an error event"},
    /* AF8: passed over */
    {"{'type':'SYNCED','object':{" POD "'resourceVersion':'5'}}}", &watched_pods,
     "4 an event of type \"SYNCED\""},
    {"{}", &watched_pods, "4 an event of type \"\""},
    {"{'type':7}", &watched_pods, "4 an event of type \"\""},
    {"{'type':'ADDED\\u0000','object':{}}", &watched_pods, "4 an event of type \"ADDED\""},
    {"{'type':'ADDED'}", &watched_pods, "4 pods: something that is no object"},
    {"{'type':'ADDED','object':{" POD "'resourceVersion':'5'}}}", &watched_things,
     "4 an object of kind \"Pod\" instead of \"Thing\" (things)"},
    {"{'type':'ADDED','object':{" POD "'resourceVersion':'5'}}}", &watched_parts,
     "4 an object of kind \"Pod\" instead of \"PartialObjectMetadata\" (deployments)"},
    {"{'type':'ADDED','object':{'metadata':{'namespace':'n','name':'a','resourceVersion':'5'}}}",
     &watched_pods, "4 an object of kind \"\" instead of \"Pod\" (pods)"},
    {"{'type':'ADDED','object':{'apiVersion':'v2','kind':'Pod'}}", &watched_pods,
     "4 an object of kind \"Pod\" instead of \"Pod\" (pods)"},
    {"{'type':'ADDED','object':{" POD "'uid':'u'}}}", &watched_pods,
     "4 pods: an object without a resource version"},
    {"{'type':'ADDED','object':{" POD "'resourceVersion':'1\\u0000'}}}", &watched_pods,
     "4 pods: an object without a resource version"},
    {"{'type':'ADDED','object':{" POD "'resourceVersion':'5','uid':'a\\u0000b'}}}", &watched_pods,
     "4 pods: an object with an odd uid"},
    {"{'type':'ADDED','object':{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a'}}}",
     &watched_pods, "4 pods: an object without a namespace"},
    {"{'type':'ADDED','object':{'apiVersion':'v1','kind':'Pod','metadata':[]}}", &watched_pods,
     "4 pods: an object without a name"},
    {"{'type':'DELETED','object':{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a\\u0000'}}}",
     &watched_pods, "4 pods: an object without a name"},
    {"{'type':'ADDED','object':{'apiVersion':'example.com/v1beta1','kind':'Thing','metadata':{"
     "'name':'t','namespace':'n','resourceVersion':'9'}}}",
     &watched_things, "4 things: an object with a namespace"},
    /* no JSON: the stream is over */
    {"{'type':'ADDED','type':'DELETED'}", &watched_pods, NULL},
    {"{]", &watched_pods, NULL},
    {"{'type':'ADDED',}", &watched_pods, NULL},
    {"[]", &watched_pods, NULL},
};

static void describe(const struct watch_event *event, const struct error *err, struct text *out)
{
    text_addf(out, "%d ", (int)event->type);
    if (event->type <= WATCH_BOOKMARK)
        text_addf(out, "%s ", event->version ? event->version : "-");
    if (event->type == WATCH_ERROR)
        text_addf(out, "%d %s", event->status, event->too_large_version ? "large " : "");
    if (event->initial_end)
        text_puts(out, "end ");
    if (event->object)
        tree_write(out, event->object, false);
    text_puts(out, err->message);
}

static char *quoted(const char *row)
{
    char *text = text_dup(row, strlen(row));

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    return text;
}

START_TEST(decoded)
    {
        AUTO(free) char *frame = quoted(rows[_i].frame);
        AUTO(watch_event) struct watch_event event = {0};
        AUTO(text) struct text out = {0};
        struct error err = {0};
        bool fine = watch_event_decode(rows[_i].watched, span_of(frame), &event, &err);

        ck_assert_int_eq(fine, rows[_i].out != NULL);
        if (!fine) {
            ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
            return;
        }

        AUTO(free) char *wanted = quoted(rows[_i].out);

        describe(&event, &err, &out);
        ck_assert_str_eq(text_get(&out), wanted);
    }
END_TEST

static const struct {
    const struct kube_watched *watched;
    const char *version, *kind;
    bool fine;
} list_rows[] = {
    {&watched_pods, "v1", "PodList", true},
    {&watched_pods, "v1", "Pod", false},
    {&watched_pods, "v1", "PodListList", false},
    {&watched_pods, "v2", "PodList", false},
    {&watched_pods, NULL, "PodList", false},
    {&watched_pods, "v1", NULL, false},
    {&watched_things, "example.com/v1beta1", "ThingList", true},
    /* L7 */
    {&watched_things, "meta.k8s.io/v1", "Table", false},
    {&watched_parts, "meta.k8s.io/v1", "PartialObjectMetadataList", true},
    {&watched_parts, "apps/v1", "DeploymentList", false},
};

START_TEST(lists_are_known)
    {
        ck_assert_int_eq(
            watched_is_list(list_rows[_i].watched, list_rows[_i].version, list_rows[_i].kind),
            list_rows[_i].fine);
    }
END_TEST

SUITE(kube_watch_event)
{
    suite_rows(tests, decoded, rows);
    suite_rows(tests, lists_are_known, list_rows);
}
