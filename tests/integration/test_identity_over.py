"""Where only a person helps, each place says the same; and a license that is
over is no end of the identity."""

import json
import re
import shutil
import threading
import unittest
import urllib.request

import grpc
from missioncontrol.v1 import installation_pb2

import load
import pair
from site_identity import SiteTest
from test_foreign_client import ForeignClient
from test_identity import FAKETIME, later
from test_license import in_seconds

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


class IdentityOverTest(SiteTest):

    def assert_said_everywhere(self, code, *words):
        """In status, its check, the log and by the doctor."""
        text = self.waits_for(*words)
        for word in words:
            self.assertIn(word, text)
        self.assertIn(text, self.site.cli("status", check=False).stdout)
        check = self.site.cli("status", "--check", check=False)
        self.assertEqual(check.returncode, code, check.stderr)
        self.assertIn(text, check.stderr)
        errors = [line for line in map(
            json.loads, self.site.process.output().splitlines())
            if line["level"] == "error"]
        self.assertTrue(any(all(word in line.get("detail", "")
                                for word in words) for line in errors), errors)
        doctor = self.site.cli("doctor", check=False)
        self.assertEqual(doctor.returncode, 1)
        found = [line for line in doctor.stdout.splitlines()
                 if all(word in line for word in words)]
        self.assertTrue(found, doctor.stdout)
        # Not what is not the matter.
        for misleading in ("balancer", "starting or stopping"):
            self.assertNotIn(misleading, doctor.stdout)

    def take_over(self):
        self.svc.mcctl("cluster", "reopen", self.site.cluster_id())
        taker = ForeignClient(self.folder, self.svc, self.made["licenseKey"])
        taker.cluster_id = self.site.cluster_id()
        taker.register()

    def test_who_was_taken_over_must_reenroll(self):
        self.both()
        self.take_over()
        self.assert_said_everywhere(4, "another agent registered",
                                    "re-open the registration",
                                    "cluster-agent register")
        self.site.use()
        # Also after a restart, and what it says helps.
        self.site.stop()
        self.site.start()
        self.waits_for("re-open the registration")
        self.svc.mcctl("cluster", "reopen", self.site.cluster_id())
        self.site.stop()
        self.site.cli("register")
        self.site.start()
        self.wait_connected()
        self.wait_for_all()

    @unittest.skipIf(FAKETIME is None, "faketime is not installed")
    def test_who_was_off_too_long_and_has_no_password_is_told_what_to_do(self):
        self.both()
        self.site.stop()
        self.svc.stop()
        path = self.state / "registration.json"
        registration = json.loads(path.read_text())
        registration["password"] = "another"
        path.write_text(json.dumps(registration))
        self.svc.env = self.site.env = later("+100d")
        self.svc.start()
        self.site.start()
        self.assert_said_everywhere(5, "password is not accepted",
                                    "re-open the registration",
                                    "cluster-agent register")

    def traffic(self):
        """All that clusters have asked of the service so far."""
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.svc.ports['metrics']}/metrics",
                timeout=pair.PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        found = [line for line in lines if re.match(
            r"mission_control_(edge_handshakes_total.*(cluster|enrollment)"
            r"|rpc_calls_total.*(ClusterService|EnrollmentService))", line)]
        self.assertGreater(len(found), 2)
        return sorted(found)

    def test_who_is_revoked_is_told_so_everywhere(self):
        self.both()
        self.svc.mcctl("cluster", "revoke", self.site.cluster_id())
        self.assert_said_everywhere(4, "revoked", "ask your vendor")
        # It stops: in this time it would have called a dozen times.
        before = self.traffic()
        threading.Event().wait(5)
        self.assertEqual(self.traffic(), before)
        self.site.use()

    def test_licenses_that_are_over_close_no_identity(self):
        self.both()
        license_id = self.made["license"]["licenseId"]
        stranger = ForeignClient(self.folder, self.svc, self.made["licenseKey"])
        install = installation_pb2.InstallRequest(
            license_key=self.made["licenseKey"], agent_version="1",
            product_version="1")
        billed = lambda: load.billed_sessions(self.svc.fleet(),
                                              self.site.cluster_id())
        for reason, command in (
                ("LICENSE_EXPIRED", ("update", license_id, "--ends-at",
                                     in_seconds(1))),
                ("LICENSE_SUSPENDED", ("suspend", license_id)),
                ("LICENSE_REVOKED", ("revoke", license_id))):
            with self.subTest(reason):
                self.svc.mcctl("license", *command)
                before = billed()
                pair.eventually(
                    lambda reason=reason: reason in self.rows()["updates"].get(
                        "lastError", ""), "updates are refused with the reason")
                self.wait_for_all()
                pair.eventually(lambda before=before: billed() > before,
                                "what is used is billed")
                self.assertIn("FAILED_PRECONDITION",
                              self.rows()["updates"]["lastError"])
                self.assertEqual(set(self.failed()), {"updates"},
                                 self.failed())
                self.assert_fails(PRECONDITION, reason,
                                  self.svc.enrollment().Install, install)
                self.assert_fails(PRECONDITION, reason,
                                  self.svc.enrollment().Register,
                                  stranger.request())
                self.renew()

    def test_the_adopted_one_of_two_stays_and_the_other_is_out(self):
        self.both()
        self.site.stop()
        (self.folder / "copy").mkdir()
        copy = pair.Agent(self.folder / "copy", self.svc,
                          self.made["licenseKey"])
        self._started.append(copy)
        shutil.copytree(self.state, copy.settings["state_directory"])
        self.site.start()
        copy.start()
        show = lambda: self.svc.mcctl_json(
            "cluster", "show", self.site.cluster_id())["cluster"]
        suspected = lambda: show().get("cloneInstanceIds", [])
        pair.eventually(lambda: len(suspected()) >= 2, "a clone is suspected")
        # Whichever: by its log one knows whose ID it is.
        chosen = suspected()[0]
        self.svc.mcctl("cluster", "adopt", self.site.cluster_id(),
                       "--instance", chosen)
        agents = [self.site, copy]
        out = lambda agent: "MUST_REENROLL" in agent.process.output()
        pair.eventually(lambda: any(map(out, agents)), "one of them is out")
        stays, gone = sorted(agents, key=out)
        self.assertFalse(out(stays))
        self.wait_connected(stays)
        self.assertEqual(gone.cli("status", "--check",
                                  check=False).returncode, 4)
        self.assertNotIn("cloneSuspectedAt", show())
        self.assertIn("asks for another certificate at once",
                      stays.process.output())


if __name__ == "__main__":
    unittest.main()
