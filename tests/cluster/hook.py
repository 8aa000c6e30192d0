"""The webhook as it was built, on loopback of the cluster's network: asked by the API server, but in no pod."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading

import tools
from granary import ask, self_signed
from harness import check, eventually

PROGRAM = os.path.join(tools.ROOT, os.environ.get("BUILD", "build"), "granary-webhook")
END_S = 120


class Webhook:
    """Use as a context. It knows the objects of `catalog` and no others."""

    def __init__(self, catalog, settings=None):
        self.catalog, self.settings, self.lines, self.process = catalog, settings or {}, [], None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="granary-hook-")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        cert, key, self.bundle = self_signed(self.folder)
        known, settings = os.path.join(self.folder, "known"), os.path.join(self.folder, "settings.yaml")
        os.mkdir(known)
        for number, it in enumerate(self.catalog):
            with open(os.path.join(known, f"{number}.json"), "w", encoding="utf-8") as file:
                json.dump(it, file)
        with open(settings, "w", encoding="utf-8") as file:
            json.dump(self.settings, file)
        self.process = subprocess.Popen(
            [PROGRAM, "--catalog", known, "--settings", settings, "--listen", "127.0.0.1:0", "--admin-listen",
             "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--drain-delay", "0s"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        threading.Thread(target=self._read, daemon=True).start()
        self.port = eventually(self._port, "the webhook listens", END_S)

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def _port(self):
        check(self.process.poll() is None, f"the webhook ended: {self.lines}")
        found = re.search(r"for=admission.*address=[^ ]*:(\d+)|address=[^ ]*:(\d+).*for=admission", "".join(self.lines))
        return found and int(found.group(1) or found.group(2))

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder)

    def client(self, hook):
        """clientConfig of an entry of our configurations."""
        return {"url": f"https://127.0.0.1:{self.port}{hook['clientConfig']['service']['path']}", "caBundle": self.bundle}

    @staticmethod
    def wait_for(cluster, space):
        """Until the validator is asked in this namespace: a configuration counts a moment after it is made."""
        broken = {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration", "metadata": {"name": "probe"},
                  "spec": {"repository": {"name": "a"}, "schedule": "0 0 30 2 *",
                           "retentionPolicy": {"name": "a", "keepLast": 1, "prune": True},
                           "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}}}
        place = f"/apis/stash.appscode.com/v1beta1/namespaces/{space}/backupconfigurations?dryRun=All"
        eventually(lambda: "never fires" in ask(cluster, "POST", place, broken).message, "the webhook is asked")
