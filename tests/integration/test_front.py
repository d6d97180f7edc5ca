"""The enrollment front: a process of its own between strangers and the service."""

import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import unittest
import urllib.request
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2
from missioncontrol.v1 import identity_pb2, installation_pb2, license_pb2

import pair
from test_foreign_client import ForeignClient

EXCHANGES = {"INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
             "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"}
LIMITED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
AWAY = (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
SERVICE = "/missioncontrol.v1.EnrollmentService/"
# nobody, whom every system has.
USER = 65534 if os.geteuid() == 0 else None


def retry_delay(error):
    """Seconds of google.rpc.RetryInfo, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return info.retry_delay.ToNanoseconds() / 1e9
    return None


def unknown_key():
    return "MC-" + "-".join(["0000"] * 7)


class FrontTest(pair.PairTest):

    def start(self, user=USER, **limits):
        self.mc, self.front = self.service_with_front(
            user, config={"limits": limits} if limits else None)
        self.key = self.mc.create_license()["licenseKey"]
        self.stub = self.mc.enrollment()

    def install(self, key=None):
        return self.stub.Install(installation_pb2.InstallRequest(
            license_key=key or self.key, agent_version="1.0.0",
            product_version="1.0.0"), timeout=pair.PATIENCE_S)

    def result(self, key=None):
        """(code, reason) of an Install, and its retry delay."""
        try:
            self.install(key)
        except grpc.RpcError as error:
            return (error.code(), pair.error_reason(error)), retry_delay(error)
        return (grpc.StatusCode.OK, None), None

    def succeeded(self):
        return {count["exchange"].removeprefix("EXCHANGE_"):
                int(count["succeeded"])
                for count in self.mc.mcctl_json("exchanges").get("counts", [])
                if int(count.get("succeeded", 0))}

    def figure(self, address, name):
        with urllib.request.urlopen(f"http://{address}/metrics",
                                    timeout=pair.PATIENCE_S) as answer:
            text = answer.read().decode()
        return float(re.search(rf"^mission_control_{name} (\S+)$", text,
                               re.M).group(1))

    def test_all_of_enrollment_goes_through_it(self):
        self.start()
        agent = self.agent(self.mc, self.key)
        agent.use()
        pair.eventually(lambda: set(self.succeeded()) == EXCHANGES,
                        "each exchange succeeded")
        # Recovery, too: the answer is the service's.
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.RecoverCertificate(
                identity_pb2.RecoverCertificateRequest(
                    user_name=str(uuid.uuid4()), password="x" * 43,
                    certificate_signing_request=b"\x30\x00"),
                timeout=pair.PATIENCE_S)
        self.assertEqual(pair.error_reason(caught.exception), "CSR_MALFORMED")
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.front.stop(), 0)
        self.assertEqual(self.mc.stop(), 0)
        self.assertFalse(self.front.socket.exists())

    @unittest.skipUnless(USER, "a user of its own needs root")
    def test_it_reads_neither_the_store_nor_a_key_of_a_ca(self):
        self.start()
        self.install()
        pid = self.front.process.process.pid
        self.assertEqual(os.stat(f"/proc/{pid}").st_uid, USER)
        for secret in ("store.db", "ca/cluster-ca.key", "ca/server-ca.key",
                       "keys/documents.key"):
            path = self.mc.dir / secret
            self.assertTrue(path.exists(), path)
            done = pair.run(*self.front.prefix, "cat", path, check=False)
            self.assertNotEqual(done.returncode, 0, path)
            self.assertIn("Permission denied", done.stderr)
        # And it has nothing open of there.
        for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            self.assertFalse(os.readlink(link).startswith(str(self.mc.dir)))
        self.assertNotIn("a user of its own", self.front.process.output())

    def test_one_who_may_read_them_says_so(self):
        self.start(user=None)
        # Of the service's user: with the configuration in its place.
        self.assertEqual(self.front.stop(), 0)
        self.front.config = self.mc.config
        self.front.start().wait()
        self.assertIn("a user of its own", self.front.process.output())
        self.install()

    def test_an_address_is_limited_with_a_retry_delay(self):
        self.start(enrollments_per_minute_per_address=5)
        for _ in range(5):
            self.install()
        result, delay = self.result()
        self.assertEqual(result, LIMITED)
        self.assertGreaterEqual(delay, 1)
        self.assertLessEqual(delay, 12)
        pair.eventually(lambda: self.succeeded() == {"INSTALLATION": 5},
                        "the service counted what came through")
        self.assertEqual(self.figure(
            self.front.metrics, "enrollments_limited_by_address_total"), 1)
        self.assertIn("too many", self.front.process.output())

    def test_a_license_is_limited_and_others_go_on(self):
        self.start(enrollments_per_minute_per_license=3)
        other = self.mc.create_license(name="other")["licenseKey"]
        for _ in range(3):
            self.install()
        result, delay = self.result()
        self.assertEqual(result, LIMITED)
        self.assertGreaterEqual(delay, 1)
        self.install(other)
        self.assertEqual(self.figure(
            f"127.0.0.1:{self.mc.ports['metrics']}",
            "enrollments_limited_by_license_total"), 1)
        for log in (self.mc.process, self.front.process):
            self.assertNotIn(self.key, log.output())

    def test_guesses_are_limited_logged_and_counted(self):
        self.start(enrollments_per_minute_per_address=10)
        results = [self.result(unknown_key())[0] for _ in range(15)]
        self.assertEqual(set(results), {
            (grpc.StatusCode.NOT_FOUND, "LICENSE_KEY_UNKNOWN"), LIMITED})
        self.assertLessEqual(results.count(LIMITED), 5)
        refused = self.figure(f"127.0.0.1:{self.mc.ports['metrics']}",
                              "enrollments_refused_total")
        self.assertGreaterEqual(refused, 10)
        self.assertIn("its credentials are none", self.mc.process.output())
        # The client's address, as the front told it.
        self.assertIn("127.0.0.1", self.mc.process.output())

    def test_without_the_service_calls_wait_for_its_return(self):
        self.start(enrollments_per_minute_per_address=100000)
        self.install()
        self.mc.process.kill()
        result, delay = self.result()
        self.assertEqual(result, AWAY)
        self.assertIsNotNone(delay)
        self.assertFalse(self.front.ready())
        self.mc.start()
        pair.eventually(lambda: self.result()[0][0] == grpc.StatusCode.OK,
                        "calls succeed again")
        self.front.wait()

    def test_without_the_front_clusters_go_on(self):
        self.start()
        client = ForeignClient(self.folder, self.mc, self.key)
        client.register()
        agent = self.agent(self.mc, self.key)
        agent.use()
        pair.eventually(lambda: set(self.succeeded()) == EXCHANGES,
                        "each exchange succeeded")
        self.front.process.kill()
        with self.assertRaises(grpc.RpcError):
            self.install()
        before = self.succeeded()
        agent.use()
        steady = EXCHANGES - {"INSTALLATION", "REGISTRATION", "CLUSTER_EVENTS"}
        pair.eventually(
            lambda: all(self.succeeded()[name] > before[name]
                        for name in steady), "clusters go on")
        client.stub().CheckLicense(license_pb2.CheckLicenseRequest(),
                                      timeout=pair.PATIENCE_S)
        self.front.start().wait()
        pair.eventually(lambda: self.result()[0][0] == grpc.StatusCode.OK,
                        "calls succeed again")

    def raw(self, method, data, **kwargs):
        """The code of a call with any bytes."""
        with self.mc.channel("enrollment") as channel:
            call = channel.unary_unary(method)
            try:
                call(data, timeout=pair.PATIENCE_S, **kwargs)
            except grpc.RpcError as error:
                return error.code()
        return grpc.StatusCode.OK

    def test_hostile_bytes_end_at_the_front(self):
        self.start()
        good = installation_pb2.InstallRequest(
            license_key=self.key, agent_version="1", product_version="1")
        code = grpc.StatusCode
        cases = [
            ("garbage", SERVICE + "Install", b"\xff" * 100, {},
             code.UNIMPLEMENTED),
            ("one byte over", SERVICE + "Install", b"\x0a" * ((64 << 10) + 1),
             {}, code.RESOURCE_EXHAUSTED),
            ("compressed", SERVICE + "Install", good.SerializeToString(),
             {"compression": grpc.Compression.Gzip}, code.UNIMPLEMENTED),
            ("a bomb", SERVICE + "Register", b"\0" * (8 << 20),
             {"compression": grpc.Compression.Gzip}, code.UNIMPLEMENTED),
            ("a format", SERVICE + "Install",
             installation_pb2.InstallRequest(
                 license_key=self.key, agent_version="1\n2",
                 product_version="1").SerializeToString(), {},
             code.INVALID_ARGUMENT),
            ("no method", SERVICE + "Nothing", b"", {},
             code.PERMISSION_DENIED),
            ("the clusters'", "/missioncontrol.v1.ClusterService/CheckLicense",
             b"", {}, code.PERMISSION_DENIED),
            ("the operators'", "/missioncontrol.v1.FleetService/ListAccounts",
             b"", {}, code.PERMISSION_DENIED),
        ]
        for name, method, data, options, expected in cases:
            with self.subTest(name):
                self.assertEqual(self.raw(method, data, **options), expected)
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" * 10,
                     b"\0" * 1000):
            with socket.create_connection(
                    ("127.0.0.1", self.mc.ports["enrollment"])) as s:
                s.sendall(data)
        # HTTP/2 that is none, inside of TLS.
        context = ssl.create_default_context(cafile=self.mc.ca)
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(
                ("127.0.0.1", self.mc.ports["enrollment"])) as s, \
                context.wrap_socket(s, server_hostname="localhost") as tls:
            tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096)
        self.install()
        self.assertTrue(self.front.ready())
        # None of it has reached the service.
        pair.eventually(lambda: self.succeeded() == {"INSTALLATION": 1},
                        "the service counted what came through")
        failed = [count for count in self.mc.mcctl_json("exchanges")["counts"]
                  if int(count.get("failed", 0))]
        self.assertEqual(failed, [])

    @unittest.skipUnless(USER, "another user needs root")
    def test_the_socket_is_the_fronts_alone(self):
        self.start()
        connect = ("import socket, sys; "
                   "socket.socket(socket.AF_UNIX).connect(sys.argv[1])")
        for user, allowed in ((USER, True), (USER - 1, False)):
            done = subprocess.run(
                ["setpriv", f"--reuid={user}", f"--regid={user}",
                 "--clear-groups", "/usr/bin/python3", "-c", connect,
                 self.front.socket], capture_output=True, cwd="/")
            self.assertEqual(done.returncode == 0, allowed, done.stderr)

    def test_a_front_without_its_socket_named_does_not_start(self):
        service = self.service(start=False)
        done = pair.run(pair.BIN / "mc-service", "enroll-front", "--config",
                        service.config, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("enrollment_front", done.stderr)


if __name__ == "__main__":
    if shutil.which("setpriv") is None:
        print("SKIPPED: setpriv is not installed")
        sys.exit(77)
    unittest.main()
