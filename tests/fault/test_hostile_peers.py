"""Peers that mean no good: silent, half-way, garbage, slow to read."""

import os
import pathlib
import socket
import ssl
import threading
import unittest

import grpc
from missioncontrol.v1 import heartbeat_pb2

import pair


def open_descriptors(process):
    return len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))


def resident_mib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text() \
            .splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


class HostilePeersTests(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.server = self.service()
        key = self.server.create_license()["licenseKey"]
        self.site = self.agent(self.server, key)
        pair.eventually(self.connected, "the agent is connected")

    def connected(self):
        return self.site.cli("status", "--check", check=False).returncode == 0

    def beats(self):
        for count in self.server.mcctl_json("exchanges").get("counts", []):
            if count["exchange"] == "EXCHANGE_HEARTBEAT":
                return int(count.get("succeeded", 0))
        return 0

    def assert_still_serves(self):
        before = self.beats()
        pair.eventually(lambda: self.beats() > before + 1, "beats go on")
        self.assertTrue(self.server.process.alive())

    def sockets(self, listener, count):
        made = [socket.create_connection(
            ("127.0.0.1", self.server.ports[listener])) for _ in range(count)]
        for each in made:
            self.addCleanup(each.close)
        return made

    def test_silent_and_half_way(self):
        process = self.server.process.process
        before = open_descriptors(process)
        for listener in ("enrollment", "cluster", "operator"):
            silent = self.sockets(listener, 200)
            for number, each in enumerate(silent):
                if number % 4 == 1:
                    each.sendall(b"\x16\x03\x01")  # a handshake begins
                elif number % 4 == 2:
                    each.sendall(os.urandom(512))
                elif number % 4 == 3:
                    each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assert_still_serves()
        # The handshake's time limit ends them; nobody has to close.
        pair.eventually(lambda: open_descriptors(process) <= before + 8,
                        "their descriptors are given back")
        self.assert_still_serves()

    def test_garbage_behind_the_handshake(self):
        context = ssl.create_default_context(cafile=str(self.server.ca))
        context.set_alpn_protocols(["h2"])
        process = self.server.process.process
        before = open_descriptors(process)
        for number in range(100):
            with socket.create_connection(
                    ("127.0.0.1", self.server.ports["enrollment"])) as raw, \
                    context.wrap_socket(raw, server_hostname="localhost") as s:
                preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                s.sendall((preface if number % 2 else b"")
                          + os.urandom(4096))
        self.assert_still_serves()
        pair.eventually(lambda: open_descriptors(process) <= before + 8,
                        "their descriptors are given back")

    def test_slow_reader(self):
        state = pathlib.Path(self.site.settings["state_directory"])
        process = self.server.process.process
        before = resident_mib(process)
        over = threading.Event()

        def beats():
            beat = heartbeat_pb2.StreamHeartbeatsRequest(
                cluster_id=self.site.cluster_id(), node_id="node-1",
                source_type=heartbeat_pb2.SOURCE_TYPE_SERVER)
            while not over.is_set():
                yield beat

        stub = self.server.cluster(state / "tls.crt", state / "tls.key")
        # Never read from: what the service may not send, it must not read.
        call = stub.StreamHeartbeats(beats())
        call.add_callback(over.set)
        self.addCleanup(call.cancel)
        self.addCleanup(over.set)
        over.wait(5)
        self.assertLess(resident_mib(process), before + 64)
        # The agent's own stream gave way to the newer one; its unary calls and
        # reports go on, and it comes back when the slow one is gone.
        over.set()
        call.cancel()
        self.assert_still_serves()

    def test_hello_that_never_comes(self):
        state = pathlib.Path(self.site.settings["state_directory"])
        stub = self.server.cluster(state / "tls.crt", state / "tls.key")
        over = threading.Event()
        self.addCleanup(over.set)

        def nothing():
            over.wait(pair.PATIENCE_S)
            yield from ()

        calls = [stub.StreamReports(nothing()) for _ in range(50)]
        self.assert_still_serves()
        for call in calls:
            call.cancel()
        self.assert_still_serves()


if __name__ == "__main__":
    unittest.main()
