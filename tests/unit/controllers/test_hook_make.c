#include "controllers/hook_make.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define POD                                                                                        \
    "{'spec': {'containers': [{'name': 'stash', 'ports': [{'name': 'web', 'containerPort': 9}]},"  \
    " {'name': 'app', 'ports': [{'containerPort': 1}, {'name': 'web', 'containerPort': 8080}]},"   \
    " {'name': 'db', 'ports': [{'name': 'sql', 'containerPort': 5432},"                            \
    "  {'name': 'web', 'containerPort': 81}]}, 'odd', {'ports': 'odd', 'name': 'last'}]}}"

static const struct {
    const char *handler, *made;
} rows[] = {
    {"{'exec': {'command': ['sync', 'web']}}", "{'exec': {'command': ['sync', 'web']}}"},
    {"{'httpGet': {'port': 80, 'path': '/'}}", "{'httpGet': {'port': 80, 'path': '/'}}"},
    {"{'httpGet': {'port': 'web'}, 'httpPost': {'port': 'web'}, 'tcpSocket': {'port': 'sql'}}",
     "{'httpGet': {'port': 8080}, 'httpPost': {'port': 8080}, 'tcpSocket': {'port': 5432}}"},
    {"{'tcpSocket': {'port': 'web'}, 'containerName': 'db'}",
     "{'tcpSocket': {'port': 81}, 'containerName': 'db'}"},
    /* what nobody knows stays, for the agent to name it */
    {"{'tcpSocket': {'port': 'sql'}, 'containerName': 'app'}",
     "{'tcpSocket': {'port': 'sql'}, 'containerName': 'app'}"},
    {"{'tcpSocket': {'port': '8080'}}", "{'tcpSocket': {'port': '8080'}}"},
    {"{'tcpSocket': {'port': 'no'}, 'httpGet': 3}", "{'tcpSocket': {'port': 'no'}, 'httpGet': 3}"},
};

START_TEST(ports)
    {
        AUTO(json) json_t *handler = json_row(rows[_i].handler);
        AUTO(json) json_t *pod = json_row(POD), *wanted = json_row(rows[_i].made);
        AUTO(json) json_t *made = hook_make(handler, pod), *alone = hook_make(handler, NULL);

        ck_assert(tree_equal(made, wanted));
        ck_assert(tree_equal(alone, handler));
    }
END_TEST

static const struct {
    const char *session, *invoker, *data;
} data_rows[] = {
    {"{'spec': {'invoker': {'kind': 'BackupConfiguration', 'name': 'web-backup'}}}",
     "{'metadata': {'namespace': 'shop', 'name': 'web-backup'}, 'spec': {'target': {'ref':"
     " {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'web'}}}}",
     "{'Invoker': {'APIGroup': 'stash.appscode.com', 'Kind': 'BackupConfiguration', 'Name':"
     " 'web-backup'}, 'Target': {'APIVersion': 'apps/v1', 'Kind': 'Deployment', 'Name': 'web',"
     " 'Namespace': 'shop'}}"},
    {"{}", "{'metadata': {'namespace': 'shop', 'name': 'r'}}",
     "{'Invoker': {'APIGroup': 'stash.appscode.com', 'Kind': 'RestoreSession', 'Name': 'r'},"
     " 'Target': {'APIVersion': '', 'Kind': '', 'Name': '', 'Namespace': ''}}"},
};

START_TEST(data)
    {
        AUTO(json) json_t *session = json_row(data_rows[_i].session);
        AUTO(json) json_t *invoker = json_row(data_rows[_i].invoker);
        AUTO(json) json_t *wanted = json_row(data_rows[_i].data);
        AUTO(json) json_t *made = hook_make_data(session, invoker);

        ck_assert(tree_equal(made, wanted));
    }
END_TEST

SUITE(controllers_hook_make)
{
    suite_rows(tests, ports, rows);
    suite_rows(tests, data, data_rows);
}
