"""Runs rendered pod templates for real, with podman as the kubelet.

Of a template only these are changed: the volumes, which are prepared on this
machine as a kubelet does (Secrets and emptyDirs of the pod's group), the
network, a namespace that all pods of a test share, and with it the names of
the Services. Init containers run one by one before the pod's containers.
"""

import base64
import copy
import json
import os
import shutil
import uuid

import containers
import pair


def missing():
    """Why pods cannot run here; None where they can."""
    reason = containers.missing()
    if reason:
        return reason
    for tool in ("conmon", "catatonit", "ip", "nsenter"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed; run deploy/packages ci"
    try:
        Network().close()
    except AssertionError:
        return "network namespaces are not allowed here"
    return None


class Network:
    """A network of its own, with a loopback alone."""

    def __init__(self):
        self.name = f"mc-{uuid.uuid4().hex[:8]}"
        pair.run("ip", "netns", "add", self.name)
        pair.run("ip", "-n", self.name, "link", "set", "lo", "up")

    def close(self):
        pair.run("ip", "netns", "delete", self.name, check=False)


class Pod:
    """A pod of a StatefulSet's or DaemonSet's template."""

    def __init__(self, engine, network, folder, name, controller, objects,
                 names):
        """`names` lead to the network's loopback, as Services would. `folder`
        is for the volumes; others must be able to go through it."""
        self.engine = engine
        self.network = network
        self.name = f"{network.name}-{name}"
        self.folder = folder / name
        spec = copy.deepcopy(controller["spec"]["template"]["spec"])
        self.last_probe = ""
        self.group = spec["securityContext"]["fsGroup"]
        for claim in controller["spec"].get("volumeClaimTemplates", []):
            spec["volumes"].append(
                {"name": claim["metadata"]["name"], "emptyDir": {}})
        data = {(found["kind"], found["metadata"]["name"]): found
                for found in objects if found["kind"] in ("ConfigMap",
                                                          "Secret")}
        spec["volumes"] = [self._volume(volume, data)
                           for volume in spec["volumes"]]
        spec["hostNetwork"] = True
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(
            f"127.0.0.1 {name}\n" for name in names))
        spec["volumes"].append({"name": "hosts", "hostPath": {
            "path": str(hosts), "type": "File"}})
        for container in spec["containers"] + spec.get("initContainers", []):
            container["volumeMounts"].append(
                {"name": "hosts", "mountPath": "/etc/hosts",
                 "readOnly": True})
        # What there is no API server for.
        spec.pop("serviceAccountName")
        self.spec = spec

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
        # podman 4.3 waits half a minute for the end of an init container.
        for container in self.spec.get("initContainers", []):
            name = f"{self.name}-{container['name']}"
            self._play(name, [container], "Never")
            code = self.engine.podman(
                "wait", f"{name}-{container['name']}").stdout.strip()
            assert code == "0", f"{container['name']}: exit {code}"
            self._remove(name)
        self._play(self.name, self.spec["containers"], "Always")
        return self

    def _play(self, name, containers, restart):
        # Probes are run by `probe`, for podman leaves them to systemd; ports
        # are those of the network, for there are no Services to map them.
        kept = [{key: value for key, value in container.items()
                 if not key.endswith("Probe") and key != "ports"}
                for container in containers]
        spec = {**self.spec, "containers": kept, "restartPolicy": restart}
        spec.pop("initContainers", None)
        file = self.folder / "pod.json"
        file.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": spec}))
        self._inside("play", "kube", file)

    def _inside(self, *args, check=True):
        """podman, whose host's network is the test's."""
        return self.engine.command(
            "nsenter", f"--net=/run/netns/{self.network.name}", "podman",
            *args, check=check)

    def remove(self):
        self._remove(self.name)

    def _remove(self, name):
        self.engine.podman("pod", "rm", "--force", "--time", "1", name,
                           check=False)

    def container(self, index=0):
        return f"{self.name}-{self.spec['containers'][index]['name']}"

    def exec(self, *command, check=True, index=0):
        return self._inside("exec", self.container(index), *command,
                            check=check)

    def probe(self, name):
        """Whether an exec probe of the template succeeds in each container
        that has it, as for a pod."""
        for index, container in enumerate(self.spec["containers"]):
            if name not in container:
                continue
            done = self.exec(*container[name]["exec"]["command"], check=False,
                             index=index)
            self.last_probe = done.stdout + done.stderr
            if done.returncode != 0:
                return False
        return True

    def logs(self):
        text = ""
        for index in range(len(self.spec["containers"])):
            done = self.engine.podman("logs", self.container(index),
                                      check=False)
            text += done.stdout + done.stderr
        return text

    def stop(self):
        """As the kubelet ends a pod; returns the largest exit code."""
        grace = self.spec["terminationGracePeriodSeconds"]
        names = [self.container(index)
                 for index in range(len(self.spec["containers"]))]
        self.engine.podman("stop", "--time", str(grace), *names)
        return max(map(int, self.engine.podman(
            "inspect", "--format", "{{.State.ExitCode}}",
            *names).stdout.split()))
