"""Bad input: each case has its typed answer, and leaves no row."""

import math
import unittest
import uuid

import grpc
from missioncontrol.v1 import (
    consumption_pb2,
    errors_pb2,
    events_pb2,
    health_pb2,
    heartbeat_pb2,
    installation_pb2,
    reports_pb2,
)

import pair
from test_foreign_client import (
    HOUR,
    ForeignClient,
    hello,
    openssl,
    report,
    time_frame,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
DENIED = grpc.StatusCode.PERMISSION_DENIED


def row_counts(service):
    """Rows of every table that a cluster's message can write to."""
    database = next(service.dir.rglob("*.db"))
    tables = pair.run("sqlite3", "-readonly", database,
                      "select name from sqlite_master where type='table' and "
                      "name not like 'exchange%' and name not like 'sqlite%'")
    counts = {}
    for table in tables.stdout.split():
        counts[table] = int(pair.run(
            "sqlite3", "-readonly", database,
            f"select count(*) from {table}").stdout)
    return counts


class EnrollmentTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service()
        self.stub = self.svc.enrollment()

    def key(self, name, *args):
        return self.svc.create_license(*args, name=name)

    def install(self, key):
        return installation_pb2.InstallRequest(
            license_key=key, agent_version="1.0.0", product_version="1.0.0")

    def test_license_keys(self):
        suspended = self.key("suspended")
        self.svc.mcctl("license", "suspend", suspended["license"]["licenseId"])
        revoked = self.key("revoked")
        self.svc.mcctl("license", "revoke", revoked["license"]["licenseId"])
        expired = self.key("expired", "--starts-at", "2020-01-01T00:00:00Z",
                           "--ends-at", "2021-01-01T00:00:00Z")
        good = self.key("good")["licenseKey"]
        unknown = "MC-" + "-".join(["0000"] * (good.count("-")))
        cases = [
            ("unknown", unknown, NOT_FOUND, "LICENSE_KEY_UNKNOWN"),
            ("suspended", suspended["licenseKey"], PRECONDITION,
             "LICENSE_SUSPENDED"),
            ("revoked", revoked["licenseKey"], PRECONDITION,
             "LICENSE_REVOKED"),
            ("expired", expired["licenseKey"], PRECONDITION,
             "LICENSE_EXPIRED"),
            ("empty", "", INVALID, "LICENSE_KEY_MALFORMED"),
            ("malformed", "letmein", INVALID, "LICENSE_KEY_MALFORMED"),
            ("cut", good[:-1], INVALID, "LICENSE_KEY_MALFORMED"),
            ("spaces", good.replace("-", " "), INVALID, None),
            ("NUL", good + "\0", INVALID, None),
        ]
        before = row_counts(self.svc)
        for name, key, code, reason in cases:
            client = ForeignClient(self.folder, self.svc, key)
            for call, request in ((self.stub.Install, self.install(key)),
                                  (self.stub.Register, client.request())):
                with self.subTest(name, call=type(request).__name__):
                    with self.assertRaises(grpc.RpcError) as caught:
                        call(request, timeout=pair.PATIENCE_S)
                    error = caught.exception
                    self.assertEqual(error.code(), code, error.details())
                    if reason:
                        self.assertEqual(pair.error_reason(error), reason)
                    if len(key) > 8:
                        self.assertNotIn(key, error.details())
        self.assertEqual(row_counts(self.svc), before)

    def test_registration(self):
        key = self.key("one", "--clusters", "1")["licenseKey"]
        client = ForeignClient(self.folder, self.svc, key)
        first = client.register()
        count = row_counts(self.svc)
        again = client.register()
        self.assertEqual(again.user_name, first.user_name)
        self.assertNotEqual(again.password, first.password)
        # The first answer may have been lost: its password stays good.
        count["issued_identity"] += 1
        self.assertEqual(row_counts(self.svc), count)

        other = ForeignClient(self.folder, self.svc, key)
        conf = self.folder / "csr.cnf"
        conf.write_text(
            "[req]\ndistinguished_name=dn\nreq_extensions=ext\nprompt=no\n"
            "[dn]\n[ext]\n"
            "subjectAltName=URI:spiffe://test.example/cluster/"
            f"{uuid.uuid4()}\n")
        san = other.csr("-config", conf)
        conf.write_text(
            "[req]\ndistinguished_name=dn\nreq_extensions=ext\nprompt=no\n"
            "[dn]\n[ext]\nbasicConstraints=critical,CA:true\n")
        ca = other.csr("-config", conf)
        rsa = openssl("genrsa", "2048")
        (self.folder / "rsa.key").write_bytes(rsa)
        rsa_csr = openssl("req", "-new", "-key", self.folder / "rsa.key",
                          "-subj", "/", "-outform", "DER")
        subject = openssl("req", "-new", "-key", other.tls_key, "-subj",
                          "/CN=somebody", "-outform", "DER")
        broken = bytearray(other.csr())
        broken[-1] ^= 1
        exists = grpc.StatusCode.ALREADY_EXISTS
        cases = [
            ("other TLS key", client.request(
                certificate_signing_request=other.csr()), exists,
             "CLUSTER_ALREADY_REGISTERED"),
            ("other site key", client.request(
                site_public_key=other.site_public_key()), exists,
             "CLUSTER_ALREADY_REGISTERED"),
            ("over the limit of clusters", other.request(), PRECONDITION,
             "LICENSE_CLUSTER_LIMIT"),
            ("another identity by name", other.request(
                certificate_signing_request=san), INVALID,
             "CSR_IDENTITY_NOT_ALLOWED"),
            ("another identity by subject", other.request(
                certificate_signing_request=subject), INVALID,
             "CSR_IDENTITY_NOT_ALLOWED"),
            ("CA:true", other.request(certificate_signing_request=ca),
             INVALID, "CSR_CA_NOT_ALLOWED"),
            ("RSA key", other.request(certificate_signing_request=rsa_csr),
             INVALID, "CSR_KEY_NOT_ALLOWED"),
            ("no proof of the key", other.request(
                certificate_signing_request=bytes(broken)), INVALID,
             "CSR_MALFORMED"),
            ("garbage", other.request(
                certificate_signing_request=b"garbage"), INVALID,
             "CSR_MALFORMED"),
            ("no request", other.request(certificate_signing_request=b""),
             INVALID, "CSR_MALFORMED"),
            ("short site key", other.request(site_public_key=b"short"),
             INVALID, "INVALID_FIELD"),
            ("cluster ID is no UUID", other.request(cluster_id="cluster-1"),
             INVALID, "INVALID_FIELD"),
            ("cluster ID in upper case", other.request(
                cluster_id=str(uuid.uuid4()).upper()), INVALID,
             "INVALID_FIELD"),
            ("cluster ID with a path", other.request(
                cluster_id="../../etc/passwd"), INVALID, "INVALID_FIELD"),
        ]
        for name, request, code, reason in cases:
            with self.subTest(name):
                self.assert_fails(code, reason, self.stub.Register, request)
        self.assertEqual(row_counts(self.svc), count)

        # Re-opened, another key may take the ID over; then it is closed again.
        self.svc.mcctl("cluster", "reopen", client.cluster_id)
        other.cluster_id = client.cluster_id
        other.register()
        self.assert_fails(exists, "CLUSTER_ALREADY_REGISTERED",
                          self.stub.Register, client.request())
        # What is added is the key that lost the cluster.
        count["issued_identity"] += 1
        self.assertEqual(row_counts(self.svc), count)

    def test_one_byte_over_the_limit(self):
        service = self.svc
        service.stop()
        text = service.config.read_text()
        service.config.write_text(
            text + "limits:\n  max_message_bytes: 65536\n")
        service.start()
        request = self.install("x")
        size = len(request.SerializeToString())
        # Two more bytes hold the length of the longer string.
        request.license_key = "x" * (65536 - size + 1 - 2)
        self.assertEqual(len(request.SerializeToString()), 65536)
        self.assert_fails(INVALID, "INVALID_FIELD",
                          service.enrollment().Install, request)
        request.license_key += "x"
        self.assert_fails(grpc.StatusCode.RESOURCE_EXHAUSTED, None,
                          service.enrollment().Install, request)

    def test_compressed_bomb(self):
        channel = self.svc.channel("enrollment")
        bomb = channel.unary_unary(
            "/missioncontrol.v1.EnrollmentService/Install",
            request_serializer=lambda b: b,
            response_deserializer=installation_pb2.InstallResponse.FromString)
        before = row_counts(self.svc)
        self.assert_fails(
            grpc.StatusCode.UNIMPLEMENTED, None, bomb, b"\0" * (3 << 20),
            compression=grpc.Compression.Gzip)
        self.assertEqual(row_counts(self.svc), before)


class ReportTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service()
        key = self.svc.create_license()["licenseKey"]
        self.client = ForeignClient(self.folder, self.svc, key)
        self.client.register()
        self.stub = self.client.stub()

    def consumption(self, **environment):
        return consumption_pb2.Consumption(
            cluster_id=self.client.cluster_id,
            time_frame=time_frame(HOUR, HOUR + 3600),
            environments=[consumption_pb2.EnvironmentConsumption(
                **{"environment_id": "env-1", **environment})])

    def health(self, **node):
        return health_pb2.HealthCheck(
            cluster_id=self.client.cluster_id,
            nodes=[health_pb2.NodeHealth(**{"node_id": "node-1", **node})])

    def events(self, *ids, **changes):
        events = events_pb2.ClusterEvents(cluster_id=self.client.cluster_id)
        for event_id in ids:
            event = events.events.add(**{
                "event_id": str(event_id), "severity": events_pb2.SEVERITY_INFO,
                "type": events_pb2.CLUSTER_EVENT_TYPE_NODE_STARTED, **changes})
            event.occurred_at.GetCurrentTime()
        return events

    def exchange(self, *requests):
        return list(self.stub.StreamReports(
            iter([hello(self.client), *requests]), timeout=pair.PATIENCE_S))

    def test_invalid_reports_are_rejected_and_the_stream_goes_on(self):
        billing = reports_pb2.LANE_BILLING
        health = reports_pb2.LANE_HEALTH
        frame = {
            "end before start": time_frame(HOUR + 60, HOUR),
            "empty": time_frame(HOUR, HOUR),
            "across an hour": time_frame(HOUR + 1800, HOUR + 5400),
            "two hours": time_frame(HOUR, HOUR + 7200),
        }
        host = {"host_id": "host-1", "memory_bytes": 1 << 30,
                "host_category": consumption_pb2.HOST_CATEGORY_FULL_STACK}
        cases = [
            ("not a number", health, {"health_check": self.health(
                cpu_load=math.nan)}, "INVALID_FIELD"),
            ("infinite", health, {"health_check": self.health(
                cpu_load=math.inf)}, "INVALID_FIELD"),
            ("negative load", health, {"health_check": self.health(
                cpu_load=-1)}, "INVALID_FIELD"),
            ("negative memory", health, {"health_check": self.health(
                total_memory_bytes=-1)}, "INVALID_FIELD"),
            ("node ID with spaces", health, {"health_check": self.health(
                node_id="my node")}, "INVALID_FIELD"),
            ("node ID too long", health, {"health_check": self.health(
                node_id="n" * 129)}, "INVALID_FIELD"),
            ("NUL", health, {"health_check": self.health(
                os_name="Debian\0")}, "INVALID_FIELD"),
            ("bad time zone", health, {"health_check": health_pb2.HealthCheck(
                cluster_id=self.client.cluster_id,
                time_zone="Europe/Vienna; rm")}, "INVALID_FIELD"),
            ("negative count", billing, {"consumption": self.consumption(
                rum_sessions=-1)}, "INVALID_FIELD"),
            ("overflowing count", billing, {"consumption": self.consumption(
                rum_sessions=2**63 - 1)}, "INVALID_FIELD"),
            ("no environment ID", billing, {"consumption": self.consumption(
                environment_id="")}, "INVALID_FIELD"),
            ("environment twice", billing, {
                "consumption": consumption_pb2.Consumption(
                    cluster_id=self.client.cluster_id,
                    time_frame=time_frame(HOUR, HOUR + 3600),
                    environments=[consumption_pb2.EnvironmentConsumption(
                        environment_id="same")] * 2)}, "INVALID_FIELD"),
            ("monitored outside the frame", billing, {
                "consumption": self.consumption(hosts=[
                    consumption_pb2.HostConsumption(
                        monitored=[time_frame(HOUR - 60, HOUR + 60)],
                        **host)])}, None),
            ("no payload", billing, {}, "INVALID_FIELD"),
            ("wrong lane", health, {"consumption": self.consumption()},
             "LANE_MISMATCH"),
            ("no lane", reports_pb2.LANE_UNSPECIFIED,
             {"consumption": self.consumption()}, None),
            ("no event", reports_pb2.LANE_EVENTS, {
                "cluster_events": self.events()}, "INVALID_FIELD"),
            ("too many events", reports_pb2.LANE_EVENTS, {
                "cluster_events": self.events(*range(1001))},
             "INVALID_FIELD"),
            ("an event twice", reports_pb2.LANE_EVENTS, {
                "cluster_events": self.events(1, 1)}, "INVALID_FIELD"),
            ("an event's bad ID", reports_pb2.LANE_EVENTS, {
                "cluster_events": self.events("no id")}, "INVALID_FIELD"),
            ("an event without type", reports_pb2.LANE_EVENTS, {
                "cluster_events": self.events(1, type=0)}, "INVALID_FIELD"),
            ("dropped what is to come", reports_pb2.LANE_EVENTS, {
                "cluster_events": self.events(1),
                "dropped": [reports_pb2.DroppedRange(
                    first_sequence=1, last_sequence=1000)]},
             "INVALID_FIELD"),
            ("dropped consumption", billing, {
                "consumption": self.consumption(),
                "dropped": [reports_pb2.DroppedRange(
                    first_sequence=1, last_sequence=1)]}, "INVALID_FIELD"),
        ]
        for name, value in frame.items():
            bad = self.consumption()
            bad.time_frame.CopyFrom(value)
            cases.append((name, billing, {"consumption": bad},
                          "TIME_FRAME_INVALID"))
        before = row_counts(self.svc)
        sent = [report(lane, i + 1, **payload)
                for i, (_, lane, payload, _) in enumerate(cases)]
        sent.append(report(billing, 1000, epoch=7,
                           consumption=self.consumption()))
        cases.append(("another epoch", billing, {}, "EPOCH_MISMATCH"))
        answers = self.exchange(*sent)
        receipts = {a.receipt.sequence: a.receipt for a in answers[1:]}
        self.assertEqual(len(receipts), len(sent))
        for request, (name, _, _, reason) in zip(sent, cases):
            with self.subTest(name):
                receipt = receipts[request.report.sequence]
                self.assertEqual(receipt.WhichOneof("result"), "rejection",
                                 str(receipt))
                self.assertTrue(receipt.rejection.message)
                got = errors_pb2.ErrorReason.Name(receipt.rejection.reason)
                if reason:
                    self.assertEqual(got, "ERROR_REASON_" + reason)
                self.assertFalse(receipt.rejection.resendable)
        self.assertEqual(row_counts(self.svc), before)

    def test_same_key_with_other_content_is_a_conflict(self):
        first = report(reports_pb2.LANE_BILLING, 1,
                       consumption=self.consumption(rum_sessions=1))
        self.exchange(first)
        before = row_counts(self.svc)
        second = report(reports_pb2.LANE_BILLING, 1,
                        consumption=self.consumption(rum_sessions=2))
        receipt = self.exchange(second)[1].receipt
        self.assertEqual(receipt.rejection.reason,
                         errors_pb2.ERROR_REASON_REPORT_CONFLICT)
        # It leaves nothing but the alarm.
        self.assertEqual(row_counts(self.svc),
                         {**before, "finding": before["finding"] + 1})

    def test_another_clusters_message_ends_the_call(self):
        before = row_counts(self.svc)
        other = str(uuid.uuid4())
        foreign = self.consumption()
        foreign.cluster_id = other
        self.assert_fails(
            DENIED, "IDENTITY_MISMATCH", self.stub.StreamReports, iter(
                [hello(self.client), report(reports_pb2.LANE_BILLING, 1,
                                            consumption=foreign)]))
        strange = hello(self.client)
        strange.hello.cluster_id = other
        self.assert_fails(DENIED, "IDENTITY_MISMATCH",
                          self.stub.StreamReports, iter([strange]))
        self.assert_fails(
            DENIED, "IDENTITY_MISMATCH", self.stub.StreamHeartbeats,
            iter([heartbeat_pb2.StreamHeartbeatsRequest(
                cluster_id=other, node_id="node-1",
                source_type=heartbeat_pb2.SOURCE_TYPE_SERVER)]))
        self.assertEqual(row_counts(self.svc), before)

    def test_the_first_message_is_hello_and_no_other(self):
        billing = report(reports_pb2.LANE_BILLING, 1,
                         consumption=self.consumption())
        self.assert_fails(INVALID, "HELLO_EXPECTED",
                          self.stub.StreamReports, iter([billing]))
        self.assert_fails(
            INVALID, "HELLO_EXPECTED", self.stub.StreamReports,
            iter([hello(self.client), hello(self.client)]))

    def raw(self):
        channel = self.svc.channel("cluster", self.client.tls_cert,
                                   self.client.tls_key)
        return channel.stream_stream(
            "/missioncontrol.v1.ClusterService/StreamReports",
            request_serializer=lambda b: b,
            response_deserializer=(
                reports_pb2.StreamReportsResponse.FromString))

    def test_what_does_not_parse(self):
        before = row_counts(self.svc)
        start = hello(self.client).SerializeToString()
        good = report(reports_pb2.LANE_BILLING, 5,
                      consumption=self.consumption(environment_id="marker"))
        bad_utf8 = good.SerializeToString().replace(b"marker", b"mark\xff\xfe")
        cut = good.SerializeToString()[:-3]
        for name, message in (("bad UTF-8", bad_utf8), ("cut", cut)):
            with self.subTest(name):
                answers = list(self.raw()(iter([start, message]),
                                          timeout=pair.PATIENCE_S))
                receipt = answers[1].receipt
                self.assertEqual(
                    (receipt.lane, receipt.epoch, receipt.sequence),
                    (reports_pb2.LANE_BILLING, 1, 5))
                self.assertEqual(receipt.rejection.reason,
                                 errors_pb2.ERROR_REASON_MALFORMED_MESSAGE)
        self.assert_fails(INVALID, "MALFORMED_MESSAGE", self.raw(),
                          iter([start, b"\xff\xff\xff\xff"]))
        self.assertEqual(row_counts(self.svc), before)

    def test_one_byte_over_the_limit_and_bombs(self):
        before = row_counts(self.svc)
        start = hello(self.client).SerializeToString()
        limit = 4 << 20
        over = b"\x12" + b"\0" * limit
        self.assert_fails(grpc.StatusCode.RESOURCE_EXHAUSTED, None,
                          self.raw(), iter([start, over]))
        at = b"\xff" * limit
        self.assert_fails(INVALID, "MALFORMED_MESSAGE", self.raw(),
                          iter([start, at]))
        self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, None, self.raw(),
                          iter([b"\0" * limit]),
                          compression=grpc.Compression.Gzip)
        self.assertEqual(row_counts(self.svc), before)

    def test_beats_without_a_valid_node(self):
        for changes in ({"node_id": ""}, {"node_id": "a b"},
                        {"source_type": 0}):
            with self.subTest(changes):
                beat = heartbeat_pb2.StreamHeartbeatsRequest(
                    cluster_id=self.client.cluster_id, node_id="node-1",
                    source_type=heartbeat_pb2.SOURCE_TYPE_SERVER)
                for name, value in changes.items():
                    setattr(beat, name, value)
                self.assert_fails(INVALID, "INVALID_FIELD",
                                  self.stub.StreamHeartbeats, iter([beat]))


if __name__ == "__main__":
    unittest.main()
