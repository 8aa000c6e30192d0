"""Types that several of our kinds share."""

from core import (CLAIM_TEMPLATE, HTTP_GET, HTTP_MEMBERS, MOUNT_MEMBERS,
                  NOT_BOTH_PATHS, SELECTOR, TCP_SOCKET, VOLUME_SOURCES, given,
                  strings)
from model import (INT32_MAX, INT64_MAX, Rule, flag, free, int32, int64, listof, obj, quantity,
                   string, time, word)

# ---- tasks, scratch space, retries ----

PARAMS = listof(obj("", {
    "name!": string("Name of the parameter, as the Functions of the Task know it.", "line",
                    some=True),
    "value!": free("Its value, as it is."),
}), "Parameters of the Task; they take precedence over those of the AppBinding.", key="name")

TASK_REF = obj("Task that does the work. Default: for an AppBinding the one that its parameters "
               "name, for a PersistentVolumeClaim pvc-backup or pvc-restore, for a workload none: "
               "files are read by a container in its own pods.", {
                   "name": string("Name of the Task, a cluster-wide object.", "subdomain"),
                   "params": PARAMS,
               })

TEMP_DIR = obj("Scratch space for restic's cache, an emptyDir.", {
    "medium": free("Memory keeps it in RAM, where it counts as the container's memory. Default: "
                   "the node's disk.", 64),
    "sizeLimit": quantity("Most that it may hold. Default: no limit; the agent bounds its cache "
                          "itself. A pod that outgrows it is evicted, application included."),
    "disableCaching": flag("Work without a cache: less space, more traffic. Default: false."),
})

RETRY = obj("What follows a session that failed. Default: nothing until the next slot of the "
            "schedule.", {
                "maxRetry": int32("How often a failed session is tried again.", 0, INT32_MAX,
                                  default=1),
                "delay": string("Time between a failure and the next try, such as 10m. Default: at "
                                "once.", "duration"),
            })

# ---- retention ----


def keep(which):
    return int64(f"Keep the last snapshot of each of this many {which}. 0 or absent: no such rule.",
                 0, INT64_MAX)


RETENTION = obj("Which snapshots stay when a session has succeeded: one that any rule keeps. "
                "Without a rule every snapshot stays.", {
                    "name!": string("Any word that names the policy.", "line", some=True),
                    "keepLast": int64("Keep this many newest snapshots. 0 or absent: no such rule.",
                                      0, INT64_MAX),
                    "keepHourly": keep("hours that have one"),
                    "keepDaily": keep("days that have one"),
                    "keepWeekly": keep("weeks that have one"),
                    "keepMonthly": keep("months that have one"),
                    "keepYearly": keep("years that have one"),
                    "keepWithin": string("Keep all snapshots of this time before the newest one, "
                                         "such as 30d or 1y6m (units y, m, w, d, h). An addition "
                                         "of granary.", "within"),
                    "keepTags": listof(string("", "tag", 1024), "Keep every snapshot that has one "
                                       "of these tags."),
                    "prune!": flag("Free the space of snapshots that were removed."),
                    "dryRun": flag("Only say what would be removed. Default: false."),
                })

# ---- hooks ----

COMMAND = listof(string("", "hook_template", 32768), "Program and arguments, run without a shell. "
                 "{{ .Name }}, {{ .Namespace }}, {{ .Target }}, {{ .Status }} and their members "
                 "are filled in.", 256, fewest=1)

HOOK_MEMBERS = {
    "exec": obj("A command in a container; exit code 0 is a success.", {"command!": COMMAND}),
    "httpGet": HTTP_GET,
    "httpPost": obj("An HTTP POST; 200 to 399 is a success.", {
        **HTTP_MEMBERS,
        "body": string("Body of the request; templates as in exec.", "hook_template", 65536),
        "form": listof(obj("", {
            "key!": free("Name of the form's field.", 1024, some=True),
            "values!": strings("Its values.").but(fewest=1),
        }), "Body as a form. Not beside body."),
    }, Rule("!(has(self.body) && self.body != '' && has(self.form) && self.form.size() > 0)",
            "is not allowed beside body: one request has one", ".form")),
    "tcpSocket": TCP_SOCKET,
    "containerName": string("Container in which exec runs. Default: the first of the pod.",
                            "label"),
}

HOOK_ACTIONS = ("exec", "httpGet", "httpPost", "tcpSocket")

AN_ACTION = Rule(" || ".join(f"has(self.{name})" for name in HOOK_ACTIONS),
                 "at least one is needed: exec, httpGet, httpPost or tcpSocket", missing=True)


def hook(text, *policies):
    members = dict(HOOK_MEMBERS)
    if policies:
        members["executionPolicy"] = word("After which result it runs.", *policies,
                                          default="Always")
    return obj(text, members, AN_ACTION)


BACKUP_HOOKS = obj("Actions before and after the backup; all that one hook names run, in the order "
                   "exec, httpGet, httpPost, tcpSocket, 5 minutes at most.", {
                       "preBackup": hook("Before the backup. When it fails there is no backup."),
                       "postBackup": hook("After the backup.", "Always", "OnSuccess", "OnFailure",
                                          "OnFinalRetryFailure"),
                   })

RESTORE_HOOKS = obj("Actions before and after the restore; all that one hook names run, in the "
                    "order exec, httpGet, httpPost, tcpSocket, 5 minutes at most.", {
                        "preRestore": hook("Before the restore. When it fails nothing is "
                                           "restored."),
                        "postRestore": hook("After the restore.", "Always", "OnSuccess",
                                            "OnFailure"),
                    })

# ---- references ----

REPOSITORY_REF = obj("Repository that holds the backups.", {
    "name!": string("Name of the Repository.", "subdomain", some=True),
    "namespace": string("Its namespace; its usagePolicy must allow this one. Default: that of this "
                        "object.", "label"),
})

TARGET_REF_MEMBERS = {
    "apiVersion": free("Group and version, such as apps/v1.", 317),
    "kind": free("Kind, such as Deployment, PersistentVolumeClaim or AppBinding.", 253),
    "name": string("Name of the target.", "subdomain"),
    "namespace": string("Namespace of the target, for kinds that can be reached from another one. "
                        "Default: that of this object.", "label"),
}

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController",
             "DeploymentConfig")
GROUPS = (("apps", ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
          ("", ("ReplicationController", "PersistentVolumeClaim")),
          ("apps.openshift.io", ("DeploymentConfig",)),
          ("appcatalog.appscode.com", ("AppBinding",)))


def one_of(words):
    return "[" + ", ".join(f"'{one}'" for one in words) + "]"


def right_group():
    """CEL: the group belongs to the kind."""
    parts = []
    for group, kinds in GROUPS:
        right = f"self.apiVersion.startsWith('{group}/')" if group else \
            "!self.apiVersion.contains('/')"
        parts.append(f"(!(self.kind in {one_of(kinds)}) || {right})")
    return " && ".join(parts)


def named(member):
    return Rule(f"has(self.{member}) && self.{member} != ''", "is required", f".{member}",
                missing=True)


TARGET_REF = obj("What it is about.", TARGET_REF_MEMBERS, named("apiVersion"), named("kind"),
                 named("name"),
                 Rule("!has(self.apiVersion) || !has(self.kind) || (" + right_group() + ")",
                      "is not the group of this kind: apps/v1 (Deployment, StatefulSet, DaemonSet, "
                      "ReplicaSet), v1 (PersistentVolumeClaim, ReplicationController), "
                      "appcatalog.appscode.com/v1alpha1 (AppBinding), apps.openshift.io/v1 "
                      "(DeploymentConfig)", ".apiVersion"))

HAS_TASK = "(has(self.task) && has(self.task.name) && self.task.name != '')"
HAS_REF = "(has(self.target) && has(self.target.ref))"
HAS_KIND = "(has(self.target) && has(self.target.ref) && has(self.target.ref.kind))"
IN_POD = f"({HAS_KIND} && self.target.ref.kind in {one_of(WORKLOADS)} && !{HAS_TASK})"

KNOWN_KIND = Rule(
    f"{HAS_TASK} || !{HAS_KIND} || self.target.ref.kind == '' || self.target.ref.kind in "
    f"{one_of(WORKLOADS + ('PersistentVolumeClaim', 'AppBinding'))}",
    "without a task, a workload, a PersistentVolumeClaim or an AppBinding is expected",
    ".target.ref.kind")

SOME_REPOSITORY = Rule("has(self.repository)", "is required: the Repository that keeps the backups",
                       ".repository", missing=True)

OWN_PLACES = ("/proc", "/sys", "/dev", "/var/run/secrets", "/run/secrets", "/stash-tmp")

TARGET_MOUNT = obj("", {
    **MOUNT_MEMBERS,
    "mountPath!": MOUNT_MEMBERS["mountPath!"].but(
        "Where it is mounted: the path at which the application sees the same volume. Restored "
        "files go back to the paths that they had.", rules=(
            Rule(r"!self.matches(r'^/+$')", "\"/\" would hide the agent's own files"),
            Rule("!self.matches(r'^(" + "|".join(OWN_PLACES) + ")(/|$)')",
                 "belongs to the container itself: " + ", ".join(OWN_PLACES)))),
}, NOT_BOTH_PATHS)

TARGET_MOUNTS = listof(TARGET_MOUNT, "Volumes of the application's pod that the backup container "
                       "mounts as well.", 64, key="mountPath")


class Driver:
    """The field `driver`, and why one of its words is refused."""

    field = word("Restic is the only driver.", "Restic", "VolumeSnapshotter", default="Restic")
    rule = Rule("!has(self.driver) || self.driver != 'VolumeSnapshotter'",
                "granary takes no volume snapshots: Restic is the only driver", ".driver")


# ---- who may use it ----


def allowed(text, default=None):
    return obj(text, {
        "from": word("All namespaces, the Same namespace only, or those that selector selects.",
                     "All", "Same", "Selector", default=default),
        "selector": SELECTOR.but("Labels of the namespaces; with from: Selector only."),
    }, Rule("!has(self.from) || self.from != 'Selector' || has(self.selector)",
            "is required when from is Selector", ".selector", missing=True),
        Rule("!has(self.selector) || (has(self.from) && self.from == 'Selector')",
             "is allowed only when from is Selector", ".selector"))


USAGE_POLICY = obj("Which namespaces may refer to the Repository. Default: its own only. Without "
                   "allowedNamespaces: none at all.", {
                       "allowedNamespaces": allowed("Namespaces that are let in.", "Same")})

# ---- backends ----

PREFIX = string("Folder inside; leading and closing slashes do not count. Default: the root.",
                "prefix")
CONNECTIONS = int64("Connections at the same time. 0 or absent: restic's own number.", 0, INT64_MAX)


def bucket(text):
    return string(text, "bucket", some=True)


WRITABLE = tuple(VOLUME_SOURCES)
READ_ONLY = ("configMap", "secret", "downwardAPI", "projected", "image")
LOCAL = obj("A volume that every pod of the target can mount: a claim, NFS, a folder of the node. "
            "Its members are those of a pod's volume, without the name.", {
                **VOLUME_SOURCES,
                "mountPath!": string("Where it is mounted, and the repository's place: an absolute "
                                     "path.", "absolute_path", some=True, rules=(
                                         Rule(r"!self.matches(r'^/+(\./+)*(stash|stash-tmp|"
                                              r"stash-volumes)(/|$)')",
                                              "/stash, /stash-tmp and /stash-volumes belong to the "
                                              "agent"),)),
                "subPath": string("Folder of the volume that is mounted instead of its root.",
                                  "relative_path"),
            }, Rule(given(VOLUME_SOURCES) + " == 1",
                    "exactly one kind of volume is needed, such as persistentVolumeClaim or nfs"),
            Rule(" && ".join(f"!has(self.{name})" for name in READ_ONLY),
                 "nothing can be written to such a volume: " + ", ".join(READ_ONLY)))

PROVIDERS = {
    "local": LOCAL,
    "s3": obj("A bucket of Amazon S3 or of a service that speaks its language.", {
        "endpoint!": string("Address of the service: s3.amazonaws.com, minio.example.com:9000 or "
                            "https://minio.example.com.", "s3_endpoint", some=True),
        "bucket!": bucket("Name of the bucket."),
        "prefix": PREFIX,
        "region": string("Region of the bucket, where the service asks for one.", "line"),
        "insecureTLS": flag("Accept any certificate of the service. Default: false."),
    }),
    "gcs": obj("A bucket of Google Cloud Storage.", {
        "bucket!": bucket("Name of the bucket."), "prefix": PREFIX, "maxConnections": CONNECTIONS}),
    "azure": obj("A container of Azure Blob Storage.", {
        "container!": bucket("Name of the container."), "prefix": PREFIX,
        "maxConnections": CONNECTIONS}),
    "swift": obj("A container of OpenStack Swift.", {
        "container!": bucket("Name of the container."), "prefix": PREFIX}),
    "b2": obj("A bucket of Backblaze B2.", {
        "bucket!": bucket("Name of the bucket."), "prefix": PREFIX, "maxConnections": CONNECTIONS}),
    "rest": obj("A restic REST server.", {
        "url!": string("Address of the server with the folder, such as "
                       "https://rest.example.com/backup. User and password stand in the Secret.",
                       "rest_url", some=True)}),
}

ONE_BACKEND = Rule(given(PROVIDERS) + " == 1",
                   "exactly one is needed: " + ", ".join(PROVIDERS))

PLACES = {"s3": ("endpoint", "bucket", "prefix"), "gcs": ("bucket", "prefix"),
          "azure": ("container", "prefix"), "swift": ("container", "prefix"),
          "b2": ("bucket", "prefix"), "rest": ("url",)}
WHEREABOUTS = {"local": (("persistentVolumeClaim", "claimName"), ("nfs", "server"),
                         ("nfs", "path"), ("hostPath", "path"))}


def stays(provider, member):
    """CEL: the member is the same. The webhook leaves out slashes at the ends; here all are left
    out, which costs little and refuses nothing that the webhook would let pass."""
    def value(side):
        path = f"{side}.{provider}.{member}"
        plain = f"{path}.replace('/', '')"
        return f"(has({path}) ? {plain} : '')" if member == "prefix" else plain

    return f"{value('self')} == {value('oldSelf')}"


def volume_stays(kind, member):
    def value(side):
        path = f"{side}.local.{kind}"
        return f"(has({path}) && has({path}.{member}) ? {path}.{member} : '')"

    return f"{value('self')} == {value('oldSelf')}"


def one_before():
    return given(PROVIDERS).replace("self.", "oldSelf.") + " != 1"


def location_rules():
    """One transition rule for each provider. What had no backend, or several, may be repaired; what
    only the webhook compares (other kinds of volumes) may pass here."""
    message = "the location of a Repository can not change: make a new Repository, this one " \
        "keeps its data"
    rules = []
    for provider in PROVIDERS:
        same = [stays(provider, member) for member in PLACES.get(provider, ())]
        same += [volume_stays(*pair) for pair in WHEREABOUTS.get(provider, ())]
        rules.append(Rule(f"!has(oldSelf.{provider}) || {one_before()} || (has(self.{provider}) && "
                          + " && ".join(same) + ")", message))
    return tuple(rules)


def backend(*rules):
    return obj("Where snapshots are kept: the Secret, and exactly one kind of storage.", {
        "storageSecretName!": string("Secret in the Repository's namespace: RESTIC_PASSWORD, and "
                                     "the credentials of the storage (AWS_ACCESS_KEY_ID, ...).",
                                     "subdomain", some=True),
        **PROVIDERS,
    }, ONE_BACKEND, *rules)


def repository_members(*rules):
    return {
        "backend!": backend(*rules),
        "wipeOut": flag("Remove the data of the Repository when it is deleted, unless its namespace is "
                        "deleted, too. Default: false, the data stays."),
        "usagePolicy": USAGE_POLICY,
        "agentSecretName": string("Secret that is handed to agents instead, with fewer rights "
                                  "(append-only, one prefix); maintenance uses the other one. "
                                  "Default: the same Secret. An addition of granary.", "subdomain"),
    }


WIPE_OUT = Rule("!has(self.wipeOut) || !self.wipeOut || !has(self.backend) || !has(self.backend.rest)",
                "a rest backend can not be wiped out: remove its data yourself", ".wipeOut")

# ---- additions of granary ----

ADDITION = " An addition of granary."

MODE = word("Sidecar: a container in the workload's pods. Job: the workload's claims are mounted "
            "by a Job, its pods stay as they are. Auto: Sidecar for a workload, Job for everything "
            "else. Default: Auto." + ADDITION, "Auto", "Sidecar", "Job")

FILE_ACCESS = word("As which user files are read. Auto: the user of the container that owns them, "
                   "and user 0 where none is known and the pod allows it. Follow: never user 0. "
                   "Root: always user 0. Default: Auto." + ADDITION, "Auto", "Follow", "Root")

GUARD = obj("What happens when a snapshot is much smaller than the one before." + ADDITION, {
    "shrinkPercent": int32("By how many percent it must have shrunk. Default: 90.", 1, 100),
    "action": word("Warn: event and condition. Fail: the session fails as well, and retention "
                   "removes nothing. Default: Warn.", "Warn", "Fail"),
})

VERIFY = obj("Restore drills: files of the newest snapshot are restored aside and compared. "
             "Default: none." + ADDITION, {
                 "schedule!": string("When, as cron writes it.", "schedule", some=True),
                 "files": int32("How many files of each snapshot are drawn each time. Default: all are "
                                "restored.", 1, 1000),
                 "image": string("Image that command is run in. Default: that of the target's first "
                                 "container.", "image", some=True),
                 "command": strings("Program and arguments that judge what was restored; exit code "
                                    "0 is a success.", 256, length=32768).but(fewest=1),
             })

JITTER = string("Each session starts up to this much later than its slot, a time that stays the "
                "same for one target. Default: 0s." + ADDITION, "duration")

SCHEDULE_TEXT = "as cron writes it (minute, hour, day of month, month, day of week), or @hourly, " \
    "@daily, @weekly, @monthly, @yearly, @every 6h. In the time zone of the cluster."

HISTORY = int32("How many finished sessions are kept as objects. The last one that succeeded or "
                "failed always stays, unless this is 0. Default: 1.", 0, INT32_MAX)

TIME_OUT = string("A session that takes longer than this is ended and counts as failed, such as "
                  "2h. Days are written in hours. Default: no limit.", "duration_positive")

INTERIM = CLAIM_TEMPLATE.but("Claim made for each session for data on its way, such as a dump. "
                             "Default: the scratch space.")

# ---- status ----

OBSERVED = int64("metadata.generation that this status describes.")

CONDITIONS = listof(obj("", {
    "type!": free("What it is about.", 316, some=True),
    "status!": free("True, False or Unknown.", 16, some=True),
    "lastTransitionTime!": time("When the condition last changed."),
    "observedGeneration": int64("metadata.generation that the condition describes."),
    "severity": free("How bad it is, for conditions that are not True.", 64),
    "reason": free("The same in one word, for programs.", 1024),
    "message": free("The same in words, for people."),
}), "What is known about the object, by type.", 64, key="type")

STATUS_REF = obj("What it is about.", TARGET_REF_MEMBERS)


def phase(text, *words):
    return word(text, *words)
