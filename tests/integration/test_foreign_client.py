"""A client written only from the .proto files, openssl and a gRPC library."""

import hashlib
import subprocess
import unittest
import uuid

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from missioncontrol.v1 import (
    common_pb2,
    consumption_pb2,
    fleet_clusters_pb2,
    health_pb2,
    heartbeat_pb2,
    installation_pb2,
    license_pb2,
    registration_pb2,
    reports_pb2,
    updates_pb2,
)

import pair


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *map(str, args)], input=stdin,
                          capture_output=True, check=True).stdout


def pem(der):
    return openssl("x509", "-inform", "DER", stdin=der)


def verify_ed25519(folder, public_key, signed):
    """Raises unless the signature over the document's exact bytes is good."""
    # RFC 8410: the SubjectPublicKeyInfo of an Ed25519 key has a fixed prefix.
    spki = bytes.fromhex("302a300506032b6570032100") + public_key
    (folder / "document.pub").write_bytes(spki)
    (folder / "document.bin").write_bytes(signed.document)
    (folder / "document.sig").write_bytes(signed.signature)
    openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER",
            "-inkey", folder / "document.pub", "-in", folder / "document.bin",
            "-sigfile", folder / "document.sig")


class ForeignClient:
    """Keys and certificate of a cluster that is not our agent's."""

    def __init__(self, folder, service, license_key):
        self.folder = folder
        self.service = service
        self.license_key = license_key
        self.cluster_id = str(uuid.uuid4())
        self.tls_key = folder / f"{self.cluster_id}.key"
        self.tls_cert = folder / f"{self.cluster_id}.crt"
        self.site_key = folder / f"{self.cluster_id}.site"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-out", self.tls_key)
        openssl("genpkey", "-algorithm", "ED25519", "-out", self.site_key)

    def csr(self, *extra):
        return openssl("req", "-new", "-key", self.tls_key, "-subj", "/",
                       "-outform", "DER", *extra)

    def site_public_key(self):
        return openssl("pkey", "-in", self.site_key, "-pubout", "-outform",
                       "DER")[-32:]

    def request(self, **changes):
        request = registration_pb2.RegisterRequest(
            license_key=self.license_key, cluster_id=self.cluster_id,
            certificate_signing_request=self.csr(),
            site_public_key=self.site_public_key())
        for name, value in changes.items():
            setattr(request, name, value)
        return request

    def register(self):
        answer = self.service.enrollment().Register(
            self.request(), timeout=pair.PATIENCE_S)
        self.tls_cert.write_bytes(
            pem(answer.cluster_certificate) +
            b"".join(pem(der) for der in answer.ca_chain))
        self.document_keys = {k.key_id: k.public_key
                              for k in answer.document_keys}
        return answer

    def stub(self, options=()):
        return self.service.cluster(self.tls_cert, self.tls_key, options)


def hello(client, epoch=1):
    return reports_pb2.StreamReportsRequest(hello=reports_pb2.Hello(
        cluster_id=client.cluster_id, agent_instance_id=str(uuid.uuid4()),
        epochs=[reports_pb2.LaneEpoch(lane=lane, epoch=epoch) for lane in (
            reports_pb2.LANE_BILLING, reports_pb2.LANE_EVENTS,
            reports_pb2.LANE_HEALTH)]))


def report(lane, sequence, epoch=1, **payload):
    request = reports_pb2.StreamReportsRequest(
        report=reports_pb2.ReportEnvelope(
            lane=lane, epoch=epoch, sequence=sequence, **payload))
    request.report.created_at.GetCurrentTime()
    return request


def time_frame(start, end):
    return common_pb2.TimeFrame(start=Timestamp(seconds=start),
                                end=Timestamp(seconds=end))


# 2026-05-04 10:00:00 UTC
HOUR = 1777888800


class ForeignClientTest(pair.PairTest):

    def test_exchanges_everything(self):
        service = self.service()
        created = service.create_license(
            "--rum-sessions", "1000", "--one-agent-installation")
        client = ForeignClient(self.folder, service, created["licenseKey"])

        installed = service.enrollment().Install(
            installation_pb2.InstallRequest(
                license_key=client.license_key, agent_version="9.9.9",
                product_version="1.2.3"), timeout=pair.PATIENCE_S)
        self.assertEqual(installed.account_name, "Example")
        self.assertEqual(installed.license_name, "production")
        self.assertTrue(installed.one_agent_installation)

        registered = client.register()
        self.assertEqual(registered.status,
                         registration_pb2.REGISTRATION_STATUS_REGISTERED)
        self.assertGreaterEqual(len(registered.password), 43)
        text = openssl("x509", "-noout", "-text", "-in",
                       client.tls_cert).decode()
        self.assertIn(
            f"URI:spiffe://test.example/cluster/{client.cluster_id}", text)
        self.assertIn("TLS Web Client Authentication", text)
        self.assertNotIn("TLS Web Server Authentication", text)

        stub = client.stub()
        checked = stub.CheckLicense(license_pb2.CheckLicenseRequest(),
                                    timeout=pair.PATIENCE_S)
        signed = checked.signed_license
        verify_ed25519(self.folder, client.document_keys[signed.key_id], signed)
        document = license_pb2.LicenseDocument.FromString(signed.document)
        self.assertEqual(document, checked.license)
        self.assertEqual(document.kind, common_pb2.DOCUMENT_KIND_LICENSE)
        self.assertEqual(document.cluster_id, client.cluster_id)
        self.assertEqual(document.status, license_pb2.LICENSE_STATUS_ACTIVE)
        self.assertNotIn(client.license_key, str(checked))
        forged = common_pb2.SignedDocument()
        forged.CopyFrom(signed)
        forged.document = forged.document[:-1] + b"\xff"
        with self.assertRaises(subprocess.CalledProcessError):
            verify_ed25519(self.folder, client.document_keys[signed.key_id],
                           forged)

        beats = stub.StreamHeartbeats(iter([
            heartbeat_pb2.StreamHeartbeatsRequest(
                cluster_id=client.cluster_id, node_id="node-1",
                source_type=heartbeat_pb2.SOURCE_TYPE_SERVER)] * 2),
            timeout=pair.PATIENCE_S)
        answers = list(beats)
        self.assertEqual(len(answers), 2)
        self.assertFalse(answers[0].remote_ui_requested)
        self.assertEqual(list(answers[0].websocket_urls), [])

        consumption = consumption_pb2.Consumption(
            cluster_id=client.cluster_id,
            time_frame=time_frame(HOUR, HOUR + 3600),
            environments=[consumption_pb2.EnvironmentConsumption(
                environment_id="env-1", rum_sessions=300)])
        billing = report(reports_pb2.LANE_BILLING, 1, consumption=consumption)
        health = report(
            reports_pb2.LANE_HEALTH, 1, health_check=health_pb2.HealthCheck(
                cluster_id=client.cluster_id, time_zone="Europe/Vienna"))
        events = list(stub.StreamReports(
            iter([hello(client), billing, health, billing]),
            timeout=pair.PATIENCE_S))
        self.assertEqual(events[0].WhichOneof("message"), "welcome")
        receipts = [e.receipt for e in events[1:]]
        bills = [r for r in receipts if r.lane == reports_pb2.LANE_BILLING]
        self.assertEqual(len(bills), 2)
        self.assertEqual(bills[0], bills[1], "a repeat gets the same receipt")
        self.assertEqual(bills[0].consumption.remaining_rum_sessions, 700)
        signed = bills[0].signed_receipt
        verify_ed25519(self.folder, client.document_keys[signed.key_id], signed)
        proof = consumption_pb2.ConsumptionReceiptDocument.FromString(
            signed.document)
        self.assertEqual(
            proof.report_sha256,
            hashlib.sha256(billing.SerializeToString()).digest())
        self.assertEqual(proof.time_frame, consumption.time_frame)

        welcome = list(stub.StreamReports(
            iter([hello(client)]), timeout=pair.PATIENCE_S))[0].welcome
        marks = {(m.lane, m.epoch): m.highest_accepted_sequence
                 for m in welcome.marks}
        self.assertEqual(marks[(reports_pb2.LANE_BILLING, 1)], 1)
        self.assertEqual(marks[(reports_pb2.LANE_HEALTH, 1)], 1)
        self.assertEqual(marks[(reports_pb2.LANE_EVENTS, 1)], 0)

        updates = stub.CheckUpdates(updates_pb2.CheckUpdatesRequest(),
                                    timeout=pair.PATIENCE_S)
        self.assertFalse(updates.HasField("cluster"))

        listed = service.fleet().ListConsumption(
            fleet_clusters_pb2.ListConsumptionRequest(
                cluster_id=client.cluster_id), timeout=pair.PATIENCE_S)
        self.assertEqual([r.consumption for r in listed.reports],
                         [consumption])

    def test_offers_releases_with_signature_and_digest(self):
        service = self.service()
        created = service.create_license()
        client = ForeignClient(self.folder, service, created["licenseKey"])
        client.register()
        package = self.folder / "cluster-2.0.0.tar"
        package.write_bytes(b"a release" * 1000)
        for version in ("1.5.0", "2.0.0"):
            service.mcctl(
                "release", "add", "--component", "cluster", "--version",
                version, "--description", "Faster", "--file", package, "--url",
                "https://downloads.example/cluster.tar", "--minimum-required",
                "1.0.0" if version == "1.5.0" else "1.5.0")
        stub = client.stub()

        def offered(installed):
            return stub.CheckUpdates(updates_pb2.CheckUpdatesRequest(
                installed=[updates_pb2.InstalledVersion(
                    component=updates_pb2.COMPONENT_CLUSTER,
                    version=installed)]), timeout=pair.PATIENCE_S).cluster

        self.assertEqual(offered("1.0.0").version, "1.5.0")
        self.assertEqual(offered("2.0.0").version, "", "up to date")
        self.assertEqual(offered("3.0.0").version, "", "never a downgrade")
        update = offered("1.5.0")
        self.assertEqual(update.version, "2.0.0")
        self.assertEqual(update.artifact.size_bytes,
                         package.stat().st_size)
        self.assertEqual(update.artifact.sha256,
                         hashlib.sha256(package.read_bytes()).digest())
        signed = update.signed_release
        verify_ed25519(self.folder, client.document_keys[signed.key_id], signed)
        document = updates_pb2.ReleaseDocument.FromString(signed.document)
        self.assertEqual(document.kind, common_pb2.DOCUMENT_KIND_RELEASE)
        self.assertEqual(document.artifacts[0], update.artifact)


if __name__ == "__main__":
    unittest.main()
