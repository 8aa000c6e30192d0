"""A long run with faults, shortened: catalogue LD7. Each round has one fault of a seeded series, while clients ask all
the time. GRANARY_SOAK=3000 rounds take an hour and more."""

import os
import random
import threading

import harness
from fake_cluster import FakeCluster
from harness import SLOW, ask, check, check_equal, eventually, post, send, test
from test_live import Live, blueprint, filled, golden, put_secret
from test_load import HOSTILE

ROUNDS = int(os.environ.get("GRANARY_SOAK", "12"))
SEED = int(os.environ.get("SEED", "1"))
GROWTH_MAX_KIB = 4096  # of a short run, of which nothing is known but its noise
ANSWERS = 30  # between two faults


class Soak:
    """The cluster's faults; each ends in a cluster that is well again."""

    def __init__(self, cluster, webhook, answered):
        self.cluster, self.webhook, self.answered, self.number = cluster, webhook, answered, 0
        self.pairs = [harness.WORLD.second, (harness.WORLD.cert, harness.WORLD.key)]

    def more(self):
        before = len(self.answered)
        eventually(lambda: len(self.answered) > before + ANSWERS, "traffic goes on")

    def cut_watches(self):
        self.cluster.cut()

    def outage(self):
        self.cluster.go_away()
        self.more()
        self.cluster.come_back()

    def other_certificate(self):
        loads = self.webhook.metric("certificate_loads_total")
        self.pairs.reverse()
        put_secret(self.cluster, self.pairs[0])
        eventually(lambda: self.webhook.metric("certificate_loads_total") > loads, "it is taken")

    def strangers(self):
        for data in HOSTILE:
            with self.webhook.tls() as connection:
                send(connection, data)

    def objects(self):
        for verb in ("put", "remove"):
            for number in range(50):
                more = {"spec": {"backend": {}}} if verb == "put" else {}
                getattr(self.cluster, verb)("repositories", f"r-{number}", "demo", **more)

    def forbidden(self):
        self.cluster.forbidden.add("functions")
        self.cluster.cut()
        self.more()
        self.cluster.forbidden.discard("functions")

    def change(self):
        """What is known in the end, whatever happened before."""
        self.number += 1
        self.cluster.put("backupblueprints", "nightly", **blueprint(schedule=f"{self.number % 60} 4 * * *"))


FAULTS = [Soak.cut_watches, Soak.outage, Soak.other_certificate, Soak.strangers, Soak.objects, Soak.forbidden]


def median(numbers):
    return sorted(numbers)[len(numbers) // 2]


@test("LD7", serial=True)
def a_long_run_with_faults_leaks_nothing():
    chance, answered, lost, stop = random.Random(SEED), [], [], threading.Event()
    with filled(FakeCluster()) as cluster, Live(cluster, "--log-level", "info") as webhook:
        soak = Soak(cluster, webhook, answered)

        def traffic():
            body = post(golden("deployment-create/review.json").encode())
            while not stop.is_set():
                answer = ask(webhook, body)
                good = answer and answer.status == 200 and "patch" in answer.json()["response"]
                if good:
                    answered.append(None)
                else:
                    lost.append(answer and answer.body[:200])

        threads = [threading.Thread(target=traffic) for _ in range(4)]
        for thread in threads:
            thread.start()
        sizes = []
        try:
            for number in range(max(6, ROUNDS // SLOW)):
                FAULTS[number % len(FAULTS) if number < len(FAULTS) else chance.randrange(len(FAULTS))](soak)
                soak.change()
                soak.more()
                sizes.append(webhook.rss_kib())
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        check_equal(lost, [], f"lost, beside {len(answered)} answered, SEED={SEED}")
        wanted = f'"{soak.number % 60} 4 * * *"'
        eventually(lambda: any(wanted in line for line in webhook.judged()), "the last schedule", seconds=30)
        third = len(sizes) // 3
        early, late = median(sizes[third:2 * third]), median(sizes[2 * third:])
        print(f"  {len(sizes)} rounds, {len(answered)} answers: {early} KiB resident in the middle, {late} in the end", flush=True)
        check(SLOW > 1 or late - early <= GROWTH_MAX_KIB, f"{late - early} KiB more in a third of the run")
