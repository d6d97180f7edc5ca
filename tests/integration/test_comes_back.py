"""What happens to a site's identity and needs no hands: the agent mends it
alone, and a refused handshake alone means nothing."""

import shutil
import ssl
import unittest

from missioncontrol.v1 import license_pb2

import identities
import pair
from impostor import Impostor
from site_identity import SiteTest
from test_foreign_client import ForeignClient


class ComesBackTest(SiteTest):

    def test_a_certificate_that_was_replaced_is_recovered(self):
        """A copy of its state has renewed, and is gone."""
        self.both()
        before = self.serial()
        copy = self.folder / "copy"
        shutil.copytree(self.state, copy)
        renewed = identities.renew(self.svc, copy / "tls.crt", copy / "tls.key")
        self.svc.cluster(renewed.cert, renewed.key).CheckLicense(
            license_pb2.CheckLicenseRequest(), timeout=pair.PATIENCE_S)
        pair.eventually(lambda: self.serial() != before,
                        "the agent has another certificate")
        self.wait_connected()
        self.wait_for_all()
        # Two keys followed one: the vendor is told.
        self.assertIn("cloneSuspectedAt", self.svc.mcctl_json(
            "cluster", "show", self.site.cluster_id())["cluster"])

    def test_a_disk_that_was_restored_comes_back(self):
        self.both()
        old = self.folder / "old"
        shutil.copytree(self.state, old)
        for _ in range(2):
            self.renew()
        self.site.stop()
        shutil.rmtree(self.state)
        shutil.copytree(old, self.state)
        self.site.start()
        self.wait_connected()
        self.wait_for_all()

    def test_a_service_that_was_restored_takes_newer_certificates(self):
        self.both()
        self.svc.stop()
        old = {path: path.read_bytes() for path in
               self.svc.dir.glob("store.db*")}
        self.svc.start()
        self.wait_connected()
        for _ in range(2):
            self.renew()
        self.svc.stop()
        for path in self.svc.dir.glob("store.db*"):
            path.unlink()
        for path, content in old.items():
            path.write_bytes(content)
            path.chmod(0o600)
        self.svc.start()
        self.wait_connected()
        self.wait_for_all()
        self.assertEqual(self.rows()["certificate"].get("failed", 0), 0)

    def test_a_handshake_that_is_refused_in_date_is_asked_about(self):
        """The authority that issued its certificate is trusted no more."""
        self.both()
        self.site.stop()
        before = self.certificate()
        self.ca_command("rotate", "--ca", "cluster", "--trust-old", "1s")
        new = (self.svc.dir / "ca" / "cluster-ca.crt").read_text()
        pair.eventually(
            lambda: ssl.DER_cert_to_PEM_cert(ForeignClient(
                self.folder, self.svc, self.made["licenseKey"]).register()
                .ca_chain[0]) == new, "the new one issues")
        pair.eventually(lambda: not self.gets_through(), "it is refused")
        self.site.start()
        self.wait_connected()
        self.assertIn("is asked why", self.site.process.output())
        self.assertNotEqual(self.certificate(), before)
        self.wait_for_all()

    def test_a_refused_handshake_alone_means_nothing(self):
        """Somebody refuses it in the service's name, and nobody answers why."""
        self.both()
        kept = {name: (self.state / name).read_bytes() for name in (
            "tls.crt", "tls.key", "registration.json")}
        self.svc.stop()
        server = self.svc.dir / "server"
        strict = Impostor(
            self.svc.ports["cluster"], server / "server.crt",
            server / "server.key",
            clients=identities.Authority.unknown(self.folder).certificate)
        self.addCleanup(strict.close)
        pair.eventually(
            lambda: "is asked why" in self.site.process.output(),
            "the agent asks why")
        seen = strict.connections
        pair.eventually(lambda: strict.connections >= seen + 3,
                        "it goes on trying")
        self.assertEqual(self.site.cli("status", "--check",
                                       check=False).returncode, 5)
        self.assertEqual(self.site.process.output().count("is asked why"), 1)
        self.assertEqual(kept, {name: (self.state / name).read_bytes()
                                for name in kept})
        self.site.use()
        strict.close()
        self.svc.start()
        self.wait_connected()
        self.wait_for_all()
        # The certificate that was refused was good all the time.
        self.assertEqual(self.certificate(), kept["tls.crt"])


if __name__ == "__main__":
    unittest.main()
