#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/pod_trouble.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define T INT64_C(1714570200)
#define AT "'2024-05-01T13:30:00Z'"
#define OOM                                                                                        \
    "{'terminated':{'reason':'OOMKilled','exitCode':137,'finishedAt':" AT                          \
    ",'startedAt':'2024-05-01T13:00:00Z'}}"
#define OWN(state) "{'containerStatuses':[{'name':'app'},{'name':'stash'," state "}]}"
#define INIT(state) "{'initContainerStatuses':[{'name':'first'," state "}]}"

static const struct {
    const char *status; /* of a pod with containers app and stash, behind init containers first and
                           stash-init */
    const char *text;   /* NULL: nothing is seen */
    int64_t since_s;
    bool past;
} rows[] = {
    {"{}", NULL, 0, false},
    {"null", NULL, 0, false},
    {"[]", NULL, 0, false},
    {"{'phase':'Running','containerStatuses':7,'conditions':{'type':'PodScheduled'}}", NULL, 0,
     false},
    /* the pod as a whole */
    {"{'phase':'Failed','reason':'Evicted','message':'low on memory','startTime':" AT "}",
     "Evicted: low on memory", T, false},
    {"{'phase':'Failed','startTime':7}", "the pod has failed", T - 60, false},
    {"{'phase':'Failed','initContainerStatuses':[{'name':'first','state':{'terminated':{'exitCode':"
     "3,'reason':'Error','finishedAt':" AT "}}}]}",
     "init container first: Error: exit code 3", T, false},
    {"{'phase':'Failed','reason':'Evicted','initContainerStatuses':[{'name':'first','state':{"
     "'terminated':{'exitCode':3}}}]}",
     "Evicted", T - 60, false},
    {"{'conditions':[{'type':'PodScheduled','status':'False','reason':'Unschedulable','message':"
     "'0/3 nodes','lastTransitionTime':" AT "}]}",
     "Unschedulable: 0/3 nodes", T, false},
    {"{'conditions':[{'type':'PodScheduled','status':'True','reason':'Unschedulable'}]}", NULL, 0,
     false},
    {"{'conditions':[{'type':'PodScheduled','status':'False'}]}", "PodScheduled", T - 60, false},
    {"{'conditions':[{'type':'DisruptionTarget','status':'True','reason':"
     "'PreemptionByScheduler','lastTransitionTime':" AT "}]}",
     "PreemptionByScheduler", T, false},
    /* our container */
    {OWN("'state':{'running':{'startedAt':" AT "}}"), NULL, 0, false},
    {OWN("'state':{'waiting':{'reason':'ContainerCreating'}}"), NULL, 0, false},
    {OWN("'state':{'waiting':{}}"), NULL, 0, false},
    {OWN("'state':{'waiting':{'reason':'ImagePullBackOff','message':'not there'}}"),
     "ImagePullBackOff: not there", T - 60, false},
    {OWN("'state':{'waiting':{'reason':'CrashLoopBackOff'}},'lastState':{'terminated':{'reason':"
         "'Error','exitCode':1,'finishedAt':" AT "}}"),
     "CrashLoopBackOff", T, false},
    /* PF8: killed for its memory */
    {OWN("'state':" OOM), "OOMKilled", T, false},
    {OWN("'state':{'waiting':{'reason':'CrashLoopBackOff'}},'lastState':" OOM), "OOMKilled", T,
     false},
    {OWN("'state':{'running':{}},'lastState':" OOM), "OOMKilled", T, true},
    {OWN("'state':{'running':{}},'lastState':{'terminated':{'exitCode':0}}"), NULL, 0, false},
    {OWN("'state':{'terminated':{'exitCode':0,'reason':'Completed'}}"), NULL, 0, false},
    {OWN("'state':{'terminated':{'exitCode':2}}"), "Error: exit code 2", 0, false},
    /* another container is not ours */
    {"{'containerStatuses':[{'name':'app','state':{'waiting':{'reason':'ImagePullBackOff'}}}]}",
     NULL, 0, false},
    /* init containers in front of it */
    {INIT("'state':{'waiting':{'reason':'ErrImagePull'}}"), "init container first: ErrImagePull",
     T - 60, false},
    {INIT("'state':{'running':{'startedAt':" AT "}}"), "init container first: still running", T,
     false},
    {INIT("'state':{'terminated':{'exitCode':0}}"), NULL, 0, false},
    {INIT("'state':{'terminated':{'exitCode':3,'finishedAt':" AT "}}"),
     "init container first: Error: exit code 3", T, false},
    {INIT("'state':{'running':{'startedAt':" AT "}},'lastState':" OOM),
     "init container first: still running", T, false},
    {"{'initContainerStatuses':[{'name':'stays','started':true,'state':{'running':{}}}]}", NULL, 0,
     false},
    {"{'initContainerStatuses':[{'name':'stays','state':{'running':{'startedAt':" AT "}}}]}",
     "init container stays: still running", T, false},
    /* nothing that moves a terminal, and nothing that is cut within a character */
    {OWN("'state':{'waiting':{'reason':'a\\u001b[2J\\u0000b','message':'\\u00e9\\u202e\\n'}}"),
     "a?[2J?b: ????", T - 60, false},
};

static json_t *pod_of(const char *status)
{
    json_t *pod = json_row(
        "{'metadata':{'creationTimestamp':'2024-05-01T13:29:00Z'},'spec':{'initContainers':["
        "{'name':'stays','restartPolicy':'Always'},{'name':'first'},{'name':'stash-init'}],"
        "'containers':[{'name':'app'},{'name':'stash'}]}}");

    tree_put_new(pod, "status", json_row(status));
    return pod;
}

START_TEST(what_a_status_tells)
    {
        AUTO(json) json_t *pod = pod_of(rows[_i].status);
        AUTO(pod_trouble)
        struct pod_trouble trouble = pod_trouble_of(pod, "containers", "stash");

        ck_assert_pstr_eq(trouble.text, rows[_i].text);
        ck_assert_int_eq(trouble.since_s, rows[_i].since_s);
        ck_assert_int_eq(trouble.past, rows[_i].past);
    }
END_TEST

/* The init container of a restore: what stands behind it is not in its way, and that it runs is no
 * trouble. */
static const struct {
    const char *status, *text;
} inits[] = {
    {"{'initContainerStatuses':[{'name':'stash-init','state':{'running':{'startedAt':" AT "}}}]}",
     NULL},
    {"{'initContainerStatuses':[{'name':'stash-init','state':{'waiting':{'reason':"
     "'ErrImageNeverPull'}}}]}",
     "ErrImageNeverPull"},
    {INIT("'state':{'running':{}}"), "init container first: still running"},
    {"{'containerStatuses':[{'name':'stash','state':{'waiting':{'reason':'ErrImagePull'}}}]}",
     NULL},
};

START_TEST(of_an_init_container)
    {
        AUTO(json) json_t *pod = pod_of(inits[_i].status);
        AUTO(pod_trouble)
        struct pod_trouble trouble = pod_trouble_of(pod, "initContainers", "stash-init");

        ck_assert_pstr_eq(trouble.text, inits[_i].text);
    }
END_TEST

START_TEST(of_any_container_of_a_job)
    {
        AUTO(json)
        json_t *pod = pod_of("{'containerStatuses':[{'name':'x','state':{'running':{}}},{'name':"
                             "'y','state':" OOM "}]}");
        AUTO(pod_trouble) struct pod_trouble trouble = pod_trouble_of(pod, NULL, NULL);

        ck_assert_str_eq(trouble.text, "OOMKilled");
    }
END_TEST

START_TEST(long_messages_are_cut)
    {
        AUTO(json) json_t *pod = pod_of("{'phase':'Failed'}");
        AUTO(free) char *long_text = text_alloc(100001);

        memset(long_text, 'x', 100000);
        long_text[100000] = '\0';
        tree_put_text(json_object_get(pod, "status"), "message", long_text);
        tree_put_text(json_object_get(pod, "status"), "reason", long_text);

        AUTO(pod_trouble) struct pod_trouble trouble = pod_trouble_of(pod, NULL, NULL);

        ck_assert_uint_eq(strlen(trouble.text), POD_TROUBLE_MAX_CHARS);
    }
END_TEST

SUITE(controllers_pod_trouble)
{
    suite_rows(tests, what_a_status_tells, rows);
    suite_rows(tests, of_an_init_container, inits);
    tcase_add_test(tests, of_any_container_of_a_job);
    tcase_add_test(tests, long_messages_are_cut);
}
