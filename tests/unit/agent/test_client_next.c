#include "agent/client.h"
#include "tests/unit/suite.h"

/* Spec: docs/agent-api.md, Refusals. */
static const struct {
    int status;
    enum agent_next next;
} rows[] = {
    {0, CLIENT_AGAIN},          {400, CLIENT_GIVE_UP},      {401, CLIENT_AGAIN},
    {403, CLIENT_AGAIN},        {404, CLIENT_END},          {405, CLIENT_GIVE_UP},
    {409, CLIENT_END_SILENTLY}, {410, CLIENT_END_SILENTLY}, {411, CLIENT_GIVE_UP},
    {413, CLIENT_GIVE_UP},      {415, CLIENT_GIVE_UP},      {422, CLIENT_GIVE_UP},
    {429, CLIENT_AGAIN},        {500, CLIENT_AGAIN},        {503, CLIENT_AGAIN},
    {999, CLIENT_AGAIN},
};

START_TEST(refusals_are_heeded)
    {
        ck_assert_int_eq(agent_next(&(struct refusal){rows[_i].status, 0}), rows[_i].next);
    }
END_TEST

static const struct {
    struct refusal refusal;
    unsigned failures;
    double chance;
    int64_t pause_ms;
} pauses[] = {
    {{0, 0}, 1, 0, 500},
    {{0, 0}, 1, 0.5, 1000},
    {{0, 0}, 2, 0.5, 2000},
    {{503, 0}, 3, 0.5, 4000},
    {{503, 0}, 7, 0.5, 60000},
    {{0, 0}, 4000000000u, 0.5, 60000},
    {{0, 0}, 4000000000u, 0.999, 89940},
    {{429, 7}, 1, 0, 7000},
    {{429, 7}, 9, 0.5, 7500},
    {{403, 0}, 1, 0, 60000},
    {{403, 0}, 1, 0.5, 90000},
    {{503, 3600}, 1, 0, 3600000},
};

START_TEST(pauses_are_spread)
    {
        ck_assert_int_eq(
            agent_pause_ms(&pauses[_i].refusal, pauses[_i].failures, pauses[_i].chance),
            pauses[_i].pause_ms);
    }
END_TEST

SUITE(agent_client)
{
    suite_rows(tests, refusals_are_heeded, rows);
    suite_rows(tests, pauses_are_spread, pauses);
}
