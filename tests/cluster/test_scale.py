"""Hundreds of targets in an installation from manifests/, and what goes wrong while they are looked after.

Workloads have no replicas, so that nothing has to run. The controller looks after certificates as rarely as it does in
earnest, and may write faster, so that the tests do not wait for its rate."""

import collections
import concurrent.futures
import contextlib
import datetime
import json
import os

import test_certificates as certificates
import test_targets as targets
from granary import rendered
from harness import SYSTEM, becomes, check, check_equal, eventually, is_ready, test
from installed import ANNOTATION, LABEL, blueprint, of_kind, patient, plain, ready, restart, sidecar
from test_certificates import CONTROLLER
from test_sessions import keys
from test_targets import USER, change, found, listed, path, place

LONG = os.environ.get("GRANARY_LONG") == "1"  # make check-long
AT_ONCE = 500 if LONG else 150
EDITED = 200 if LONG else 80
IN_THE_MIDDLE = 200 if LONG else 60
UNHEARD = 16  # requests of one controller at the same time
QUIET = 100
PEOPLE = 8  # who write at the same time
WRITES_PER_SECOND = 200
STAMPS_PER_MINUTE = 600
STAMPS_AT_ONCE = 5  # in flight, or held back by the machine and sent together
MANY_S = 600  # a limit that only a machine at a standstill reaches
SCHEDULE, OTHER = "0 0 1 1 *", "0 0 2 1 *"  # nothing of it runs
WRITES = ("create", "patch", "update", "delete")
MADE = ("repositories", "backupconfigurations", "cronjobs")


# --- installation ---------------------------------------------------------------------------------


def settings_with(text, more):
    return {"data": {"settings.yaml": text + more}}


def calm(cluster):
    """The installation of these tests."""
    if getattr(cluster, "granary_certificates", False) and getattr(cluster, "granary_calm", False):
        return
    certificates.installed(cluster)
    (settings, ) = [each for each in of_kind(rendered(cluster), "ConfigMap") if each["metadata"]["name"] == "granary-settings"]
    cluster.patch("configmaps", SYSTEM, "granary-settings", settings_with(
        settings["data"]["settings.yaml"], f"limits: {{writesPerSecond: {WRITES_PER_SECOND}}}\n"))
    (controller, ) = [each for each in of_kind(rendered(cluster), "Deployment") if each["metadata"]["name"] == CONTROLLER]
    cluster.apply(patient(controller), None, "--server-side")
    settled(cluster)
    cluster.granary_calm = True


def settled(cluster):
    """Waits until all replicas of the controller are there, no others, and one of them leads."""
    wanted = cluster.ready_replicas("deployments", SYSTEM, CONTROLLER)["spec"]["replicas"]

    def led():
        pods = certificates.controllers(cluster)
        leader = certificates.holder(cluster)
        return len(pods) == wanted and all(map(is_ready, pods)) and any(
            leader and leader.startswith(pod["metadata"]["name"]) for pod in pods)
    eventually(led, "the controller is led by a replica that is there", MANY_S)


@contextlib.contextmanager
def scene(cluster, **spec):
    """A namespace with a storage Secret that may be read, and the blueprint tg."""
    calm(cluster)
    with place(cluster, blueprint("tg", schedule=SCHEDULE, **spec)) as space:
        cluster.apply(keys(space), space, "--server-side")
        yield space


# --- what there is --------------------------------------------------------------------------------


def web(number):
    return targets.web(f"web-{number}")


def all_at_once(do, count):
    with concurrent.futures.ThreadPoolExecutor(PEOPLE) as pool:
        return list(pool.map(do, range(count)))


def annotated(cluster, space, count):
    """That many Deployments, as fast as they can be made."""
    all_at_once(lambda number: cluster.create("deployments", space, web(number)), count)


def is_complete(cluster, space, count):
    """Whether each of them has all that follows, and says so."""
    names = {f"deploy-web-{number}" for number in range(count)}
    made = listed(cluster, "backupconfigurations", space)
    check_equal({each["metadata"]["name"] for each in made}, names, "BackupConfigurations")
    check_equal({each["metadata"]["name"]: len(each.get("status", {}).get("references", []))
                 for each in listed(cluster, "repositories", space)}, {name: 1 for name in names},
                "references of Repositories")
    check_equal({each["metadata"]["name"] for each in cluster.list("cronjobs", space)},
                {f"stash-trigger-{name}" for name in names}, "CronJobs")
    check_equal(collections.Counter(each.get("status", {}).get("phase") for each in made), {"Ready": count}, "phases")
    return True


def complete(cluster, space, count):
    eventually(lambda: is_complete(cluster, space, count), f"all that follows from {count} targets is there", MANY_S)


def counted(cluster, name="tg"):
    status = found(cluster, "backupblueprints", None, name).get("status", {})
    return tuple(status.get(key) for key in ("matchedTargets", "upToDateTargets", "failingTargets"))


def requests(cluster, since, space=None, verbs=WRITES):
    """The controller's own in that namespace that were granted, each once."""
    more = {"namespace": space} if space else {}
    return [entry for entry in cluster.audit(since, user=USER, **more)
            if entry["verb"] in verbs and entry["stage"] == "ResponseComplete" and entry["responseStatus"]["code"] < 300]


def what(entry):
    ref = entry["objectRef"]
    return f"{entry['verb']} {ref['resource']}" + (f"/{ref['subresource']}" if ref.get("subresource") else "")


def tally(entries):
    return dict(sorted(collections.Counter(map(what, entries)).items()))


def made_once(cluster, since, space, count, unheard=0):
    """Each object was made once, nothing was deleted, nothing of another name was made; the answers to so many requests
    may have found nobody, and count as failed though they were carried out. Returns all writes."""
    wrote = requests(cluster, since, space)
    made = [(entry["objectRef"]["resource"], entry["objectRef"]["name"]) for entry in wrote
            if entry["objectRef"]["resource"] in MADE and entry["responseStatus"]["code"] == 201]
    check_equal({name: times for name, times in collections.Counter(made).items() if times > 1}, {}, "made twice")
    check(0 <= len(MADE) * count - len(made) <= unheard, f"{len(made)} objects of {len(MADE) * count} were made")
    check_equal([each for each in wrote if each["verb"] == "delete" and each["objectRef"]["resource"] != "events"], [],
                "what was deleted")
    return wrote


def looked_at(cluster, since, space, count):
    """Waits until whoever leads has read all of them: it decides about each anew when it begins."""
    eventually(lambda: len({entry["objectRef"]["name"] for entry in requests(cluster, since, space, ("get", ))
                            if entry["objectRef"]["resource"] == "deployments"}) >= count, "all are looked at", MANY_S)


def written_since(cluster, mark, space, count):
    """Waits until the one who leads has looked at all, and has seen to another target after that; then what was written
    about these, counted."""
    looked_at(cluster, mark, space, count)
    with cluster.namespace(LABEL) as other:
        cluster.apply(keys(other), other, "--server-side")
        cluster.create("deployments", other, web(0))
        complete(cluster, other, 1)
    return tally(requests(cluster, mark, space))


def moment(entry):
    return datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()


# --- tests ----------------------------------------------------------------------------------------


@test("SC1", alone=True)
def many_at_once(cluster):
    with scene(cluster) as space:
        mark = cluster.audit_mark()
        annotated(cluster, space, AT_ONCE)
        complete(cluster, space, AT_ONCE)
        becomes(lambda: counted(cluster), (AT_ONCE, AT_ONCE, 0), "targets in the status of the blueprint", MANY_S)
        wrote = made_once(cluster, mark, space, AT_ONCE)
        seen = tally(wrote)
        for kind in MADE:
            check_equal(seen.get(f"patch {kind}"), AT_ONCE, f"writes of {kind}")
        generations = {each["metadata"]["name"]: each["metadata"]["generation"]
                       for each in cluster.list("deployments", space)}

        # a clean stop, and one that looks at all of them anew
        mark = cluster.audit_mark()
        took, given_back = certificates.led_by_another(
            cluster, lambda pod: cluster.delete("pods", SYSTEM, pod["metadata"]["name"]))
        check(given_back, "the Lease was not given back")
        check_equal(written_since(cluster, mark, space, AT_ONCE), {}, "writes about what was as it should be")
        check_equal({each["metadata"]["name"]: each["metadata"]["generation"]
                     for each in cluster.list("deployments", space)}, generations, "generations")
        settled(cluster)
    return (f"{AT_ONCE} targets: {json.dumps(seen)}; of each "
            f"{sum(seen.get(f'patch {kind}', 0) for kind in MADE) / AT_ONCE:.1f} writes and "
            f"{sum(number for name, number in seen.items() if name.endswith('/status')) / AT_ONCE:.1f} of statuses; another "
            f"leader after {took:.1f} s wrote nothing")


@test("SC2", alone=True)
def the_leader_is_killed_under_load(cluster):
    with scene(cluster) as space:
        mark = cluster.audit_mark()
        annotated(cluster, space, IN_THE_MIDDLE)
        eventually(lambda: len(listed(cluster, "backupconfigurations", space)) >= IN_THE_MIDDLE // 10, "some are made")
        took, given_back = certificates.led_by_another(cluster, certificates.kill)
        check(not given_back, "it gave its Lease back: it was not killed")
        before = len(listed(cluster, "backupconfigurations", space))
        complete(cluster, space, IN_THE_MIDDLE)
        becomes(lambda: counted(cluster), (IN_THE_MIDDLE, IN_THE_MIDDLE, 0), "targets in the status", MANY_S)
        made_once(cluster, mark, space, IN_THE_MIDDLE, UNHEARD)
        settled(cluster)
    return f"another one leads after {took:.1f} s; {before} of {IN_THE_MIDDLE} were there then, all in the end, none twice"


@test("SC3", alone=True)
def the_api_server_is_away_in_the_middle(cluster):
    with scene(cluster) as space:
        mark = cluster.audit_mark()
        annotated(cluster, space, IN_THE_MIDDLE)
        eventually(lambda: len(listed(cluster, "backupconfigurations", space)) >= IN_THE_MIDDLE // 10, "some are made")
        cluster.part("kill", "kube-apiserver")
        cluster.part("start", "kube-apiserver")
        before = eventually(lambda: (len(listed(cluster, "backupconfigurations", space)), ), "it answers again")[0]
        # nodes and replicas may be taken for lost for a while
        complete(cluster, space, IN_THE_MIDDLE)
        becomes(lambda: counted(cluster), (IN_THE_MIDDLE, IN_THE_MIDDLE, 0), "targets in the status", MANY_S)
        settled(cluster)
        ready(cluster)
        objects = {f"{kind}/{each['metadata']['name']}" for kind in MADE[:2] for each in listed(cluster, kind, space)}
        check_equal(len(objects), 2 * IN_THE_MIDDLE, "objects")
        deleted = [what(each) for each in requests(cluster, mark, space, ("delete", ))
                   if each["objectRef"]["resource"] != "events"]
        check_equal(deleted, [], "what was deleted")
    return f"{before} of {IN_THE_MIDDLE} were there when it came back, all in the end"


@test("SC4", alone=True)
def an_edit_reaches_hundreds(cluster):
    with scene(cluster, rollout={"maxPerMinute": STAMPS_PER_MINUTE}) as space:
        annotated(cluster, space, EDITED)
        complete(cluster, space, EDITED)

        # what is in the objects alone follows at once, and nothing restarts
        mark = cluster.audit_mark()
        change(cluster, "backupblueprints", None, "tg", {"spec": {"schedule": OTHER}})
        becomes(lambda: collections.Counter(each["spec"]["schedule"] for each in listed(
            cluster, "backupconfigurations", space)), {OTHER: EDITED}, "schedules", MANY_S)
        becomes(lambda: collections.Counter(each["spec"]["schedule"] for each in cluster.list("cronjobs", space)),
                {OTHER: EDITED}, "schedules of CronJobs", MANY_S)
        becomes(lambda: counted(cluster), (EDITED, EDITED, 0), "targets in the status of the blueprint", MANY_S)
        seen = tally(requests(cluster, mark, space))
        check("patch deployments" not in seen, f"writes: {seen}")

        # what is in the pods follows at the rate of the blueprint
        mark = cluster.audit_mark()
        change(cluster, "backupblueprints", None, "tg", {"spec": {"runtimeSettings": {"container": {
            "resources": {"limits": {"memory": "333Mi"}}}}}})
        becomes(lambda: collections.Counter(sidecar(each)["resources"]["limits"]["memory"] for each in
                                            cluster.list("deployments", space)), {"333Mi": EDITED}, "limits", MANY_S)
        becomes(lambda: counted(cluster), (EDITED, EDITED, 0), "targets in the status of the blueprint", MANY_S)
        stamps = sorted(moment(each) for each in requests(cluster, mark, space) if what(each) == "patch deployments")
        check_equal(len(stamps), EDITED, "stamps")
        for first in range(EDITED):
            for last in range(first + STAMPS_AT_ONCE, EDITED):
                allowed = (stamps[last] - stamps[first]) * STAMPS_PER_MINUTE / 60 + STAMPS_AT_ONCE
                check(last - first <= allowed, f"{last - first} stamps in {stamps[last] - stamps[first]:.1f} s")
    return f"{EDITED} targets: {json.dumps(seen)}; {EDITED} stamps in {stamps[-1] - stamps[0]:.1f} s, at {STAMPS_PER_MINUTE} a minute"


@test("SC5", alone=True)
def namespaces_go_in_the_middle(cluster):
    each = IN_THE_MIDDLE // 10
    going = [f"sc5-going-{number}" for number in range(4)]
    with scene(cluster) as stays:
        for space in going:
            cluster.create("namespaces", None, {"metadata": {"name": space, "labels": LABEL}})
            cluster.apply(keys(space), space, "--server-side")
        for space in (*going, stays):
            annotated(cluster, space, each)
        for space in going:
            cluster.delete("namespaces", None, space)
        for space in going:
            eventually(lambda: not cluster.exists("namespaces", None, space), "it is gone", MANY_S)  # pylint: disable=cell-var-from-loop
        complete(cluster, stays, each)
        becomes(lambda: counted(cluster), (each, each, 0), "targets in the status of the blueprint", MANY_S)

        def at_peace():
            """While another target is seen to, nobody asks for what is gone."""
            mark = cluster.audit_mark()
            with cluster.namespace(LABEL) as other:
                cluster.apply(keys(other), other, "--server-side")
                cluster.create("deployments", other, web(0))
                complete(cluster, other, 1)
            asked = [(what(entry), entry["objectRef"].get("name")) for entry in cluster.audit(mark, user=USER)
                     if entry.get("objectRef", {}).get("namespace") in going]
            check_equal(asked, [], "requests about what is gone")
            return True
        eventually(at_peace, "nothing is tried in namespaces that are gone", MANY_S)
        said = [line for pod in certificates.controllers(cluster)
                for line in cluster.logs(SYSTEM, pod["metadata"]["name"]).splitlines()
                if '"level":"error"' in line and any(space in line for space in going)]
        check_equal(said, [], "errors in the log")
    return f"{len(going)} namespaces of {each} targets"


@test("SC6", alone=True)
def a_rollout_is_undone_to_before_the_annotation(cluster):
    with scene(cluster) as space:
        def undo(name):
            cluster.kubectl("rollout", "undo", "-n", space, f"deployment/{name}", "--to-revision=1")
            return cluster.get("deployments", space, name)

        def revised(name, count):
            eventually(lambda: len(cluster.replica_sets(space, name)) == count, f"{count} revisions of {name}")
        # kubectl takes the annotations of the revision too: nobody asks for a backup any more, and that is said
        asked = targets.web("asked")
        cluster.create("deployments", space, plain(asked, replicas=0))
        revised("asked", 1)
        targets.annotate(cluster, space, "asked", **{"backup_blueprint": "tg"})
        targets.configuration(cluster, space, "deploy-asked")
        check(sidecar(cluster.get("deployments", space, "asked")), "no sidecar")
        revised("asked", 2)
        live = undo("asked")
        check(ANNOTATION not in live["metadata"].get("annotations", {}), "kubectl left the annotation")
        check(not sidecar(live), "the sidecar is still there")
        targets.warned(cluster, space, "asked", "BackupStopped")
        eventually(lambda: not found(cluster, "backupconfigurations", space, "deploy-asked"), "its configuration goes")
        check(found(cluster, "repositories", space, "deploy-asked"), "its Repository went too")

        # the reason is not in the revision: admission brings the sidecar back in the same request
        cluster.create("deployments", space, plain(targets.web("labelled"), replicas=0))
        revised("labelled", 1)
        cluster.patch("namespaces", None, space, {"metadata": {"labels": {"granary.dev/blueprint": "tg"}}})
        targets.configuration(cluster, space, "deploy-labelled")
        eventually(lambda: sidecar(cluster.get("deployments", space, "labelled")), "the sidecar of the label")
        revised("labelled", 2)
        check(sidecar(undo("labelled")), "the sidecar went with the revision")
        check(found(cluster, "backupconfigurations", space, "deploy-labelled"), "its configuration went")
        cluster.patch("namespaces", None, space, {"metadata": {"labels": {"granary.dev/blueprint": None}}})
    return "annotated: the backup stops and says so; by the namespace's label: the sidecar is back at once"


@test("SC7", alone=True)
def another_release_of_all_restarts_nobody(cluster):
    """100 workloads, half of them protected; webhook and controller start again with another sidecar in their settings."""
    calm(cluster)
    before_them = cluster.get("configmaps", SYSTEM, "granary-settings")["data"]["settings.yaml"]
    try:
        with scene(cluster) as space:
            all_at_once(lambda number: cluster.create("deployments", space, web(number) if number < QUIET // 2 else plain(
                web(number), replicas=0)), QUIET)
            complete(cluster, space, QUIET // 2)

            def state():
                return {each["metadata"]["name"]: (each["metadata"]["generation"], bool(sidecar(each)))
                        for each in cluster.list("deployments", space)}
            before, mark = state(), cluster.audit_mark()
            check_equal(collections.Counter(has for _, has in before.values()), {True: QUIET // 2, False: QUIET // 2}, "sidecars")
            cluster.patch("configmaps", SYSTEM, "granary-settings", {"data": {"settings.yaml": before_them.replace(
                "agent:\n", "agent:\n  resources: {requests: {cpu: 20m, memory: 32Mi}, limits: {memory: 256Mi}}\n")}})
            restart(cluster)
            cluster.kubectl("rollout", "restart", "-n", SYSTEM, f"deployment/{CONTROLLER}")
            settled(cluster)
            # kubelet may give new pods what it remembers of the ConfigMap: until both have the new one
            eventually(lambda: sidecar(cluster.create("deployments", space, targets.web("new"), "?dryRun=All"))
                       ["resources"]["limits"].get("memory") == "256Mi", "the webhook has other settings", MANY_S)
            # pods of CronJobs carry the agent too
            wrote = written_since(cluster, mark, space, QUIET // 2)
            check(set(wrote) <= {"patch cronjobs"}, f"writes: {wrote}")
            check_equal(state(), before, "generations, and who has a sidecar")
    finally:
        cluster.patch("configmaps", SYSTEM, "granary-settings", {"data": {"settings.yaml": before_them}})
        cluster.granary_calm = False
        certificates.forget(cluster)
    return f"{QUIET} workloads, {QUIET // 2} protected: {json.dumps(wrote)}"
