#include "controllers/etcd_plan.h"

#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define CLUSTER                                                                                    \
    "etcd-0=https://etcd-0.peers.shop.svc:2380,etcd-1=https://etcd-1.peers.shop.svc:2380,etcd-2="  \
    "https://etcd-2.peers.shop.svc:2380"
#define SET(container, more)                                                                       \
    "{'metadata':{'name':'etcd'},'spec':{'serviceName':'peers'" more                               \
    ",'volumeClaimTemplates':[{'metadata':{'name':'data'}}],'template':{'spec':{'containers':[{"   \
    "'name':'beside'},{'name':'etcd','image':'registry:5000/etcd:v3.5.21-r0'," container "}]}}}}"
#define MOUNT "'volumeMounts':[{'name':'data','mountPath':'/var/lib/etcd'}]"
#define NAMED "'env':[{'name':'POD','valueFrom':{'fieldRef':{'fieldPath':'metadata.name'}}}],"

/* Stash's weak spots 48 and 49: members by name, the longest mount by whole names. */
static const struct {
    const char *what, *cluster, *set;
    const char *data_dir; /* parameter; NULL: none */
    const char *members;  /* name:claim:dir[:subPath] ...; NULL: refused */
    const char *why;
} rows[] = {
    {"words", CLUSTER, SET("'command':['etcd','--data-dir=/var/lib/etcd/d']," MOUNT, ""), NULL,
     "etcd-0:data-etcd-0:/var/lib/etcd/d etcd-1:data-etcd-1:/var/lib/etcd/d "
     "etcd-2:data-etcd-2:/var/lib/etcd/d ",
     NULL},
    {"two words", "etcd-0=http://x:1",
     SET("'args':['--data-dir','/var/lib/etcd']," MOUNT, ",'replicas':1"), NULL,
     "etcd-0:data-etcd-0:/var/lib/etcd ", NULL},
    {"one for a shell", "etcd-0=http://x:1",
     SET("'command':['sh','-c','exec etcd --data-dir \\\"/var/lib/etcd\\\" --name x']," MOUNT,
         ",'replicas':1"),
     NULL, "etcd-0:data-etcd-0:/var/lib/etcd ", NULL},
    {"a variable", "etcd-0=http://x:1",
     SET("'env':[{'name':'ETCD_DATA_DIR','value':'/var/lib/etcd/x'}]," MOUNT, ",'replicas':1"),
     NULL, "etcd-0:data-etcd-0:/var/lib/etcd/x ", NULL},
    {"the pod's name in it", "etcd-0=http://x:1",
     SET(NAMED "'args':['--data-dir=/var/lib/etcd/$(POD)']," MOUNT, ",'replicas':1"), NULL,
     "etcd-0:data-etcd-0:/var/lib/etcd/etcd-0 ", NULL},
    {"its host name", "etcd-0=http://x:1",
     SET("'command':['sh','-c','etcd --data-dir=/var/lib/etcd/${HOSTNAME}']," MOUNT,
         ",'replicas':1"),
     NULL, "etcd-0:data-etcd-0:/var/lib/etcd/etcd-0 ", NULL},
    {"a variable that nobody knows", "etcd-0=http://x:1",
     SET("'args':['--data-dir=/var/lib/etcd/$(WHERE)']," MOUNT, ",'replicas':1"), NULL, NULL,
     "is not understood: parameter dataDir"},
    {"as asked", "etcd-0=http://x:1",
     SET("'args':['--data-dir=/var/lib/etcd/$(WHERE)']," MOUNT, ",'replicas':1"),
     "/var/lib/etcd/mine", "etcd-0:data-etcd-0:/var/lib/etcd/mine ", NULL},
    {"in another order", "c=http://etcd-2.p:1,etcd-0=http://somewhere:1,b=http://etcd-1.p:1",
     SET("'args':['--data-dir=/var/lib/etcd']," MOUNT, ""), NULL,
     "etcd-0:data-etcd-0:/var/lib/etcd b:data-etcd-1:/var/lib/etcd c:data-etcd-2:/var/lib/etcd ",
     NULL},
    {"ordinals that begin later", "a=http://etcd-5.p:1",
     SET("'args':['--data-dir=/var/lib/etcd']," MOUNT, ",'replicas':1,'ordinals':{'start':5}"),
     NULL, "a:data-etcd-5:/var/lib/etcd ", NULL},
    {"a part of the volume", "etcd-0=http://x:1",
     SET("'args':['--data-dir=/d/e'],'volumeMounts':[{'name':'x','mountPath':'/d/eg'},{'name':'x',"
         "'mountPath':'/'},{'name':'data','mountPath':'/d/','subPath':'s'}]",
         ",'replicas':1"),
     NULL, "etcd-0:data-etcd-0:/d/e:s ", NULL},
    {"no volume", "etcd-0=http://x:1", SET("'args':['--data-dir=/d']," MOUNT, ",'replicas':1"),
     NULL, NULL, "is on no volume"},
    {"a volume that is no claim of its own", "etcd-0=http://x:1",
     SET("'args':['--data-dir=/d'],'volumeMounts':[{'name':'other','mountPath':'/d'}]",
         ",'replicas':1"),
     NULL, NULL, "volumeClaimTemplates"},
    {"a pod without a member", "a=http://x:1,b=http://y:1,c=http://z:1",
     SET("'args':['--data-dir=/var/lib/etcd']," MOUNT, ""), NULL, NULL,
     "no member of initialCluster is pod etcd-0"},
    {"more pods than members", "etcd-0=http://x:1",
     SET("'args':['--data-dir=/var/lib/etcd']," MOUNT, ",'replicas':3"), NULL, NULL,
     "3 replicas, and initialCluster 1 members"},
    {"no list", NULL, SET("'args':['--data-dir=/var/lib/etcd']," MOUNT, ""), NULL, NULL,
     "parameter initialCluster"},
    {"no data dir", CLUSTER, SET(MOUNT, ""), NULL, NULL, "parameter dataDir names it"},
    {"claims that go with the scale", CLUSTER,
     SET("'args':['--data-dir=/var/lib/etcd']," MOUNT,
         ",'persistentVolumeClaimRetentionPolicy':{'whenScaled':'Delete'}"),
     NULL, NULL, "deletes its claims when it is scaled"},
    {"odd shapes", CLUSTER, "{'metadata':{'name':'etcd'},'spec':7}", NULL, NULL, "no container"},
    {"no name", CLUSTER, "{}", NULL, NULL, "has no name"},
};

START_TEST(plans)
    {
        const struct etcd_asked asked = {.initial_cluster = rows[_i].cluster,
                                         .data_dir = rows[_i].data_dir};
        AUTO(json) json_t *set = json_row(rows[_i].set);
        AUTO(etcd_plan) struct etcd_plan plan = {0};
        AUTO(text) struct text said = {0};
        struct error err = {.message = ""};
        bool good = etcd_plan_make(&asked, set, &plan, &err);

        ck_assert_msg(good == (rows[_i].members != NULL), "%s: %s", rows[_i].what, err.message);
        for (size_t i = 0; i < plan.count; i++)
            text_addf(&said, "%s:%s:%s%s%s ", plan.members[i].name, plan.members[i].claim,
                      plan.members[i].data_dir, plan.members[i].sub_path ? ":" : "",
                      plan.members[i].sub_path ? plan.members[i].sub_path : "");
        if (good)
            ck_assert_str_eq(text_get(&said), rows[_i].members);
        else
            ck_assert_msg(strstr(err.message, rows[_i].why) != NULL, "%s: %s", rows[_i].what,
                          err.message);
        if (good)
            ck_assert_str_eq(plan.version, "3.5.21");
    }
END_TEST

static const struct {
    const char *params, *why;
} params[] = {
    {"[{'name':'initialCluster','value':'a=b'},{'name':'waitTimeout','value':'60'},{'name':"
     "'bumpRevision','value':'0'},{'name':'workloadKind','value':'StatefulSet'}]",
     NULL},
    {"[{'name':'args','value':''},{'value':'x'},7]", NULL},
    {"[{'name':'args','value':'--skip-hash-check'}]", "parameter args is not known"},
    {"[{'name':'workloadKind','value':'Pod'}]", "docs/etcd.md"},
    {"[{'name':'waitTimeout','value':'soon'}]", "waitTimeout"},
    {"[{'name':'bumpRevision','value':'-1'}]", "bumpRevision"},
    {"[{'name':'bumpRevision','value':'9999999999999999999'}]", "bumpRevision"},
    {"[{'name':'dataDir','value':'data'}]", "dataDir"},
};

START_TEST(what_is_asked)
    {
        AUTO(json) json_t *list = json_row(params[_i].params);
        struct etcd_asked asked;
        struct error err = {.message = ""};
        bool good = etcd_asked_read(list, &asked, &err);

        ck_assert_msg(good == !params[_i].why, "%s: %s", params[_i].params, err.message);
        if (params[_i].why)
            ck_assert_msg(strstr(err.message, params[_i].why) != NULL, "%s", err.message);
    }
END_TEST

static const struct {
    const char *cluster, *name, *is;
} workloads[] = {
    {CLUSTER, NULL, "etcd"},
    {"a=http://my-etcd-12:2380", NULL, "my-etcd"},
    {"a=http://10.0.0.1:2380", NULL, NULL},
    {"a=http://etcd:2380", NULL, NULL},
    {"a", NULL, NULL},
    {"", NULL, NULL},
    {NULL, NULL, NULL},
    {CLUSTER, "other", "other"},
};

START_TEST(whose_it_is)
    {
        const struct etcd_asked asked = {.initial_cluster = workloads[_i].cluster,
                                         .name = workloads[_i].name};
        struct error err = {.message = ""};
        AUTO(free) char *name = etcd_plan_workload(&asked, &err);

        ck_assert(!name == !workloads[_i].is);
        if (name)
            ck_assert_str_eq(name, workloads[_i].is);
        else
            ck_assert_ptr_nonnull(strstr(err.message, "workloadName"));
    }
END_TEST

SUITE(controllers_etcd_plan)
{
    suite_rows(tests, plans, rows);
    suite_rows(tests, what_is_asked, params);
    suite_rows(tests, whose_it_is, workloads);
}
