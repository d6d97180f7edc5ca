"""Small messages that want to be large, deep ones, and one byte too many: on
every listener, to each kind of call, refused with the status that the contract
names; no row is left, memory stays, and others are served. So are streams and
metadata beyond their bounds."""

import pathlib
import struct
import unittest

import grpc
from missioncontrol.v1 import license_pb2

import http2 as h2
import pair
from test_bad_input import row_counts
from test_foreign_client import ForeignClient, hello

CODE = grpc.StatusCode
LIMIT = 4 << 20
# Of what a bomb is when it has gone off.
BOMB = 192 << 20
MEMORY_MIB = 96
PACKAGE = "/missioncontrol.v1."
UNARY = {
    "enrollment": ("EnrollmentService/Install", "EnrollmentService/Register",
                   "EnrollmentService/RecoverCertificate"),
    "cluster": ("ClusterService/CheckLicense", "ClusterService/CheckUpdates",
                "ClusterService/RenewCertificate"),
    "operator": ("FleetService/CreateAccount", "FleetService/ListClusters"),
}
REPORTS = "ClusterService/StreamReports"
BEATS = "ClusterService/StreamHeartbeats"


def peak_mib(process):
    """The most memory that it ever had."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def unknown_bytes(size):
    """A field that nobody knows, so long in all: good protobuf."""
    # Field 1000, by length; the length takes as many bytes in any case.
    length = size - 2 - 4
    varint = bytes([length & 127 | 128, length >> 7 & 127 | 128,
                    length >> 14 & 127 | 128, length >> 21])
    return b"\xc2\x3e" + varint + bytes(length)


class BombsTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service()
        key = self.svc.create_license()["licenseKey"]
        self.client = ForeignClient(self.folder, self.svc, key)
        self.client.register()
        operator = self.svc.dir / "operator"
        self.channels = {
            "enrollment": self.svc.channel("enrollment"),
            "cluster": self.svc.channel("cluster", self.client.tls_cert,
                                        self.client.tls_key),
            "operator": self.svc.channel("operator", operator / "admin.crt",
                                         operator / "admin.key"),
        }
        for channel in self.channels.values():
            self.addCleanup(channel.close)
        self.unary = [(listener, method) for listener, methods in UNARY.items()
                      for method in methods]
        self.rows = row_counts(self.svc)
        self.peak = peak_mib(self.svc.process.process)

    def ask(self, listener, method, *messages, **options):
        """(code, reason, answers) of a call with these bytes."""
        call = self.channels[listener].stream_stream(
            PACKAGE + method, request_serializer=lambda b: b,
            response_deserializer=lambda b: b)
        answers = []
        try:
            answers += call(iter(messages), timeout=pair.PATIENCE_S, **options)
        except grpc.RpcError as error:
            return error.code(), pair.error_reason(error), answers
        return CODE.OK, None, answers

    def hello(self):
        return hello(self.client).SerializeToString()

    def assert_nothing_happened(self):
        self.assertEqual(row_counts(self.svc), self.rows)
        self.assertTrue(self.svc.process.alive())
        self.assertLess(peak_mib(self.svc.process.process),
                        self.peak + MEMORY_MIB)
        self.client.stub().CheckLicense(license_pb2.CheckLicenseRequest(),
                                        timeout=pair.PATIENCE_S)

    def test_one_byte_over(self):
        self.assertEqual(len(unknown_bytes(LIMIT)), LIMIT)
        exact, over = unknown_bytes(LIMIT), unknown_bytes(LIMIT + 1)
        for listener, method in self.unary:
            with self.subTest(method):
                # It is read, and judged by what it says, which is nothing.
                code, reason, _ = self.ask(listener, method, exact)
                self.assertNotEqual(code, CODE.RESOURCE_EXHAUSTED)
                if code != CODE.OK:
                    self.assertIsNotNone(reason, code)
                self.assertEqual(self.ask(listener, method, over),
                                 (CODE.RESOURCE_EXHAUSTED, None, []))
        for name, method, first in (("Hello", REPORTS, ()),
                                    ("a report", REPORTS, (self.hello(),)),
                                    ("a beat", BEATS, ())):
            with self.subTest(name):
                code, reason, answers = self.ask("cluster", method, *first,
                                                 exact)
                self.assertEqual(code, CODE.INVALID_ARGUMENT)
                self.assertIsNotNone(reason)
                code, reason, answers = self.ask("cluster", method, *first,
                                                 over)
                self.assertEqual((code, reason),
                                 (CODE.RESOURCE_EXHAUSTED, None))
                self.assertEqual(len(answers), len(first))
        self.assert_nothing_happened()

    def test_compressed_bombs(self):
        bomb = bytes(BOMB)
        calls = self.unary + [("cluster", REPORTS), ("cluster", BEATS)]
        for listener, method in calls:
            for kind in (grpc.Compression.Gzip, grpc.Compression.Deflate):
                with self.subTest(method, kind=kind):
                    # One of each kind goes off in full: the rest is the same.
                    sent = bomb if method in (
                        "EnrollmentService/Register", REPORTS) else bomb[:LIMIT]
                    self.assertEqual(
                        self.ask(listener, method, sent, compression=kind),
                        (CODE.UNIMPLEMENTED, None, []))
        # Behind a good Hello, too: the compression is the call's.
        code, _, _ = self.ask("cluster", REPORTS, self.hello(), bomb,
                              compression=grpc.Compression.Gzip)
        self.assertEqual(code, CODE.UNIMPLEMENTED)
        self.assert_nothing_happened()

    def test_nested_bombs(self):
        deep = {
            "groups without an end": b"\x0b" * LIMIT,
            "groups that end": b"\xc3\x3e" * (LIMIT // 4)
                               + b"\xc4\x3e" * (LIMIT // 4),
            "lengths that promise more": b"\x0a\xff\xff\x7f" * (LIMIT // 4),
            "messages in messages": self.nested(20000),
        }
        for name, message in deep.items():
            self.assertLessEqual(len(message), LIMIT)
            for listener, method in self.unary:
                with self.subTest(name, method=method):
                    code, reason, answers = self.ask(listener, method, message)
                    if (name, method) == ("messages in messages",
                                          "ClusterService/CheckLicense"):
                        # Its request has no field: these are unknown bytes.
                        self.assertEqual(code, CODE.OK)
                        continue
                    self.assertEqual(answers, [])
                    self.assertIn((code, reason), (
                        (CODE.UNIMPLEMENTED, None),
                        (CODE.INVALID_ARGUMENT, "INVALID_FIELD")))
            for first in ((), (self.hello(),)):
                with self.subTest(name, hello=bool(first)):
                    code, reason, answers = self.ask("cluster", REPORTS,
                                                     *first, message)
                    self.assertEqual(code, CODE.INVALID_ARGUMENT)
                    self.assertIn(reason, ("MALFORMED_MESSAGE",
                                           "HELLO_EXPECTED"))
                    self.assertEqual(len(answers), len(first))
            with self.subTest(name, method=BEATS):
                # To the library that is the end of what the client says.
                code, _, answers = self.ask("cluster", BEATS, message)
                self.assertIn(code, (CODE.OK, CODE.INVALID_ARGUMENT))
                self.assertEqual(answers, [])
        self.assert_nothing_happened()

    def test_metadata_one_byte_over(self):
        # As HPACK counts it: 32 bytes for each field besides.
        for listener, method in self.unary:
            with self.subTest(method):
                few = [("x-long", "y" * (15 << 10))]
                code, reason, _ = self.ask(listener, method, b"", metadata=few)
                self.assertNotEqual(code, CODE.RESOURCE_EXHAUSTED)
                many = [("x-long", "y" * (16 << 10))]
                self.assertEqual(
                    self.ask(listener, method, b"", metadata=many)[0],
                    CODE.RESOURCE_EXHAUSTED)
        self.assert_nothing_happened()

    def test_streams_of_a_connection_are_bounded(self):
        operator = self.svc.dir / "operator"
        for listener, method, bound, files in (
                ("enrollment", "EnrollmentService/Install", 8, ()),
                ("cluster", "ClusterService/CheckLicense", 64,
                 (self.client.tls_cert, self.client.tls_key)),
                ("operator", "FleetService/ListClusters", 256,
                 (operator / "admin.crt", operator / "admin.key"))):
            with self.subTest(listener):
                # An acknowledgement that comes too early is none.
                connection = h2.Connection(
                    self.svc.ports[listener], self.svc.ca, *files,
                    acknowledge=False)
                self.addCleanup(connection.close)
                pair.eventually(
                    lambda c=connection: c.pump().frames.get(h2.SETTINGS),
                    "the settings")
                settings = connection.frames[h2.SETTINGS][0]
                told = dict(struct.iter_unpack(">HI", settings))
                # MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE.
                self.assertEqual((told[3], told[6]), (bound, 16 << 10))
                connection.send(h2.frame(h2.SETTINGS, h2.ACK))
                # As many may be, and who does not care is stopped.
                headers = h2.request_headers(PACKAGE + method)

                def open_streams(first, last, c=connection):
                    c.send(b"".join(
                        h2.frame(h2.HEADERS, h2.END_HEADERS, stream, headers)
                        for stream in range(2 * first - 1, 2 * last, 2)))

                def stopped(c=connection):
                    return (c.pump().over or c.frames.get(h2.RST_STREAM)
                            or c.frames.get(h2.GOAWAY))
                open_streams(1, bound)
                connection.send(h2.frame(h2.PING, payload=bytes(8)))
                pair.eventually(
                    lambda c=connection: c.pump().frames.get(h2.PING),
                    "the ping's answer")
                self.assertFalse(stopped())
                open_streams(bound + 1, bound + 1)
                pair.eventually(stopped, "it is stopped")
        self.assert_nothing_happened()

    @staticmethod
    def nested(depth):
        """Field 1 in field 1 in field 1."""
        message = b""
        while depth:
            size, varint = len(message), b""
            while size > 127:
                varint += bytes([size & 127 | 128])
                size >>= 7
            message = b"\x0a" + varint + bytes([size]) + message
            depth -= 1
        return message


if __name__ == "__main__":
    unittest.main()
