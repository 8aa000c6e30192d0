"""Whose a repository is: nobody but the cluster that owns it writes to it, until it is adopted."""

import threading

from harness import check, check_equal, temporary_folder, test
from running import CLUSTER, Agent, api, do, fails, restic, restore, snapshots, succeeds, uid, work

OTHER = "00000000-2fa1-11d2-883f-0016d3cca427"
THIRD = "11111111-2fa1-11d2-883f-0016d3cca427"


def owned(url, cluster, adopt=None):
    return {"url": url, "initialize": True, "cluster": cluster, **({"adopt": adopt} if adopt else {})}


def marks(repository):
    """(cluster, the cluster that it was adopted from) of each mark, the first one first."""
    found = sorted((mark for mark in restic(repository, "snapshots", "--no-lock") if mark["hostname"] == "granary"),
                   key=lambda mark: mark["time"])
    of = {mark["id"]: mark["tags"][1] for mark in found}
    return [(mark["tags"][1], of[mark["tags"][2].removeprefix("adopts:")] if len(mark["tags"]) > 2 else None)
            for mark in found]


def filled():
    data = temporary_folder()
    with open(f"{data}/one", "w") as file:
        file.write("one")
    return data


@test("RS5")
def a_repository_of_somebody_else_is_marked_by_who_writes_first():
    data, repository = filled(), temporary_folder()
    restic(repository, "init")
    restic(repository, "backup", data, "--host=host-0")
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        check_equal(marks(repository), [], "marks of a repository that another program made")
        succeeds(server, agent, work(repository, data))
        succeeds(server, agent, work(repository, data))
        check_equal(marks(repository), [(CLUSTER, None)], "marks")
        check_equal(len(snapshots(repository)), 3, "snapshots, with the one of before")


@test("RS5")
def another_cluster_restores_and_does_not_write():
    data, repository = filled(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, data))
        foreign = work(repository, data, repository=owned(repository, OTHER))
        fails(server, agent, foreign, "ForeignRepository", CLUSTER, OTHER, f"granary.dev/adopt={CLUSTER}", "restores from it")
        check_equal(len(snapshots(repository)), 1, "snapshots")
        check_equal(marks(repository), [(CLUSTER, None)], "marks")
        # adoption names who owned it: anybody else's is none
        wrong = work(repository, data, repository=owned(repository, OTHER, THIRD))
        fails(server, agent, wrong, "ForeignRepository", f"names {THIRD}")
        with Agent("init", "--session=s", "--session-namespace=n", f"--session-uid={uid()}", "--mountinfo=/dev/null",
                   addresses=[server.address]) as other:
            agent.ends(0, number=15)
            succeeds(server, other, restore(repository, {"paths": [data]}, repository=owned(repository, OTHER)))
        check_equal(marks(repository), [(CLUSTER, None)], "marks after a restore")


@test("RS5")
def an_adopted_repository_changes_hands_once():
    data, repository = filled(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, data))
        adopting = owned(repository, OTHER, CLUSTER)
        succeeds(server, agent, work(repository, data, repository=adopting))
        agent.says("repository adopted")
        succeeds(server, agent, work(repository, data, repository=adopting))
        succeeds(server, agent, work(repository, data, repository=owned(repository, OTHER)))
        check_equal(marks(repository), [(CLUSTER, None), (OTHER, CLUSTER)], "marks: one adoption, one mark")
        # the former owner, with the same manifests
        fails(server, agent, work(repository, data), "ForeignRepository", OTHER)
        fails(server, agent, work(repository, data, repository=owned(repository, CLUSTER, CLUSTER)), "ForeignRepository")
        # back again, and then the first adoption counts no more
        succeeds(server, agent, work(repository, data, repository=owned(repository, CLUSTER, OTHER)))
        fails(server, agent, work(repository, data, repository=owned(repository, OTHER)), "ForeignRepository", CLUSTER)
        check_equal(marks(repository)[2:], [(CLUSTER, OTHER)], "the third mark")
        check_equal(len(snapshots(repository)), 5, "snapshots")


def race(repository, data, clusters, adopt):
    """Each of these clusters writes at the same time; returns {cluster: outcome}."""
    outcomes = {}

    def one(cluster):
        with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
            server.work.put(work(repository, data, repository=owned(repository, cluster, adopt)))
            report = server.wait("/v1/report", 1)[-1]
            outcomes[cluster] = report.get("error", {}).get("reason", report["outcome"])

    threads = [threading.Thread(target=one, args=(cluster,)) for cluster in clusters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_equal(sorted(outcomes), sorted(clusters), "clusters that reported")
    return outcomes


def one_owns(repository, data, outcomes):
    """However the race went: one of them writes from now on, the other does not."""
    check(set(outcomes.values()) <= {"Succeeded", "ForeignRepository"}, f"outcomes {outcomes}")
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        owners = [cluster for cluster in outcomes if
                  do(server, agent, work(repository, data, repository=owned(repository, cluster)))["outcome"] == "Succeeded"]
    check_equal(len(owners), 1, f"owners after {outcomes}")
    check_equal(outcomes[owners[0]], "Succeeded", "what the owner was told")


@test("RS5")
def of_two_that_write_first_one_owns():
    data, repository = filled(), temporary_folder()
    restic(repository, "init")
    one_owns(repository, data, race(repository, data, [CLUSTER, OTHER], None))


@test("RS5")
def of_two_that_adopt_one_owns():
    data, repository = filled(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, data))
    one_owns(repository, data, race(repository, data, [OTHER, THIRD], CLUSTER))
