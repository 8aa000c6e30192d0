#include <sys/socket.h>
#include <unistd.h>

#include "http/connections.h"
#include "tests/unit/suite.h"

static const struct connection_times times = {
    .handshake_ms = 50, .head_ms = 30, .request_ms = 100, .idle_ms = 1000};

/* One end is the connection's, the other shows whether it was shut down. */
struct wire {
    struct connection connection;
    int other;
};

static void wire_make(struct wire *wire, struct connections *all, enum connection_phase phase,
                      int64_t now_ms)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    *wire = (struct wire){.connection.fd = ends[0], .other = ends[1]};
    connections_enter(all, &wire->connection, phase, now_ms);
}

static bool is_cut(const struct wire *wire)
{
    char byte;

    return recv(wire->other, &byte, 1, MSG_PEEK) == 0;
}

static void wire_end(struct wire *wire, struct connections *all)
{
    connections_leave(all, &wire->connection);
    close(wire->connection.fd);
    close(wire->other);
}

/* H12, H13, H16: each phase has its own time, counted from its begin */
static const struct {
    enum connection_phase phase;
    int64_t limit_ms;
} phase_rows[] = {
    {PHASE_HANDSHAKE, 50}, {PHASE_HEAD, 30}, {PHASE_REQUEST, 100}, {PHASE_IDLE, 1000}};

START_TEST(each_phase_has_its_deadline)
    {
        struct connections all;
        struct connections_cut cut = {0};
        struct wire wire;

        connections_init(&all, &times);
        wire_make(&wire, &all, phase_rows[_i].phase, 7000);
        connections_cut_late(&all, 7000 + phase_rows[_i].limit_ms - 1, &cut);
        ck_assert(!is_cut(&wire));
        connections_cut_late(&all, 7000 + phase_rows[_i].limit_ms, &cut);
        ck_assert(is_cut(&wire));
        /* once */
        connections_cut_late(&all, 9999999, &cut);
        for (size_t i = 0; i < PHASE_CUT; i++)
            ck_assert_uint_eq(cut.by_phase[i], i == phase_rows[_i].phase);
        wire_end(&wire, &all);
        connections_done(&all);
    }
END_TEST

START_TEST(a_request_counts_from_its_first_byte)
    {
        struct connections all;
        struct connections_cut cut = {0};
        struct wire wire;

        connections_init(&all, &times);
        wire_make(&wire, &all, PHASE_HANDSHAKE, 0);
        connection_enters(&all, &wire.connection, PHASE_IDLE, 40);
        connection_enters(&all, &wire.connection, PHASE_HEAD, 500);
        connection_enters(&all, &wire.connection, PHASE_REQUEST, 529);
        connections_cut_late(&all, 599, &cut);
        ck_assert(!is_cut(&wire));
        /* H18: a caller that waits for less, but never for more */
        connection_hurries(&wire.connection, 9000);
        connection_hurries(&wire.connection, 60);
        connections_cut_late(&all, 559, &cut);
        ck_assert(!is_cut(&wire));
        connections_cut_late(&all, 560, &cut);
        ck_assert(is_cut(&wire));
        wire_end(&wire, &all);
        connections_done(&all);
    }
END_TEST

START_TEST(what_is_cut_stays_cut)
    {
        struct connections all;
        struct connections_cut cut = {0};
        struct wire wire;

        connections_init(&all, &times);
        wire_make(&wire, &all, PHASE_HEAD, 0);
        connections_cut_late(&all, 30, &cut);
        connection_enters(&all, &wire.connection, PHASE_REQUEST, 31);
        ck_assert_int_eq(atomic_load(&wire.connection.phase), PHASE_CUT);
        ck_assert_uint_eq(connections_stuck(&all, 130, 100), 0);
        ck_assert_uint_eq(connections_stuck(&all, 131, 100), 1);
        ck_assert(!connections_make_room(&all, 131));
        wire_end(&wire, &all);
        connections_done(&all);
    }
END_TEST

/* H14: oldest without an answer first, then the one that is longest in its phase */
START_TEST(room_is_made_in_the_promised_order)
    {
        struct connections all;
        struct wire wires[4];
        const int order[] = {1, 3, 2, 0};

        connections_init(&all, &times);
        for (int i = 0; i < 4; i++)
            wire_make(&wires[i], &all, PHASE_IDLE, 100 + i);
        atomic_store(&wires[0].connection.served, true);
        atomic_store(&wires[2].connection.served, true);
        connection_enters(&all, &wires[0].connection, PHASE_HEAD, 300);
        /* a request that never had an answer, however busy, goes before one that had */
        connection_enters(&all, &wires[1].connection, PHASE_REQUEST, 301);
        for (int n = 0; n < 4; n++) {
            ck_assert(connections_make_room(&all, 400));
            for (int i = 0; i < 4; i++) {
                bool gone = false;

                for (int before = 0; before <= n; before++)
                    gone = gone || order[before] == i;
                ck_assert_int_eq(is_cut(&wires[i]), gone);
            }
        }
        ck_assert(!connections_make_room(&all, 400));
        for (int i = 0; i < 4; i++)
            wire_end(&wires[i], &all);
        ck_assert_uint_eq(atomic_load(&all.count), 0);
        connections_done(&all);
    }
END_TEST

START_TEST(leaving_keeps_the_list_whole)
    {
        const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};
        struct connections all;
        struct wire wires[3];

        for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
            connections_init(&all, &times);
            for (int i = 0; i < 3; i++)
                wire_make(&wires[i], &all, PHASE_IDLE, 0);
            for (int i = 0; i < 3; i++) {
                size_t count = 0;

                wire_end(&wires[orders[o][i]], &all);
                for (struct connection *one = all.oldest; one; one = one->next)
                    count += one->next || one == all.newest;
                ck_assert_uint_eq(count, 2 - (size_t)i);
            }
            ck_assert_ptr_null(all.newest);
            connections_done(&all);
        }
    }
END_TEST

SUITE(http_connections)
{
    suite_rows(tests, each_phase_has_its_deadline, phase_rows);
    tcase_add_test(tests, a_request_counts_from_its_first_byte);
    tcase_add_test(tests, what_is_cut_stays_cut);
    tcase_add_test(tests, room_is_made_in_the_promised_order);
    tcase_add_test(tests, leaving_keeps_the_list_whole);
}
