#include "api/host.h"
#include "base/auto.h"
#include "tests/unit/suite.h"

static const struct {
    struct host_of of;
    const char *host; /* NULL: it can not be known */
} rows[] = {
    {{"Deployment", NULL, "web-5d4f-x", "n1"}, "host-0"},
    {{"Deployment", "app", "web-5d4f-x", "n1"}, "app"},
    {{"Deployment", "", NULL, NULL}, "host-0"},
    {{"DeploymentConfig", NULL, "web-1", "n1"}, "host-0"},
    {{"PersistentVolumeClaim", NULL, NULL, NULL}, "host-0"},
    {{NULL, NULL, "web-1", "n1"}, "host-0"},
    {{"StatefulSet", NULL, "db-0", "n1"}, "host-0"},
    {{"StatefulSet", NULL, "db-a-12", "n1"}, "host-12"},
    {{"StatefulSet", "app", "db-2", NULL}, "app-2"},
    {{"StatefulSet", NULL, "db", "n1"}, NULL},
    {{"StatefulSet", NULL, "db-", "n1"}, NULL},
    {{"StatefulSet", NULL, "db-1x", "n1"}, NULL},
    {{"StatefulSet", NULL, "", "n1"}, NULL},
    {{"StatefulSet", "app", NULL, "n1"}, NULL},
    {{"DaemonSet", NULL, "log-x1", "worker-3.example"}, "worker-3.example"},
    {{"DaemonSet", "app", "log-x1", "n1"}, "app-n1"},
    {{"DaemonSet", "app", "log-x1", ""}, NULL},
    {{"DaemonSet", NULL, "log-x1", NULL}, NULL},
};

START_TEST(hosts)
    {
        AUTO(text) struct text host = {0};

        ck_assert_int_eq(host_name(&host, &rows[_i].of), rows[_i].host != NULL);
        ck_assert_str_eq(text_get(&host), rows[_i].host ? rows[_i].host : "");
    }
END_TEST

SUITE(api_host)
{
    suite_rows(tests, hosts, rows);
}
