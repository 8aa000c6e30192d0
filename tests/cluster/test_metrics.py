"""Metrics of what is backed up, by a leader in its pod: after a success, after a failure, and of what never ran."""

import time

from harness import becomes, check, check_equal, eventually, test
from installed import ANNOTATION, claim_of, metrics, protected
from test_certificates import installed
from test_configurations import leader
from test_life import back_up, begin_session, ended, protectable, protected_pod, ready_configuration, sh

NEVER = "deploy-never"


def of(cluster, space, name, configuration="deploy-web"):
    """The value of one of our metrics of a configuration; None: there is no such series."""
    said = [value for key, value in metrics(leader(cluster)).items()
            if key.startswith(f'{name}{{namespace="{space}",configuration="{configuration}",')]
    check(len(said) < 2, f"{name}: {said}")
    return said[0] if said else None


@test("ME1", alone=True)
def metrics_after_a_success_after_a_failure_and_of_what_never_ran(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        cluster.apply(protected("Deployment", "web", "data", {ANNOTATION: space}), space)
        pod = protected_pod(cluster, space, "web")
        sh(cluster, space, pod, "dd if=/dev/urandom of=/data/random bs=1k count=700 2>/dev/null; echo one > /data/one")
        ready_configuration(cluster, space)
        cluster.create("persistentvolumeclaims", space, claim_of(space, "unused"))
        cluster.apply(protected("Deployment", "never", "unused", {ANNOTATION: space}, replicas=0), space)
        becomes(lambda: of(cluster, space, "granary_backup_ready", NEVER), 1, "the other one is ready")

        began = time.time()
        session = back_up(cluster, space, "deploy-web", "by-hand-1")
        stat = session["status"]["targets"][0]["stats"][0]["snapshots"][0]
        eventually(lambda: (of(cluster, space, "granary_backup_last_success_timestamp_seconds") or 0) >= began - 2, "the success")
        check_equal(of(cluster, space, "granary_backup_last_attempt_success"), 1, "it succeeded")
        check_equal(of(cluster, space, "granary_backup_files"), stat["fileStats"]["totalFiles"], "files")
        size, hosts = of(cluster, space, "granary_backup_bytes"), of(cluster, space, "granary_backup_hosts")
        check(700 * 1024 <= size <= 710 * 1024 and hosts == 1, f"{size} bytes of {hosts} hosts, the session says {stat}")
        check("progress" not in session["status"], "nothing is at work any more")
        check_equal(cluster.kubectl("get", "backupsessions", f"--namespace={space}").split("\n")[0].split()[4], "PERCENT",
                    "a column of its own")

        # the key is changed behind its back: the next one fails, and what the first brought stays known
        success = of(cluster, space, "granary_backup_last_success_timestamp_seconds")
        cluster.patch("secrets", space, "keys", {"stringData": {"RESTIC_PASSWORD": "another"}})
        begin_session(cluster, space, "deploy-web", "by-hand-2")
        check_equal(ended(cluster, "backupsessions", space, "by-hand-2")["status"]["phase"], "Failed", "phase")
        becomes(lambda: of(cluster, space, "granary_backup_last_attempt_success"), 0, "it failed")
        check_equal(of(cluster, space, "granary_backup_last_success_timestamp_seconds"), success, "the last success")
        check(of(cluster, space, "granary_backup_last_attempt_timestamp_seconds") > success, "the last attempt")
        check_equal(of(cluster, space, "granary_backup_bytes"), size, "bytes of the newest backup")

        # what never ran is there to be alerted on
        for name in ("granary_backup_last_success_timestamp_seconds", "granary_backup_last_attempt_timestamp_seconds"):
            check_equal(of(cluster, space, name, NEVER), 0, f"{name} of what never ran")
        check_equal(of(cluster, space, "granary_backup_duration_seconds", NEVER), None, "duration of what never ran")
        # series go with what they are about
        cluster.delete("deployments", space, "never")
        becomes(lambda: of(cluster, space, "granary_backup_ready", NEVER), None, "no series")
