#include "api/pod.h"

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/suite.h"

#define POD(context) "'securityContext': {" context "}"
#define OF(name, context) "{'name': '" name "', 'securityContext': {" context "}}"
#define PROMISE "'runAsNonRoot': true"

/* "nonroot several uid:gid", as far as they apply; a number that is not known is "?". */
static char *user_text(const struct pod_user *user)
{
    AUTO(text) struct text out = {0};

    ck_assert_int_eq(user->known, user->uid >= 0 && !user->several);
    text_addf(&out, "%s%s", user->nonroot ? "nonroot " : "", user->several ? "several " : "");
    for (int i = 0; i < 2; i++) {
        int64_t id = i ? user->gid : user->uid;

        ck_assert_int_ge(id, -1);
        if (id < 0)
            text_addf(&out, "%s?", i ? ":" : "");
        else
            text_addf(&out, "%s%lld", i ? ":" : "", (long long)id);
    }
    return text_take(&out);
}

/* Whose files they are: of the container that mounts the volume, else of the pod. */
static const struct {
    const char *pod, *user;
} user_rows[] = {
    {"pvc a; app a:/data", "?:?"},
    {"", "nonroot ?:?"}, /* nobody breaks it */
    /* of the container, of the pod, the container first */
    {"pvc a; app a:/data + {'containers': [" OF("app",
                                                "'runAsUser': 1000, 'runAsGroup': 2000") "]}",
     "1000:2000"},
    {"pvc a; app a:/data + {" POD("'runAsUser': 1000, 'runAsGroup': 2000") "}", "1000:2000"},
    {"pvc a; app a:/data + {" POD("'runAsUser': 1, 'runAsGroup': 2") ", 'containers': [" OF(
         "app", "'runAsUser': 1000") "]}",
     "1000:2"},
    {"pvc a; app a:/data + {" POD("'runAsUser': 1") ", 'containers': [" OF(
         "app", "'runAsUser': null") "]}",
     "1:?"},
    {"pvc a; app a:/data + {" POD("'runAsUser': 0") "}", "0:?"},
    {"pvc a; app a:/data + {" POD("'runAsUser': '1000', 'runAsGroup': 1.5") "}", "?:?"},
    /* only those that mount count */
    {"pvc a; app a:/data; helper + {'containers': [" OF("app", "'runAsUser': 1000") ", " OF(
         "helper", "'runAsUser': 1") "]}",
     "1000:?"},
    {"pvc a; helper; app a:/data + {'containers': [" OF("app", "'runAsUser': 1000") ", " OF(
         "helper", "'runAsUser': 0") "]}",
     "1000:?"},
    /* several: different ones, or one that is known and one that is not */
    {"pvc a; app a:/data; other a:/data + {'containers': [" OF("app", "'runAsUser': 1000") ", " OF(
         "other", "'runAsUser': 1001") "]}",
     "several 1000:?"},
    {"pvc a; app a:/data; other a:/data + {'containers': [" OF("app", "'runAsUser': 1000") "]}",
     "several 1000:?"},
    {"pvc a; app a:/data; other a:/data + {'containers': [" OF("other", "'runAsUser': 1000") "]}",
     "several ?:?"},
    {"pvc a b; app a:/data; other b:/data2 + {'containers': [" OF(
         "app", "'runAsUser': 1000") ", " OF("other", "'runAsUser': 1000, 'runAsGroup': 5") "]}",
     "1000:?"},
    /* init containers write as root what the application owns: they do not count beside it */
    {"pvc a; init:chown a:/data; app a:/data + {'initContainers': [" OF(
         "chown", "'runAsUser': 0") "], 'containers': [" OF("app", "'runAsUser': 1000") "]}",
     "1000:?"},
    /* but alone they do: a sidecar of Kubernetes is one */
    {"pvc a; init:db a:/data; app + {'initContainers': [" OF(
         "db",
         "'runAsUser': 999, 'runAsGroup': 998") "], 'containers': [" OF("app",
                                                                        "'runAsUser': 1000") "]}",
     "999:998"},
    /* nobody mounts: all containers */
    {"app; other + {'containers': [" OF("app", "'runAsUser': 1000") ", " OF(
         "other", "'runAsUser': 1000") "]}",
     "1000:?"},
    {"app; other + {'containers': [" OF("app", "'runAsUser': 1000") "]}", "several 1000:?"},
    /* the promise: of the pod, or of every container and init container */
    {"pvc a; app a:/data + {" POD(PROMISE) "}", "nonroot ?:?"},
    {"pvc a; app a:/data + {" POD(PROMISE ", 'runAsUser': 1000") "}", "nonroot 1000:?"},
    {"pvc a; app a:/data + {'containers': [" OF("app", PROMISE) "]}", "nonroot ?:?"},
    {"pvc a; app a:/data; other + {'containers': [" OF("app", PROMISE) "]}", "?:?"},
    {"pvc a; app a:/data; init:setup + {'containers': [" OF("app", PROMISE) "]}", "?:?"},
    {"pvc a; app a:/data; init:setup + {'containers': [" OF("app", PROMISE) "], 'initContainers':"
                                                                            " [" OF("setup",
                                                                                    PROMISE) "]}",
     "nonroot ?:?"},
    {"pvc a; app a:/data + {" POD(PROMISE) ", 'containers': [" OF("app",
                                                                  "'runAsNonRoot': false") "]}",
     "?:?"},
    {"pvc a; app a:/data + {" POD(PROMISE) ", 'containers': [" OF("app",
                                                                  "'runAsNonRoot': null") "]}",
     "nonroot ?:?"},
    {"pvc a; app a:/data; other a:/data + {" POD(PROMISE) ", 'containers': [" OF(
         "app", "'runAsUser': 1000") ", " OF("other", "'runAsUser': 1001") "]}",
     "nonroot several 1000:?"},
    /* a pod in a user namespace that passes restricted: its level is kept */
    {"pvc a; app a:/data + {'hostUsers': false, " POD(
         "'seccompProfile': {'type': "
         "'RuntimeDefault'}") ", 'containers': [" OF("app",
                                                     "'allowPrivilegeEscalation': false, "
                                                     "'capabilities': {'drop': ['ALL']}") "]}",
     "nonroot ?:?"},
    /* other shapes */
    {" + {'containers': 1, 'securityContext': 1}", "nonroot ?:?"},
    {" + {'containers': [1], 'securityContext': {'runAsUser': -5}}", "?:?"},
};

START_TEST(users)
    {
        AUTO(json) json_t *template = pod_row(user_rows[_i].pod);
        AUTO(findings) struct findings ignored = {0};
        AUTO(json)
        json_t *mounts = pod_derive_mounts(&(struct pod_claims){template, NULL}, &ignored);
        struct pod_user user = pod_user_of(template, mounts);
        AUTO(free) char *text = user_text(&user);

        ck_assert_str_eq(text, user_rows[_i].user);
    }
END_TEST

START_TEST(users_without_mounts)
    {
        AUTO(json)
        json_t *template =
            pod_row("pvc a; app + {'containers': [" OF("app", "'runAsUser': 7") "]}");
        struct pod_user user = pod_user_of(template, NULL), nobody = pod_user_of(NULL, NULL);

        ck_assert_int_eq(user.uid, 7);
        ck_assert_int_eq(nobody.uid, -1);
    }
END_TEST

/*
 * The whole table of the design, "User", and the two other settings of fileAccess. `several` with a
 * UID is the first that mounts.
 */
static const struct {
    struct pod_user user;
    enum pod_run automatic, follow, root;
} run_rows[] = {
    /* promise, UID known */
    {{.nonroot = true, .known = true, .uid = 1000},
     POD_RUN_AS_UID,
     POD_RUN_AS_UID,
     POD_RUN_AS_ROOT},
    /* promise, UID not known */
    {{.nonroot = true, .uid = -1}, POD_RUN_AS_IMAGE, POD_RUN_AS_IMAGE, POD_RUN_AS_ROOT},
    /* promise, several UIDs: the first that mounts */
    {{.nonroot = true, .several = true, .uid = 1000},
     POD_RUN_AS_UID,
     POD_RUN_AS_UID,
     POD_RUN_AS_ROOT},
    {{.nonroot = true, .several = true, .uid = -1},
     POD_RUN_AS_IMAGE,
     POD_RUN_AS_IMAGE,
     POD_RUN_AS_ROOT},
    /* promise, and UID 0: such a pod does not start; ours keeps the promise */
    {{.nonroot = true, .known = true, .uid = 0},
     POD_RUN_AS_IMAGE,
     POD_RUN_AS_IMAGE,
     POD_RUN_AS_ROOT},
    /* no promise, UID known and not 0 */
    {{.known = true, .uid = 1000}, POD_RUN_AS_UID, POD_RUN_AS_UID, POD_RUN_AS_ROOT},
    /* no promise, UID not known, or 0, or several */
    {{.uid = -1}, POD_RUN_AS_ROOT, POD_RUN_AS_IMAGE, POD_RUN_AS_ROOT},
    {{.known = true, .uid = 0}, POD_RUN_AS_ROOT, POD_RUN_AS_UID, POD_RUN_AS_ROOT},
    {{.several = true, .uid = 1000}, POD_RUN_AS_ROOT, POD_RUN_AS_UID, POD_RUN_AS_ROOT},
    {{.several = true, .uid = -1}, POD_RUN_AS_ROOT, POD_RUN_AS_IMAGE, POD_RUN_AS_ROOT},
};

START_TEST(runs_as)
    {
        const struct pod_user *user = &run_rows[_i].user;

        ck_assert_int_eq(pod_run_as(user, FILE_ACCESS_AUTO), run_rows[_i].automatic);
        ck_assert_int_eq(pod_run_as(user, FILE_ACCESS_FOLLOW), run_rows[_i].follow);
        ck_assert_int_eq(pod_run_as(user, FILE_ACCESS_ROOT), run_rows[_i].root);
    }
END_TEST

SUITE(api_pod_user)
{
    suite_rows(tests, users, user_rows);
    tcase_add_test(tests, users_without_mounts);
    suite_rows(tests, runs_as, run_rows);
}
