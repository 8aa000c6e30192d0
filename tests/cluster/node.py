"""What the one node of a test cluster consists of: folders, certificates, settings, programs, images.

Nothing here starts anything that stays; supervise.py does, and cluster.py says in which order.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import tools

sys.path.insert(0, os.path.join(tools.ROOT, "manifests", "images"))
import oci  # noqa: E402

NODE = "node0"
# All of them exist in the cluster's own network namespace only, so every cluster has the same.
NODE_ADDRESS, NODE_PREFIX = "10.88.0.1", 24
POD_RANGE, SERVICE_RANGE = "10.88.1.0/24", "10.96.0.0/16"
API_SERVICE, DNS_SERVICE = "10.96.0.1", "10.96.0.10"
DOMAIN = "cluster.local"
API = f"https://{NODE_ADDRESS}:6443"
ISSUER = f"https://kubernetes.default.svc.{DOMAIN}"
PAUSE_IMAGE, SHELL_IMAGE = "localhost/pause:dev", "localhost/test-shell:dev"
CNI_PROGRAMS = "/usr/lib/cni"

# What kubelet sets in the kernel when it finds another value. These belong to the whole machine, so in our mount
# namespace files with the wanted values lie over them, and kubelet has nothing to change.
KERNEL_SETTINGS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
                   "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}


def base_folder():
    return os.environ.get("GRANARY_CLUSTER_STATE", "/var/lib/granary-cluster")


class Layout:
    """Paths of one cluster. The lock stays when the folder goes."""

    def __init__(self, name):
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", name):
            raise tools.Missing(f"{name!r} can not name a cluster: a to z, 0 to 9 and hyphens, at most 40")
        self.name = name
        self.folder = os.path.join(base_folder(), name)
        self.lock = self.folder + ".lock"
        self.logs = self.path("logs")
        self.kubeconfig = self.path("kubeconfig")
        self.ready = self.path("ready")  # there from the end of the start to the beginning of the end
        self.audit = self.path("logs", "audit.log")
        self.containerd_socket = self.path("data", "containerd.sock")
        self.cgroup = f"/granary-{name}"

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def conf(self, name):
        return self.path("conf", name)

    def pki(self, name):
        return self.path("pki", name)

    def make(self):
        for name in ("conf", "pki", "data", "logs", "volumes", "data/etcd", "data/log"):
            os.makedirs(self.path(name), mode=0o700)
        os.makedirs(self.path("data/opt"), mode=0o755)


def write(path, content):
    """Only root reads what is written here: keys and kubeconfigs are among it."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))


# --- certificates ---------------------------------------------------------------------------------


def openssl(*arguments):
    tools.run(["openssl", *arguments], f"openssl {arguments[0]}")


def certificate(layout, name, subject, ca="ca", names="", usage="clientAuth"):
    """NAME.crt and NAME.key; without ca, an authority that signs itself."""
    extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
    if ca:
        extensions = ["basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={usage}"]
        extensions += [f"subjectAltName={names}"] if names else []
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-sha256", "-days", "365",
            "-subj", subject, "-keyout", layout.pki(name + ".key"), "-out", layout.pki(name + ".crt"),
            *(word for extension in extensions for word in ("-addext", extension)),
            *(["-CA", layout.pki(ca + ".crt"), "-CAkey", layout.pki(ca + ".key")] if ca else []))


# Who gets a certificate and a kubeconfig: subject of the certificate by name.
USERS = {
    "admin": "/O=system:masters/CN=admin",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "coredns": "/O=system:masters/CN=coredns",
    "cert-manager": "/O=system:masters/CN=cert-manager",
    "cainjector": "/O=system:masters/CN=cainjector",
}


def make_certificates(layout):
    certificate(layout, "ca", "/CN=kubernetes", ca=None)
    certificate(layout, "front-proxy-ca", "/CN=front-proxy", ca=None)
    certificate(layout, "front-proxy", "/CN=front-proxy-client", ca="front-proxy-ca")
    services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{DOMAIN}",
                "localhost", NODE]
    addresses = [API_SERVICE, NODE_ADDRESS, "127.0.0.1"]
    certificate(layout, "apiserver", "/CN=kube-apiserver", usage="serverAuth",
                names=",".join([f"DNS:{name}" for name in services] + [f"IP:{address}" for address in addresses]))
    certificate(layout, "kubelet-server", f"/CN={NODE}", usage="serverAuth", names=f"DNS:{NODE},IP:{NODE_ADDRESS}")
    certificate(layout, "apiserver-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet-client")
    for user, subject in USERS.items():
        certificate(layout, user, subject)
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", layout.pki("sa.key"))
    openssl("pkey", "-in", layout.pki("sa.key"), "-pubout", "-out", layout.pki("sa.pub"))


def make_kubeconfigs(layout):
    for user in USERS:
        write(layout.kubeconfig if user == "admin" else layout.conf(user + ".kubeconfig"), {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": API, "certificate-authority": layout.pki("ca.crt")}}],
            "users": [{"name": user, "user": {
                "client-certificate": layout.pki(user + ".crt"), "client-key": layout.pki(user + ".key")}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        })


# --- settings -------------------------------------------------------------------------------------

# Writes with their bodies, so that the audit log tells which webhook patched what (annotations
# mutation.webhook.admission.k8s.io/... and patch.webhook.admission.k8s.io/...); never the content of Secrets.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver", "system:kube-scheduler", "system:kube-proxy"],
         "verbs": ["get", "list", "watch"]},
        {"level": "None", "resources": [{"group": "", "resources": ["events"]},
                                        {"group": "events.k8s.io", "resources": ["events"]}]},
        {"level": "None", "nonResourceURLs": ["/healthz*", "/readyz*", "/livez*", "/openapi/*"]},
        {"level": "Metadata", "resources": [
            {"group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"]},
            {"group": "authentication.k8s.io"}]},
        {"level": "Request", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}


def kubelet_settings(layout):
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS, "healthzBindAddress": "127.0.0.1", "readOnlyPort": 0,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": layout.pki("ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": layout.pki("kubelet-server.crt"), "tlsPrivateKeyFile": layout.pki("kubelet-server.key"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs", "cgroupRoot": layout.cgroup, "failCgroupV1": False, "failSwapOn": False,
        "enforceNodeAllocatable": [], "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%",
                         "imagefs.available": "0%", "imagefs.inodesFree": "0%", "pid.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [DNS_SERVICE], "clusterDomain": DOMAIN, "resolvConf": "/dev/null",
        "podLogsDir": layout.path("logs", "pods"), "eventRecordQPS": 0, "syncFrequency": "10s",
        "logging": {"flushFrequency": "1s"},
    }


CONTAINERD = """version = 2
root = "{data}/containerd"
state = "{data}/containerd-state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{data}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{conf}/cni"
"""

# Every pod has a link of its own to the node, so that all traffic between pods is routed and kube-proxy sees the
# answers of Services too; a bridge would need the kernel's br_netfilter for that.
CNI = {
    "cniVersion": "0.4.0", "name": "pods",
    "plugins": [
        {"type": "ptp", "ipMasq": False,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_RANGE}]], "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}

COREFILE = """.:53 {{
    bind {address}
    errors
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
    loadbalance
}}
"""


def make_settings(layout):
    write(layout.conf("audit.yaml"), AUDIT_POLICY)
    write(layout.conf("kubelet.yaml"), kubelet_settings(layout))
    write(layout.conf("containerd.toml"), CONTAINERD.format(
        data=layout.path("data"), conf=layout.path("conf"), socket=layout.containerd_socket, pause=PAUSE_IMAGE,
        cni=CNI_PROGRAMS))
    os.mkdir(layout.conf("cni"), 0o700)
    write(layout.conf("cni/10-pods.conflist"), CNI)
    write(layout.conf("Corefile"), COREFILE.format(
        address=NODE_ADDRESS, domain=DOMAIN, kubeconfig=layout.conf("coredns.kubeconfig")))
    os.mkdir(layout.conf("kernel"), 0o700)
    for name, value in KERNEL_SETTINGS.items():
        write(layout.conf("kernel/" + name.replace("/", ".")), f"{value}\n")


# What a cluster has from its first second: the name service, which runs beside the node and not in a pod.
DNS_OBJECTS = {"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
     "spec": {"clusterIP": DNS_SERVICE, "ports": [
         {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}},
    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
     "metadata": {"name": "kube-dns-node", "namespace": "kube-system",
                  "labels": {"kubernetes.io/service-name": "kube-dns"}},
     "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}],
     "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}]},
]}

# --- programs -------------------------------------------------------------------------------------


def parts(layout, programs):
    """Command lines by name. programs: path by program, as of tools.ensure()."""
    pki, conf, data = layout.pki, layout.conf, layout.path("data")
    secure = ["--bind-address=127.0.0.1", "--leader-elect=false"]
    return {
        "etcd": [programs["etcd"], f"--data-dir={data}/etcd", "--listen-client-urls=http://127.0.0.1:2379",
                 "--advertise-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
                 # nothing of a test cluster has to survive a power cut
                 "--unsafe-no-fsync", "--log-level=warn"],
        "containerd": [shutil.which("containerd"), "--config", conf("containerd.toml")],
        "kube-apiserver": [
            programs["kube-apiserver"], f"--advertise-address={NODE_ADDRESS}", f"--bind-address={NODE_ADDRESS}",
            "--secure-port=6443", "--etcd-servers=http://127.0.0.1:2379", "--allow-privileged=true",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICE_RANGE}", f"--client-ca-file={pki('ca.crt')}",
            f"--tls-cert-file={pki('apiserver.crt')}", f"--tls-private-key-file={pki('apiserver.key')}",
            f"--kubelet-client-certificate={pki('apiserver-kubelet.crt')}",
            f"--kubelet-client-key={pki('apiserver-kubelet.key')}",
            f"--kubelet-certificate-authority={pki('ca.crt')}", "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer={ISSUER}", f"--service-account-key-file={pki('sa.pub')}",
            f"--service-account-signing-key-file={pki('sa.key')}",
            f"--requestheader-client-ca-file={pki('front-proxy-ca.crt')}",
            "--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki('front-proxy.crt')}",
            f"--proxy-client-key-file={pki('front-proxy.key')}",
            f"--audit-policy-file={conf('audit.yaml')}", f"--audit-log-path={layout.audit}",
            # an entry is in the file before the client has its answer
            "--audit-log-mode=blocking", "--audit-log-maxsize=2000"],
        "kube-controller-manager": [
            programs["kube-controller-manager"], *secure, f"--kubeconfig={conf('controller-manager.kubeconfig')}",
            f"--service-account-private-key-file={pki('sa.key')}", f"--root-ca-file={pki('ca.crt')}",
            "--use-service-account-credentials", f"--cluster-signing-cert-file={pki('ca.crt')}",
            f"--cluster-signing-key-file={pki('ca.key')}"],
        "kube-scheduler": [
            programs["kube-scheduler"], *secure, f"--kubeconfig={conf('scheduler.kubeconfig')}"],
        "kubelet": [
            programs["kubelet"], f"--config={conf('kubelet.yaml')}", f"--kubeconfig={conf('kubelet.kubeconfig')}",
            f"--root-dir={data}/kubelet", f"--hostname-override={NODE}", f"--node-ip={NODE_ADDRESS}"],
        "kube-proxy": [
            programs["kube-proxy"], f"--kubeconfig={conf('proxy.kubeconfig')}", "--proxy-mode=iptables",
            f"--cluster-cidr={POD_RANGE}", f"--hostname-override={NODE}", "--conntrack-max-per-core=0",
            "--bind-address=127.0.0.1", "--healthz-bind-address=127.0.0.1:10256"],
        "coredns": [programs["coredns"], "-conf", conf("Corefile")],
    }


def environment(programs):
    """What parts, tests and people get: the cluster's own programs first in PATH."""
    folders = [os.path.dirname(programs["kubectl"]), os.path.dirname(programs["etcdctl"])]
    return dict(os.environ, PATH=":".join(folders + [
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]), HOME=tools.home())


# --- images ---------------------------------------------------------------------------------------


def own_images():
    """Files of the images that every cluster has: pause, and a shell for workloads of tests."""
    source = os.path.join(tools.HERE, "pause.c")
    busybox = shutil.which("busybox")
    key = tools.key_of(tools.file_text(source), tools.hash_of(busybox), tools.hash_of(oci.__file__),
                       tools.run(["gcc", "--version"], "gcc"))
    with tools.made("images", key) as (folder, fill):
        if fill:
            pause_image(source, fill)
            shell_image(busybox, fill)
    return [os.path.join(folder, name) for name in ("pause.tar", "test-shell.tar")]


@contextlib.contextmanager
def tree_in(fill):
    tree = os.path.join(fill, "tree")
    os.mkdir(tree)
    yield tree
    shutil.rmtree(tree)


def pause_image(source, fill):
    with tree_in(fill) as tree:
        tools.run(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-Os", "-static", "-s", source, "-o",
                   os.path.join(tree, "pause")], "compiling pause.c")
        oci.pack(tree, PAUSE_IMAGE, os.path.join(fill, "pause.tar"), {"User": "65535:65535", "Entrypoint": ["/pause"]})


def shell_image(busybox, fill):
    with tree_in(fill) as tree:
        for name in ("bin", "etc", "tmp", "data"):
            os.mkdir(os.path.join(tree, name))
        shutil.copy(busybox, os.path.join(tree, "bin", "busybox"))
        for applet in tools.run([busybox, "--list"], "busybox").split():
            if applet != "busybox":
                os.symlink("busybox", os.path.join(tree, "bin", applet))
        for name, line in (("passwd", "root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n"),
                           ("group", "root:x:0:\nuser:x:1000:\n")):
            with open(os.path.join(tree, "etc", name), "w", encoding="utf-8") as file:
                file.write(line)
        everybody = (0o1777, 0, 0)
        oci.pack(tree, SHELL_IMAGE, os.path.join(fill, "test-shell.tar"),
                 {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]}, {"tmp": everybody, "data": everybody})


def project_images():
    """What `make images` built so far."""
    folder = os.path.join(tools.ROOT, "build", "images")
    if not os.path.isdir(folder):
        return []
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".tar")]


def default_name():
    """One for each copy of the tree, so that two copies can be tested side by side."""
    plain = re.sub(r"[^a-z0-9]+", "-", os.path.basename(tools.ROOT).lower()).strip("-")[:20] or "tree"
    return f"{plain}-{hashlib.sha256(tools.ROOT.encode()).hexdigest()[:4]}"


# What has to be there before anything starts: program, Debian package.
NEEDED = {
    "containerd": "containerd", "ctr": "containerd", "runc": "runc", "iptables": "iptables", "conntrack": "conntrack",
    "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "openssl": "openssl",
    "busybox": "busybox-static", "gcc": "gcc",
}
PACKAGES = sorted({*NEEDED.values(), "containernetworking-plugins", "libc6-dev", "python3", "ca-certificates",
                   "debian-archive-keyring", "postgresql-15", "mariadb-server-core", "mariadb-client"})


def check_machine():
    """Raises Missing with everything that this machine lacks, in one message."""
    lacking = [f"{program}: apt-get install {package}" for program, package in NEEDED.items()
               if not shutil.which(program)]
    if not os.path.exists(os.path.join(CNI_PROGRAMS, "ptp")):
        lacking.append("CNI plugins: apt-get install containernetworking-plugins")
    if os.geteuid() != 0:
        lacking.append("root: namespaces, mounts and cgroups need it (run with sudo)")
    elif shutil.which("unshare") and subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "true"], check=False,
            stderr=subprocess.DEVNULL).returncode != 0:
        lacking.append("namespaces: unshare is refused here (a container without the rights?)")
    if not os.path.exists("/sys/fs/cgroup"):
        lacking.append("cgroups: nothing is mounted at /sys/fs/cgroup")
    with open("/proc/filesystems", encoding="utf-8") as file:
        if not re.search(r"\boverlay$", file.read(), re.M) and not shutil.which("modprobe"):
            lacking.append("the kernel's overlay file system")
    if lacking:
        raise tools.Missing("A cluster can not run here. Missing:\n    " + "\n    ".join(lacking))
