"""Who may register a cluster."""

import concurrent.futures
import time
import unittest

import grpc
from missioncontrol.v1 import (
    fleet_clusters_pb2,
    license_pb2,
    registration_pb2,
)

import pair
from test_foreign_client import ForeignClient, openssl

DENIED = grpc.StatusCode.PERMISSION_DENIED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
EXISTS = grpc.StatusCode.ALREADY_EXISTS


class PolicyTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service()

    def license(self, policy, *args):
        made = self.svc.create_license("--enrollment-policy", policy, *args,
                                       name=policy)
        self.assertEqual(made["license"]["enrollmentPolicy"],
                         "ENROLLMENT_POLICY_" + policy.upper())
        return made["license"]["licenseId"], made["licenseKey"]

    def token(self, license_id, *args):
        return self.svc.mcctl_json("license", "token", "create", license_id,
                                   *args)

    def tokens(self, license_id):
        return self.svc.mcctl_json("license", "token", "list",
                                   license_id).get("enrollmentTokens", [])

    def register(self, client, **changes):
        return self.svc.enrollment().Register(client.request(**changes),
                                              timeout=pair.PATIENCE_S)

    def assert_refused(self, code, reason, client, **changes):
        return self.assert_fails(code, reason, self.svc.enrollment().Register,
                                 client.request(**changes))

    def registered(self, license_id):
        return self.svc.mcctl_json("license", "show", license_id)[
            "license"].get("registeredClusters", 0)

    def test_auto(self):
        license_id, key = self.license("auto")
        client = ForeignClient(self.folder, self.svc, key)
        client.register()
        client.stub().CheckLicense(license_pb2.CheckLicenseRequest(),
                                   timeout=pair.PATIENCE_S)
        self.assertEqual(self.registered(license_id), 1)
        self.svc.mcctl("license", "update", license_id, "--enrollment-policy",
                       "token")
        self.assert_refused(DENIED, "ENROLLMENT_TOKEN_REFUSED",
                            ForeignClient(self.folder, self.svc, key))
        client.stub().CheckLicense(license_pb2.CheckLicenseRequest(),
                                   timeout=pair.PATIENCE_S)

    def test_token(self):
        license_id, key = self.license("token")
        client = ForeignClient(self.folder, self.svc, key)
        error = self.assert_refused(DENIED, "ENROLLMENT_TOKEN_REFUSED", client)
        self.assertIn("ask the vendor", error.details())
        self.assert_refused(DENIED, "ENROLLMENT_TOKEN_REFUSED", client,
                            enrollment_token="MCE-guessed")
        made = self.token(license_id)
        token = made["token"]
        first = self.register(client, enrollment_token=token)
        again = self.register(client, enrollment_token=token)
        self.assertEqual(first.user_name, again.user_name)
        self.assertEqual(again.status,
                         registration_pb2.REGISTRATION_STATUS_REGISTERED)
        other = ForeignClient(self.folder, self.svc, key)
        error = self.assert_refused(DENIED, "ENROLLMENT_TOKEN_REFUSED", other,
                                    enrollment_token=token)
        self.assertIn("was used", error.details())

        short = self.token(license_id, "--lifetime", "1s")
        time.sleep(1.1)
        error = self.assert_refused(DENIED, "ENROLLMENT_TOKEN_REFUSED", other,
                                    enrollment_token=short["token"])
        self.assertIn("expired", error.details())

        deleted = self.token(license_id)
        for _ in range(2):
            self.svc.mcctl("license", "token", "delete",
                           deleted["enrollmentToken"]["tokenId"])
        self.assert_refused(DENIED, "ENROLLMENT_TOKEN_REFUSED", other,
                            enrollment_token=deleted["token"])
        self.assertEqual(self.svc.mcctl("license", "token", "delete", "never",
                                        check=False).returncode, 3)

        listed = self.tokens(license_id)
        self.assertEqual([t["tokenId"] for t in listed],
                         [short["enrollmentToken"]["tokenId"],
                          made["enrollmentToken"]["tokenId"]])
        self.assertEqual(listed[1]["clusterId"], client.cluster_id)
        self.assertIn("usedAt", listed[1])
        self.assertNotIn("usedAt", listed[0])
        self.assertEqual(self.registered(license_id), 1)
        # Neither the store nor the log has any token.
        kept = b"".join(p.read_bytes() for p in self.svc.dir.glob("store.db*"))
        kept += self.svc.process.log.read_bytes()
        for secret in (token, short["token"], deleted["token"], "MCE-guessed"):
            self.assertNotIn(secret.encode(), kept)
        self.assertIn("an enrollment token was refused",
                      self.svc.process.output())

    def test_token_used_twice_at_the_same_moment(self):
        license_id, key = self.license("token")
        token = self.token(license_id)["token"]
        rivals = [ForeignClient(self.folder, self.svc, key).request(
            enrollment_token=token) for _ in range(8)]

        def attempt(request):
            try:
                self.svc.enrollment().Register(request,
                                               timeout=pair.PATIENCE_S)
                return "registered"
            except grpc.RpcError as error:
                return pair.error_reason(error)

        with concurrent.futures.ThreadPoolExecutor(len(rivals)) as pool:
            outcomes = list(pool.map(attempt, rivals))
        self.assertEqual(sorted(outcomes),
                         ["ENROLLMENT_TOKEN_REFUSED"] * 7 + ["registered"])
        self.assertEqual(self.registered(license_id), 1)

    def forge_certificate(self, client):
        """What the service would give to a cluster once it is approved."""
        ca = self.svc.dir / "ca" / "cluster-ca"
        csr = self.folder / "forged.csr"
        csr.write_bytes(openssl("req", "-new", "-key", client.tls_key,
                                "-subj", "/"))
        extensions = self.folder / "forged.ext"
        extensions.write_text(
            "extendedKeyUsage=clientAuth\nsubjectAltName=critical,"
            f"URI:spiffe://test.example/cluster/{client.cluster_id}\n")
        client.tls_cert.write_bytes(openssl(
            "x509", "-req", "-in", csr, "-CA", f"{ca}.crt", "-CAkey",
            f"{ca}.key", "-CAcreateserial", "-days", "1", "-extfile",
            extensions))

    def test_approve(self):
        license_id, key = self.license("approve", "--clusters", "1")
        client = ForeignClient(self.folder, self.svc, key)
        for _ in range(2):
            answer = self.register(client)
            self.assertEqual(
                registration_pb2.RegisterResponse(
                    status=registration_pb2.REGISTRATION_STATUS_PENDING,
                    pacing=answer.pacing), answer)
            self.assertEqual(answer.pacing.next_interval.seconds, 30)
        self.assertEqual(self.registered(license_id), 0)
        other_keys = ForeignClient(self.folder, self.svc, key)
        other_keys.cluster_id = client.cluster_id
        self.assert_refused(EXISTS, "CLUSTER_ALREADY_REGISTERED", other_keys)

        refused = ForeignClient(self.folder, self.svc, key)
        self.register(refused)

        def listed(state):
            return sorted(c["clusterId"] for c in self.svc.mcctl_json(
                "cluster", "list", "--registration", state).get("clusters", []))

        self.assertEqual(listed("pending"),
                         sorted([client.cluster_id, refused.cluster_id]))
        self.assertEqual(listed("registered"), [])
        shown = self.svc.mcctl_json("cluster", "show", client.cluster_id)
        self.assertEqual(shown["cluster"]["registration"],
                         "REGISTRATION_STATUS_PENDING")
        self.assertNotIn("certificateNotAfter", shown["cluster"])

        # Even with a certificate it may not call anything.
        self.forge_certificate(client)
        stub = client.stub()
        self.assert_fails(DENIED, "REGISTRATION_PENDING", stub.CheckLicense,
                          license_pb2.CheckLicenseRequest())
        self.assert_fails(DENIED, "REGISTRATION_PENDING",
                          stub.StreamHeartbeats, iter(()))
        self.assert_fails(DENIED, "REGISTRATION_PENDING", stub.StreamReports,
                          iter(()))

        self.assertEqual(self.svc.mcctl("cluster", "reopen", client.cluster_id,
                                        check=False).returncode, 6)
        for _ in range(2):
            self.svc.mcctl("cluster", "approve", client.cluster_id)
        answer = client.register()
        self.assertEqual(answer.status,
                         registration_pb2.REGISTRATION_STATUS_REGISTERED)
        client.stub().CheckLicense(license_pb2.CheckLicenseRequest(),
                                   timeout=pair.PATIENCE_S)
        self.assertEqual(self.registered(license_id), 1)

        # There is no room for the other one; and it is refused.
        self.assert_fails(
            PRECONDITION, "LICENSE_CLUSTER_LIMIT",
            self.svc.fleet().ApproveRegistration,
            fleet_clusters_pb2.ApproveRegistrationRequest(
                cluster_id=refused.cluster_id))
        self.svc.mcctl("cluster", "revoke", refused.cluster_id)
        self.assert_refused(DENIED, "IDENTITY_REVOKED", refused)
        self.assertEqual(self.svc.mcctl("cluster", "approve",
                                        refused.cluster_id,
                                        check=False).returncode, 6)
        self.assertEqual(self.svc.mcctl("cluster", "approve", "unknown",
                                        check=False).returncode, 3)
        self.assertEqual(listed("pending"), [])

    def test_pending_survives_a_restart(self):
        _, key = self.license("approve")
        client = ForeignClient(self.folder, self.svc, key)
        self.register(client)
        self.svc.stop()
        self.svc.start()
        self.assertEqual(self.register(client).status,
                         registration_pb2.REGISTRATION_STATUS_PENDING)
        self.svc.mcctl("cluster", "approve", client.cluster_id)
        self.svc.stop()
        self.svc.start()
        self.assertEqual(self.register(client).status,
                         registration_pb2.REGISTRATION_STATUS_REGISTERED)


class AgentTest(pair.PairTest):
    """The same with our own agent, which goes on asking."""

    def setUp(self):
        super().setUp()
        self.svc = self.service()

    def license(self, policy):
        made = self.svc.create_license("--enrollment-policy", policy,
                                       name=policy)
        return made["license"]["licenseId"], made["licenseKey"]

    def clusters(self, state):
        return [c["clusterId"] for c in self.svc.mcctl_json(
            "cluster", "list", "--registration", state).get("clusters", [])]

    def test_token_that_comes_later(self):
        license_id, key = self.license("token")
        agent = self.agent(self.svc, key)
        pair.eventually(
            lambda: "ENROLLMENT_TOKEN_REFUSED" in agent.process.output(),
            "the agent is refused without a token")
        agent.stop()
        token = agent.dir / "enrollment-token"
        token.write_text(self.svc.mcctl_json(
            "license", "token", "create", license_id)["token"] + "\n")
        token.chmod(0o600)
        agent.settings["enrollment_token_file"] = str(token)
        agent.write_config()
        agent.start()
        pair.eventually(
            lambda: self.clusters("registered") == [agent.cluster_id()],
            "the agent is registered with the token")

    def test_approval_while_the_agent_waits(self):
        _, key = self.license("approve")
        agent = self.agent(self.svc, key)
        pair.eventually(lambda: self.clusters("pending"), "the agent waits")
        self.assertEqual(self.clusters("pending"), [agent.cluster_id()])
        self.svc.mcctl("cluster", "approve", agent.cluster_id())
        # It asks again after half a minute, by itself.
        pair.eventually(
            lambda: self.svc.mcctl_json("cluster", "show", agent.cluster_id())[
                "cluster"].get("presence") == "PRESENCE_STATE_ONLINE",
            "the agent beats after its approval", patience=90)


if __name__ == "__main__":
    unittest.main()
