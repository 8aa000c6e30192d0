#include "controllers/untagged.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define ASKED "{'metadata':{'annotations':{'granary.dev/forget-untagged':'true'}}}"
#define WEB(paths, policy)                                                                         \
    "{'metadata':{'name':'c','namespace':'shop'},'spec':{'target':{'ref':{'apiVersion':'apps/v1'," \
    "'kind':'Deployment','name':'web'}" paths "},'retentionPolicy':" policy "}}"
#define CLAIM(paths)                                                                               \
    "{'metadata':{'name':'c','namespace':'shop'},'spec':{'target':{'ref':{'apiVersion':'v1',"      \
    "'kind':'PersistentVolumeClaim','name':'data'}" paths "},'retentionPolicy':{'keepLast':2}}}"
#define PATHS ",'paths':['/a','/b','/a']"
#define KEEPS "{'keepLast':2}"
#define SESSION(stats) "{'status':{'targets':[{'stats':[" stats "]}]}}"
#define DONE(host) "{'hostname':" host ",'phase':'Succeeded'}"
#define RUN(tag, host, path)                                                                       \
    "['forget','--json','--host=" host "','--tag=target:" tag "','--tag=','--path=" path           \
    "','--group-by=host,paths','--keep-last=2']"
#define TAG "apps/Deployment/shop/web"

static const struct {
    const char *repository, *configurations, *sessions;
    bool shared;
    const char *runs; /* NULL: an error */
} rows[] = {
    {ASKED, "[" WEB(PATHS, KEEPS) "]", "[" SESSION(DONE("'host-0'")) "]", false,
     "[" RUN(TAG, "host-0", "/a") "," RUN(TAG, "host-0", "/b") "]"},
    {ASKED, "[" WEB(",'paths':['/a']", KEEPS) "]",
     "[" SESSION(DONE("'host-0'") "," DONE("'host-1'")) "," SESSION(DONE("'host-0'")) "]", false,
     "[" RUN(TAG, "host-0", "/a") "," RUN(TAG, "host-1", "/a") "]"},
    {ASKED, "[" CLAIM("") "]", "[" SESSION(DONE("'host-0'")) "]", false,
     "[" RUN("/PersistentVolumeClaim/shop/data", "host-0", "/stash-data") "]"},
    {ASKED, "[" CLAIM(",'paths':['/stash-data/x']") "]", "[" SESSION(DONE("'host-0'")) "]", false,
     "[" RUN("/PersistentVolumeClaim/shop/data", "host-0", "/stash-data/x") "]"},
    /* nobody said so, or something else */
    {"{}", "[" WEB(PATHS, KEEPS) "]", "[" SESSION(DONE("'host-0'")) "]", false, "[]"},
    {"{'metadata':{'annotations':{'granary.dev/forget-untagged':'yes'}}}",
     "[" WEB(PATHS, KEEPS) "]", "[" SESSION(DONE("'host-0'")) "]", false, "[]"},
    {"{'metadata':{'annotations':{'granary.dev/forget-untagged':true}}}", "[" WEB(PATHS, KEEPS) "]",
     "[" SESSION(DONE("'host-0'")) "]", false, "[]"},
    /* they may be another target's */
    {ASKED, "[" WEB(PATHS, KEEPS) "," CLAIM("") "]", "[" SESSION(DONE("'host-0'")) "]", false,
     "[]"},
    {ASKED, "[" WEB(PATHS, KEEPS) "]", "[" SESSION(DONE("'host-0'")) "]", true, "[]"},
    /* nothing was backed up, or nobody knows what */
    {ASKED, "[]", "[" SESSION(DONE("'host-0'")) "]", false, "[]"},
    {ASKED, "[" WEB(PATHS, KEEPS) "]", "[]", false, "[]"},
    {ASKED, "[" WEB("", KEEPS) "]", "[" SESSION(DONE("'host-0'")) "]", false, "[]"},
    {ASKED, "[" WEB(PATHS, KEEPS) "]", "[" SESSION("{'hostname':'host-0','phase':'Failed'}") "]",
     false, "[]"},
    {ASKED, "[" WEB(PATHS, KEEPS) "]", "[{'status':7},7,{'status':{'targets':{}}}]", false, "[]"},
    {ASKED, "[" WEB(PATHS, KEEPS) "]",
     "[" SESSION(
         DONE("'host 0'") "," DONE("'--x'") "," DONE("''") "," DONE("7") "," DONE("null")) "]",
     false, "[]"},
    /* no rule, one that nobody understands, a path that is none */
    {ASKED, "[" WEB(PATHS, "{'prune':true}") "]", "[" SESSION(DONE("'host-0'")) "]", false, "[]"},
    {ASKED, "[" WEB(PATHS, "{'keepLast':-1}") "]", "[" SESSION(DONE("'host-0'")) "]", false, NULL},
    {ASKED, "[" WEB(",'paths':['a']", KEEPS) "]", "[" SESSION(DONE("'host-0'")) "]", false, NULL},
};

START_TEST(which_are_judged)
    {
        AUTO(json) json_t *repository = json_row(rows[_i].repository);
        AUTO(json) json_t *configurations = json_row(rows[_i].configurations);
        AUTO(json) json_t *sessions = json_row(rows[_i].sessions);
        AUTO(json) json_t *wanted = rows[_i].runs ? json_row(rows[_i].runs) : NULL;
        AUTO(json) json_t *runs = json_array();
        const struct maintenance_seen seen = {.repository = repository,
                                              .configurations = configurations,
                                              .sessions = sessions,
                                              .shared = rows[_i].shared};
        struct error err = {.message = ""};
        bool done = untagged_forgets(&seen, runs, &err);
        AUTO(free) char *found = tree_format(runs, NULL);

        ck_assert_msg(done == (wanted != NULL), "%s", err.message);
        ck_assert_msg(!done || tree_equal(runs, wanted), "%s", found);
    }
END_TEST

/* So many hosts that restic would be called for an hour. */
START_TEST(too_many)
    {
        AUTO(json) json_t *repository = json_row(ASKED);
        AUTO(json) json_t *configurations = json_row("[" WEB(",'paths':['/a']", KEEPS) "]");
        AUTO(json) json_t *sessions = json_array();
        AUTO(json) json_t *runs = json_array();
        const struct maintenance_seen seen = {
            .repository = repository, .configurations = configurations, .sessions = sessions};
        struct error err;

        for (unsigned i = 0; i < UNTAGGED_MAX + (unsigned)_i; i++) {
            AUTO(free)
            char *row = text_format(SESSION("{'hostname':'host-%u','phase':'Succeeded'}"), i);

            tree_push_new(sessions, json_row(row));
        }
        ck_assert(untagged_forgets(&seen, runs, &err));
        ck_assert_uint_eq(json_array_size(runs), _i ? 0 : UNTAGGED_MAX);
    }
END_TEST

SUITE(untagged)
{
    suite_rows(tests, which_are_judged, rows);
    tcase_add_loop_test(tests, too_many, 0, 2);
}
