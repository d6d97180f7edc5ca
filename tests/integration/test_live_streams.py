"""Streams that are open while something happens to their identity: they end
with the reason, within a minute, whether they speak or not; others go on."""

import queue
import threading
import time
import unittest
import uuid

import grpc
from missioncontrol.v1 import (
    fleet_exchanges_pb2,
    fleet_service_pb2_grpc,
    health_pb2,
    heartbeat_pb2,
    license_pb2,
    reports_pb2,
)

import identities
import pair
from test_foreign_client import ForeignClient, hello, report

DENIED = grpc.StatusCode.PERMISSION_DENIED
BOUND_S = 60
# So long the short certificates last.
LIFE_S = 8


class Stream:
    """One that stays open; what came is kept until it is asked for."""

    def __init__(self, call):
        self._send = queue.SimpleQueue()
        self._got = queue.Queue()
        self.error = self.ended_at = None
        # Not the whole answer, but whether the call has come to its end.
        self.over = threading.Event()
        self._call = call(iter(self._send.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for answer in self._call:
                self._got.put(answer)
        except grpc.RpcError as error:
            self.error = error
        self.ended_at = time.monotonic()
        self.over.set()

    def send(self, message):
        self._send.put(message)

    def ask(self, message):
        """Sends it and returns the next answer."""
        self.send(message)
        return self._got.get(timeout=pair.PATIENCE_S)

    def close(self):
        self._call.cancel()

    def end(self, patience):
        """(code, reason), or None where it is still open."""
        if not self.over.wait(patience):
            return None
        if self.error is None:
            return grpc.StatusCode.OK, None
        return self.error.code(), pair.error_reason(self.error)


class LiveStreamsTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service()
        self.made = self.svc.create_license("--clusters", "20")
        self.streams = []

    def enroll(self, key=None):
        client = ForeignClient(self.folder, self.svc,
                               key or self.made["licenseKey"])
        client.password = client.register().password
        client.sequence = 0
        return client

    def connect(self, client, files=None):
        """A connection of its own."""
        cert, key = files or (client.tls_cert, client.tls_key)
        return self.svc.cluster(cert, key,
                                (("grpc.use_local_subchannel_pool", 1),))

    def keep(self, stream):
        self.addCleanup(stream.close)
        return stream

    def beat(self, client, instance=""):
        return heartbeat_pb2.StreamHeartbeatsRequest(
            cluster_id=client.cluster_id, node_id="node-1",
            source_type=heartbeat_pb2.SOURCE_TYPE_SERVER,
            agent_instance_id=instance)

    def beats(self, client, stub):
        """Of an agent that has just started."""
        stream = self.keep(Stream(stub.StreamHeartbeats))
        stream.ask(self.beat(client, str(uuid.uuid4())))
        return stream

    def reports(self, client, stub):
        stream = self.keep(Stream(stub.StreamReports))
        self.assertTrue(stream.ask(hello(client)).HasField("welcome"))
        return stream

    def health(self, client):
        client.sequence += 1
        return report(reports_pb2.LANE_HEALTH, client.sequence,
                      health_check=health_pb2.HealthCheck(
                          cluster_id=client.cluster_id))

    def license_answer(self, stub):
        """(code, reason) of a call on this connection."""
        try:
            stub.CheckLicense(license_pb2.CheckLicenseRequest(),
                              timeout=pair.PATIENCE_S)
        except grpc.RpcError as error:
            return error.code(), pair.error_reason(error)
        return grpc.StatusCode.OK, None

    def operator_for(self, seconds):
        """FleetService as the admin, whose certificate ends so soon."""
        cert, key = identities.Authority.of(self.svc, "operator").issue(
            "URI:spiffe://test.example/operator/admin", end_s=seconds)
        return fleet_service_pb2_grpc.FleetServiceStub(
            self.svc.channel("operator", cert, key))

    def test_end_with_their_identity_and_say_why(self):
        open_ones = []

        def watch(name, reason, client, since, files=None, spare=()):
            stub = self.connect(client, files)
            for kind, begin in (("heartbeats", self.beats),
                                ("reports", self.reports)):
                if kind not in spare:
                    open_ones.append((f"{kind} of {name}", reason,
                                      begin(client, stub), since, stub))
            return stub

        expiring, talking, revoked, lost, replaced, steady = (
            self.enroll() for _ in range(6))
        end = {}
        for name, client in (("one that expires", expiring),
                             ("one that expires while it talks", talking)):
            files = identities.ends_in(self.svc, client, LIFE_S)
            end[name] = time.monotonic() + LIFE_S
            watch(name, "MUST_RECOVER", client, end[name], files)
        talker = open_ones[-2][2]
        operator = self.operator_for(LIFE_S)
        watching = self.keep(Stream(lambda _: operator.WatchExchanges(
            fleet_exchanges_pb2.WatchExchangesRequest())))
        operator_end = time.monotonic() + LIFE_S
        watch("a revoked one", "IDENTITY_REVOKED", revoked, None)
        watch("one that was taken over", "MUST_REENROLL", lost, None)
        # Its beats have gone over to the new certificate.
        watch("a replaced certificate", "MUST_RECOVER", replaced, None,
              spare=("heartbeats",))
        other = self.svc.create_license(name="other")
        suspended = self.enroll(other["licenseKey"])
        going_on = []
        for client in (steady, suspended):
            stub = self.connect(client)
            going_on.append((client, stub, self.beats(client, stub),
                             self.reports(client, stub)))

        self.svc.mcctl("cluster", "revoke", revoked.cluster_id)
        self.svc.mcctl("cluster", "reopen", lost.cluster_id)
        taker = ForeignClient(self.folder, self.svc, self.made["licenseKey"])
        taker.cluster_id = lost.cluster_id
        taker.register()
        renewed = identities.renew(self.svc, replaced.tls_cert,
                                   replaced.tls_key)
        self.license_answer(self.svc.cluster(renewed.cert, renewed.key))
        self.svc.mcctl("license", "suspend", other["license"]["licenseId"])
        ended_at = time.monotonic()

        # A stream that talks is looked at no later for that.
        while not talker.over.wait(0.5):
            talker.send(self.beat(talking))
            self.assertLess(time.monotonic(), end[
                "one that expires while it talks"] + BOUND_S)
        took = []
        for name, reason, stream, since, stub in open_ones:
            with self.subTest(name):
                since = since or ended_at
                self.assertEqual(
                    stream.end(since + BOUND_S - time.monotonic()),
                    (DENIED, reason))
                took.append(stream.ended_at - since)
                # It was good until then, and the same holds for calls.
                if since != ended_at:
                    self.assertGreater(stream.ended_at, since - 2)
                self.assertEqual(self.license_answer(stub), (DENIED, reason))
        # An operator has no password to recover with.
        self.assertEqual(
            watching.end(operator_end + BOUND_S - time.monotonic()),
            (grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_MISSING"))
        self.assertGreater(watching.ended_at, operator_end - 2)
        print(f"streams ended within {max(took):.1f} s", flush=True)
        # New connections do not get that far; the password does.
        files = identities.ends_in(self.svc, expiring, -1)
        self.assertEqual(self.license_answer(self.connect(expiring, files))[0],
                         grpc.StatusCode.UNAVAILABLE)
        key = identities.new_key(self.folder / "recovered.key")
        back = identities.Renewed(
            self.folder, key, self.svc.enrollment().RecoverCertificate(
                identities.recovery(
                    expiring.cluster_id, expiring.password,
                    identities.request_for(key), files),
                timeout=pair.PATIENCE_S))
        self.assertEqual(
            self.license_answer(self.connect(expiring, (back.cert, back.key))),
            (grpc.StatusCode.OK, None))

        # All this time nothing happened to the others, nor to the one whose
        # license was suspended.
        for client, stub, beats, reports in going_on:
            beats.ask(self.beat(client))
            answer = reports.ask(self.health(client))
            self.assertEqual(answer.receipt.WhichOneof("result"),
                             "health_check", str(answer))
            self.assertEqual(self.license_answer(stub),
                             (grpc.StatusCode.OK, None))

    def test_newer_heartbeats_supersede_and_other_calls_go_on(self):
        client, neighbor = self.enroll(), self.enroll()
        stub, next_door = self.connect(client), self.connect(neighbor)
        older = self.beats(client, stub)
        reports = self.reports(client, stub)
        theirs = self.beats(neighbor, next_door)
        newer = self.beats(client, self.connect(client))
        self.assertEqual(older.end(5),
                         (grpc.StatusCode.ABORTED, "SUPERSEDED"))
        # Of the connection that was superseded, and of the newer one.
        answer = reports.ask(self.health(client))
        self.assertEqual(answer.receipt.WhichOneof("result"), "health_check")
        self.assertEqual(self.license_answer(stub),
                         (grpc.StatusCode.OK, None))
        newer.ask(self.beat(client))
        theirs.ask(self.beat(neighbor))
        self.assertIsNone(newer.end(0))
        # An agent that starts anew, again and again, is no clone.
        for _ in range(3):
            before, newer = newer, self.beats(client, self.connect(client))
            self.assertEqual(before.end(5),
                             (grpc.StatusCode.ABORTED, "SUPERSEDED"))
        shown = self.svc.mcctl_json("cluster", "show", client.cluster_id)
        self.assertNotIn("cloneSuspectedAt", shown["cluster"])


if __name__ == "__main__":
    unittest.main()
