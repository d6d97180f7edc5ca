"""Certificates and authorities are exchanged while our own agent runs, and none
of its exchanges fails."""

import shutil
import ssl
import subprocess
import unittest

import pair
from site_identity import SiteTest


class RolloverTest(SiteTest):

    def issued_by(self, ca):
        return subprocess.run(
            ["openssl", "verify", "-CAfile", ca, self.state / "tls.crt"],
            capture_output=True).returncode == 0

    def test_cluster_ca_is_exchanged_without_a_failed_exchange(self):
        self.both()
        old = self.folder / "old"
        shutil.copytree(self.state, old)
        self.ca_command("rotate", "--ca", "cluster", "--trust-old", "20s")
        new = self.svc.dir / "ca" / "cluster-ca.crt"

        def renewed_by_the_new_one():
            self.assertEqual(self.failed(), {})
            self.renew()
            return self.issued_by(new)
        pair.eventually(renewed_by_the_new_one, "the new CA issues")
        pair.eventually(lambda: not self.gets_through(old),
                        "the old CA is trusted no more")
        self.wait_for_all()
        self.assertEqual(self.failed(), {})
        # Handshakes after that, too.
        self.site.stop()
        self.site.start()
        self.wait_connected()
        self.wait_for_all()
        self.assertEqual(self.failed(), {})

    def test_reports_on_their_way_while_it_renews_are_no_failures(self):
        self.both()
        # The disk is slow: the stream's end overtakes what it answered last.
        self.site.env = {"MC_FAILPOINTS": "agent.ack.before=delay:300"}
        for _ in range(3):
            self.renew()
            self.wait_for_all()
            self.assertEqual(self.failed(), {})

    def test_server_ca_is_exchanged_and_who_trusts_both_goes_on(self):
        self.both()
        ca = self.svc.dir / "ca"
        roots, later_roots = (self.folder / name for name in
                              ("roots.pem", "later.pem"))
        old = (ca / "server-ca.crt").read_bytes()
        for file in (roots, later_roots):
            file.write_bytes(old)
        self.site.stop()
        self.site.settings["service"]["ca_file"] = str(roots)
        self.site.write_config()
        self.site.start()
        (self.folder / "forgetful").mkdir()
        forgetful = pair.Agent(
            self.folder / "forgetful", self.svc, self.made["licenseKey"])
        self._started.append(forgetful)
        forgetful.settings["service"]["ca_file"] = str(later_roots)
        forgetful.write_config()
        forgetful.start()
        for agent in (self.site, forgetful):
            self.wait_connected(agent)

        self.ca_command("rotate", "--ca", "server")
        bundle = ca / "server-ca.bundle.crt"
        roots.write_bytes(bundle.read_bytes())
        pair.eventually(
            lambda: "connected anew" in self.site.process.output(),
            "the agent trusts both")
        port = ("127.0.0.1", self.svc.ports["cluster"])
        before = ssl.get_server_certificate(port)
        self.ca_command("rotate", "--ca", "server", "--now")
        pair.eventually(lambda: ssl.get_server_certificate(port) != before,
                        "the certificate of the new CA is shown")
        # The new one alone, which has it connect anew.
        new = (ca / "server-ca.crt").read_bytes()
        self.assertNotEqual(new, old)
        roots.write_bytes(new)
        pair.eventually(
            lambda: self.site.process.output().count("connected anew") == 2,
            "the agent trusts the new one alone")
        self.wait_for_all()
        self.assertEqual(self.failed(), {})

        # Who did not get the bundle in time is back with it, by itself.
        forgetful.stop()
        forgetful.start()
        pair.eventually(
            lambda: "certificate" in forgetful.status().get("waitingFor", ""),
            "the other one says what is wrong")
        later_roots.write_bytes(bundle.read_bytes())
        self.wait_connected(forgetful)


if __name__ == "__main__":
    unittest.main()
