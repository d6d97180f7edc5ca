"""Starts the real binaries for tests: mc-service, cluster-agent, mcctl.

Everything is in a temporary folder that goes away with the test. What the
tests know of the programs is what a person knows: the command lines, the
configuration files and the .proto files.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import grpc
from google.rpc import error_details_pb2, status_pb2
from missioncontrol.v1 import (
    agent_service_pb2_grpc,
    cluster_service_pb2_grpc,
    enrollment_service_pb2_grpc,
    fleet_service_pb2_grpc,
)

import yaml_lite

# Set by ctest; PYTHONPATH leads to the code generated from the .proto files.
BUILD = pathlib.Path(os.environ["MC_BUILD"])
SOURCE = pathlib.Path(os.environ["MC_SOURCE"])
BIN = BUILD / "bin"

# How long anything may take on a busy machine before a test gives up.
PATIENCE_S = 60


_ports = set()


def free_port():
    """A port that was free a moment ago, of those that the kernel does not
    give to connections; each once."""
    while True:
        port = random.randrange(20000, 32000)
        if port in _ports:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _ports.add(port)
        return port


def eventually(check, what, patience=PATIENCE_S):
    """Calls check until it returns something true, and returns that."""
    deadline = time.monotonic() + patience
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.05)


def run(*command, check=True, env=None, stdin=None):
    """Runs a command to its end and returns it with its output as text."""
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True,
        timeout=PATIENCE_S, env=dict(os.environ, **(env or {})), input=stdin)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(str(c) for c in command)}: exit {done.returncode}\n"
            f"{done.stdout}{done.stderr}")
    return done


def error_reason(error):
    """The reason of google.rpc.ErrorInfo in a failed call, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return None


class Process:
    """A program that runs until it is told to stop; its output is kept."""

    def __init__(self, name, command, log, env=None):
        self.name = name
        self.log = pathlib.Path(log)
        self._out = open(self.log, "ab")
        self.process = subprocess.Popen(
            [str(c) for c in command], stdout=self._out, stderr=self._out,
            stdin=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))

    def alive(self):
        return self.process.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        """SIGKILL, at once."""
        self.process.kill()
        self.process.wait()
        self._out.close()

    def stop(self):
        """SIGTERM; returns the exit code."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} ignores SIGTERM") from None
        self._out.close()
        return code


class Service:
    """An initialized mc-service with its operator's certificate."""

    def __init__(self, folder, reflection=False, config=None,
                 server_names=()):
        self.folder = pathlib.Path(folder)
        self.dir = self.folder / "service"
        run(BIN / "mc-service", "init", "--directory", self.dir,
            "--server-name", "localhost", "--server-name", "127.0.0.1",
            *(part for name in server_names for part in ("--server-name", name)),
            "--trust-domain", "test.example")
        self.ports = {name: free_port() for name in
                      ("enrollment", "cluster", "operator", "metrics")}
        listeners = {}
        for name, port in self.ports.items():
            listeners[name] = {"address": f"127.0.0.1:{port}"}
            if reflection and name != "metrics":
                listeners[name]["reflection"] = True
        self.config = self.dir / "mc-service.yaml"
        settings = {
            "trust_domain": "test.example",
            "listeners": listeners,
            "write_behind_interval": "1s",
        }
        settings.update(config or {})
        self.config.write_text(yaml_lite.dump(settings))
        self.mcctl_config = self.dir / "mcctl.yaml"
        text = self.mcctl_config.read_text()
        lines = [line for line in text.splitlines()
                 if not line.startswith("operator_address:")]
        lines.append(f"operator_address: localhost:{self.ports['operator']}")
        self.mcctl_config.write_text("\n".join(lines) + "\n")
        self.process = None
        # Of the process, beside this one's.
        self.env = None
        self.starts = 0

    @property
    def ca(self):
        return self.dir / "ca" / "server-ca.crt"

    def add_to_listener(self, name, key, value):
        """A setting of a listener; before the start."""
        text = self.config.read_text()
        entry = f"\n  {name}:\n"
        assert entry in text
        self.config.write_text(text.replace(
            entry, f"{entry}    {key}: {json.dumps(value)}\n"))

    def process_command(self):
        return [BIN / "mc-service", "run", "--config", self.config]

    def start(self):
        self.starts += 1
        self.process = Process("mc-service", self.process_command(),
                               self.folder / "mc-service.log", env=self.env)
        eventually(self._ready, "mc-service is ready")
        return self

    def _ready(self):
        if not self.process.alive():
            raise AssertionError("mc-service ended:\n" + self.process.output())
        return run(BIN / "mc-service", "healthcheck", "--config", self.config,
                   check=False).returncode == 0

    def stop(self):
        return self.process.stop()

    def mcctl(self, *args, check=True):
        return run(BIN / "mcctl", "--config", self.mcctl_config, *args,
                   check=check)

    def mcctl_json(self, *args):
        return json.loads(self.mcctl(*args, "--output", "json").stdout)

    def channel(self, listener, cert=None, key=None, options=()):
        credentials = grpc.ssl_channel_credentials(
            self.ca.read_bytes(),
            pathlib.Path(key).read_bytes() if key else None,
            pathlib.Path(cert).read_bytes() if cert else None)
        return grpc.secure_channel(
            f"localhost:{self.ports[listener]}", credentials, options=options)

    def fleet(self):
        """FleetService as the operator that init made."""
        operator = self.dir / "operator"
        return fleet_service_pb2_grpc.FleetServiceStub(self.channel(
            "operator", operator / "admin.crt", operator / "admin.key"))

    def enrollment(self):
        return enrollment_service_pb2_grpc.EnrollmentServiceStub(
            self.channel("enrollment"))

    def cluster(self, cert, key, options=()):
        return cluster_service_pb2_grpc.ClusterServiceStub(
            self.channel("cluster", cert, key, options))

    def create_license(self, *args, name="production", account="Example"):
        """Creates an account (if new) and a license; returns its JSON."""
        accounts = self.mcctl_json("account", "list").get("accounts", [])
        found = [a for a in accounts if a["name"] == account]
        if found:
            account_id = found[0]["accountId"]
        else:
            account_id = self.mcctl_json(
                "account", "create", "--name", account)["account"]["accountId"]
        return self.mcctl_json("license", "create", "--account", account_id,
                               "--name", name, *args)


class Front:
    """The enrollment front of a service that is not started yet: it opens the
    service's enrollment listener. `user` is a user ID of its own, which needs
    root."""

    def __init__(self, service, user=None):
        self.service = service
        self.user = user
        self.dir = service.folder / "front"
        self.dir.mkdir()
        # Where both meet; the path of a Unix socket has 107 characters at most.
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="mc"))
        self.socket = self.sockets / "enrollment.sock"
        settings = yaml_lite.dump({"enrollment_front": {
            "socket": str(self.socket),
            **({"group": str(user)} if user else {})}})
        service.config.write_text(service.config.read_text() + settings)
        # Copies of all that it may read.
        self.config = self.dir / "mc-service.yaml"
        shutil.copy(service.config, self.config)
        shutil.copy(service.dir / "server" / "server.crt", self.dir)
        self.key = shutil.copy(service.dir / "server" / "server.key", self.dir)
        self.program = BIN / "mc-service"
        self.prefix = []
        if user:
            # Others must be able to go through the folder to its own.
            for folder in (service.folder, self.sockets):
                folder.chmod(0o755)
            for file in self.dir.iterdir():
                os.chown(file, user, user)
            # The build's folder may be nobody's business.
            self.program = self.dir / "mc-service"
            shutil.copy2(BIN / "mc-service", self.program)
            self.prefix = ["setpriv", f"--reuid={user}", f"--regid={user}",
                           "--clear-groups", "--no-new-privs"]
        self.metrics = f"127.0.0.1:{free_port()}"
        self.process = None

    def start(self):
        self.process = Process(
            "enroll-front",
            [*self.prefix, self.program, "enroll-front", "--config",
             self.config, "--certificate-file", self.dir / "server.crt",
             "--key-file", self.key, "--metrics", self.metrics],
            self.service.folder / "enroll-front.log")
        return self

    def ready(self):
        if not self.process.alive():
            raise AssertionError("the front ended:\n" + self.process.output())
        return run(BIN / "mc-service", "healthcheck", "--front", "--metrics",
                   self.metrics, check=False).returncode == 0

    def wait(self):
        eventually(self.ready, "the front is ready")
        return self

    def stop(self):
        return self.process.stop()


# A schedule with which every exchange takes place within seconds.
FAST = {
    "heartbeat": "1s",
    "heartbeat_without_remote_access": "1s",
    "license": "2s",
    "health_check": "2s",
    "updates": "3s",
    "consumption_time_frame": "5s",
    "backoff_initial": "0.1s",
    "backoff_max": "1s",
}


class Agent:
    """A cluster-agent with its configuration and state."""

    def __init__(self, folder, service, license_key, config=None, env=None):
        self.env = env
        self.folder = pathlib.Path(folder)
        self.dir = self.folder / "agent"
        self.dir.mkdir(mode=0o700)
        key_file = self.dir / "license.key"
        key_file.write_text(license_key + "\n")
        key_file.chmod(0o600)
        self.config = self.dir / "cluster-agent.yaml"
        # Short, for the path of a Unix socket has 107 characters at most.
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="mc"))
        settings = {
            "service": {
                "enrollment": f"localhost:{service.ports['enrollment']}",
                "cluster": f"localhost:{service.ports['cluster']}",
                "ca_file": str(service.ca),
            },
            "license_key_file": str(key_file),
            "state_directory": str(self.dir / "state"),
            "socket_directory": str(self.sockets),
            "schedule": FAST,
            "product": {"version": "1.0.0"},
        }
        settings.update(config or {})
        self.settings = settings
        self.write_config()
        self.process = None

    def write_config(self):
        self.config.write_text(yaml_lite.dump(self.settings))

    def start(self):
        self.process = Process(
            "cluster-agent",
            [BIN / "cluster-agent", "run", "--config", self.config],
            self.folder / "cluster-agent.log", env=self.env)
        return self

    def stop(self):
        return self.process.stop()

    def cli(self, *args, check=True, stdin=None):
        return run(BIN / "cluster-agent", *args, "--config", self.config,
                   check=check, stdin=stdin, env=self.env)

    def status(self):
        done = self.cli("status", "--output", "json", check=False)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def product(self):
        """AgentService on agent.sock, as the product calls it."""
        self.wait_for_socket()
        return agent_service_pb2_grpc.AgentServiceStub(grpc.secure_channel(
            f"unix:{self.sockets / 'agent.sock'}",
            grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)))

    def wait_for_socket(self):
        """Until agent.sock takes connections; it is there before that."""
        def listens():
            with socket.socket(socket.AF_UNIX) as s:
                return s.connect_ex(str(self.sockets / "agent.sock")) == 0
        eventually(listens, "agent.sock takes connections")

    def use(self):
        """Records a bit of usage, so that there is something to report."""
        self.wait_for_socket()
        self.cli("usage", "record", "--environment", "plant",
                 "--rum-sessions", "1")

    def cluster_id(self):
        state = pathlib.Path(self.settings["state_directory"])
        return (state / "cluster-id").read_text().strip()


class PairTest(unittest.TestCase):
    """A test with a temporary folder; what it started is stopped."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mission-control-"))
        self._started = []
        # Also where a test's own setUp fails, which skips tearDown.
        self.addCleanup(self._clean_up)

    def _clean_up(self):
        for process in reversed(self._started):
            if process.process and process.process.alive():
                process.process.kill()
        failed = self._outcome and any(
            error for _, error in getattr(self._outcome, "errors", []))
        result = getattr(self._outcome, "result", None)
        if result:
            failed = failed or any(
                test is self for test, _ in result.failures + result.errors)
        if failed:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name} (end)", file=sys.stderr)
                print(log.read_text(errors="replace")[-6000:], file=sys.stderr)
        for process in self._started:
            with contextlib.suppress(AttributeError):
                shutil.rmtree(process.sockets, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def service(self, start=True, **kwargs):
        service = Service(self.folder, **kwargs)
        self._started.append(service)
        return service.start() if start else service

    def service_with_front(self, user=None, **kwargs):
        """Both, started and ready."""
        service = self.service(start=False, **kwargs)
        front = Front(service, user)
        self._started.append(front)
        service.start()
        front.start().wait()
        return service, front

    def agent(self, service, license_key, start=True, **kwargs):
        agent = Agent(self.folder, service, license_key, **kwargs)
        self._started.append(agent)
        return agent.start() if start else agent

    def assert_fails(self, code, reason, call, *args, **kwargs):
        """The call fails with this code and reason; returns the error."""
        with self.assertRaises(grpc.RpcError) as caught:
            result = call(*args, timeout=PATIENCE_S, **kwargs)
            if hasattr(result, "__iter__") and not hasattr(result, "DESCRIPTOR"):
                list(result)
        error = caught.exception
        self.assertEqual((error.code(), error_reason(error)), (code, reason),
                         error.details())
        return error
