"""The restore of an etcd of three members with TLS and passwords, with all of us installed: its quorum is lost, one member
has lost its data, a restore is rolled back, a bad snapshot touches nothing. Keys and revisions are compared with what the
test has put."""

import glob
import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import tools
from etcd_set import PASSWORD, EtcdSet
from harness import becomes, check, check_equal, eventually, test
from installed import ANNOTATION
from test_certificates import controllers, holder, installed, kill
from test_life import LATE_S, back_up, ended, protectable, ready_configuration

KEYS, SOME, BUMP = 50000, 2000, 1000000000
STAGES = ["Planned", "Stopping", "Restoring", "Restored", "Succeeded"]


def restore(cluster, space, repository, name, snapshot, version="3.6"):
    cluster.apply({"apiVersion": "stash.appscode.com/v1beta1", "kind": "RestoreSession", "metadata": {"name": name}, "spec": {
        "repository": {"name": repository}, "task": {"name": f"etcd-restore-{version}.0"},
        "target": {"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": "etcd"},
                   "rules": [{"snapshots": [snapshot]}]}}}, space)


def status(cluster, space, name):
    return cluster.get("restoresessions", space, name).get("status", {})


def stage(cluster, space, name):
    return status(cluster, space, name).get("etcd", {}).get("stage", "")


def condition(cluster, space, name, kind):
    (found,) = [each for each in status(cluster, space, name)["conditions"] if each["type"] == kind] or [{}]
    return found.get("message", "")


def succeeded(cluster, space, name):
    it = ended(cluster, "restoresessions", space, name)
    check_equal(it["status"]["phase"], "Succeeded", f"phase, of {it['status']}")
    return it


def without_snapshot(cluster, space):
    """The newest of the repository is a dump without its database."""
    (config,) = [path for path in glob.glob(os.path.join(cluster.layout.path("volumes"), "**", "config"), recursive=True)
                 if f"/{space}/" in path]
    subprocess.run([tools.path_of("restic"), "--no-cache", "rewrite", "--exclude=snapshot.db", "--host=host-0",
                    "--new-time=2040-01-01 00:00:00"], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=LATE_S, env={
                       "RESTIC_REPOSITORY": os.path.dirname(config), "RESTIC_PASSWORD": "secret-of-the-test",
                       "HOME": "/dev/null/home"})


def lose(etcd, members):
    """Data dirs and processes; what is left runs or is started again by the kubelet."""
    for member in members:
        shutil.rmtree(f"{etcd.folder(member)}/data")
        etcd.signal(member, signal.SIGKILL)


def damage(etcd, members):
    """Databases that no etcd starts on."""
    for member in members:
        with open(f"{etcd.folder(member)}/data/member/snap/db", "r+b") as file:
            file.write(os.urandom(8192))
        etcd.signal(member, signal.SIGKILL)


def came_back(etcd, model, revision, bump=BUMP):
    """On each member what was put before, and nothing of what came later; revisions go on where nobody has seen any, and who
    watched is told so."""
    etcd.ready(LATE_S)
    for member in etcd.members:
        check_equal(etcd.content(member=member), model, f"keys of {member}")
    check_equal(etcd.content("later/"), {}, "what came after the backup")
    etcd.ctl("put", "after", "the restore")
    check_equal(etcd.revision(), revision + bump + 1, "the revision of the first write")
    if bump:
        said = etcd.watch("later/", revision + 1)
        check("compacted" in said, f"who watched from the revision of the backup on: {said}")


def bad_snapshot(cluster, etcd, repository):
    """Refused before anything is touched: the pods are the same."""
    space = etcd.space
    before = {member: etcd.pod(member)["metadata"]["uid"] for member in etcd.members}
    without_snapshot(cluster, space)
    restore(cluster, space, repository, "bad", "latest")
    check_equal(ended(cluster, "restoresessions", space, "bad")["status"]["phase"], "Failed", "phase")
    why = condition(cluster, space, "bad", "EtcdHealthy")
    check("nothing was touched" in why and "no file snapshot.db" in why, why)
    check_equal({member: etcd.pod(member)["metadata"]["uid"] for member in etcd.members}, before, "pods")
    return why


def all_is_lost(cluster, etcd, repository, snapshot):
    """One data dir is gone, the others are damaged, and nobody answers; the right to scale is missing at first; who leads is
    killed in the middle."""
    space = etcd.space
    damage(etcd, etcd.members[1:])
    lose(etcd, etcd.members[:1])
    restore(cluster, space, repository, "all", snapshot)
    command = eventually(lambda: condition(cluster, space, "all", "EtcdScalingAllowed"), "the right is missing", LATE_S)
    check_equal(stage(cluster, space, "all"), "Planned", "stage")
    words = command.split("What to do: kubectl ", 1)[1].split()
    cluster.kubectl(*words)
    eventually(lambda: stage(cluster, space, "all") in STAGES[2:], "data dirs are written", LATE_S)
    leader = holder(cluster)
    for pod in controllers(cluster):
        if leader.startswith(pod["metadata"]["name"]):
            kill(pod)
    return condition(cluster, space, succeeded(cluster, space, "all")["metadata"]["name"], "EtcdPlanned")


def one_is_lost_and_it_is_rolled_back(cluster, etcd, repository, snapshot, model, revision):
    """A member without its volume's data; then a person wants those of before back, which two members have."""
    space, lost = etcd.space, etcd.followers()[0]
    between = etcd.fill(10, prefix="later/")
    lose(etcd, [lost])
    restore(cluster, space, repository, "one", snapshot)
    succeeded(cluster, space, "one")
    came_back(etcd, model, revision)
    cluster.kubectl("annotate", "restoresession.stash.appscode.com", "one", "-n", space, "granary.dev/rollback=true")
    becomes(lambda: status(cluster, space, "one")["etcd"].get("undone"), True, "it is rolled back", LATE_S)
    becomes(lambda: stage(cluster, space, "one"), "Failed", "stage", LATE_S)
    others = [member for member in etcd.members if member != lost]
    becomes(lambda: [etcd.content("later/", member=member) for member in others], [between, between], "what was there before",
            LATE_S)


def backed_up(cluster, etcd, keys):
    """What was put, where it is, its snapshot and revision; then more is put."""
    space = etcd.space
    model = etcd.fill(keys)
    cluster.apply(etcd.app_binding("etcd", {ANNOTATION: space}), space)
    configuration = ready_configuration(cluster, space)
    (stat,) = back_up(cluster, space, configuration["metadata"]["name"], "good")["status"]["targets"][0]["stats"]
    etcd.fill(100, prefix="later/")
    return (model, configuration["spec"]["repository"]["name"], stat["snapshots"][0]["name"], stat["etcd"]["revision"])


def older(cluster, version, lost, bump):
    """An older etcd comes back after so many of its members have lost their data dirs."""
    with protectable(cluster, task={"name": "etcd-backup-${TARGET_APP_VERSION}"}) as space, \
            EtcdSet(cluster, space, version=version) as etcd:
        model, repository, snapshot, revision = backed_up(cluster, etcd, SOME)
        cluster.kubectl("create", "rolebinding", "granary-scale", "-n", space, "--clusterrole=granary-scale",
                        "--serviceaccount=granary-system:granary-controller")
        lose(etcd, etcd.members[:lost])
        restore(cluster, space, repository, "older", snapshot, version)
        found = succeeded(cluster, space, "older")["status"]["etcd"]
        came_back(etcd, model, revision, bump)
        check_equal((found["bump"], found["revision"]), (bump, revision), f"what the session says: {found}")
        return f"tools {found['toolVersion']}; {condition(cluster, space, 'older', 'EtcdPlanned')}"


@test("ET3 of 3.4 and 3.5", alone=True, needs=["etcd34", "etcd35"])
def older_etcds_come_back(cluster):
    """Of one two members are lost, of the other all data dirs. The tools of 3.4 can not bump revisions: the session says so."""
    installed(cluster)
    with ThreadPoolExecutor() as both:
        two, all_three = both.submit(older, cluster, "3.4", 2, 0), both.submit(older, cluster, "3.5", 3, BUMP)
        check("not bumped" in two.result(), two.result())
        check("Revisions go on behind" in all_three.result(), all_three.result())
    return f"{two.result()}; {all_three.result()}"


@test("ET3 ET4 ET5", alone=True)
def an_etcd_comes_back_whatever_was_lost(cluster):
    installed(cluster)
    with protectable(cluster, task={"name": "etcd-backup-3.6.0"}) as space, EtcdSet(cluster, space) as etcd:
        model, repository, snapshot, revision = backed_up(cluster, etcd, KEYS)
        why = bad_snapshot(cluster, etcd, repository)
        plan = all_is_lost(cluster, etcd, repository, snapshot)
        check(f"revision {revision}" in plan and "the newest is" in plan, plan)
        came_back(etcd, model, revision)
        one_is_lost_and_it_is_rolled_back(cluster, etcd, repository, snapshot, model, revision)
        check(PASSWORD not in str(cluster.list("restoresessions", space)), "a password in a status")
        return f"{why}; {plan}"
