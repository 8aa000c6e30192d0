#include "controllers/etcd_flags.h"

#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define SET(container)                                                                             \
    "[{'metadata':{'name':'e'},'spec':{'replicas':3,'serviceName':'s','volumeClaimTemplates':[{"   \
    "'metadata':{'name':'d'}}],'template':{'spec':{'containers':[{'name':'helper'}," container     \
    "]}"                                                                                           \
    "}}}]"
#define SAID(image, flags, mounts)                                                                 \
    "[{'kind':'StatefulSet','name':'e','replicas':3,'serviceName':'s','container':'c'," image      \
    "'flags':{" flags "},'mounts':{" mounts "},'claims':['d']}]"

static const struct {
    const char *what, *sets, *said;
} rows[] = {
    {"flags, with = and without",
     SET("{'name':'c','image':'i','command':['/usr/bin/etcd'],'args':['--name=$(POD)',"
         "'--data-dir','/x','--initial-cluster=a=http://b','--debug'],'volumeMounts':["
         "{'name':'d','mountPath':'/x'}]}"),
     SAID("'image':'i',", "'name':'$(POD)','data-dir':'/x','initial-cluster':'a=http://b'",
          "'d':'/x'")},
    {"variables, and a flag before its variable",
     SET("{'name':'c','command':['etcd','--data-dir=/y'],'env':[{'name':'ETCD_DATA_DIR','value':"
         "'/x'},{'name':'ETCD_INITIAL_CLUSTER_TOKEN','value':'t'}]}"),
     SAID("", "'data-dir':'/y','initial-cluster-token':'t'", "")},
    {"an entry point of its own",
     SET("{'name':'c','env':[{'name':'ETCD_INITIAL_CLUSTER','value':'a'}]}"),
     SAID("", "'initial-cluster':'a'", "")},
    {"nothing that may be a password",
     SET("{'name':'c','command':['etcd','--password=p','--key-file=k'],'env':[{'name':"
         "'ETCD_ROOT_PASSWORD','value':'p'},{'name':'ETCD_DATA_DIR','valueFrom':{}}]}"),
     SAID("", "", "")},
    {"no etcd", SET("{'name':'c','command':['sleep'],'args':['--data-dir=/x']}"), "[]"},
    {"odd shapes", SET("{'name':'c','command':[7,'--name'],'args':{},'env':[1,{'name':7}]}"), "[]"},
    {"nothing is known", NULL, "[]"},
};

START_TEST(a_stateful_set_says_how_its_etcd_runs)
    {
        AUTO(json) json_t *sets = rows[_i].sets ? json_row(rows[_i].sets) : NULL;
        AUTO(json) json_t *want = json_row(rows[_i].said);
        AUTO(json) json_t *said = etcd_flags_of(sets);
        AUTO(free) char *text = tree_format(said, NULL);

        ck_assert_msg(json_equal(said, want), "%s: %s", rows[_i].what, text);
    }
END_TEST

SUITE(controllers_etcd_flags)
{
    suite_rows(tests, a_stateful_set_says_how_its_etcd_runs, rows);
}
