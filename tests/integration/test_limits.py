"""Time and number: who is slow or many is closed, who is honest is served. Catalogue H12 to H14."""

import ssl
import time

import harness
from harness import (AT_ONCE_S, SLOW, Webhook, ask, check, check_allowed, check_equal, ends, eventually, head,
                     post, read_answer, review, send, test)


def lives_for(connection, pieces, pause, limit):
    """Sends piece after piece until the other side closes; returns how long that took."""
    began = time.monotonic()
    connection.settimeout(pause)
    for piece in pieces:
        if time.monotonic() - began > limit:
            break
        send(connection, piece)
        try:
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except (ConnectionError, ssl.SSLError):
            break
    return time.monotonic() - began


def check_time(seconds, wanted, what):
    check(wanted - 0.2 < seconds < wanted + AT_ONCE_S * SLOW, f"{what}: closed after {seconds:.2f} s")


# For so long pieces are sent; there have to be so many of them.
LIMIT_S = 2 * AT_ONCE_S * SLOW


def trickle(data):
    return [data[at:at + 1] for at in range(len(data))]


@test("H12")
def a_slow_body_is_cut_at_the_wall_clock():
    with Webhook("--request-timeout", "2s", "--header-timeout", "1s") as webhook:
        data = post(review(size=2000))
        body_at = data.index(b"\r\n\r\n") + 4
        with webhook.tls() as connection:
            seconds = lives_for(connection, [data[:body_at], *trickle(data[body_at:])], 0.1, LIMIT_S)
            check_time(seconds, 2, "slow body")
        # also when it is slow in chunks
        with webhook.tls() as connection:
            start = head(lines=["Transfer-Encoding: chunked"])
            check_time(lives_for(connection, [start] + [b"1\r\n{\r\n"] * 1000, 0.1, LIMIT_S), 2, "chunks")
        eventually(lambda: webhook.metric('connections_closed_total{reason="request timeout"}') == 2,
                   "counted")
        check_equal(webhook.count("msg=review"), 0, "reviews")


@test("H13")
def slow_heads_are_cut():
    with Webhook("--header-timeout", "1s", "--keep-alive-timeout", "30s") as webhook:
        data = head(lines=["Content-Length: 5", "X-Long: " + "y" * 1000])
        with webhook.tls() as connection:
            check_time(lives_for(connection, trickle(data), 0.1, LIMIT_S), 1, "first request")
        # the second request of a connection has the same time, from its first byte
        with webhook.tls() as connection:
            connection.sendall(post(review()))
            check_allowed(read_answer(connection))
            time.sleep(1.5)
            check_time(lives_for(connection, trickle(data), 0.1, LIMIT_S), 1, "second request")
        eventually(lambda: webhook.metric('connections_closed_total{reason="header timeout"}') == 2,
                   "counted")
        # a pause shorter than that is nobody's fault
    with Webhook("--header-timeout", "60s") as webhook:
        with webhook.tls() as connection:
            whole = post(review())
            for at in range(0, len(whole), len(whole) // 5):
                connection.sendall(whole[at:at + len(whole) // 5])
                time.sleep(0.1)
            check_allowed(read_answer(connection))


@test("H13")
def slow_handshakes_are_cut():
    with Webhook("--handshake-timeout", "1s") as webhook:
        began = time.monotonic()
        with webhook.tcp() as connection:
            check(ends(connection), "a silent connection lives for ever")
            check_time(time.monotonic() - began, 1, "silent")
        with webhook.tcp() as connection:
            slow = b"\x16\3\1\2\0\1\0\1\xfc\3\3" + b"\0" * 500
            check_time(lives_for(connection, trickle(slow), 0.1, LIMIT_S), 1, "trickled hello")
        eventually(
            lambda: webhook.metric('connections_closed_total{reason="handshake timeout"}') == 2,
            "counted")


@test("H13")
def the_admin_address_has_deadlines_too():
    with Webhook("--header-timeout", "1s") as webhook:
        harness_port, webhook.port = webhook.port, webhook.admin_port
        with webhook.tcp() as connection:
            check_time(lives_for(connection, trickle(b"GET /readyz HTTP/1.1\r\nX: " + b"y" * 1000), 0.1, LIMIT_S), 1,
                       "trickled probe")
        webhook.port = harness_port
        check_equal(webhook.admin("/livez")[0], 200, "livez")


@test("H14", serial=True)
def a_flood_of_idle_connections_locks_nobody_out():
    flood = 10000 // SLOW
    with Webhook("--connections-max", "500", "--handshake-timeout", "120s", "--log-level",
                 "info") as webhook:
        with webhook.tls() as honest:
            honest.sendall(post(review()))
            check_allowed(read_answer(honest))
            idle = []
            try:
                for _ in range(flood):
                    idle.append(webhook.tcp())
                times = []
                for _ in range(21):
                    began = time.monotonic()
                    check_allowed(ask(webhook, post(review())))
                    times.append(time.monotonic() - began)
                median = sorted(times)[10]
                check(median < AT_ONCE_S * SLOW, f"a new connection needs {median * 1000:.0f} ms")
                honest.sendall(post(review()))
                check_allowed(read_answer(honest))
                check(webhook.open_descriptors() < 500 + 128, "more connections than the cap")
            finally:
                for connection in idle:
                    connection.close()
        check(webhook.metric('connections_closed_total{reason="evicted"}') >= flood - 500, "counted")


@test("H14")
def those_that_finished_a_request_are_closed_last():
    with Webhook("--connections-max", "4") as webhook:
        old = webhook.tls()
        old.sendall(post(review()))
        check_allowed(read_answer(old))
        silent = [webhook.tls() for _ in range(3)]
        with webhook.tls() as fifth:
            fifth.sendall(post(review()))
            check_allowed(read_answer(fifth))
            check(ends(silent[0]), "the oldest that asked nothing is still there")
            check(not ends(silent[1], 0.2) and not ends(silent[2], 0.2), "too many were closed")
            old.sendall(post(review()))
            check_allowed(read_answer(old))
        for connection in (old, *silent):
            connection.close()


@test("H14")
def when_all_are_served_the_longest_idle_goes():
    with Webhook("--connections-max", "3") as webhook:
        kept = []
        for _ in range(3):
            connection = webhook.tls()
            connection.sendall(post(review()))
            check_allowed(read_answer(connection))
            kept.append(connection)
            time.sleep(0.02)
        kept[0].sendall(post(review()))
        check_allowed(read_answer(kept[0]))
        check_allowed(ask(webhook, post(review())))
        check(ends(kept[1]), "the longest idle is still there")
        kept[0].sendall(post(review()))
        check_allowed(read_answer(kept[0]))
        for connection in kept:
            connection.close()


@test("H14")
def the_admin_address_survives_a_flood():
    with Webhook() as webhook:
        harness_port, webhook.port = webhook.port, webhook.admin_port
        idle = [webhook.tcp() for _ in range(200)]
        check_equal(webhook.admin("/readyz")[0], 200, "readyz")
        for connection in idle:
            connection.close()
        webhook.port = harness_port


@test("H14", serial=True)
def many_connections_cost_what_is_promised():
    number = 1000 // SLOW
    with Webhook("--log-level", "info") as webhook:
        context = harness.trusting()
        before = webhook.rss_kib()
        kept = []
        for _ in range(number):
            connection = webhook.tls(context=context)
            connection.sendall(post(review()))
            check_allowed(read_answer(connection))
            kept.append(connection)
        each = (webhook.rss_kib() - before) / number
        for connection in kept:
            connection.close()
        check(SLOW > 1 or each < 60, f"{each:.0f} KiB per connection")
