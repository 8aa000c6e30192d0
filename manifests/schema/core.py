"""Types of Kubernetes that stand inside our kinds and end up in a pod or a claim.

Where Kubernetes may grow new members, an object is open: what is described has its type, what is
not described is kept, and the webhook, which judges these parts as an API server would, warns about
words that it does not know.
"""

from model import (PATH_MAX, Rule, anything, flag, free, int32, int64, listof, mapof, obj, port,
                   quantity, string)

SEE = "Written as in a pod: kubectl explain pod.spec.{}"


def see(text, path):
    return anything(f"{text} {SEE.format(path)}.")


def strings(text, most=256, like="", length=4096):
    return listof(free("", length) if not like else string("", like), text, most=most)


LABELS = mapof(string("", "label_value", 63), "")

SELECTOR = obj("Labels that an object must have. Empty: every object is selected.", {
    "matchLabels": LABELS.but("Labels with exactly these values."),
    "matchExpressions": listof(obj("", {
        "key!": string("Key of the label.", "label_key", 317, some=True),
        "operator!": free("In, NotIn, Exists or DoesNotExist.", 32, some=True),
        "values": strings("Values for In and NotIn; none for the other two.", like="label_value"),
    }), "Conditions on labels; all of them must hold."),
})

# ---- containers ----

AMOUNTS = mapof(quantity(), "", 64)

RESOURCES = obj("CPU and memory of the backup container. In the sidecar's default both requests "
                "and limits are set; what is given here takes their place.", {
    "limits": AMOUNTS.but("Most that the container may use, by resource: cpu: 500m, memory: 1Gi. "
                          "Beyond its memory limit the container is ended."),
    "requests": AMOUNTS.but("What the scheduler sets aside for the container, by resource. At most "
                            "the limit."),
}, open=True)

PROFILE = "type is RuntimeDefault, Unconfined or Localhost; localhostProfile names the profile " \
    "of the last one."

SECURITY = obj("User and rights of the backup container. What is given here takes precedence over "
               "what fileAccess would choose.", {
    "runAsUser": int64("User ID of the container's process.", 0, 2**31 - 1),
    "runAsGroup": int64("Group ID of the container's process.", 0, 2**31 - 1),
    "runAsNonRoot": flag("The kubelet refuses to start the container as user 0."),
    "readOnlyRootFilesystem": flag("The container's own file system can not be written."),
    "allowPrivilegeEscalation": flag("A process may gain more rights than its parent."),
    "privileged": flag("The container has all rights of the node. No backup needs that."),
    "procMount": free("How /proc is mounted: only Default is accepted.", 64),
    "capabilities": obj("Linux capabilities, in addition to or taken from what the runtime grants.",
                        {"add": strings("Capabilities to be added, such as DAC_OVERRIDE.", 64),
                         "drop": strings("Capabilities to be dropped, ALL for every one.", 64)}),
    "seLinuxOptions": anything("SELinux label: user, role, type, level."),
    "seccompProfile": anything("Filter of system calls. " + PROFILE),
    "appArmorProfile": anything("AppArmor profile. " + PROFILE),
}, open=True)

ENV = listof(obj("", {
    "name!": string("Name of the variable.", "env_name", some=True),
    "value": free("Its value; $(OTHER) is replaced by an earlier variable. Default: empty."),
    "valueFrom": see("Takes the value from a field of the pod, a ConfigMap or a Secret.",
                     "containers.env.valueFrom"),
}), "Environment variables of the backup container, also seen by hooks that run in it.", 256)

ENV_FROM = listof(obj("", {
    "prefix": string("Put in front of each name.", "env_name"),
    "configMapRef": anything("A ConfigMap of the same namespace: name, optional."),
    "secretRef": anything("A Secret of the same namespace: name, optional."),
}, open=True), "ConfigMaps and Secrets all of whose keys become environment variables.", 64)

CONTAINER_SETTINGS = obj("Of the container that does the work.", {
    "resources": RESOURCES,
    "securityContext": SECURITY,
    "env": ENV,
    "envFrom": ENV_FROM,
    "nice": obj("CPU priority of restic.", {
        "adjustment": int32("From -20 (first) to 19 (last). Default: that of the container.",
                            -20, 19)}),
    "ionice": obj("Disk priority of restic.", {
        "class": int32("1 real time, 2 best effort, 3 idle, 0 none. Default: 0.", 0, 3),
        "classData": int32("Priority within classes 1 and 2, from 0 (first) to 7 (last).", 0, 7)}),
    "livenessProbe": see("When the container is restarted. Default: never.",
                         "containers.livenessProbe"),
    "readinessProbe": see("When the container counts as ready; it counts for the whole pod. "
                          "Default: always.", "containers.readinessProbe"),
    "lifecycle": see("Commands after the start and before the end of the container.",
                     "containers.lifecycle"),
})

# ---- pods ----

POD_SECURITY = obj("User and rights of all containers of a Job's pod.", {
    "runAsUser": int64("User ID of the pod's processes.", 0, 2**31 - 1),
    "runAsGroup": int64("Group ID of the pod's processes.", 0, 2**31 - 1),
    "runAsNonRoot": flag("The kubelet refuses to start a container as user 0."),
    "fsGroup": int64("Group that owns the volumes where their kind allows it.", 0, 2**31 - 1),
    "fsGroupChangePolicy": free("OnRootMismatch or Always: when ownership of a volume is changed. "
                                "Default: Always.", 64),
    "supplementalGroups": listof(int64("", 0, 2**31 - 1), "Further group IDs of the processes."),
    "supplementalGroupsPolicy": free("Merge (with those of the image) or Strict. Default: Merge.",
                                     64),
    "sysctls": listof(obj("", {
        "name!": string("Name of the parameter.", "sysctl", some=True),
        "value!": free("Its value.", 1024, some=True)}),
        "Kernel parameters of the pod.", key="name"),
    "seLinuxOptions": anything("SELinux label: user, role, type, level."),
    "seLinuxChangePolicy": free("MountOption or Recursive: how volumes are labelled.", 64),
    "seccompProfile": anything("Filter of system calls. " + PROFILE),
    "appArmorProfile": anything("AppArmor profile. " + PROFILE),
}, open=True)

TOLERATIONS = listof(obj("", {
    "key": string("Key of the taint. Empty with operator Exists: every taint.", "label_key", 317),
    "operator": free("Equal or Exists. Default: Equal.", 32),
    "value": string("Value of the taint, for Equal.", "label_value", 63),
    "effect": free("NoSchedule, PreferNoSchedule or NoExecute. Empty: all of them.", 32),
    "tolerationSeconds": int64("With NoExecute: seconds until the pod is evicted. Default: never."),
}, open=True), "Taints of nodes that the pod accepts.")

POD_SETTINGS = obj("Of the pod of a Job. A sidecar lives in the application's pod, which keeps its "
                   "own settings.", {
    "podLabels": LABELS.but("Labels of the pod."),
    "podAnnotations": mapof(free("", 65536), "Annotations of the pod."),
    "nodeSelector": LABELS.but("Labels that a node must have."),
    "serviceAccountName": string("ServiceAccount of the pod, for Functions that use the API. "
                                 "Default: one without any rights.", "subdomain"),
    "serviceAccountAnnotations": mapof(free("", 65536), "Annotations of the ServiceAccount that is "
                                       "made for the pod; without effect when one is named."),
    "automountServiceAccountToken": flag("Whether the pod gets a token of its ServiceAccount."),
    "nodeName": string("Name of the node, past the scheduler.", "subdomain"),
    "securityContext": POD_SECURITY,
    "imagePullSecrets": listof(obj("", {"name": string("Name of the Secret.", "subdomain")}),
                               "Secrets of the same namespace for private registries."),
    "affinity": see("Which nodes, and which neighbours, are wanted or avoided.", "affinity"),
    "schedulerName": string("Scheduler of the pod. Default: that of the cluster.", "subdomain"),
    "tolerations": TOLERATIONS,
    "priorityClassName": string("PriorityClass of the pod.", "subdomain"),
    "priority": int32("Priority as a number; it must be that of the class."),
    "readinessGates": listof(obj("", {
        "conditionType!": string("Condition of the pod.", "label_key", 317, some=True)}),
        "Further conditions that must hold before the pod counts as ready."),
    "runtimeClassName": string("RuntimeClass of the pod.", "subdomain"),
    "enableServiceLinks": flag("Whether Services appear as environment variables. Default: true."),
    "topologySpreadConstraints": listof(
        anything(""), "How pods are spread over zones and nodes. "
        + SEE.format("topologySpreadConstraints") + "."),
})

RUNTIME_SETTINGS = obj("How the containers and pods that do the work are run.", {
    "pod": POD_SETTINGS,
    "container": CONTAINER_SETTINGS,
})

# ---- volumes ----

MOUNT_MEMBERS = {
    "name!": string("Name of a volume of the pod.", "label", some=True),
    "mountPath!": string("Where it is mounted in the container: an absolute path.",
                         "absolute_path", some=True),
    "subPath": string("Folder of the volume that is mounted instead of its root.", "relative_path"),
    "subPathExpr": string("The same with $(VARIABLE) of the container's environment. Not beside "
                          "subPath.", "relative_path"),
    "readOnly": flag("Mounted read-only. Default: false."),
    "mountPropagation": free("None, HostToContainer or Bidirectional. Default: None.", 64),
    "recursiveReadOnly": free("Disabled, IfPossible or Enabled: whether mounts below are read-only "
                              "too. Default: Disabled.", 64),
}

NOT_BOTH_PATHS = Rule(
    "!(has(self.subPath) && self.subPath != '' && has(self.subPathExpr) && self.subPathExpr != '')",
    "is not allowed beside subPath", ".subPathExpr")

MOUNT = obj("", MOUNT_MEMBERS, NOT_BOTH_PATHS)

MODE = int32("Permissions as a decimal number, 0 to 511: 420 is 0644.", 0, 511)


def secret_name(text):
    return obj(text, {"name!": string("Its name.", "subdomain", some=True)})


CLAIM_SPEC = obj("What is asked of the storage.", {
    "accessModes!": listof(free("", 64), "ReadWriteOnce, ReadOnlyMany, ReadWriteMany or "
                           "ReadWriteOncePod.", 8, fewest=1),
    "resources!": obj("Size of the volume.", {
        "requests": AMOUNTS.but("Least amounts: storage: 10Gi."),
        "limits": AMOUNTS.but("Most amounts, where the storage knows such."),
    }, open=True),
    "storageClassName": string("StorageClass. Default: that of the cluster; empty: none, only "
                               "volumes that exist.", "subdomain"),
    "volumeMode": free("Filesystem or Block. Default: Filesystem.", 64),
    "volumeName": string("Name of a PersistentVolume that exists.", "subdomain"),
    "volumeAttributesClassName": string("VolumeAttributesClass of the volume.", "subdomain"),
    "selector": SELECTOR.but("Labels of the PersistentVolumes that may be taken."),
    "dataSource": anything("A snapshot or claim that fills the volume: apiGroup, kind, name."),
    "dataSourceRef": anything("The same for any kind of object, also of another namespace."),
}, open=True)

CLAIM_TEMPLATE = obj("", {
    "metadata": obj("Name, labels and annotations of the claim.", {
        "name": string("Name of the claim.", "subdomain"),
        "generateName": free("Beginning of a name that the server makes.", 253),
        "namespace": string("Namespace of the claim. Default: that of this object.", "label"),
        "labels": LABELS.but("Labels of the claim."),
        "annotations": mapof(free("", 65536), "Annotations of the claim."),
    }, open=True),
    "spec!": CLAIM_SPEC,
    "status": anything("Ignored; some tools write it."),
})


def source(text, **members):
    return obj(text, {name.rstrip("_"): node for name, node in members.items()}, open=True)


READ_ONLY = flag("Mounted read-only. Default: false.")
FS_TYPE = free("File system of the volume. Default: ext4.", 64)

VOLUME_SOURCES = {
    "persistentVolumeClaim": source("A PersistentVolumeClaim of the pod's namespace.",
                                    claimName=string("Its name.", "subdomain"), readOnly=READ_ONLY),
    "nfs": source("A share of an NFS server.", server=free("Name or address of the server.", 253),
                  path=string("Exported path.", "absolute_path"), readOnly=READ_ONLY),
    "hostPath": source("A folder of the node; Pod Security baseline forbids it.",
                       path=string("The folder.", "", PATH_MAX),
                       type=free("What must be there, such as DirectoryOrCreate. Default: not "
                                 "looked at.", 64)),
    "csi": source("A volume that a CSI driver makes for the pod.",
                  driver=free("Name of the driver.", 253), readOnly=READ_ONLY, fsType=FS_TYPE,
                  volumeAttributes=mapof(free("", 4096), "Settings that the driver knows.")),
    "emptyDir": source("An empty folder that goes with the pod.",
                       medium=free("Memory keeps it in RAM. Default: the node's disk.", 64),
                       sizeLimit=quantity("Most that it may hold. Default: no limit.")),
    "ephemeral": anything("A claim made for the pod, which goes with it: volumeClaimTemplate."),
    "configMap": source("Files from a ConfigMap.", name=string("Its name.", "subdomain"),
                        defaultMode=MODE, optional=flag("It need not be there.")),
    "secret": source("Files from a Secret.", secretName=string("Its name.", "subdomain"),
                     defaultMode=MODE, optional=flag("It need not be there.")),
    "downwardAPI": anything("Files that show fields of the pod: items, defaultMode."),
    "projected": anything("Several sources in one folder: sources, defaultMode."),
    "image": anything("The content of a container image: reference, pullPolicy."),
    "awsElasticBlockStore": anything("A disk of AWS: volumeID, fsType, partition, readOnly."),
    "azureDisk": anything("A disk of Azure: diskName, diskURI, cachingMode, fsType, kind, "
                          "readOnly."),
    "azureFile": anything("A share of Azure: secretName, shareName, readOnly."),
    "cephfs": anything("CephFS: monitors, path, user, secretFile, secretRef, readOnly."),
    "cinder": anything("A disk of OpenStack: volumeID, fsType, secretRef, readOnly."),
    "fc": anything("Fibre Channel: targetWWNs, lun, wwids, fsType, readOnly."),
    "flexVolume": anything("A FlexVolume driver: driver, fsType, secretRef, options, readOnly."),
    "gcePersistentDisk": anything("A disk of Google: pdName, fsType, partition, readOnly."),
    "glusterfs": anything("GlusterFS: endpoints, path, readOnly."),
    "iscsi": anything("iSCSI: targetPortal, iqn, lun, and what else its initiator needs."),
    "portworxVolume": anything("Portworx: volumeID, fsType, readOnly."),
    "rbd": anything("Ceph RBD: monitors, image, pool, user, keyring, secretRef, fsType, readOnly."),
    "vsphereVolume": anything("A disk of vSphere: volumePath, fsType, storagePolicyName, "
                              "storagePolicyID."),
}


def given(names):
    """CEL: how many of these members are there."""
    return "[" + ", ".join(f"has(self.{name})" for name in names) + "].filter(x, x).size()"


VOLUME = obj("", {
    "name!": string("Name by which volumeMounts refer to it.", "label", some=True),
    **VOLUME_SOURCES,
}, Rule(given(VOLUME_SOURCES) + " <= 1", "only one kind of volume is allowed"))

# ---- probes, as hooks use them ----

HEADERS = listof(obj("", {
    "name!": string("Name of the header.", "header_name", some=True),
    "value": string("Its value.", "header_value", 8192),
}), "Headers of the request.")

HTTP_MEMBERS = {
    "path": free("Path of the request. Default: /.", 4096),
    "port!": port("Number of the port, or its name in the container."),
    "host": free("Host that is asked. Default: the pod itself, or the service of the AppBinding.",
                 253),
    "scheme": free("HTTP or HTTPS. Default: HTTP.", 16),
    "httpHeaders": HEADERS,
}

HTTP_GET = obj("An HTTP GET; 200 to 399 is a success.", HTTP_MEMBERS)

TCP_SOCKET = obj("A TCP connection; that it opens is a success.", {
    "port!": port("Number of the port, or its name in the container."),
    "host": free("Host that is asked. Default: the pod itself.", 253),
})

# ---- parts of a Function ----

CONTAINER_PORT = obj("", {
    "name": string("Name of the port.", "port_name", 63),
    "containerPort!": int32("Number of the port in the container.", 1, 65535),
    "hostPort": int32("Number of the port on the node. Default: none.", 0, 65535),
    "hostIP": free("Address of the node that hostPort listens on.", 253),
    "protocol": free("TCP, UDP or SCTP. Default: TCP.", 16),
})

VOLUME_DEVICE = obj("", {
    "name!": string("Name of a volume of mode Block.", "label", some=True),
    "devicePath!": string("Path of the device in the container.", "absolute_path", some=True),
})
