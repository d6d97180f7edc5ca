"""Who may operate the service, as what, and for how long."""

import json
import stat
import time
import unittest

import grpc
from missioncontrol.v1 import (
    fleet_accounts_pb2,
    fleet_exchanges_pb2,
    fleet_identity_pb2,
    fleet_service_pb2_grpc,
)

import pair
from test_foreign_client import openssl

DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT


class OperatorTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service()

    def create(self, name, role):
        folder = self.folder / name
        self.svc.mcctl("operator", "create", name, "--role", role, "--out",
                       folder)
        return folder

    def as_operator(self, folder, *args):
        """mcctl with the folder's own configuration."""
        return pair.run(pair.BIN / "mcctl", "--config", folder / "mcctl.yaml",
                        *args, check=False)

    def fleet(self, folder, name):
        return fleet_service_pb2_grpc.FleetServiceStub(self.svc.channel(
            "operator", folder / f"{name}.crt", folder / f"{name}.key"))

    def operators(self):
        return {o["name"]: o["role"].removeprefix("OPERATOR_ROLE_")
                for o in self.svc.mcctl_json("operator", "list")["operators"]}

    def test_roles(self):
        folders = {role: self.create(f"the-{role}", role)
                   for role in ("viewer", "operator", "admin")}
        self.assertEqual(self.operators(),
                         {"admin": "ADMIN", "the-viewer": "VIEWER",
                          "the-operator": "OPERATOR", "the-admin": "ADMIN"})
        for role, folder in folders.items():
            self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
            key = folder / f"the-{role}.key"
            self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
            self.assertEqual(
                self.as_operator(folder, "account", "list").returncode, 0)
        # Command and least role; 4: not allowed, else the call was let in.
        commands = [
            (("account", "create", "--name"), "operator"),
            (("license", "token", "list"), "viewer"),
            (("license", "token", "create"), "operator"),
            (("license", "token", "delete"), "operator"),
            (("cluster", "approve"), "operator"),
            (("cluster", "revoke"), "admin"),
            (("operator", "delete"), "admin"),
        ]
        order = ["viewer", "operator", "admin"]
        for command, least in commands:
            for role, folder in folders.items():
                with self.subTest(command=command, role=role):
                    code = self.as_operator(folder, *command,
                                            f"of-{role}").returncode
                    allowed = order.index(role) >= order.index(least)
                    self.assertEqual(code != 4, allowed)
        for role in ("viewer", "operator"):
            done = self.as_operator(folders[role], "operator", "create", "eve",
                                    "--role", "admin", "--out",
                                    self.folder / "eve")
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertFalse((self.folder / "eve" / "eve.key").exists())
            done = self.as_operator(folders[role], "operator", "update",
                                    f"the-{role}", "--role", "admin")
            self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("operator created", self.svc.process.output())

    def test_names_pages_and_the_last_admin(self):
        for name in ("dan", "cleo", "bob"):
            self.create(name, "viewer")
        first = self.svc.mcctl_json("operator", "list", "--page-size", "3")
        self.assertEqual([o["name"] for o in first["operators"]],
                         ["admin", "bob", "cleo"])
        second = self.svc.mcctl_json("operator", "list", "--page-size", "3",
                                     "--page-token", first["nextPageToken"])
        self.assertEqual([o["name"] for o in second["operators"]], ["dan"])
        self.assertNotIn("nextPageToken", second)
        for command in (("delete", "admin"),
                        ("update", "admin", "--role", "viewer")):
            done = self.svc.mcctl("operator", *command, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("last admin", done.stderr)
        self.svc.mcctl("operator", "delete", "bob")
        done = self.svc.mcctl("operator", "create", "bob", "--role", "admin",
                              "--out", self.folder / "bob-2", check=False)
        self.assertIn("ALREADY_PRESENT", done.stderr)
        self.assertEqual(self.svc.mcctl("operator", "delete", "bob",
                                        check=False).returncode, 3)
        self.svc.mcctl("operator", "update", "dan", "--role", "admin")
        dan = self.folder / "dan"
        self.assertEqual(
            self.as_operator(dan, "operator", "delete", "admin").returncode, 0)
        self.assertEqual(self.svc.mcctl("account", "list",
                                        check=False).returncode, 4)

    def test_demoted_and_deleted_while_connected(self):
        anna = self.create("anna", "operator")
        stub = self.fleet(anna, "anna")
        stub.CreateAccount(fleet_accounts_pb2.CreateAccountRequest(name="one"),
                           timeout=pair.PATIENCE_S)
        watch = stub.WatchExchanges(
            fleet_exchanges_pb2.WatchExchangesRequest(),
            timeout=pair.PATIENCE_S)
        self.assertIn(("watching", "true"),
                      [(m.key, m.value) for m in watch.initial_metadata()])
        # On the same connection, at once.
        self.svc.mcctl("operator", "update", "anna", "--role", "viewer")
        self.assert_fails(
            DENIED, "ROLE_NOT_SUFFICIENT", stub.CreateAccount,
            fleet_accounts_pb2.CreateAccountRequest(name="two"))
        stub.ListAccounts(fleet_accounts_pb2.ListAccountsRequest(),
                          timeout=pair.PATIENCE_S)
        self.assertTrue(watch.is_active(), "a viewer may watch")

        self.svc.mcctl("operator", "delete", "anna")
        deleted_at = time.monotonic()
        self.assert_fails(DENIED, "IDENTITY_UNKNOWN", stub.ListAccounts,
                          fleet_accounts_pb2.ListAccountsRequest())
        with self.assertRaises(grpc.RpcError) as ended:
            for _ in watch:
                pass
        self.assertEqual(ended.exception.code(), DENIED)
        self.assertEqual(pair.error_reason(ended.exception),
                         "IDENTITY_UNKNOWN")
        self.assertLess(time.monotonic() - deleted_at, 30)

    def test_renewal(self):
        anna = self.create("anna", "viewer")
        before = (anna / "anna.crt").read_bytes()
        answer = json.loads(self.as_operator(
            anna, "operator", "renew", "--output", "json").stdout)
        self.assertEqual(answer["operator"]["name"], "anna")
        self.assertEqual(answer["operator"]["role"], "OPERATOR_ROLE_VIEWER")
        self.assertEqual(
            self.as_operator(anna, "account", "list").returncode, 0)
        keys = list(anna.glob("*.key"))
        self.assertEqual(len(keys), 1)
        self.assertNotEqual(keys[0].name, "anna.key")
        self.assertEqual(stat.S_IMODE(keys[0].stat().st_mode), 0o600)
        certificates = [p for p in anna.glob("*.crt") if p.name != "ca.crt"]
        self.assertEqual(len(certificates), 1)
        self.assertNotEqual(certificates[0].read_bytes(), before)
        self.assertEqual(sorted(p.name for p in anna.iterdir()), sorted(
            ["ca.crt", "mcctl.yaml", keys[0].name, certificates[0].name]))
        # Without an answer everything stays as it was.
        files = {p.name: p.read_bytes() for p in anna.iterdir()}
        self.svc.stop()
        self.assertEqual(self.as_operator(anna, "--timeout", "1", "operator",
                                          "renew").returncode, 5)
        self.assertEqual({p.name: p.read_bytes() for p in anna.iterdir()},
                         files)
        self.svc.start()
        # An admin can do it for another, who cannot any more.
        again = self.folder / "again"
        self.assertEqual(self.as_operator(
            anna, "operator", "renew", "admin", "--out", again).returncode, 4)
        self.svc.mcctl("operator", "renew", "anna", "--out", again)
        self.assertEqual(
            self.as_operator(again, "account", "list").returncode, 0)

    def test_requests_that_are_not_certified(self):
        key = self.folder / "key.pem"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-out", key)

        def csr(*extra):
            return openssl("req", "-new", "-key", key, "-outform", "DER",
                           *extra)

        stub = self.svc.fleet()
        cases = [
            ("CSR_MALFORMED", b"nonsense"),
            ("CSR_IDENTITY_NOT_ALLOWED", csr("-subj", "/CN=admin")),
            ("CSR_IDENTITY_NOT_ALLOWED", csr(
                "-subj", "/", "-addext",
                "subjectAltName=URI:spiffe://test.example/operator/admin")),
            ("CSR_CA_NOT_ALLOWED", csr(
                "-subj", "/", "-addext",
                "basicConstraints=critical,CA:TRUE")),
        ]
        for reason, request in cases:
            with self.subTest(reason):
                self.assert_fails(
                    INVALID, reason, stub.CreateOperator,
                    fleet_identity_pb2.CreateOperatorRequest(
                        name="eve", role="OPERATOR_ROLE_VIEWER",
                        certificate_signing_request=request))
                self.assert_fails(
                    INVALID, reason, stub.IssueOperatorCertificate,
                    fleet_identity_pb2.IssueOperatorCertificateRequest(
                        certificate_signing_request=request))
        self.assertEqual(self.operators(), {"admin": "ADMIN"})

    def test_help_has_examples(self):
        for command in (("license", "token", "create"),
                        ("license", "token", "list"),
                        ("license", "token", "delete"),
                        ("cluster", "approve"), ("operator", "create"),
                        ("operator", "list"), ("operator", "update"),
                        ("operator", "delete"), ("operator", "renew")):
            text = self.svc.mcctl(*command, "--help").stdout
            self.assertIn("Example:\n  mcctl " + " ".join(command), text)


if __name__ == "__main__":
    unittest.main()
