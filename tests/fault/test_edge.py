"""Who may connect, and what connections may do: strangers without end, half
handshakes, balancers and those that pretend to be one, peers that take nothing
or send too much."""

import contextlib
import json
import pathlib
import resource
import socket
import time
import unittest
import urllib.request

import http2
import pair

# Within this the service must be there again.
RECOVERY_S = 5
# More than a handshake takes on a busy machine.
TRY_S = 2


def set_descriptor_limit(pid, soft):
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


class EdgeTests(pair.PairTest):

    def start(self, limits=None, proxies=None, descriptors=None):
        server = self.service(
            start=False, config={"limits": limits} if limits else None)
        for name, balancers in (proxies or {}).items():
            server.add_to_listener(name, "proxy_protocol_from", balancers)
        if descriptors:
            command = server.process_command()
            server.process_command = lambda: [
                "prlimit", f"--nofile={descriptors}", *command]
        self.server = server.start()

    def metric(self, name, **labels):
        text = urllib.request.urlopen(
            f"http://127.0.0.1:{self.server.ports['metrics']}/metrics",
            timeout=pair.PATIENCE_S).read().decode()
        for line in text.splitlines():
            if line.startswith(f"mission_control_{name}{{") and all(
                    f'{key}="{value}"' in line
                    for key, value in labels.items()):
                return float(line.split()[-1])
        raise AssertionError(f"no {name} with {labels} in\n{text}")

    def refused(self, reason, listener="enrollment"):
        return self.metric("edge_refused_total", listener=listener,
                           reason=reason)

    def cut(self, reason, listener="enrollment"):
        return self.metric("edge_cut_total", listener=listener, reason=reason)

    def sockets(self, count, listener="enrollment"):
        made = []
        for _ in range(count):
            each = socket.socket()
            self.addCleanup(each.close)
            each.settimeout(pair.PATIENCE_S)
            each.connect(("127.0.0.1", self.server.ports[listener]))
            made.append(each)
        return made

    def connect(self, listener="enrollment", **options):
        operator = self.server.dir / "operator"
        if listener == "operator":
            options.update(cert=operator / "admin.crt",
                           key=operator / "admin.key")
        connection = http2.connect(self.server.ports[listener],
                                   self.server.ca, **options)
        self.addCleanup(connection.close)
        http2.begin(connection)
        return connection

    def serves(self, listener="enrollment", **options):
        """Whether a newcomer gets as far as HTTP/2."""
        with contextlib.suppress(OSError):
            connection = self.connect(listener, timeout=TRY_S, **options)
            with contextlib.closing(connection):
                return next(http2.frames(connection))[0] == http2.SETTINGS
        return False

    def assert_recovers(self, listener="enrollment"):
        pair.eventually(lambda: self.serves(listener),
                        f"the {listener} listener serves", RECOVERY_S)

    def log_lines(self, message):
        lines = []
        for line in self.server.process.output().splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return [line for line in lines if message in line.get("message", "")]

    def test_idle_connections_twice_the_descriptor_limit(self):
        limit = 400
        self.start(descriptors=limit)
        key = self.server.create_license()["licenseKey"]
        site = self.agent(self.server, key)
        pair.eventually(
            lambda: site.cli("status", "--check", check=False)
            .returncode == 0, "the agent is connected")
        idle = self.sockets(2 * limit) + self.sockets(2 * limit, "operator")
        # While all of them are there.
        self.assert_recovers("enrollment")
        self.assert_recovers("operator")
        site.cli("status", "--check")
        for each in idle:
            each.close()
        # Those that came as far as HTTP/2 keep their places, and no more.
        held = []
        with contextlib.suppress(OSError):
            for _ in range(limit):
                held.append(self.connect())
        self.assertGreater(self.refused("max_connections")
                           + self.refused("handshake_queue_full"), 0)
        self.assert_recovers("operator")
        site.cli("status", "--check")
        for each in held:
            each.close()
        self.assert_recovers("enrollment")

    def test_half_handshakes(self):
        self.start(limits={"handshake_timeout": "3s", "max_handshakes": 8})
        hello = http2.client_hello()
        half = self.sockets(60)
        began = time.monotonic()
        for number, each in enumerate(half):
            each.sendall(hello if number % 2 else hello[:number + 6])
        # Others get in meanwhile.
        self.assert_recovers()
        for each in half:
            self.assertTrue(http2.is_ended(each))
        self.assertLess(time.monotonic() - began, 3 + RECOVERY_S)
        self.assertGreater(self.cut("handshake_timeout"), 0)
        self.assertGreater(self.refused("silent"), 0)
        self.assert_recovers()

    def test_connections_of_an_address(self):
        self.start(limits={"max_connections_per_address": 10})
        held = [self.connect() for _ in range(10)]
        self.assertFalse(self.serves())
        self.assertEqual(self.refused("max_connections_per_address"), 1)
        # Other addresses, and other listeners, have their own.
        self.assertTrue(self.serves(source="127.0.0.2"))
        self.assertTrue(self.serves("operator"))
        for each in held:
            each.close()
        self.assert_recovers()

    def test_proxy_header(self):
        self.start(limits={"handshake_timeout": "2s",
                           "max_connections_per_address": 2},
                   proxies={"enrollment": ["127.0.0.8/29"]})
        balancer = "127.0.0.9"
        self.assertTrue(self.serves(
            source=balancer, before=http2.proxy_header("192.0.2.9", 5000)))
        # Each counts for whom the header names.
        held = [self.connect(source=balancer,
                             before=http2.proxy_header(client, 5000))
                for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2",
                               "192.0.2.2")]
        self.assertFalse(self.serves(
            source=balancer, before=http2.proxy_header("192.0.2.1", 5001)))
        self.assertEqual(self.refused("max_connections_per_address"), 1)
        # From a balancer its absence is an error, from others its presence.
        self.assertFalse(self.serves(source=balancer))
        self.assertEqual(self.refused("proxy_header"), 1)
        self.assertFalse(self.serves(
            before=http2.proxy_header("192.0.2.1", 5002)))
        self.assertEqual(self.refused("not_tls"), 1)
        self.assertTrue(self.serves())
        for each in held:
            each.close()
        # What the log names is the client.
        raw = socket.create_connection(
            ("127.0.0.1", self.server.ports["enrollment"]),
            source_address=(balancer, 0), timeout=pair.PATIENCE_S)
        self.addCleanup(raw.close)
        raw.sendall(http2.proxy_header("203.0.113.77", 5003)
                    + http2.client_hello())
        self.assertTrue(http2.is_ended(raw))
        self.assertIn("ipv4:203.0.113.77:5003", [
            line["peer"] for line in self.log_lines("connection was cut")])

    def test_slow_reader(self):
        # What so many calls would be cut for comes later than what is tested.
        self.start(limits={"slow_reader_timeout": "2s",
                           "calls_per_second_per_cluster": 1000})
        slow = self.connect(receive_buffer=2304)
        # Each is answered, and no answer is read.
        slow.settimeout(pair.PATIENCE_S)
        with contextlib.suppress(OSError):
            for number in range(4000):
                slow.sendall(http2.request("/nobody.Knows/This",
                                           2 * number + 1))
        pair.eventually(lambda: self.cut("slow_reader") == 1,
                        "the slow reader is cut")
        self.assertTrue(self.serves())

    def test_ping_flood(self):
        self.start()
        connection = self.connect(timeout=pair.PATIENCE_S)
        connection.sendall(http2.frame(http2.PING, payload=bytes(8)) * 20)
        ends = [payload for kind, payload in http2.frames(connection)
                if kind == http2.GOAWAY]
        self.assertEqual(int.from_bytes(ends[-1][4:8], "big"),
                         http2.ENHANCE_YOUR_CALM)
        self.assertIn(b"too_many_pings", ends[-1])
        self.assertTrue(self.serves())

    def test_no_descriptors(self):
        self.start()
        pid = self.server.process.process.pid
        self.assertTrue(self.serves())
        used = {int(each.name) for each in
                pathlib.Path(f"/proc/{pid}/fd").iterdir()}
        normal, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # What is open stays, and nothing more can be opened.
        set_descriptor_limit(pid, min(set(range(len(used) + 1)) - used))
        refused = self.sockets(100)
        for each in refused[:5]:
            self.assertTrue(http2.is_ended(each))
        set_descriptor_limit(pid, normal)
        self.assert_recovers()
        self.assert_recovers("operator")
        self.assertGreater(self.refused("no_descriptors"), 0)

    def test_too_many_bytes(self):
        self.start(limits={"max_bytes_per_second_per_connection": 65536})
        modest = self.connect(timeout=pair.PATIENCE_S)
        connection = self.connect(timeout=pair.PATIENCE_S)
        garbage = http2.frame(http2.UNKNOWN, payload=bytes(16000))
        began = time.monotonic()
        sent = 0
        with contextlib.suppress(OSError):
            while time.monotonic() - began < pair.PATIENCE_S:
                connection.sendall(garbage)
                sent += len(garbage)
                # Twice what is allowed.
                pause = sent / 131072 - (time.monotonic() - began)
                time.sleep(max(0, pause))
        self.assertEqual(self.cut("max_bytes_per_second"), 1)
        self.assertIn("max_bytes_per_second", [
            line["reason"] for line in self.log_lines("connection was cut")])
        modest.sendall(http2.frame(http2.PING, payload=bytes(8)))
        kinds = (kind for kind, _ in http2.frames(modest))
        self.assertIn(http2.PING, kinds)


if __name__ == "__main__":
    unittest.main()
