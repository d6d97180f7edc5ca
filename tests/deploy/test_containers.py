"""The images: what is in them, and that they run as they are deployed."""

import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest
import uuid

import grpc
from missioncontrol.v1 import agent_service_pb2_grpc

import containers
import load
import pair
import yaml_lite

USER = 65532
# Measured: mc-service 36 MB, cluster-agent 33 MB.
LARGEST_MB = 60


class Container:
    """A container with a read-only root and no rights, which can be stopped
    and started again."""

    def __init__(self, engine, image, args, mounts):
        self.engine = engine
        self.image = f"localhost/{image}:{containers.TAG}"
        self.name = f"mc-{image}-{uuid.uuid4().hex[:8]}"
        self.args = args
        self.mounts = mounts

    def options(self):
        options = ["--network", "host", "--read-only", "--read-only-tmpfs=false",
                   "--cap-drop=all", "--security-opt", "no-new-privileges",
                   "--memory", "512m"]
        for source, target, mode in self.mounts:
            options += ["--volume", f"{source}:{target}:{mode}"]
        return options

    def run_once(self, *args):
        return self.engine.podman("run", "--rm", *self.options(), self.image,
                                  *args)

    def run(self):
        self.engine.podman("run", "--detach", "--name", self.name,
                           *self.options(), self.image, *self.args)

    def start(self):
        self.engine.podman("start", self.name)

    def stop(self):
        self.engine.podman("stop", "--time", "30", self.name)

    def kill(self):
        self.engine.podman("kill", self.name)
        self.engine.podman("wait", self.name)

    def execute(self, *args, check=True):
        return self.engine.podman("exec", self.name, *args, check=check)

    def exit_code(self):
        return self.engine.inspect(self.name)["State"]["ExitCode"]

    def output(self):
        done = self.engine.podman("logs", self.name, check=False)
        return done.stdout + done.stderr

    def remove(self):
        self.engine.podman("rm", "--force", "--time", "0", self.name,
                           check=False)


class ContainersTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.engine = containers.Engine()
        cls.engine.build()

    def setUp(self):
        # Others must be able to go through it to what is mounted.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mission-control-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder], check=False)
        self.folder.chmod(0o755)

    def volume(self, name):
        """A volume as a pod with a file-system group gets it."""
        path = self.folder / name
        path.mkdir()
        os.chown(path, 0, USER)
        path.chmod(0o2775)
        return path

    def file(self, name, text, mode=0o444):
        path = self.folder / name
        path.write_text(text)
        os.chown(path, 0, USER)
        path.chmod(mode)
        return path

    def test_what_is_in_them(self):
        for image in ("mc-service", "cluster-agent"):
            name = f"localhost/{image}:{containers.TAG}"
            facts = self.engine.inspect(name)
            self.assertEqual(facts["Config"]["User"], f"{USER}:{USER}")
            size = facts["Size"] / 1e6
            print(f"{image}: {size:.1f} MB")
            self.assertLess(size, LARGEST_MB)
            with self.engine.mounted(name) as root:
                names = set()
                for path in pathlib.Path(root).rglob("*"):
                    info = path.lstat()
                    if not stat.S_ISREG(info.st_mode):
                        continue
                    names.add(path.name)
                    self.assertFalse(info.st_mode & (stat.S_ISUID |
                                                     stat.S_ISGID), path)
                self.assertIn(image, names)
                for shell in ("sh", "bash", "dash", "busybox", "apt", "dpkg"):
                    self.assertNotIn(shell, names)

    def service(self):
        self.ports = {name: pair.free_port() for name in
                      ("enrollment", "cluster", "operator", "metrics")}
        config = self.file("mc-service.yaml", yaml_lite.dump({
            "state_directory": "/var/lib/mission-control/state",
            "trust_domain": "test.example",
            "listeners": {name: {"address": f"127.0.0.1:{port}"}
                          for name, port in self.ports.items()}}))
        self.state = self.volume("service")
        container = Container(
            self.engine, "mc-service", ["run", "--config", "/config.yaml"],
            [(self.state, "/var/lib/mission-control", "rw"),
             (config, "/config.yaml", "ro")])
        self.addCleanup(container.remove)
        # As an init container does before each start.
        for _ in range(2):
            container.run_once(
                "init", "--if-missing", "--directory",
                "/var/lib/mission-control/state", "--server-name",
                "localhost", "--trust-domain", "test.example")
        state = "/var/lib/mission-control/state"
        (self.state / "mcctl.yaml").write_text(yaml_lite.dump({
            "operator_address": f"localhost:{self.ports['operator']}",
            "ca_file": f"{state}/operator/ca.crt",
            "certificate_file": f"{state}/operator/admin.crt",
            "key_file": f"{state}/operator/admin.key"}))
        container.run()
        self.healthy(container)
        self.running = container
        return container

    def healthy(self, service):
        pair.eventually(
            lambda: service.execute("/usr/bin/mc-service", "healthcheck",
                                    "--config", "/config.yaml",
                                    check=False).returncode == 0,
            f"mc-service is ready:\n{service.output()}")

    def mcctl(self, *args):
        """As an operator calls it in the service's own pod."""
        return json.loads(self.running.execute(
            "/usr/bin/mcctl", "--config", "/var/lib/mission-control/mcctl.yaml",
            *args, "--output", "json").stdout)

    def agent(self, license_key):
        key = self.file("license.key", license_key + "\n", mode=0o440)
        config = self.file("cluster-agent.yaml", yaml_lite.dump({
            "service": {
                "enrollment": f"localhost:{self.ports['enrollment']}",
                "cluster": f"localhost:{self.ports['cluster']}",
                "ca_file": "/server-ca.crt"},
            "license_key_file": "/license.key",
            "state_directory": "/var/lib/cluster-agent/state",
            "socket_directory": "/run/cluster-agent",
            "schedule": pair.FAST,
            "product": {"version": "1.0.0"}}))
        ca = self.file("server-ca.crt", (
            self.state / "state" / "ca" / "server-ca.crt").read_text())
        # Short, for the path of a Unix socket has 107 characters at most.
        self.sockets = self.volume("run")
        container = Container(
            self.engine, "cluster-agent", ["run", "--config", "/config.yaml"],
            [(self.volume("agent"), "/var/lib/cluster-agent", "rw"),
             (self.sockets, "/run/cluster-agent", "rw"),
             (config, "/config.yaml", "ro"), (key, "/license.key", "ro"),
             (ca, "/server-ca.crt", "ro")])
        self.addCleanup(container.remove)
        container.run()
        return container

    def product(self):
        pair.eventually((self.sockets / "agent.sock").exists, "agent.sock")
        return agent_service_pb2_grpc.AgentServiceStub(grpc.secure_channel(
            f"unix:{self.sockets / 'agent.sock'}",
            grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)))

    def billed(self, cluster_id):
        reports = self.mcctl("consumption", "list", "--cluster", cluster_id,
                             "--page-size", "1000").get("reports", [])
        return sum(int(environment.get("rumSessions", 0)) for report in reports
                   for environment in report["consumption"].get(
                       "environments", []))

    def test_rolling_restart_under_load(self):
        service = self.service()
        account = self.mcctl("account", "create", "--name", "Example")
        key = self.mcctl("license", "create", "--account",
                         account["account"]["accountId"], "--name",
                         "production")["licenseKey"]
        agent = self.agent(key)

        def connected():
            return agent.execute("/usr/bin/cluster-agent", "status", "--check",
                                 "--config", "/config.yaml",
                                 check=False).returncode == 0
        pair.eventually(connected, "the agent's container is connected")
        cluster_id = (self.folder / "agent" / "state" /
                      "cluster-id").read_text().strip()
        product = load.ProductLoad(self.product).start()
        try:
            for end in (service.stop, service.kill, service.stop):
                before = self.billed(cluster_id)
                end()
                service.start()
                self.healthy(service)
                # The agent comes back by itself.
                pair.eventually(lambda: self.billed(cluster_id) > before,
                                "reports go on")
            # The agent's own pod is replaced, too.
            agent.stop()
            self.assertEqual(agent.exit_code(), 0)
            agent.start()
            pair.eventually(connected, "the agent's container is connected")
        finally:
            total = product.stop()
        pair.eventually(lambda: self.billed(cluster_id) == total,
                        f"{total} sessions are billed, each once")
        self.assertGreater(total, 100)
        counted = {count["exchange"].removeprefix("EXCHANGE_") for count in
                   self.mcctl("exchanges")["counts"]
                   if int(count.get("succeeded", 0))}
        self.assertEqual(counted, {
            "INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
            "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"})
        service.stop()
        self.assertEqual(service.exit_code(), 0)


if __name__ == "__main__":
    reason = containers.missing()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main()
