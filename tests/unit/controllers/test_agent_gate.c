#include "controllers/agent_gate.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "controllers/agent_places.h"
#include "controllers/agent_table.h"

static struct agent_key key(unsigned number)
{
    char text[16];

    snprintf(text, sizeof text, "%u", number);
    return agent_key_of(span_of(text));
}

START_TEST(each_has_its_rate)
    {
        struct agent_gate *gate = agent_gate_make();
        struct agent_key one = key(1), other = key(2);

        for (int i = 0; i < AGENT_REQUEST_BURST; i++)
            ck_assert_int_eq(agent_gate_request(gate, &one, 5000), 0);
        ck_assert_int_eq(agent_gate_request(gate, &one, 5000), 1);
        ck_assert_int_eq(agent_gate_request(gate, &other, 5000), 0);
        /* a second brings AGENT_REQUEST_RATE */
        for (int i = 0; i < AGENT_REQUEST_RATE; i++)
            ck_assert_int_eq(agent_gate_request(gate, &one, 6000), 0);
        ck_assert_int_eq(agent_gate_request(gate, &one, 6000), 1);
        /* never more than at once; a clock that is read late does no harm */
        for (int i = 0; i < AGENT_REQUEST_BURST; i++)
            ck_assert_int_eq(agent_gate_request(gate, &one, 1000000), 0);
        ck_assert_int_ge(agent_gate_request(gate, &one, 999000), 1);
        agent_gate_free(gate);
    }
END_TEST

START_TEST(failures_are_counted_apart)
    {
        struct agent_gate *gate = agent_gate_make();
        struct agent_key address = key(1);

        for (int i = 0; i < AGENT_REFUSED_BURST; i++) {
            ck_assert_int_eq(agent_gate_may_fail(gate, &address, 5000), 0);
            agent_gate_failed(gate, &address, 5000);
        }
        ck_assert_int_eq(agent_gate_may_fail(gate, &address, 5000), 1);
        ck_assert_int_eq(agent_gate_request(gate, &address, 5000), 0);
        ck_assert_int_eq(agent_gate_may_fail(gate, &address, 6000), 0);
        agent_gate_free(gate);
    }
END_TEST

START_TEST(verdicts_are_remembered_for_seconds)
    {
        struct agent_gate *gate = agent_gate_make();
        struct agent_identity known = {(char *)"s", (char *)"p", (char *)"u", (char *)"a"},
                              got = {0};
        struct agent_key token = key(1), other = key(2);
        struct error err, why;

        ck_assert_int_eq(agent_gate_recall(gate, &token, 5000, &got, &err), AGENT_UNKNOWN);
        agent_gate_learn(gate, &token, 5000, &known);
        ck_assert_int_eq(agent_gate_recall(gate, &other, 5000, &got, &err), AGENT_UNKNOWN);
        ck_assert_int_eq(agent_gate_recall(gate, &token, 5000 + AGENT_VERDICT_MS - 1, &got, &err),
                         AGENT_KNOWN);
        ck_assert_str_eq(got.pod_uid, "u");
        agent_identity_done(&got);
        ck_assert_int_eq(agent_gate_recall(gate, &token, 5000 + AGENT_VERDICT_MS, &got, &err),
                         AGENT_UNKNOWN);
        /* one takes the place of the other */
        error_set(&why, ERROR_UNAUTHORIZED, "expired");
        agent_gate_learn(gate, &token, 5000, &known);
        agent_gate_refuse(gate, &token, 5000, &why);
        ck_assert_int_eq(agent_gate_recall(gate, &token, 5000, &got, &err), AGENT_REFUSED);
        ck_assert_int_eq(err.code, ERROR_UNAUTHORIZED);
        ck_assert_str_eq(err.message, "expired");
        ck_assert_int_eq(agent_gate_recall(gate, &token, 5000 + AGENT_REFUSAL_MS, &got, &err),
                         AGENT_UNKNOWN);
        agent_gate_learn(gate, &token, 5000, &known);
        ck_assert_int_eq(agent_gate_recall(gate, &token, 5000, &got, &err), AGENT_KNOWN);
        agent_identity_done(&got);
        agent_gate_free(gate);
    }
END_TEST

static int ended;

static void count_end(void *value)
{
    ended += *(int *)value != 0;
}

START_TEST(a_table_forgets_what_was_used_least_lately)
    {
        struct agent_table *table = agent_table_make(AGENT_TABLE_WAYS, sizeof(int), count_end);
        struct agent_key first = key(0), second = key(1), late = key(99);

        ended = 0;
        for (unsigned i = 0; i < AGENT_TABLE_WAYS; i++) {
            struct agent_key one = key(i);
            int *value = agent_table_at(table, &one);

            ck_assert_int_eq(*value, 0);
            *value = (int)i + 1;
        }
        ck_assert_int_eq(*(int *)agent_table_at(table, &first), 1);
        ck_assert_int_eq(*(int *)agent_table_at(table, &late), 0);
        ck_assert_int_eq(ended, 1);
        ck_assert_int_eq(*(int *)agent_table_at(table, &first), 1);
        ck_assert_int_eq(*(int *)agent_table_at(table, &second), 0);
        agent_table_free(table);
        ck_assert_int_eq(ended, AGENT_TABLE_WAYS);
        agent_table_free(NULL);
    }
END_TEST

static struct sockaddr_storage address(int family, const char *text, in_port_t port)
{
    struct sockaddr_storage made = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *four = (struct sockaddr_in *)&made;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&made;

    if (family == AF_INET)
        four->sin_port = port;
    else
        six->sin6_port = port;
    ck_assert_int_eq(
        inet_pton(family, text, family == AF_INET ? (void *)&four->sin_addr : &six->sin6_addr), 1);
    return made;
}

START_TEST(connections_of_an_address_are_counted)
    {
        struct agent_places *places = agent_places_make();
        struct sockaddr_storage one = address(AF_INET, "10.0.0.1", 1),
                                again = address(AF_INET, "10.0.0.1", 2),
                                mapped = address(AF_INET6, "::ffff:10.0.0.1", 3),
                                other = address(AF_INET6, "fd00::1", 1);
        struct agent_place *first = agent_places_enter(places, &one, 2),
                           *second = agent_places_enter(places, &mapped, 2), *third;

        ck_assert_ptr_eq(first, second);
        ck_assert_ptr_null(agent_places_enter(places, &again, 2));
        third = agent_places_enter(places, &other, 2);
        ck_assert_ptr_nonnull(third);
        ck_assert_ptr_ne(third, first);
        agent_places_leave(places, first);
        ck_assert_ptr_nonnull(agent_places_enter(places, &again, 2));
        agent_places_leave(places, first);
        agent_places_leave(places, first);
        agent_places_leave(places, third);
        agent_places_free(places);
    }
END_TEST

SUITE(controllers_agent_gate)
{
    tcase_add_test(tests, each_has_its_rate);
    tcase_add_test(tests, failures_are_counted_apart);
    tcase_add_test(tests, verdicts_are_remembered_for_seconds);
    tcase_add_test(tests, a_table_forgets_what_was_used_least_lately);
    tcase_add_test(tests, connections_of_an_address_are_counted);
}
