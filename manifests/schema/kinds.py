"""The eight kinds: names, columns, spec and status."""

from dataclasses import dataclass, field

from core import (CONTAINER_PORT, CONTAINER_SETTINGS, MOUNT, RUNTIME_SETTINGS, VOLUME,
                  VOLUME_DEVICE, secret_name, strings)
from model import (INT32_MAX, Node, Rule, flag, free, int32, int64, listof, obj, string, time,
                   word)
from shared import (ADDITION, BACKUP_HOOKS, CONDITIONS, FILE_ACCESS, GUARD,
                    HAS_REF, HAS_TASK, HISTORY, IN_POD, INTERIM, JITTER, KNOWN_KIND, MODE,
                    OBSERVED, PARAMS, REPOSITORY_REF, RESTORE_HOOKS, RETENTION, RETRY,
                    SCHEDULE_TEXT, SOME_REPOSITORY, STATUS_REF, TARGET_MOUNTS,
                    TARGET_REF, TASK_REF, TEMP_DIR, TIME_OUT, VERIFY, WIPE_OUT, Driver, allowed,
                    location_rules, one_of, phase, repository_members)

STASH, APPCATALOG = "stash.appscode.com", "appcatalog.appscode.com"


@dataclass(frozen=True)
class Column:
    name: str
    path: str
    type: str = "string"


AGE = Column("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True)
class Kind:
    """A custom resource. `spec` is always required, `status` is NULL for a kind without one."""
    name: str
    plural: str
    text: str
    spec: Node
    status: Node = None
    columns: tuple = (AGE,)
    short: tuple = ()
    categories: tuple = ("stash", "appscode")
    cluster: bool = False
    group: str = STASH
    version: str = "v1beta1"
    rules: tuple = field(default=())


# ---- BackupBlueprint ----

OVERRIDES = ("schedule", "paths", "params", "paused", "exclude", "restore-if-exists", "retention",
             "resources", "timeout", "priority", "dump")

OVERRIDE = obj("", {
    "key!": string("What may be set: " + ", ".join(OVERRIDES) + ".", "", 64, some=True, rules=(
        Rule(f"self in {one_of(OVERRIDES)}", "expected one of: " + ", ".join(OVERRIDES)),)),
    "min": free("Least value, as the annotation writes it; of a schedule, the shortest interval "
                "between two sessions. Default: no bound.", 1024),
    "max": free("Greatest value, as the annotation writes it. Default: no bound.", 1024),
})

BLUEPRINT = Kind(
    "BackupBlueprint", "backupblueprints",
    "How targets are backed up that name this blueprint in the annotation "
    "stash.appscode.com/backup-blueprint, or whose namespace names it in the label "
    "granary.dev/blueprint: each gets a Repository and a BackupConfiguration made from it. Strings "
    "may hold ${TARGET_NAME}, ${TARGET_NAMESPACE}, ${TARGET_KIND} (in lower case) and others, also "
    "with a default: ${NAME:=value}; $$ is a plain $.",
    obj("What is made for each target.", {
        **repository_members(),
        "backupNamespace": string("Namespace of the BackupConfigurations, for AppBindings only. "
                                  "Default: the target's.", "label"),
        "repoNamespace": string("Namespace of the Repositories and of the storage Secret. Default: "
                                "backupNamespace, else the target's.", "label"),
        "schedule": string("When targets are backed up, " + SCHEDULE_TEXT + " Default: none, each "
                           "target names its own.", "schedule"),
        "task": TASK_REF,
        "retentionPolicy!": RETENTION,
        "runtimeSettings": RUNTIME_SETTINGS,
        "tempDir": TEMP_DIR,
        "interimVolumeTemplate": INTERIM,
        "hooks": BACKUP_HOOKS,
        "backupHistoryLimit": HISTORY,
        "timeOut": TIME_OUT,
        "retryConfig": RETRY,
        "overrides": listof(OVERRIDE, "What owners of targets may set by annotation, and within "
                            "which bounds. Default: schedule, paths, params, paused, exclude and "
                            "restore-if-exists, without bounds." + ADDITION, 32, key="key"),
        "allowedNamespaces": allowed("Namespaces whose targets may use the blueprint. Default: "
                                     "all. A blueprint is in no namespace, so Same lets nobody in."
                                     + ADDITION),
        "enforcement": word("What a mistake in an owner's annotations does. Warn: a warning, and "
                            "the rest is used. Deny: the request is refused. Default: the setting "
                            "of the installation, Warn." + ADDITION, "Warn", "Deny"),
        "existing": word("Workloads that are older than the installation. Wait: they are backed up "
                         "from their owner's next change on. Restart: they are restarted for it. "
                         "Default: Wait." + ADDITION, "Wait", "Restart"),
        "rollout": obj("How fast workloads are restarted for the sake of a backup." + ADDITION, {
            "maxPerMinute": int32("Most workloads restarted in a minute. Default: 10 in the whole "
                                  "cluster.", 1, INT32_MAX)}),
        "mode": MODE,
        "fileAccess": FILE_ACCESS,
        "guard": GUARD,
        "verify": VERIFY,
        "jitter": JITTER,
    }, WIPE_OUT, variables=True),
    obj("What became of the blueprint. An addition of granary.", {
        "observedGeneration": OBSERVED,
        "matchedTargets": int32("How many targets use the blueprint.", 0, INT32_MAX),
        "upToDateTargets": int32("How many of them are as this generation says.", 0, INT32_MAX),
        "failingTargets": int32("How many of them are not backed up as wished.", 0, INT32_MAX),
        "protectedVolumes": int32("How many of their claims are backed up.", 0, INT32_MAX),
        "unprotectedVolumes": int32("How many of their claims nobody backs up, although somebody "
                                    "should.", 0, INT32_MAX),
        "lastError": free("Why a target could not be served, in words; empty when all are.", 4096),
        "conditions": CONDITIONS,
    }),
    (Column("Task", ".spec.task.name"), Column("Schedule", ".spec.schedule"),
     Column("Targets", ".status.matchedTargets", "integer"),
     Column("Failing", ".status.failingTargets", "integer"), AGE),
    short=("bb",), cluster=True)

# ---- Repository ----

REPOSITORY = Kind(
    "Repository", "repositories",
    "A place in a storage that holds snapshots, in restic's format. It outlives the targets that "
    "are backed up into it; its location can not change.",
    obj("Where snapshots are kept and who may use them.", repository_members(*location_rules()),
        WIPE_OUT),
    obj("What was last seen in the storage.", {
        "observedGeneration": OBSERVED,
        "firstBackupTime": time("When the first backup was taken."),
        "lastBackupTime": time("When the last backup was taken."),
        "integrity": flag("Whether the last check found everything in order."),
        "totalSize": free("Size of all data, such as 1.200 GiB.", 64),
        "snapshotCount": int64("How many snapshots there are."),
        "snapshotsRemovedOnLastCleanup": int64("How many the retention policy last removed."),
        "maintenance": listof(obj("", {
            "kind!": free("What was done: forget, prune, check, unlock, verify, key.", 32),
            "job": free("The Job that did it last.", 253),
            "lastSuccess": time("When the last one that succeeded had begun."),
            "lastFailure": time("When the last one failed, if it did since."),
            "failures": int64("How many failed since the last one that succeeded."),
            "successes": int64("How many succeeded."),
            "removed": int64("Of forget: how many snapshots it removed since the last prune."),
            "reason": free("Why the last one failed, in one word.", 128),
            "damaged": flag("Of check and verify: damage was found, and not since that it is gone."),
            "plan": free("Of verify: stands for the schedules that it follows.", 64),
            "since": time("Of verify: since when it follows them."),
            "verified": int64("Of verify: how many snapshots the last one restored."),
            "restoredFiles": int64("Of verify: how many files the last one restored."),
            "restoredBytes": int64("Of verify: how many bytes the last one restored."),
            "asked": free("Of unlock: the value of granary.dev/unlock that was followed last."),
        }), "What was last done to keep the repository small and sound. An addition of granary.", 8,
            key="kind"),
        "references": listof(obj("", {
            "apiGroup": free("Group of the object.", 253),
            "kind": free("Kind of the object.", 253),
            "namespace": free("Namespace of the object.", 253),
            "name!": free("Name of the object.", 253),
        }), "BackupConfigurations and RestoreSessions that refer to the Repository.", 10000),
        "conditions": CONDITIONS,
    }),
    (Column("Integrity", ".status.integrity", "boolean"), Column("Size", ".status.totalSize"),
     Column("Snapshot-Count", ".status.snapshotCount", "integer"),
     Column("Last-Successful-Backup", ".status.lastBackupTime", "date"), AGE),
    short=("repo",), version="v1alpha1")

# ---- BackupConfiguration ----

EXCLUDE = listof(string("", "line", 4096), "Patterns of files that are left out, as restic's "
                 "--exclude takes them.", 256)


def args(what):
    return listof(string("", "", 4096), f"Further options of restic {what}, such as --tag=weekly; "
                  "only those that change nothing else. With a database: as its Task says.", 64)


ALIAS = string("Name under which snapshots are filed instead of host-0; a StatefulSet adds the "
               "ordinal of the pod, a DaemonSet the node.", "host")

BACKUP_TARGET = obj("What is backed up.", {
    "alias": ALIAS,
    "ref": TARGET_REF,
    "paths": listof(string("", "absolute_path"), "Files and folders, as the backup container sees "
                    "them; one snapshot each. Default for a PersistentVolumeClaim: its whole "
                    "content.", 64),
    "volumeMounts": TARGET_MOUNTS,
    "replicas": int32("For a driver that is not there: ignored.", 0, INT32_MAX),
    "snapshotClassName": string("For a driver that is not there: ignored.", "subdomain"),
    "exclude": EXCLUDE,
    "args": args("backup"),
})

CONFIGURATION = Kind(
    "BackupConfiguration", "backupconfigurations",
    "One target, its Repository and its schedule. Made from a BackupBlueprint, or written by hand.",
    obj("What is backed up, when and where to.", {
        "repository*": REPOSITORY_REF,
        "schedule": string("When a session starts, " + SCHEDULE_TEXT + " Needed unless paused.",
                            "schedule"),
        "target": BACKUP_TARGET,
        "task": TASK_REF,
        "retentionPolicy!": RETENTION,
        "driver": Driver.field,
        "runtimeSettings": RUNTIME_SETTINGS,
        "tempDir": TEMP_DIR,
        "interimVolumeTemplate": INTERIM,
        "hooks": BACKUP_HOOKS,
        "paused": flag("No session starts by schedule; one made by hand still runs. Default: "
                       "false."),
        "backupHistoryLimit": HISTORY,
        "timeOut": TIME_OUT,
        "retryConfig": RETRY,
        "mode": MODE,
        "fileAccess": FILE_ACCESS,
        "guard": GUARD,
        "verify": VERIFY,
        "jitter": JITTER,
    }, Driver.rule, SOME_REPOSITORY,
        Rule("(has(self.paused) && self.paused) || (has(self.schedule) && self.schedule != '')",
             "is required, unless paused is true: such as \"0 3 * * *\" or @daily", ".schedule",
             missing=True),
        Rule(f"{HAS_REF} || {HAS_TASK}",
             "a target with a ref is required, unless a task is named that needs none", ".target",
             missing=True), KNOWN_KIND),
    obj("Whether backups are under way.", {
        "observedGeneration": OBSERVED,
        "phase": phase("Ready: sessions start by schedule. NotReady: something is missing, see "
                       "conditions. Invalid: the spec can not be used.", "Invalid", "Ready",
                       "NotReady"),
        "conditions": CONDITIONS,
    }),
    (Column("Task", ".spec.task.name"), Column("Schedule", ".spec.schedule"),
     Column("Paused", ".spec.paused", "boolean"), Column("Phase", ".status.phase"), AGE),
    short=("bc",), categories=("stash", "appscode", "all"))

# ---- BackupSession ----

IMMUTABLE = Rule("self == oldSelf", "can not change once the session is made: make a new one")


def actions(text, *words):
    return listof(word("", *words), text, 16)


SNAPSHOT_STATS = obj("", {
    "name": free("ID of the snapshot.", 253),
    "path": free("Path that it holds.", 4096),
    "totalSize": free("Size of what it holds.", 64),
    "uploaded": free("Size of what was new and had to be sent.", 64),
    "processingTime": free("How long it took, m:ss or h:mm:ss.", 64),
    "fileStats": obj("Numbers of files.", {
        "totalFiles": int64("All files."),
        "newFiles": int64("Files that the snapshot before did not have."),
        "modifiedFiles": int64("Files that have changed."),
        "unmodifiedFiles": int64("Files that are the same."),
    }),
})

ETCD_STATS = obj("What is known of a snapshot of an etcd." + ADDITION, {
    "revision": int64("Revision of the store."),
    "keys": int64("Keys, as etcd's tools count them: before 3.6 with those of etcd's own."),
    "size": int64("Bytes of the database."),
    "hash": int64("Hash of all that is in it, as etcdutl snapshot status has it."),
    "sha256": free("SHA-256 of the database.", 64),
    "serverVersion": free("Version of the member that it was taken from.", 16384),
    "toolVersion": free("Version of the tools that have taken and proven it.", 16384),
    "endpoint": free("Address of that member.", 16384),
    "member": free("ID of that member.", 16384),
    "leader": flag("It led the others."),
    "initialCluster": free("All members with their peer URLs, as a restore needs them.", 16384),
    "notes": listof(free("", 16384), "What one should know before it is needed.", 8),
})

ETCD_RESTORE = obj("How far the restore of an etcd is: what whoever leads goes on from." + ADDITION, {
    "stage": free("Planned, Stopping, Restoring, Restored, StoppingAgain, Undoing, Undone, Succeeded or Failed.", 64),
    "written": flag("Data dirs may have been replaced."),
    "undone": flag("What was replaced is back."),
    "replicas": int64("Of the StatefulSet before."),
    "workload": free("Name of the StatefulSet.", 253),
    "initialCluster": free("All members with their peer URLs.", 16384),
    "token": free("Token of the cluster that is made.", 1024),
    "dataDir": free("As asked by parameter.", 4096),
    "snapshot": free("ID of the snapshot that all members are restored from.", 64),
    "time": free("When it was taken.", 64),
    "newest": free("ID of a newer one that is left out.", 64),
    "newestTime": free("When that one was taken.", 64),
    "revision": int64("Revision of the snapshot."),
    "keys": int64("Keys in it, as etcd's tools count them."),
    "bump": int64("Revisions that are skipped."),
    "toolVersion": free("Version of the tools.", 64),
})

DATABASE_STATS = obj("What is known of a dump of a database." + ADDITION, {
    "kind": free("What it is: mariadb, postgres or redis.", 64),
    "serverVersion": free("Version of its server.", 16384),
    "toolVersion": free("The tool that has dumped it, and its version.", 16384),
    "size": int64("Bytes of the dump."),
    "databases": int64("Databases in it."),
    "tables": int64("Tables in it."),
    "rows": int64("Rows of all of them."),
    "keys": int64("Keys in it, of Redis."),
    "keyspace": free("Keys of each database, of Redis.", 16384),
    "libraries": int64("Libraries of functions in it, of Redis."),
    "largest": int64("Bytes of its largest value, of Redis."),
})

HOST_MEMBERS = {
    "hostname": free("Name under which snapshots are filed.", 253),
    "duration": free("How long it took.", 64),
    "error": free("Why it failed.", 65536),
}

NUMBERS_DONE = {
    "percent": int32("How much of the bytes that were found so far is done.", 0, 100),
    "bytesDone": int64("Bytes that are done."),
    "bytesTotal": int64("Bytes that were found so far."),
    "filesDone": int64("Files that are done."),
    "filesTotal": int64("Files that were found so far."),
}

PERCENT = Column("Percent", ".status.progress.percent", "integer")

PROGRESS = obj("How far hosts are that are at work, as of a while ago; gone when all have ended."
               + ADDITION, {
    **NUMBERS_DONE,
    "remaining": free("How much longer it takes at the pace so far, such as 1m30s.", 64),
    "time": time("When this was so."),
    "hosts": listof(obj("", {
        "hostname": HOST_MEMBERS["hostname"],
        **NUMBERS_DONE,
    }), "Each of them; of many the first.", 50),
})

SESSION = Kind(
    "BackupSession", "backupsessions",
    "One run of a BackupConfiguration. Made by its schedule; made by hand it runs at once.",
    obj("Which BackupConfiguration is run.", {
        "invoker!": obj("The object that asks for the backup.", {
            "apiGroup": string("stash.appscode.com, also when empty.", "", rules=(
                Rule("self == '' || self == 'stash.appscode.com'",
                     "expected stash.appscode.com"),)),
            "kind!": string("BackupConfiguration.", "", some=True, rules=(
                Rule("self == 'BackupConfiguration'", "expected BackupConfiguration: granary has "
                     "no BackupBatch"),)),
            "name!": string("Its name, in the same namespace.", "subdomain", some=True),
        }),
        "retryLeft": int32("How many further tries follow when this one fails. Default: 0.", 0,
                           INT32_MAX),
    }, IMMUTABLE),
    obj("How far the session is, and what it brought.", {
        "observedGeneration": OBSERVED,
        "phase": phase("State of the session.", "Pending", "Skipped", "Running", "Succeeded",
                       "Failed", "Unknown"),
        "sessionDuration": free("How long it took, such as 1m30s.", 64),
        "sessionDeadline": time("When timeOut ends it."),
        "retried": flag("A further try was made."),
        "nextRetry": time("When the next try is made."),
        "progress": PROGRESS,
        "conditions": CONDITIONS,
        "targets": listof(obj("", {
            "ref": STATUS_REF,
            "totalHosts": int32("How many hosts (pods, nodes) are to be backed up."),
            "phase": phase("State of the target.", "Pending", "Succeeded", "Running", "Failed"),
            "preBackupActions": actions("Done before the first host.",
                                        "InitializeBackendRepository"),
            "postBackupActions": actions("Done after the last host.", "ApplyRetentionPolicy",
                                         "VerifyRepositoryIntegrity", "SendRepositoryMetrics"),
            "conditions": CONDITIONS,
            "stats": listof(obj("", {
                **HOST_MEMBERS,
                "phase": phase("Result of the host.", "Succeeded", "Failed"),
                "etcd": ETCD_STATS,
                "database": DATABASE_STATS,
                "snapshots": listof(SNAPSHOT_STATS, "Snapshots that were taken, one for each path.",
                                    256),
            }), "What each host has done.", 10000),
        }), "What became of each target.", 256),
    }),
    (Column("Invoker-Type", ".spec.invoker.kind"), Column("Invoker-Name", ".spec.invoker.name"),
     Column("Phase", ".status.phase"), PERCENT, Column("Duration", ".status.sessionDuration"), AGE),
    categories=("stash", "appscode", "all"))

# ---- RestoreSession ----

RULE = obj("", {
    "targetHosts": listof(string("", "host", cheap=True), "Hosts that are restored by this rule. "
                          "Empty: all that no other rule names.", 1024, unique=True),
    "sourceHost": string("Host whose snapshots are taken. Default: the host itself.", "host"),
    "snapshots": listof(string("", "snapshot", cheap=True), "IDs of snapshots, each restored with "
                        "all its paths; latest is the newest one of the whole Repository.", 64),
    "paths": listof(string("", "absolute_path", cheap=True), "Paths of which the newest snapshot "
                    "is restored. Not beside snapshots.", 64),
    "exclude": EXCLUDE.but("Patterns of files that are not restored. Not beside include."),
    "include": EXCLUDE.but("Patterns of the only files that are restored. Not beside exclude."),
    "asOf": string("Take the newest snapshots that are not younger than this time, such as "
                   "2024-05-01T13:30:00Z. Not beside snapshots. Default: now." + ADDITION, "time"),
},
    Rule("!(has(self.snapshots) && self.snapshots.size() > 0 && has(self.paths) && "
         "self.paths.size() > 0)", "is not allowed beside snapshots: a snapshot is restored with "
         "all its paths", ".paths"),
    Rule("!(has(self.snapshots) && self.snapshots.size() > 0 && has(self.asOf))",
         "is not allowed beside snapshots: it chooses the snapshots by time", ".asOf"),
    Rule("!(has(self.include) && self.include.size() > 0 && has(self.exclude) && "
         "self.exclude.size() > 0)", "is not allowed beside include: restic takes one of the two",
         ".exclude"))

ONE_FOR_OTHERS = Rule(
    "self.filter(rule, !has(rule.targetHosts) || rule.targetHosts.size() == 0).size() <= 1",
    "only one rule can be for all other hosts: the others need targetHosts")


def rules(text):
    return listof(RULE, text, 256, rules=(ONE_FOR_OTHERS,))


def said(rules_path):
    return (f"{rules_path}.all(rule, (has(rule.snapshots) && rule.snapshots.size() > 0) || "
            "(has(rule.paths) && rule.paths.size() > 0) || has(rule.asOf))")


OLD_RULES, NEW_RULES = "has(self.rules)", "(has(self.target) && has(self.target.rules))"
CLAIMS_ONLY = "(has(self.target) && has(self.target.volumeClaimTemplates) && " \
    "self.target.volumeClaimTemplates.size() > 0)"

CLAIM_OF_REPLICA = INTERIM.but("", variables=True, rules=(
    Rule("has(self.metadata) && has(self.metadata.name) && self.metadata.name != ''",
         "is required: metadata.name", ".metadata", missing=True),))

RESTORE_TARGET = obj("What is restored.", {
    "alias": ALIAS.but("Name under which snapshots were filed, where the backup had one."),
    "ref": TARGET_REF,
    "volumeMounts": TARGET_MOUNTS,
    "replicas": int32("How many claims are made of each volumeClaimTemplate. Default: 1.", 0,
                      INT32_MAX),
    "volumeClaimTemplates": listof(CLAIM_OF_REPLICA, "Claims that are made and filled by the "
                                   "restore, for a workload that does not exist yet. "
                                   "${POD_ORDINAL} in a name is the number of the replica.", 32),
    "rules": rules("What is restored to which host. A host gets the rule that names it, else the "
                   "one that names none."),
    "args": args("restore"),
})

RESTORE = Kind(
    "RestoreSession", "restoresessions",
    "One restore. Of a workload: its pods are filled before they start, at their next start.",
    obj("What is restored from where.", {
        "repository*": REPOSITORY_REF,
        "target": RESTORE_TARGET,
        "rules": rules("The older place of target.rules, to which they are moved."),
        "task": TASK_REF,
        "driver": Driver.field,
        "runtimeSettings": RUNTIME_SETTINGS,
        "tempDir": TEMP_DIR,
        "interimVolumeTemplate": INTERIM.but("Claim made for data on its way, such as a dump. "
                                             "Default: the scratch space."),
        "hooks": RESTORE_HOOKS,
        "timeOut": TIME_OUT,
        "fileAccess": FILE_ACCESS,
    }, IMMUTABLE, Driver.rule, SOME_REPOSITORY,
        Rule(f"{HAS_REF} || {HAS_TASK} || {CLAIMS_ONLY}",
             "a target with a ref is required, unless a task is named that needs none", ".target",
             missing=True), KNOWN_KIND,
        Rule(f"!({OLD_RULES} && self.rules.size() > 0 && {NEW_RULES} && "
             "self.target.rules.size() > 0)",
             "is not allowed beside target.rules, which takes its place", ".rules"),
        Rule(f"!{IN_POD} || ({OLD_RULES} && self.rules.size() > 0) || ({NEW_RULES} && "
             "self.target.rules.size() > 0)", "at least one rule is needed, or nothing is restored",
             ".target.rules", missing=True),
        Rule(f"!{IN_POD} || !{OLD_RULES} || " + said("self.rules"),
             "a rule names neither snapshots nor paths: nothing would be restored", ".rules"),
        Rule(f"!{IN_POD} || !{NEW_RULES} || " + said("self.target.rules"),
             "a rule names neither snapshots nor paths: nothing would be restored",
             ".target.rules")),
    obj("How far the restore is.", {
        "observedGeneration": OBSERVED,
        "phase": phase("State of the session.", "Pending", "Running", "Succeeded", "Failed",
                       "Unknown", "Invalid"),
        "totalHosts": int32("How many hosts (pods, nodes) are to be restored."),
        "sessionDuration": free("How long it took, such as 1m30s.", 64),
        "sessionDeadline": time("When timeOut ends it."),
        "stats": listof(obj("", {
            **HOST_MEMBERS,
            "phase": phase("Result of the host.", "Succeeded", "Failed", "Running", "Unknown"),
            "note": free("What is not as it was: owners and modes that only root may set. An "
                         "addition of granary.", 1024),
        }), "What each host has done.", 10000),
        "progress": PROGRESS,
        "etcd": ETCD_RESTORE,
        "conditions": CONDITIONS,
    }),
    (Column("Repository", ".spec.repository.name"), Column("Phase", ".status.phase"), PERCENT,
     Column("Duration", ".status.sessionDuration"), AGE),
    short=("restore",), categories=("stash", "appscode", "all"))

# ---- Function, Task ----

FUNCTION = Kind(
    "Function", "functions",
    "A container that does one step of a Task. Strings may hold ${NAME}: parameters of the Task "
    "and what is known of target and Repository; ${NAME:=value} with a default.",
    obj("The container.", {
        "image": string("Its image.", "image"),
        "command": strings("Program, instead of the image's.", 256, length=32768),
        "args": strings("Arguments of the program.", 256, length=32768),
        "workingDir": free("Folder in which it starts. Default: the image's.", 4096),
        "ports": listof(CONTAINER_PORT, "Ports that it listens on."),
        "volumeMounts": listof(MOUNT, "Volumes of the Task that it mounts.", 64, key="mountPath"),
        "volumeDevices": listof(VOLUME_DEVICE, "Block devices that it gets.", 64, key="devicePath"),
        "runtimeSettings": CONTAINER_SETTINGS.but("How it is run; settings of the invoker take "
                                                  "precedence."),
        "podSecurityPolicyName": free("Ignored: Kubernetes has no such policies any more.", 253),
    }, variables=True),
    short=("fn",), cluster=True)

TASK = Kind(
    "Task", "tasks",
    "Functions that are run one after the other, in one pod, for a backup or a restore.",
    obj("Steps, and the volumes that they share.", {
        "steps!": listof(obj("", {
            "name!": string("Name of the Function.", "subdomain", some=True),
            "params": PARAMS.but("Parameters for this step; those of the invoker take precedence."),
        }), "Functions in their order; the next one starts when one has succeeded.", 32, fewest=1),
        "volumes": listof(VOLUME, "Volumes of the pod.", 64, key="name"),
    }, variables=True),
    short=("task",), cluster=True)

# ---- AppBinding ----


def secret(text):
    return obj(text, {
        "apiGroup": Node("string", "Group of the object; empty for a Secret.", most=253,
                         default=""),
        "kind": Node("string", "Kind of the object. Default: Secret.", most=253,
                     default="Secret"),
        "name!": string("Its name, in the AppBinding's namespace.", "subdomain", some=True),
    })


TRANSFORMS = {
    "renameKey": obj("Give a key another name; without effect when it is not there.", {
        "from!": free("The key.", 253, some=True),
        "to!": string("Its new name.", "data_key", some=True)}),
    "addKey": obj("Add a key, or replace it.", {
        "key!": string("The key.", "data_key", some=True),
        "value": Node("string", "Its value in base64.", like="base64", format="byte"),
        "stringValue": free("Its value as text; it beats value.", 1048576)}),
    "addKeysFrom": obj("Add all keys of another Secret.", {
        "secretRef!": secret_name("Secret of the same namespace.")}),
    "removeKey": obj("Take a key away.", {"key!": free("The key.", 253, some=True)}),
}

APP_BINDING = Kind(
    "AppBinding", "appbindings",
    "Where an application is (a database, etcd) and with which Secret it is reached. Database "
    "operators make and read them too.",
    obj("Where the application is.", {
        "type": string("What it is: group/resource such as kubedb.com/postgres, or a word such as "
                       "etcd.", "line", 253),
        "version": string("Its version, such as 14.2.", "line", 253),
        "appRef": obj("Object that stands for the application.", {
            "apiGroup": free("Group of the object.", 253),
            "kind": free("Kind of the object.", 253),
            "namespace": string("Namespace of the object.", "label"),
            "name!": free("Name of the object.", 253, some=True),
        }),
        "clientConfig!": obj("How it is reached. service beats url where a host is wanted.", {
            "url": string("Its address. Everybody can read it: no password.", "line", 4096),
            "service": obj("A Service of the cluster.", {
                "scheme!": free("Scheme of the address, such as https, mysql or tcp.", 64,
                                some=True),
                "namespace": string("Namespace of the Service. Default: that of the AppBinding.",
                                    "label"),
                "name!": string("Name of the Service.", "subdomain", some=True),
                "port!": int32("Port of the Service.", 1, 65535),
                "path": free("Path of the address.", 4096),
                "query": free("Query of the address.", 4096),
            }),
            "insecureSkipTLSVerify": flag("Accept any certificate. Default: false."),
            "caBundle": Node("string", "Certificates in PEM, as base64, that verify the "
                             "application's. Default: those of the image.", like="base64",
                             format="byte"),
            "serverName": string("Name that the certificate must have, when it is not the host.",
                                 "line", 253),
        }),
        "secret": secret("Object that holds user and password, or a client certificate."),
        "tlsSecret": secret("Object that holds the client's certificate and key."),
        "secretTransforms": listof(obj("", TRANSFORMS, Rule(
            "[" + ", ".join(f"has(self.{name})" for name in TRANSFORMS)
            + "].filter(x, x).size() == 1", "exactly one is needed: " + ", ".join(TRANSFORMS))),
            "Changes of the Secret's keys before they are read, in this order."),
        "parameters": obj("Whatever the application's tools understand; kept as it is. "
                          "stash.addon.backupTask and .restoreTask name the Tasks that are used "
                          "when an invoker names none.", {
                              "apiVersion": free("appcatalog.appscode.com/v1alpha1 for those of "
                                                 "kind StashAddon.", 317),
                              "kind": free("Kind of the parameters, such as StashAddon.", 253),
                          }, open=True),
    }),
    columns=(Column("Type", ".spec.type"), Column("Version", ".spec.version"), AGE),
    categories=("catalog", "appscode", "all"), group=APPCATALOG, version="v1alpha1")

KINDS = (BLUEPRINT, CONFIGURATION, SESSION, RESTORE, REPOSITORY, FUNCTION, TASK, APP_BINDING)
