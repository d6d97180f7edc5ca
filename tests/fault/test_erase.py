"""An account is erased, even where the service is killed on the way: nothing
of it is left in the store, and its clusters do not come back."""

import time
import unittest

import grpc
from missioncontrol.v1 import license_pb2

import kill_load
import pair
from test_foreign_client import ForeignClient

NAME = "Ada & Sons"


class EraseTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.server = self.service()
        self.goes = kill_load.ReportingCluster(
            self.folder, self.server,
            self.server.create_license(account=NAME)["licenseKey"])
        other = self.server.create_license(account="Somebody Else")
        self.other_key = other["licenseKey"]
        self.goes.start()
        time.sleep(1)
        self.goes.stop()
        [account] = [a for a in self.server.mcctl_json("account", "list")[
            "accounts"] if a["name"] == NAME]
        self.account = account["accountId"]
        [self.license] = self.server.mcctl_json(
            "license", "list", "--account", self.account)["licenses"]

    def erase(self, name=NAME, check=True):
        return self.server.mcctl("account", "erase", self.account, "--confirm",
                                 name, "--output", "json", check=check)

    def revoke(self):
        self.server.mcctl("license", "revoke", self.license["licenseId"])

    def assert_nothing_is_left(self):
        for name in ("store.db", "store.db-wal"):
            path = self.server.dir / name
            content = path.read_bytes() if path.exists() else b""
            for text in (NAME, self.goes.cluster_id, self.account,
                         self.license["licenseId"]):
                self.assertNotIn(text.encode(), content, (name, text))

    def test_an_erased_account_leaves_nothing(self):
        stays = ForeignClient(self.folder, self.server, self.other_key)
        stays.register()
        self.assertEqual(self.erase(check=False).returncode, 6)
        self.revoke()
        done = self.erase("Ada", check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        done = self.erase()
        self.assertIn(f'"reports": "{len(self.goes.sessions)}"', done.stdout)
        self.assert_nothing_is_left()
        # Its certificate is still valid; its identity is not, so that its
        # handshake is refused, and no other license can take it.
        client = self.goes.client
        self.assert_fails(
            grpc.StatusCode.UNAVAILABLE, None,
            client.stub().CheckLicense, license_pb2.CheckLicenseRequest())
        client.license_key = self.other_key
        self.assert_fails(
            grpc.StatusCode.PERMISSION_DENIED, "IDENTITY_REVOKED",
            self.server.enrollment().Register, client.request())
        stays.stub().CheckLicense(license_pb2.CheckLicenseRequest(),
                                  timeout=pair.PATIENCE_S)
        # What was in memory is written behind, and not of that cluster.
        self.server.stop()
        self.assert_nothing_is_left()

    def test_goes_on_after_a_kill(self):
        self.revoke()
        # At the end of its first chunk, and of the second one.
        for _ in range(2):
            self.server.stop()
            self.server.env = {"MC_FAILPOINTS": "service.erase.chunk=kill"}
            self.server.start()
            self.server.env = None
            done = self.erase(check=False)
            self.assertEqual(done.returncode, 5, done.stderr)
            self.assertEqual(
                self.server.process.process.wait(pair.PATIENCE_S), -9)
            self.server.process.kill()
            self.server.start()
        self.erase()
        self.assert_nothing_is_left()
        self.assertEqual(self.erase(check=False).returncode, 3)


if __name__ == "__main__":
    unittest.main()
