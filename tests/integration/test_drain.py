"""The end: SIGTERM loses no request. Catalogue H19, PF7 as far as it concerns one process."""

import concurrent.futures
import os
import signal
import socket
import threading
import time

from harness import (AT_ONCE_S, PATIENCE_S, SLOW, Webhook, check, check_allowed, check_equal, ends, eventually, post,
                     read_answer, review, send, test)


def refuses(webhook):
    """Whether it listens no more."""
    try:
        webhook.tcp().close()
        return False
    except ConnectionRefusedError:
        return True


@test("H19")
def requests_under_way_are_answered():
    with Webhook("--drain-delay", "8s", "--drain-timeout", "120s", "--request-timeout", "120s") as webhook:
        request = post(review(size=20000))
        half = [webhook.tls() for _ in range(100)]
        for connection in half:
            connection.sendall(request[:-100])
        eventually(lambda: webhook.metric("requests_in_flight") == 100, "all are under way")
        webhook.kill(signal.SIGTERM)
        eventually(lambda: not webhook.ready(), "not ready")
        check("[-]shutdown: under way" in webhook.admin("/readyz")[2], "readyz does not say why")
        check_equal(webhook.admin("/livez")[0], 200, "livez")
        # new ones are still served: others learn of the end with a delay
        with webhook.tls() as late:
            late.sendall(post(review()))
            answer = read_answer(late)
            check_allowed(answer)
            check_equal(answer.headers["Connection"], "close", "Connection")
            check(ends(late), "stays open after its answer")
        eventually(lambda: refuses(webhook), "new connections are refused")
        for connection in half:
            connection.sendall(request[-100:])
            answer = read_answer(connection)
            check_allowed(answer)
            check_equal(answer.headers["Connection"], "close", "Connection")
            connection.close()
        check_equal(webhook.wait(), 0, "exit code")


@test("H19")
def after_the_delay_nobody_new_is_let_in():
    with Webhook("--drain-delay", "300ms", "--drain-timeout", "120s") as webhook:
        with webhook.tls() as idle:
            idle.sendall(post(review()))
            check_allowed(read_answer(idle))
            began = time.monotonic()
            webhook.kill(signal.SIGTERM)
            eventually(lambda: refuses(webhook), "new connections are refused")
            check(time.monotonic() - began > 0.25, "refused before the delay is over")
            # an idle one is still good for a request
            idle.sendall(post(review()))
            answer = read_answer(idle)
            check_allowed(answer)
            check_equal(answer.headers["Connection"], "close", "Connection")
        check_equal(webhook.wait(), 0, "exit code")
        check(time.monotonic() - began < 60 * SLOW, "waits although nobody is there")


@test("H19")
def idle_connections_are_closed_at_the_deadline():
    with Webhook("--drain-delay", "0s", "--drain-timeout", "1s") as webhook:
        with webhook.tls() as idle:
            began = time.monotonic()
            webhook.kill(signal.SIGTERM)
            check(ends(idle), "still open")
            check(0.8 < time.monotonic() - began < AT_ONCE_S * SLOW, "closed at the wrong time")
        check_equal(webhook.wait(), 0, "exit code")


@test("H19")
def a_request_that_never_ends_is_said_to_be_lost():
    with Webhook("--drain-delay", "0s", "--drain-timeout", "1s", wanted_exit=3) as webhook:
        with webhook.tls() as slow:
            slow.sendall(post(review())[:-1])
            eventually(lambda: webhook.metric("requests_in_flight") == 1, "under way")
            webhook.kill(signal.SIGTERM)
            check_equal(webhook.wait(), 3, "exit code")
        webhook.log("ended before every request was answered.*requests=1")


@test("H19")
def a_second_signal_ends_at_once():
    with Webhook("--drain-delay", "240s", "--drain-timeout", "240s", wanted_exit=3) as webhook:
        began = time.monotonic()
        webhook.kill(signal.SIGTERM)
        webhook.log("shutting down.*SIGTERM")
        check_allowed_one(webhook)
        webhook.kill(signal.SIGTERM)
        check_equal(webhook.wait(), 3, "exit code")
        check(time.monotonic() - began < 60 * SLOW, "took long")


def check_allowed_one(webhook):
    with webhook.tls() as connection:
        connection.sendall(post(review()))
        check_allowed(read_answer(connection))


@test("H19")
def an_interrupt_does_not_wait():
    with Webhook("--drain-delay", "240s", "--drain-timeout", "240s") as webhook:
        began = time.monotonic()
        webhook.kill(signal.SIGINT)
        check_equal(webhook.wait(), 0, "exit code")
        check(time.monotonic() - began < 60 * SLOW, "took long")


class Traffic:
    """Clients that go to one of the replicas in turn, and notice every lost request."""

    def __init__(self, number, replicas):
        self.replicas, self.stopped = replicas, threading.Event()
        self.answers, self.pool = [0] * number, concurrent.futures.ThreadPoolExecutor(number)
        self.number = number

    def start(self):
        self.tasks = [self.pool.submit(self.client, n) for n in range(self.number)]

    def connect(self, turn):
        """To one of them; one that listens no more may have been that a moment ago."""
        while True:
            chosen = self.replicas[turn % len(self.replicas)]
            try:
                return chosen.tls()
            except OSError:
                if chosen in self.replicas:
                    raise

    def client(self, number):
        connection = None
        while not self.stopped.is_set():
            connection = connection or self.connect(number + self.answers[number] // 50)
            connection.sendall(post(review(f"{number}-{self.answers[number]}", 3000)))
            answer = read_answer(connection)
            check_allowed(answer, f"{number}-{self.answers[number]}")
            self.answers[number] += 1
            if answer.headers["Connection"] == "close" or self.answers[number] % 50 == 0:
                connection.close()
                connection = None
        if connection:
            connection.close()

    def stop(self):
        self.stopped.set()
        for task in self.tasks:
            task.result(timeout=PATIENCE_S * SLOW)
        self.pool.shutdown()


@test("H19 LD8", serial=True)
def rolling_restarts_under_load_lose_nothing():
    """Two replicas, of which one is replaced at a time. 100 restarts by hand: GRANARY_RESTARTS=100."""
    restarts = int(os.environ.get("GRANARY_RESTARTS", "10"))
    options = ["--drain-delay", "200ms", "--drain-timeout", "60s", "--log-level", "info"]
    replicas = [Webhook(*options, end=signal.SIGTERM) for _ in range(2)]
    traffic = Traffic(8, replicas)
    traffic.start()
    try:
        for number in range(restarts):
            new = Webhook(*options, end=signal.SIGTERM)
            before, old = sum(traffic.answers), replicas[number % 2]
            replicas[number % 2] = new
            old.kill(signal.SIGTERM)
            check_equal(old.wait(), 0, "exit code")
            with old:
                pass
            eventually(lambda: sum(traffic.answers) > before + 20, "traffic goes on")
    finally:
        traffic.stop()
        for each in replicas:
            with each:
                pass
    check(all(traffic.answers), f"somebody did nothing: {traffic.answers}")


@test("PF7")
def a_broken_pipe_ends_nobody():
    with Webhook() as webhook:
        for _ in range(20):
            connection = webhook.tls()
            send(connection, post(review()) * 50)
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        webhook.kill(signal.SIGPIPE)
        check_allowed_one(webhook)
