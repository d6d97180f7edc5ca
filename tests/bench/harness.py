"""Starts servers and fleets for the benchmarks, and reads what they use.

A server and the clusters that call it are always processes of their own.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 120

BEATS = "/missioncontrol.v1.ClusterService/StreamHeartbeats"
REPORTS = "/missioncontrol.v1.ClusterService/StreamReports"
BARE = "/missioncontrol.bench.v1.BareService/"


class Failed(Exception):
    """A benchmark that did not do what it measures."""


def cpu_seconds(pid):
    """User and system time of a process."""
    # The name in parentheses may hold spaces.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / TICKS


def memory_kib(pid, field="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise Failed(f"process {pid} has no {field}")


def median(values):
    return statistics.median(values)


class Process:
    """A program that lives until its standard input is closed."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, **(env or {})))
        self.pid = self.process.pid

    def read_json(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.process.args[0]} ended with exit code "
                         f"{self.process.wait()}")
        return json.loads(line)

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Service:
    """mc-service on a folder with many registered clusters."""

    beat_method = BEATS
    unary = False

    def __init__(self, folder, env=None):
        self.folder = folder
        self.log = open(folder.path / "mc-service.log", "ab")
        self.process = subprocess.Popen(
            [folder.bin / "mc-service", "run", "--config",
             folder.state / "mc-service.yaml"],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
            env=dict(os.environ, **(env or {})))
        self.pid = self.process.pid
        started = time.monotonic()
        while not self._ready():
            if self.process.poll() is not None:
                raise Failed("mc-service ended:\n" +
                             (folder.path / "mc-service.log").read_text())
            if time.monotonic() - started > PATIENCE_S:
                raise Failed("mc-service does not get ready")
            time.sleep(0.005)
        self.seconds_to_ready = time.monotonic() - started

    def _get(self, path):
        url = f"http://127.0.0.1:{self.ports()['metrics']}{path}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def ports(self):
        return json.loads((self.folder.state / "ports.json").read_text())

    def _ready(self):
        try:
            return self._get("/readyz") == "ok\n"
        except (OSError, ValueError):
            return False

    @property
    def address(self):
        return f"127.0.0.1:{self.ports()['cluster']}"

    def metric(self, name):
        return self.metrics(name + " ")

    def metrics(self, *starts):
        """The sum of all whose lines start like this."""
        found = [float(line.split()[-1])
                 for line in self._get("/metrics").splitlines()
                 if line.startswith(tuple("mission_control_" + start
                                          for start in starts))]
        if not found:
            raise Failed(f"mc-service has no metric {starts}")
        return sum(found)

    def kill(self):
        """At once, as a crash."""
        self.process.kill()
        self.process.wait()

    def check_distinct(self, clusters):
        """The service's own count of who is connected."""
        connected = self.metric("connected_clusters")
        if connected != clusters:
            raise Failed(f"{clusters} clusters were started, and the service "
                         f"counts {connected:g} distinct ones")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class BareServer(Process):
    """The baseline."""

    def __init__(self, folder, *flags, unary=False, env=None):
        super().__init__([folder.bin / "bench-bare-server", "--directory",
                          folder.state, *flags], env)
        self.address = f"127.0.0.1:{self.read_json()['port']}"
        self.unary = unary
        self.beat_method = BARE + ("Echo" if unary else "Stream")

    def check_distinct(self, clusters):
        """It knows no clusters; each has a connection of its own anyway."""


class Fleet(Process):
    """Simulated clusters that are connected to a server."""

    def __init__(self, folder, server, clusters, threads=2):
        super().__init__(
            [folder.bin / "bench-fleet", "--directory", folder.state,
             "--identities-file", folder.identities, "run",
             "--address", server.address, "--beat-method", server.beat_method,
             "--clusters", clusters, "--threads", threads] +
            (["--unary"] if server.unary else []))
        self.server = server
        self.clusters = clusters
        self.connecting = self.tell("connect")
        server.check_distinct(clusters)

    def tell(self, *words):
        """One command; returns what happened. Errors fail the benchmark."""
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        result = self.read_json()
        if result["errors"]:
            raise Failed(f"{result['errors']} errors: "
                         f"{result['error_texts']}")
        return result

    def measure(self, *words):
        """A command with the CPU time that the server used meanwhile."""
        before = cpu_seconds(self.server.pid)
        result = self.tell(*words)
        result["cpu_seconds"] = cpu_seconds(self.server.pid) - before
        return result

    def close(self):
        with contextlib.suppress(Failed, OSError):
            self.tell("close")
        super().close()


class Handshakes(Process):
    """Clients that do nothing but connect."""

    def __init__(self, folder, server, clusters, at_once=16):
        super().__init__(
            [folder.bin / "bench-fleet", "--directory", folder.state,
             "--identities-file", folder.identities, "handshakes",
             "--address", server.address, "--clusters", clusters,
             "--at-once", at_once])
        self.server = server

    def measure(self, seconds):
        before = cpu_seconds(self.server.pid)
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        result = self.read_json()
        if result["errors"]:
            raise Failed(f"{result['errors']} errors: "
                         f"{result['error_texts']}")
        result["cpu_seconds"] = cpu_seconds(self.server.pid) - before
        return result


class Folder:
    """An initialized service with registered clusters, in a temporary place.

    It ends what was started in it, in the reverse order.
    """

    def __init__(self, build, clusters, identities=None, releases=0):
        self.bin = pathlib.Path(build) / "bin"
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="mc-bench-"))
        self.state = self.path / "service"
        self.identities = self.path / "identities.pem"
        self._started = []
        try:
            self._run("mc-service", "init", "--directory", self.state,
                      "--free-ports", "--trust-domain", "bench.example")
            # A few clusters do here what many do elsewhere, and all have one
            # address.
            with open(self.state / "mc-service.yaml", "a") as config:
                config.write(
                    "limits:\n  calls_per_second_per_cluster: 1000000\n"
                    "  max_connections_per_address: 20000\n")
            self._run("bench-fleet", "--directory", self.state,
                      "--identities-file", self.identities, "seed",
                      "--clusters", clusters, "--identities",
                      clusters if identities is None else identities,
                      "--releases", releases)
        except BaseException:
            self.close()
            raise

    def _run(self, program, *args):
        done = subprocess.run([str(self.bin / program), *map(str, args)],
                              capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{program}: {done.stderr}")

    def service(self, **kwargs):
        return self._keep(Service(self, **kwargs))

    def bare(self, *flags, **kwargs):
        return self._keep(BareServer(self, *flags, **kwargs))

    def fleet(self, server, clusters, **kwargs):
        return self._keep(Fleet(self, server, clusters, **kwargs))

    def handshakes(self, server, clusters, **kwargs):
        return self._keep(Handshakes(self, server, clusters, **kwargs))

    def fix_cluster_port(self):
        """The same port after each start, of a service that is not started
        yet; one that was free a moment ago."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        config = self.state / "mc-service.yaml"
        text = config.read_text()
        begin = text.index("\n  cluster:\n")
        config.write_text(text[:begin] + text[begin:].replace(
            "127.0.0.1:0", f"127.0.0.1:{port}", 1))

    def _keep(self, process):
        self._started.append(process)
        return process

    def end(self, *processes):
        for process in processes:
            self._started.remove(process)
            process.close()

    def query(self, sql):
        """One value of the store."""
        with contextlib.closing(sqlite3.connect(
                f"file:{self.state / 'store.db'}?mode=ro", uri=True)) as store:
            return store.execute(sql).fetchone()[0]

    def close(self):
        for process in reversed(self._started):
            process.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
