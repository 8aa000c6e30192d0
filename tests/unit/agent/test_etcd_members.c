#include <string.h>

#include "agent/etcd_members.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* Ids above what a signed number holds are the usual ones. */
#define A "10429232859764737005"
#define B "11859430715575909052"
#define C "1692666052889632903"
#define STATUS(url, id, leader, revision, more)                                                    \
    "{\"Endpoint\":\"" url "\",\"Status\":{\"header\":{\"member_id\":" id                          \
    ",\"revision\":" revision "},\"version\":\"3.5.21\",\"leader\":" leader more "}}"
#define MEMBERS                                                                                    \
    "{\"members\":[{\"ID\":" A ",\"name\":\"m0\",\"peerURLs\":[\"http://a:1\"],\"clientURLs\":["   \
    "\"http://a:2\"]},{\"ID\":" B ",\"name\":\"m1\",\"peerURLs\":[\"http://b:1\",\"http://b:3\"]," \
    "\"clientURLs\":[]},{\"ID\":" C ",\"name\":\"m2\",\"isLearner\":true}]}"

static json_t *parsed(const char *text)
{
    struct error err = {.message = ""};
    json_t *tree = etcd_json(span_of(text), &err);

    ck_assert_msg(tree != NULL, "%s", text);
    return tree;
}

START_TEST(members_are_read)
    {
        AUTO(json) json_t *list = parsed(MEMBERS);
        struct error err = {.message = ""};
        AUTO(json) json_t *members = etcd_members_read(list, &err);
        AUTO(json)
        json_t *want = json_row(
            "[{'name':'m0','id':'90bc1cd8d9a2eaed','peerURLs':['http://a:1'],'clientURLs':["
            "'http://a:2'],'learner':false},{'name':'m1','id':'a4953bb1f4ba1d7c','peerURLs':["
            "'http://b:1','http://b:3'],'clientURLs':[],'learner':false},{'name':'m2','id':"
            "'177d88237eef9cc7','peerURLs':[],'clientURLs':[],'learner':true}]");
        AUTO(free) char *cluster = etcd_initial_cluster(members);

        ck_assert_int_eq(json_array_size(members), 3);
        for (size_t i = 0; i < 3; i++) {
            json_t *wanted = json_array_get(want, i);

            /* ids are only compared with each other */
            ck_assert_uint_ge(strlen(tree_text(json_array_get(members, i), "id")), 15);
            tree_put_text(wanted, "id", tree_text(json_array_get(members, i), "id"));
            ck_assert(json_equal(json_array_get(members, i), wanted));
        }
        ck_assert_str_eq(cluster, "m0=http://a:1,m1=http://b:1,m1=http://b:3");
    }
END_TEST

static const char *const odd[] = {"{}", "[]", "{\"members\":[]}", "{\"members\":7}", "7"};

START_TEST(what_is_no_list_is_refused)
    {
        struct error err = {.message = ""};
        AUTO(json) json_t *list = etcd_json(span_of(odd[_i]), &err);

        ck_assert_ptr_null(etcd_members_read(list, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
    }
END_TEST

static const struct {
    const char *what, *statuses, *alarms, *order, *why;
} rows[] = {
    {"who follows before who leads",
     "[" STATUS("http://a", A, A, "9", "") "," STATUS("http://b", B, A, "9", "") "]", "{}",
     "http://b http://a* ", ""},
    {"a slow follower after a quick one",
     "[" STATUS("http://a", A, "5", "7", "") "," STATUS("http://b", B, "5", "9", "") "]", "{}",
     "http://b http://a ", ""},
    {"one alone", "[" STATUS("http://a", A, A, "1", "") "]", "{}", "http://a* ", ""},
    {"no leader", "[" STATUS("http://a", A, "0", "1", "") "]", "{}", "", "http://a: has no leader"},
    {"a learner", "[" STATUS("http://c", C, A, "1", "") "]", "{}", "", "http://c: is a learner"},
    {"one that says it is one", "[" STATUS("http://b", B, A, "1", ",\"isLearner\":true") "]", "{}",
     "", "http://b: is a learner"},
    {"corrupt", "[" STATUS("http://a", A, A, "1", "") "," STATUS("http://b", B, A, "1", "") "]",
     "{\"alarms\":[{\"memberID\":" A ",\"alarm\":2}]}", "http://b ",
     "http://a: has the alarm CORRUPT"},
    {"a full quota can be read",
     "[" STATUS("http://a", A, A, "1", ",\"errors\":[\"memberID:1 alarm:NOSPACE \"]") "]",
     "{\"alarms\":[{\"memberID\":" A ",\"alarm\":1}]}", "http://a* ", ""},
    {"another error", "[" STATUS("http://a", A, A, "1", ",\"errors\":[\"etcdserver: x\"]") "]",
     "{}", "", "http://a: etcdserver: x"},
    {"one member at two addresses",
     "[" STATUS("http://a", A, A, "1", "") "," STATUS("http://a2", A, A, "1", "") "]", "{}",
     "http://a* ", ""},
    {"nothing", "[]", "{}", "", ""},
    {"odd shapes", "[7,{},{\"Endpoint\":\"x\",\"Status\":{\"version\":\"y\"}}]", "[]", "",
     "?: says nothing that can be read; ?: says nothing that can be read; x: says nothing that can "
     "be read"},
};

START_TEST(who_is_asked)
    {
        AUTO(json) json_t *list = parsed(MEMBERS);
        struct error err = {.message = ""};
        AUTO(json) json_t *members = etcd_members_read(list, &err);
        AUTO(json) json_t *statuses = parsed(rows[_i].statuses);
        AUTO(json) json_t *alarms = parsed(rows[_i].alarms);
        struct etcd_seen seen = {members, statuses, alarms};
        struct etcd_candidate found[ETCD_MEMBERS_MAX];
        AUTO(text) struct text order = {0};
        AUTO(text) struct text why = {0};
        size_t count = etcd_candidates(&seen, found, &why);

        for (size_t i = 0; i < count; i++)
            text_addf(&order, "%s%s ", found[i].endpoint, found[i].leader ? "*" : "");
        ck_assert_msg(strcmp(text_get(&order), rows[_i].order) == 0, "%s: %s", rows[_i].what,
                      text_get(&order));
        ck_assert_str_eq(text_get(&why), rows[_i].why);
    }
END_TEST

#define TWO "[{'name':'odd'},{'name':'etcd'},{'name':'etcd-1'},{'name':'db'}]"

static const struct {
    const char *what, *workloads, *members, *found;
} workloads[] = {
    {"by name", TWO, "[{'name':'etcd-0'}]", "etcd"},
    {"by host", TWO, "[{'name':'x','peerURLs':['http://db-11.db.shop.svc:2380']}]", "db"},
    {"one whose name is longer", TWO, "[{'name':'etcd-1-0'}]", "etcd-1"},
    {"none of theirs", TWO, "[{'name':'etcd0','peerURLs':['http://10.0.0.1:2380','db-x',7]}]",
     NULL},
    {"nothing is known", NULL, "[{'name':'etcd-0'}]", NULL},
};

START_TEST(the_stateful_set_of_members)
    {
        AUTO(json) json_t *all = workloads[_i].workloads ? json_row(workloads[_i].workloads) : NULL;
        AUTO(json) json_t *members = json_row(workloads[_i].members);
        const char *name = tree_text(etcd_workload(all, members), "name");

        ck_assert_msg(strcmp(name ? name : "", workloads[_i].found ? workloads[_i].found : "") == 0,
                      "%s: %s", workloads[_i].what, name ? name : "none");
    }
END_TEST

SUITE(agent_etcd_members)
{
    suite_rows(tests, the_stateful_set_of_members, workloads);
    tcase_add_test(tests, members_are_read);
    suite_rows(tests, what_is_no_list_is_refused, odd);
    suite_rows(tests, who_is_asked, rows);
}
