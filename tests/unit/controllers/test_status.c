#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/probe.h"
#include "controllers/stash.h"
#include "controllers/status.h"
#include "tests/unit/suite.h"

#define NOW_S 1700000000
#define NOW_MS INT64_C(90000000)

static const struct {
    struct status_facts facts;
    bool ready;
    const char *says;
} ready_rows[] = {
    {{.api.last_answer_s = NOW_S}, true, "[+]role: waiting"},
    {{.api.last_answer_s = NOW_S - 60, .leader = true}, true, "[+]role: leader"},
    {{.api.last_answer_s = NOW_S - 61}, false, "[-]api-server: it has not answered"},
    {{.api.last_answer_s = 0}, false, "[-]api-server"},
    {{.api.last_answer_s = NOW_S, .leaving = true}, false, "[-]shutdown: under way"},
};

START_TEST(readiness)
    {
        AUTO(text) struct text text = {0};

        ck_assert_int_eq(status_ready(&ready_rows[_i].facts, NOW_S, &text), ready_rows[_i].ready);
        ck_assert_msg(strstr(text_get(&text), ready_rows[_i].says) != NULL, "%s", text_get(&text));
        ck_assert_int_eq(status_ready(&ready_rows[_i].facts, NOW_S, NULL), ready_rows[_i].ready);
    }
END_TEST

/* LE9 */
static const struct {
    struct status_facts facts;
    bool alive;
} alive_rows[] = {
    {{0}, true},
    {{.work_ms = NOW_MS - STATUS_STUCK_MS}, true},
    {{.work_ms = NOW_MS - STATUS_STUCK_MS - 1}, false},
    {{.lease_stuck = true}, false},
    /* a server that is down is no reason to be started again */
    {{.api.last_answer_s = 1}, true},
};

START_TEST(liveness)
    {
        AUTO(text) struct text text = {0};

        ck_assert_int_eq(status_alive(&alive_rows[_i].facts, NOW_MS, &text), alive_rows[_i].alive);
    }
END_TEST

START_TEST(metrics)
    {
        struct status_facts facts = {.leader = true,
                                     .published = true,
                                     .ca_until_s = 5,
                                     .leaf_until_s = 4,
                                     .stash = STATUS_NO,
                                     .synced = true,
                                     .objects = 12,
                                     .loops = {{.name = "targets", .ready = 3, .failures = 2},
                                               {.name = "sessions", .steps = 9}},
                                     .loop_count = 2,
                                     .api = {.calls = 7, .ahead_s = -3}};
        AUTO(text) struct text text = {0};
        static const char *const lines[] = {
            "granary_controller_leader 1\n",
            "granary_controller_bundle_published 1\n",
            "granary_controller_certificate_not_after_seconds{of=\"ca\"} 5\n",
            "granary_controller_certificate_not_after_seconds{of=\"webhook\"} 4\n",
            "granary_controller_certificate_steps_total{step=\"publish\"} 2\n",
            "granary_controller_stash_found 0\n",
            "granary_controller_synced 1\n",
            "granary_controller_paused 0\n",
            "granary_controller_objects 12\n",
            "granary_controller_loop_ready{loop=\"targets\"} 3\n",
            "granary_controller_loop_failures_total{loop=\"targets\"} 2\n",
            "granary_controller_loop_steps_total{loop=\"sessions\"} 9\n",
            "granary_controller_api_requests_total 7\n",
            "granary_controller_api_server_ahead_seconds -3\n",
            "# TYPE granary_controller_api_requests_total counter\n",
        };

        facts.steps[ROTATION_PUBLISH] = 2;
        status_metrics(&facts, &text);
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            ck_assert_msg(strstr(text_get(&text), lines[i]) != NULL, "%s", lines[i]);
        /* what is not known is not said */
        ck_assert_ptr_null(strstr(text_get(&text), "webhook_reached"));
        ck_assert_ptr_null(strstr(text_get(&text), "step=\"wait\""));
    }
END_TEST

static const struct {
    enum error_code mutating, validating;
    enum status_found found;
} stash_rows[] = {
    {ERROR_NOT_FOUND, ERROR_NOT_FOUND, STATUS_NO},
    {ERROR_NONE, ERROR_NOT_FOUND, STATUS_YES},
    {ERROR_NOT_FOUND, ERROR_NONE, STATUS_YES},
    {ERROR_NONE, ERROR_FORBIDDEN, STATUS_YES},
    {ERROR_NOT_FOUND, ERROR_FORBIDDEN, STATUS_UNKNOWN},
    {ERROR_UNAVAILABLE, ERROR_NOT_FOUND, STATUS_UNKNOWN},
    {ERROR_TIMEOUT, ERROR_TIMEOUT, STATUS_UNKNOWN},
};

START_TEST(stash)
    {
        ck_assert_int_eq(stash_judge(stash_rows[_i].mutating, stash_rows[_i].validating),
                         stash_rows[_i].found);
    }
END_TEST

static const struct {
    const char *answer; /* NULL: refused */
    enum error_code code;
    enum status_found reached;
} probe_rows[] = {
    {"{\"spec\": {\"target\": {\"rules\": [{\"paths\": [\"/probe\"]}]}}}", ERROR_NONE, STATUS_YES},
    {"{\"spec\": {\"rules\": [{}], \"target\": {}}}", ERROR_NONE, STATUS_NO},
    {"{\"spec\": {\"target\": {\"rules\": []}}}", ERROR_NONE, STATUS_NO},
    {"{\"spec\": {\"target\": {\"rules\": {}}}}", ERROR_NONE, STATUS_NO},
    {"{}", ERROR_NONE, STATUS_NO},
    {NULL, ERROR_NOT_FOUND, STATUS_UNKNOWN},
    {NULL, ERROR_FORBIDDEN, STATUS_UNKNOWN},
    {NULL, ERROR_INVALID, STATUS_UNKNOWN},
    {NULL, ERROR_UNAVAILABLE, STATUS_UNKNOWN},
    {NULL, ERROR_INTERNAL, STATUS_UNKNOWN},
};

START_TEST(probe)
    {
        const char *answer = probe_rows[_i].answer, *reason = NULL;
        AUTO(json) json_t *object = answer ? json_loads(answer, 0, NULL) : NULL;

        ck_assert_int_eq(probe_judge(answer != NULL, object, probe_rows[_i].code, &reason),
                         probe_rows[_i].reached);
        ck_assert_ptr_nonnull(reason);
    }
END_TEST

/* The question is one that the webhook has something to do with. */
START_TEST(probe_has_rules_at_the_top)
    {
        AUTO(json) json_t *object = probe_object("space");
        const char *reason;

        ck_assert_str_eq(tree_text(tree_get(object, "metadata"), "namespace"), "space");
        ck_assert_uint_eq(json_array_size(tree_at(object, "spec.rules")), 1);
        ck_assert_ptr_nonnull(tree_at(object, "spec.target.ref"));
        ck_assert_int_eq(probe_judge(true, object, ERROR_NONE, &reason), STATUS_NO);
    }
END_TEST

SUITE(controllers_status)
{
    suite_rows(tests, readiness, ready_rows);
    suite_rows(tests, liveness, alive_rows);
    tcase_add_test(tests, metrics);
    suite_rows(tests, stash, stash_rows);
    suite_rows(tests, probe, probe_rows);
    tcase_add_test(tests, probe_has_rules_at_the_top);
}
