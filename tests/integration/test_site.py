"""A site of three nodes in network namespaces, and a vendor that the nodes
could reach: what happens when a node, the master or a link is gone.

Needs root, iproute2 and nsenter; without them it is SKIPPED.

    switch (routes) --- bridge --- master, node-1, node-2
       +--- vendor
"""

import ctypes
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import pair
import yaml_lite

MASTER, NODES = "10.77.0.1", ("10.77.0.2", "10.77.0.3")
VENDOR = "10.78.0.9"
JOIN_PORT, NODE_PORT = 8450, 8451
SILENT_AFTER_S = 1.5
# How much later than it is due something may be seen on a busy machine.
SLACK_S = 6
CLONE_NEWNET = 0x40000000


def ip(*args):
    pair.run("ip", *args)


def inside(namespace, *command):
    return ["nsenter", f"--net=/run/netns/{namespace}",
            *[str(c) for c in command]]


class Network:
    """The namespaces with their links; gone with remove()."""

    def __init__(self):
        self.prefix = f"mc{os.getpid()}-"
        self.namespaces = []
        switch = self.add("switch")
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "address", "add", "10.77.0.254/24", "dev", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        for name, address in (("master", MASTER), ("node-1", NODES[0]),
                              ("node-2", NODES[1])):
            self.connect(name, address, "10.77.0.254")
            ip("-n", switch, "link", "set", f"to-{name}", "master", "bridge")
        self.connect("vendor", VENDOR, "10.78.0.254")
        ip("-n", switch, "address", "add", "10.78.0.254/24", "dev",
           "to-vendor")
        pair.run(*inside(switch, "sh", "-c",
                         "echo 1 > /proc/sys/net/ipv4/ip_forward"))

    def name(self, short):
        return self.prefix + short

    def add(self, short):
        ip("netns", "add", self.name(short))
        self.namespaces.append(self.name(short))
        ip("-n", self.name(short), "link", "set", "lo", "up")
        return self.name(short)

    def connect(self, short, address, gateway):
        namespace = self.add(short)
        switch = self.name("switch")
        ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer",
           "name", f"to-{short}", "netns", switch)
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", switch, "link", "set", f"to-{short}", "up")
        ip("-n", namespace, "route", "add", "default", "via", gateway)

    def link(self, short, state):
        ip("-n", self.name("switch"), "link", "set", f"to-{short}", state)

    def remove(self):
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False,
                           capture_output=True)


def begins(frame):
    """Whether an Ethernet frame of IPv4 is anything but a later packet of a
    TCP connection."""
    if frame[23] != socket.IPPROTO_TCP:
        return True
    flags = 14 + (frame[14] & 0x0F) * 4 + 13
    return len(frame) <= flags or frame[flags] & 0x12 == 0x02


class Capture(threading.Thread):
    """Who speaks to the vendor over IPv4, as the vendor's interface sees it.
    Of a TCP connection its opening counts: the last packets of a closed one
    may come much later."""

    def __init__(self, namespace):
        super().__init__(daemon=True)
        self._namespace = namespace
        self._sources = set()
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._over = threading.Event()
        self.start()
        if not self._ready.wait(pair.PATIENCE_S):
            raise AssertionError("the capture does not begin")

    def run(self):
        # The namespace is this thread's alone.
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{self._namespace}", "rb") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                return
        ipv4 = 0x0800
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                           socket.htons(ipv4)) as packets:
            packets.bind(("eth0", ipv4))
            packets.settimeout(0.1)
            self._ready.set()
            while not self._over.is_set():
                try:
                    frame = packets.recv(64)
                except TimeoutError:
                    continue
                if begins(frame) and socket.inet_ntoa(frame[30:34]) == VENDOR:
                    with self._lock:
                        self._sources.add(socket.inet_ntoa(frame[26:30]))

    def sources(self):
        with self._lock:
            return set(self._sources)

    def forget(self):
        with self._lock:
            self._sources.clear()

    def stop(self):
        self._over.set()
        self.join()


class Vendor(pair.Service):
    """mc-service in a namespace of its own."""

    def __init__(self, folder, namespace):
        self.namespace = namespace
        self.folder = pathlib.Path(folder)
        self.dir = self.folder / "service"
        pair.run(pair.BIN / "mc-service", "init", "--directory", self.dir,
                 "--server-name", VENDOR, "--trust-domain", "test.example")
        self.ports = {"enrollment": 8442, "cluster": 8443, "operator": 8444,
                      "metrics": 9464}
        addresses = dict.fromkeys(self.ports, VENDOR)
        addresses["metrics"] = "127.0.0.1"
        self.config = self.dir / "mc-service.yaml"
        self.config.write_text(yaml_lite.dump({
            "trust_domain": "test.example",
            "listeners": {
                name: {"address": f"{address}:{self.ports[name]}"}
                for name, address in addresses.items()},
            "write_behind_interval": "1s"}))
        self.mcctl_config = self.dir / "mcctl.yaml"
        lines = [line for line in self.mcctl_config.read_text().splitlines()
                 if not line.startswith("operator_address:")]
        self.mcctl_config.write_text("\n".join(
            [*lines, f"operator_address: {VENDOR}:8444"]) + "\n")
        self.process = None

    def start(self):
        self.process = pair.Process(
            "mc-service", inside(self.namespace, pair.BIN / "mc-service",
                                 "run", "--config", self.config),
            self.folder / "mc-service.log")
        pair.eventually(self._ready, "mc-service is ready")
        return self

    def _ready(self):
        if not self.process.alive():
            raise AssertionError("mc-service ended:\n" + self.process.output())
        return pair.run(*inside(
            self.namespace, pair.BIN / "mc-service", "healthcheck",
            "--config", self.config), check=False).returncode == 0

    def mcctl(self, *args, check=True):
        return pair.run(*inside(
            self.namespace, pair.BIN / "mcctl", "--config", self.mcctl_config,
            *args), check=check)


class SiteAgent:
    """A cluster-agent, the master's or a node's, in its namespace."""

    def __init__(self, folder, namespace, name, config, run=("run",)):
        self.namespace = namespace
        self.dir = pathlib.Path(folder) / name
        self.dir.mkdir(mode=0o700)
        self.log = pathlib.Path(folder) / f"{name}.log"
        self.config = self.dir / "cluster-agent.yaml"
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="mc"))
        self.settings = {
            "state_directory": str(self.dir / "state"),
            "socket_directory": str(self.sockets),
            "product": {"version": "1.0.0"},
            **config}
        self.config.write_text(yaml_lite.dump(self.settings))
        self.run = run
        self.process = None

    def start(self):
        self.process = pair.Process(
            self.dir.name, inside(self.namespace, pair.BIN / "cluster-agent",
                                  *self.run, "--config", self.config),
            self.log)
        return self

    def cli(self, *args, check=True):
        return pair.run(*inside(
            self.namespace, pair.BIN / "cluster-agent", *args, "--config",
            self.config), check=check)

    def status(self):
        done = self.cli("status", "--output", "json", check=False)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def connected(self):
        return (self.status().get("connectionState")
                == "CONNECTION_STATE_CONNECTED")

    def join(self, token, check=True):
        file = self.dir / "join.token"
        file.touch(mode=0o600)
        file.write_text(token + "\n")
        return self.cli("node", "join", "--token-file", file, check=check)

    def ended(self):
        """Its exit code, when it has ended by itself."""
        self.process.process.wait(pair.PATIENCE_S)
        return self.process.stop()

    def logged(self, message):
        return self.process.output().count(f'"message":"{message}')


class SiteTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.network = Network()
        self.addCleanup(self.network.remove)
        self.capture = Capture(self.network.name("vendor"))
        self.addCleanup(self.capture.stop)
        self.vendor = Vendor(self.folder, self.network.name("vendor"))
        self._started.append(self.vendor)
        self.vendor.start()

    def run_inside(self, short, program):
        return pair.run(*inside(self.network.name(short), sys.executable, "-c",
                                program))

    def start_master(self, **site):
        key = self.vendor.create_license()["licenseKey"]
        key_file = self.folder / "license.key"
        key_file.touch(mode=0o600)
        key_file.write_text(key)
        self.master = SiteAgent(
            self.folder, self.network.name("master"), "master", {
                "service": {"enrollment": f"{VENDOR}:8442",
                            "cluster": f"{VENDOR}:8443",
                            "ca_file": str(self.vendor.ca)},
                "license_key_file": str(key_file),
                "schedule": {**pair.FAST, "heartbeat": "0.5s",
                             "heartbeat_without_remote_access": "0.5s",
                             "health_check": "1s"},
                "site": {"listen": {"join": f"0.0.0.0:{JOIN_PORT}",
                                    "nodes": f"0.0.0.0:{NODE_PORT}"},
                         "report_interval": "0.5s",
                         "silent_after": f"{SILENT_AFTER_S}s", **site}})
        self._started.append(self.master)
        self.master.start()
        pair.eventually(self.master.connected, "the master is connected")
        self.cluster_id = self.master.status()["clusterId"]

    def node(self, number, **node):
        agent = SiteAgent(
            self.folder, self.network.name(f"node-{number}"),
            f"node-{number}", {
                "schedule": {"backoff_initial": "0.1s", "backoff_max": "1s"},
                "node": {"join_address": f"{MASTER}:{JOIN_PORT}", **node}},
            run=("node", "run"))
        self._started.append(agent)
        return agent

    def token(self, *args):
        return self.master.cli("node", "token", "create", *args).stdout.strip()

    def states(self):
        listed = json.loads(self.master.cli(
            "node", "list", "--output", "json").stdout)["nodes"]
        return {n["nodeId"]: n["state"].removeprefix("NODE_STATE_")
                for n in listed}

    def shown(self):
        """The cluster, as the vendor's operators see it."""
        return self.vendor.mcctl_json("cluster", "show", self.cluster_id)

    def health(self):
        """The state of each node in the last health check."""
        check = self.shown().get("lastHealth", {}).get("healthCheck", {})
        return {n["nodeId"]: n.get("serverState", "").removeprefix(
            "RUN_STATE_") for n in check.get("nodes", [])}

    def beats(self):
        """How many beats the vendor counted of each node."""
        return {n["nodeId"]: int(n["heartbeats"])
                for n in self.shown().get("nodes", [])
                if n["sourceType"] == "SOURCE_TYPE_SERVER"}

    def become(self, node_id, state):
        """Waits until master and vendor say so; nobody may be dropped."""
        began = time.monotonic()
        pair.eventually(lambda: self.states().get(node_id) == state,
                        f"{node_id} is {state}")
        took = time.monotonic() - began
        running = "SILENT" if state == "SILENT" else "RUNNING"
        pair.eventually(lambda: self.health().get(node_id) == running,
                        f"the vendor sees {node_id} {running}")
        self.assertEqual(len(self.states()), 3)
        return took

    def three_nodes(self, **node):
        first, second = self.node(1, **node), self.node(2, **node)
        if not node:
            token = self.token("--uses", "2")
            first.join(token)
            second.join(token)
        first.start()
        second.start()
        pair.eventually(lambda: first.connected() and second.connected(),
                        "both nodes are connected")
        return first, second

    def assert_only_the_master_speaks_to_the_vendor(self):
        self.assertEqual(self.capture.sources(), {MASTER})

    def test_tokens(self):
        self.start_master()
        node, other = self.node(1), self.node(2)
        node.start()
        self.assertEqual(node.ended(), 6)
        self.assertIn("node join", node.process.output())

        good = self.token()
        prefix, secret, digest = good.split(".")

        def refused(agent, token, code, words):
            done = agent.join(token, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertNotIn(secret, done.stderr)

        refused(node, "letmein", 2, "no join token")
        refused(node, f"{prefix}.{secret}.{'0' * 64}", 4, "nothing was sent")
        refused(node, f"{prefix}.{secret[::-1]}.{digest}", 4,
                "node token create")
        self.assertEqual(len(self.states()), 1)

        self.assertIn(self.cluster_id, node.join(good).stdout)
        refused(other, good, 4, "node token create")
        short = self.token("--ttl", "1s", "--uses", "100")
        pair.eventually(
            lambda: other.join(short, check=False).returncode == 4,
            "the token expires")

        node.start()
        pair.eventually(node.connected, "the node is connected")
        done = node.cli("describe", "environments", "plant", check=False)
        self.assertEqual(done.returncode, 6)
        self.assertIn("master", done.stderr)
        self.assertEqual(node.cli("status", "--check").returncode, 0)
        self.assertEqual(node.process.stop(), 0)
        self.assertEqual(node.cli("status", "--check",
                                  check=False).returncode, 5)
        self.assert_only_the_master_speaks_to_the_vendor()

    def test_whatever_is_gone_comes_back(self):
        # The nodes have a way to the vendor, and the capture would see it.
        for number, address in enumerate(NODES, 1):
            self.run_inside(f"node-{number}", (
                "import socket; socket.create_connection("
                f"('{VENDOR}', 8443), {pair.PATIENCE_S})"))
            self.assertIn(address, self.capture.sources())
        self.capture.forget()

        self.start_master()
        first, second = self.three_nodes()
        ids = {a: a.status()["nodeId"] for a in (self.master, first, second)}
        for agent in (first, second):
            self.become(ids[agent], "LIVE")
        self.assertEqual(set(self.health()), set(ids.values()))
        pair.eventually(lambda: set(self.beats()) == set(ids.values()),
                        "everybody beats")

        with self.subTest("one beat for each node"):
            before = self.beats()
            pair.eventually(
                lambda: self.beats()[ids[self.master]]
                >= before[ids[self.master]] + 4, "the master beats")
            after = self.beats()
            for agent in (first, second):
                self.assertAlmostEqual(
                    after[ids[agent]] - before[ids[agent]],
                    after[ids[self.master]] - before[ids[self.master]],
                    delta=1)

        with self.subTest("what a node's product says arrives"):
            first.cli("describe", "node", "--product-version", "7.7.7",
                      "--service", "indexer=running")
            pair.eventually(
                lambda: any(
                    n.get("productVersion") == "7.7.7"
                    and n["services"][0]["name"] == "indexer"
                    for n in self.shown()["lastHealth"]["healthCheck"]
                    ["nodes"] if n["nodeId"] == ids[first]),
                "the vendor sees the service")

        with self.subTest("a node is killed"):
            first.process.kill()
            took = self.become(ids[first], "SILENT")
            self.assertLess(took, SILENT_AFTER_S + SLACK_S)
            silent = self.beats()
            pair.eventually(
                lambda: self.beats()[ids[second]] >= silent[ids[second]] + 4,
                "the others beat on")
            # One that was under way when it was looked at.
            self.assertLessEqual(self.beats()[ids[first]],
                                 silent[ids[first]] + 1)
            first.start()
            self.become(ids[first], "LIVE")
            pair.eventually(
                lambda: self.beats()[ids[first]] > silent[ids[first]] + 1,
                "it beats again")

        with self.subTest("a link is cut"):
            self.network.link("node-2", "down")
            took = self.become(ids[second], "SILENT")
            self.assertLess(took, SILENT_AFTER_S + SLACK_S)
            pair.eventually(lambda: not second.connected(),
                            "the node says that it lost its master")
            self.assertIn("does not answer",
                          second.status().get("waitingFor", ""))
            self.assertNotEqual(second.cli("status", "--check",
                                           check=False).returncode, 0)
            self.network.link("node-2", "up")
            self.become(ids[second], "LIVE")

        with self.subTest("the master is killed"):
            self.master.process.kill()
            pair.eventually(
                lambda: not first.connected() and not second.connected(),
                "the nodes lost their master")
            self.master.start()
            pair.eventually(self.master.connected, "the master is back")
            for agent in (first, second):
                self.become(ids[agent], "LIVE")
                self.assertTrue(agent.connected())
                self.assertGreaterEqual(agent.logged("the master is lost"), 1)

        with self.subTest("a node is removed"):
            self.master.cli("node", "remove", ids[second])
            self.assertEqual(second.ended(), 9)
            self.assertNotIn(ids[second], self.states())
            pair.eventually(lambda: ids[second] not in self.health(),
                            "it is in no health check")
            # It may join again, as the node that it was.
            second.join(self.token())
            second.start()
            self.become(ids[second], "LIVE")
        self.assert_only_the_master_speaks_to_the_vendor()

    def test_certificates_renew_by_themselves(self):
        self.start_master(node_certificate_lifetime="5s")
        standing = self.folder / "standing.token"
        standing.touch(mode=0o600)
        standing.write_text(self.token("--uses", "10"))
        first, second = self.three_nodes(join_token_file=str(standing))
        self.assertEqual(first.logged("joined the site"), 1)
        ends = first.status()["certificateNotAfter"]
        pair.eventually(lambda: first.logged("renewed") >= 2
                        and second.logged("renewed") >= 2, "both renew twice")
        self.assertGreater(first.status()["certificateNotAfter"], ends)
        self.assertEqual(first.logged("joined the site"), 1)
        self.assertTrue(first.connected())

        with self.subTest("a node was off until its certificate had expired"):
            node_id = first.status()["nodeId"]
            ends = first.status()["certificateNotAfter"]
            first.process.kill()
            now = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            pair.eventually(lambda: now() > ends, "the certificate expires")
            first.start()
            self.become(node_id, "LIVE")
            self.assertEqual(first.logged("joined the site"), 2)
        self.assert_only_the_master_speaks_to_the_vendor()


def why_not():
    """What is missing for network namespaces; None: nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nsenter"):
        if not shutil.which(tool):
            return f"{tool} is not installed (deploy/packages test)"
    name = f"mc{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True,
                          text=True, check=False)
    if made.returncode == 0:
        made = subprocess.run(
            ["ip", "-n", name, "link", "add", "probe", "type", "bridge"],
            capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True,
                   check=False)
    if made.returncode != 0:
        return f"no network namespaces here: {made.stderr.strip()}"
    return None


if __name__ == "__main__":
    missing = why_not()
    if missing:
        print(f"SKIPPED: {missing}")
        sys.exit(77)
    unittest.main(verbosity=2)
