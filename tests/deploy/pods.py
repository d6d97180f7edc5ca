"""Runs rendered pod templates for real, with podman as the kubelet.

Of a template only these are changed: the volumes, which are prepared on this
machine as a kubelet does (Secrets and emptyDirs of the pod's group), the
network, a namespace that all pods of a test share, and with it the names of
the Services.
"""

import base64
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import uuid

import pair

CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024","nproc=1024:1024"]
cgroups = "no-conmon"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


def missing():
    """Why pods cannot run here; None where they can."""
    if os.geteuid() != 0:
        return "pods need root"
    for tool in ("podman", "runc", "conmon", "catatonit", "ip"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed; run deploy/packages ci"
    name = f"mc-{uuid.uuid4().hex[:8]}"
    if subprocess.run(["ip", "netns", "add", name],
                      capture_output=True).returncode != 0:
        return "network namespaces are not allowed here"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return None


def write_image(file, programs):
    """A root file system of programs of this build and their libraries."""
    files = {}
    for program in programs:
        files[f"usr/bin/{program.name}"] = program
        for library in re.findall(r"(/\S+) \(0x",
                                  pair.run("ldd", program).stdout):
            files[library.lstrip("/")] = pathlib.Path(library)
    with tarfile.open(file, "w") as image:
        for name, path in files.items():
            path = path.resolve()
            image.add(path, name)


class Podman:
    """A podman with a storage and a network of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o755)
        (self.folder / "containers.conf").write_text(CONTAINERS_CONF)
        self.network = f"mc-{uuid.uuid4().hex[:8]}"
        pair.run("ip", "netns", "add", self.network)
        pair.run("ip", "-n", self.network, "link", "set", "lo", "up")

    def __call__(self, *arguments, check=True):
        return pair.run(
            "podman", "--root", self.folder / "storage", "--runroot",
            self.folder / "run", "--storage-driver", "vfs", *arguments,
            check=check,
            env={"CONTAINERS_CONF": str(self.folder / "containers.conf"),
                 "TMPDIR": str(self.folder)})

    def close(self):
        self("pod", "rm", "--all", "--force", "--time", "1", check=False)
        self("rm", "--all", "--force", "--time", "1", check=False)
        self("rmi", "--all", "--force", check=False)
        pair.run("ip", "netns", "delete", self.network, check=False)
        # Where a test failed, a mount may be left.
        for line in reversed(pathlib.Path(
                "/proc/self/mounts").read_text().splitlines()):
            mount = line.split()[1]
            if mount.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", mount],
                               capture_output=True)

    def add_image(self, name, *programs):
        file = self.folder / "image.tar"
        write_image(file, [pair.BIN / program for program in programs])
        self("import", file, name)
        file.unlink()


class Pod:
    """A pod of a StatefulSet's or DaemonSet's template."""

    def __init__(self, podman, name, controller, objects, names):
        """`names` lead to this network's loopback, as Services would."""
        self.podman = podman
        self.name = name
        self.folder = podman.folder / "pods" / name
        spec = copy.deepcopy(controller["spec"]["template"]["spec"])
        self.group = spec["securityContext"]["fsGroup"]
        for claim in controller["spec"].get("volumeClaimTemplates", []):
            spec["volumes"].append(
                {"name": claim["metadata"]["name"], "emptyDir": {}})
        data = {(found["kind"], found["metadata"]["name"]): found
                for found in objects if found["kind"] in ("ConfigMap",
                                                          "Secret")}
        spec["volumes"] = [self._volume(volume, data)
                           for volume in spec["volumes"]]
        spec["hostAliases"] = [{"ip": "127.0.0.1", "hostnames": names}]
        # What there is no API server for.
        spec.pop("serviceAccountName")
        self.spec = spec
        self.manifest = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": controller["spec"][
                "template"]["metadata"]["labels"]},
            "spec": spec}

    def _volume(self, volume, data):
        path = self.folder / volume["name"]
        if "hostPath" in volume:
            if os.path.exists(volume["hostPath"]["path"]):
                return volume
            # A machine without a machine ID.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(uuid.uuid4().hex + "\n")
            return {"name": volume["name"],
                    "hostPath": {"path": str(path), "type": "File"}}
        path.mkdir(parents=True)
        if "emptyDir" in volume:
            os.chown(path, 0, self.group)
            path.chmod(0o2775)
        elif "configMap" in volume:
            found = data["ConfigMap", volume["configMap"]["name"]]
            for name, text in found["data"].items():
                (path / name).write_text(text)
        else:
            source = volume["secret"]
            found = data["Secret", source["secretName"]]
            content = {key: text.encode() for key, text in
                       found.get("stringData", {}).items()}
            content.update({key: base64.b64decode(text) for key, text in
                            found.get("data", {}).items()})
            items = source.get("items") or [
                {"key": key, "path": key} for key in content]
            for item in items:
                file = path / item["path"]
                file.write_bytes(content[item["key"]])
                os.chown(file, 0, self.group)
                file.chmod(source["defaultMode"])
        return {"name": volume["name"],
                "hostPath": {"path": str(path), "type": "Directory"}}

    def start(self):
        # Probes are run by `probe`, for podman leaves them to systemd; ports
        # are those of the network, for there are no Services to map them.
        manifest = copy.deepcopy(self.manifest)
        for container in manifest["spec"]["containers"]:
            for key in ("startupProbe", "readinessProbe", "livenessProbe",
                        "ports"):
                container.pop(key, None)
        file = self.folder / "pod.json"
        file.write_text(json.dumps(manifest))
        self.podman("play", "kube", "--network",
                    f"ns:/run/netns/{self.podman.network}", file)
        return self

    def container(self):
        return f"{self.name}-{self.spec['containers'][0]['name']}"

    def exec(self, *command, check=True):
        return self.podman("exec", self.container(), *command, check=check)

    def probe(self, name):
        """Whether an exec probe of the template succeeds in the container."""
        command = self.spec["containers"][0][name]["exec"]["command"]
        return self.exec(*command, check=False).returncode == 0

    def logs(self):
        done = self.podman("logs", self.container(), check=False)
        return done.stdout + done.stderr

    def stop(self):
        """As the kubelet ends a pod; returns the exit code."""
        grace = self.spec["terminationGracePeriodSeconds"]
        self.podman("stop", "--time", str(grace), self.container())
        return int(self.podman("inspect", "--format", "{{.State.ExitCode}}",
                               self.container()).stdout)
