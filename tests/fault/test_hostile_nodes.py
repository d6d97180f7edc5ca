"""Whoever reaches the ports of a site's master, without being of the site: the
master lives, and its exchanges go on."""

import socket
import ssl
import unittest

import http2 as h2
import pair

JOIN = "/missioncontrol.v1.SiteService/Join"
PATIENCE_S = 30


class HostileNodesTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        svc = self.service()
        self.port = pair.free_port()
        self.master = self.agent(
            svc, svc.create_license()["licenseKey"],
            config={"site": {"listen": {
                "join": f"127.0.0.1:{self.port}",
                "nodes": f"127.0.0.1:{pair.free_port()}"}}})
        self.master.use()
        self.wait_connected()

    def wait_connected(self):
        pair.eventually(
            lambda: self.master.cli("status", "--check",
                                    check=False).returncode == 0,
            "the master is connected")

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        connection = context.wrap_socket(raw)
        self.addCleanup(connection.close)
        connection.sendall(h2.PREFACE + h2.frame(h2.SETTINGS))
        return connection

    def test_one_header_does_not_end_the_master(self):
        whole = h2.request_headers(JOIN)
        large = [h2.literal(f"x-{n}", "y" * 3000) for n in range(4)]
        bad = h2.literal("grpclb_client_stats", "x")
        for more in range(5):
            connection = self.connect()
            connection.sendall(h2.frame(
                h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1,
                bad + whole + b"".join(large[:more])))
            self.assertTrue(h2.is_ended(connection))
            self.assertTrue(self.master.process.alive())
        self.assertIn("a connection was ended", self.master.process.output())
        self.wait_connected()

    def test_floods_end_their_connection(self):
        def resets(stream):
            return (h2.request(JOIN, stream)
                    + h2.frame(h2.RST_STREAM, stream=stream,
                               payload=b"\0\0\0\x08"))
        floods = {
            "rapid reset": b"".join(resets(2 * n + 1) for n in range(5000)),
            "PING": h2.frame(h2.PING, payload=bytes(8)) * 5000,
            "SETTINGS": h2.frame(h2.SETTINGS) * 5000,
            "WINDOW_UPDATE": h2.frame(h2.WINDOW_UPDATE,
                                      payload=b"\0\0\0\x01") * 20000,
        }
        for name, flood in floods.items():
            with self.subTest(name):
                connection = self.connect()
                try:
                    connection.sendall(flood)
                except TimeoutError:
                    self.fail("it is neither read nor ended")
                except OSError:
                    continue
                self.assertTrue(h2.is_ended(connection))
        self.assertTrue(self.master.process.alive())
        self.wait_connected()


if __name__ == "__main__":
    unittest.main(verbosity=2)
