"""The cluster's certificate: renewed in time, recovered after it has ended,
and what the agent says where only the vendor can help."""

import glob
import json
import subprocess
import sys
import time
import unittest

import pair

FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


def later(offset):
    """The environment of a machine whose clock is so far ahead."""
    return {"LD_PRELOAD": FAKETIME, "FAKETIME": offset,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class IdentityTests(pair.PairTest):

    def both(self, lifetime=None, **agent_args):
        config = {}
        if lifetime:
            config["certificates"] = {"cluster_lifetime": lifetime}
        service = self.service(config=config)
        self.license = service.create_license()
        agent = self.agent(service, self.license["licenseKey"], **agent_args)
        agent.use()
        self.wait_connected(agent)
        return service, agent

    def check(self, agent):
        return agent.cli("status", "--check", check=False)

    def wait_connected(self, agent):
        pair.eventually(lambda: self.check(agent).returncode == 0,
                        "the agent is connected")

    def state_file(self, agent, name):
        return agent.dir / "state" / name

    def exchange(self, agent, name):
        rows = {row["name"]: row for row in agent.status().get("exchanges", [])}
        return rows.get(name, {})

    def succeeded(self, agent, name):
        return int(self.exchange(agent, name).get("succeeded", 0))

    def certificate(self, agent, what):
        return subprocess.run(
            ["openssl", "x509", "-noout", f"-{what}", "-in",
             self.state_file(agent, "tls.crt")],
            check=True, capture_output=True, text=True).stdout

    def end_certificate(self, service, agent, offset):
        """Both were off until the certificate had ended."""
        agent.stop()
        service.stop()
        service.env = agent.env = later(offset)
        service.start()

    def waits_for(self, agent, *words):
        def said():
            text = agent.status().get("waitingFor", "")
            return text if all(word in text for word in words) else None
        return pair.eventually(said, f"the agent waits for {words}")

    def test_renews_twice_without_a_failed_exchange(self):
        service, agent = self.both(lifetime="60s")
        keys = {self.state_file(agent, "tls.key").read_text()}
        serials = {self.certificate(agent, "serial")}
        for times in (1, 2):
            pair.eventually(
                lambda times=times: self.succeeded(agent, "certificate")
                >= times, f"renewed {times} times", patience=90)
            agent.use()
            keys.add(self.state_file(agent, "tls.key").read_text())
            serials.add(self.certificate(agent, "serial"))
        self.assertEqual((len(keys), len(serials)), (3, 3))
        status = agent.status()
        self.assertIn("certificateRenewsAt", status)
        beats = self.succeeded(agent, "heartbeat")
        pair.eventually(lambda: self.succeeded(agent, "heartbeat") > beats + 1,
                        "beats go on")
        self.wait_connected(agent)
        failed = {row["name"]: row for row in agent.status()["exchanges"]
                  if int(row.get("failed", 0)) > 0}
        self.assertEqual(failed, {})
        self.assertFalse(self.state_file(agent, "renewal.json").exists())
        self.assertIn("Renewal at", agent.cli("status").stdout)
        # Whoever has the new state has the identity.
        agent.stop()
        agent.start()
        self.wait_connected(agent)

    @unittest.skipIf(FAKETIME is None, "faketime is not installed")
    def test_back_after_a_hundred_days_off(self):
        service, agent = self.both()
        before = self.certificate(agent, "serial")
        self.end_certificate(service, agent, "+100d")
        begin = time.monotonic()
        agent.start()
        agent.wait_for_socket()
        self.wait_connected(agent)
        print(f"back after {time.monotonic() - begin:.1f} s")
        self.assertNotEqual(self.certificate(agent, "serial"), before)
        agent.use()
        pair.eventually(lambda: self.succeeded(agent, "consumption") > 0,
                        "usage is reported again")

    @unittest.skipIf(FAKETIME is None, "faketime is not installed")
    def test_says_what_to_do_when_its_password_is_good_no_more(self):
        service, agent = self.both()
        path = self.state_file(agent, "registration.json")
        registration = json.loads(path.read_text())
        registration["password"] = "another"
        path.write_text(json.dumps(registration))
        self.end_certificate(service, agent, "+40d")
        agent.start()
        self.waits_for(agent, "re-open the registration",
                       "cluster-agent register")
        self.assertNotEqual(self.check(agent).returncode, 0)
        # What is used is recorded meanwhile.
        agent.use()
        # What it says helps.
        service.mcctl("cluster", "reopen", agent.cluster_id())
        agent.stop()
        agent.cli("register")
        agent.start()
        self.wait_connected(agent)
        pair.eventually(lambda: self.succeeded(agent, "consumption") > 0,
                        "usage is reported again")

    def test_a_revoked_cluster_says_so(self):
        service, agent = self.both()
        service.mcctl("cluster", "revoke", agent.cluster_id())
        self.waits_for(agent, "revoked", "vendor")
        checked = self.check(agent)
        self.assertEqual(checked.returncode, 4, checked.stderr)
        self.assertIn("revoked", checked.stderr)
        agent.use()
        self.assertIn("usage is still recorded", agent.process.output())
        # It stops, and does not knock at the door.
        time_of = self.exchange(agent, "heartbeat")["lastAttemptAt"]
        failed = self.exchange(agent, "heartbeat").get("failed")
        pair.eventually(lambda: self.succeeded(agent, "health_check") >= 0,
                        "the agent answers")
        self.assertEqual(self.exchange(agent, "heartbeat").get("failed"),
                         failed)
        self.assertEqual(self.exchange(agent, "heartbeat")["lastAttemptAt"],
                         time_of)
        # Also after a restart.
        agent.stop()
        agent.start()
        self.waits_for(agent, "revoked", "vendor")
        self.assertEqual(self.check(agent).returncode, 4)

    def test_new_cas_are_taken_without_a_failed_exchange(self):
        service, agent = self.both()
        # A file of its own, which two CAs go through.
        agent.stop()
        roots = self.folder / "roots.pem"
        roots.write_bytes(service.ca.read_bytes())
        agent.settings["service"]["ca_file"] = str(roots)
        agent.write_config()
        agent.start()
        self.wait_connected(agent)
        roots.write_text("no certificate")
        pair.eventually(
            lambda: "the CAs before stay in use" in agent.process.output(),
            "the bad file is refused")
        other = (service.dir / "ca" / "cluster-ca.crt").read_bytes()
        roots.write_bytes(service.ca.read_bytes() + other)
        pair.eventually(
            lambda: "connected anew" in agent.process.output(),
            "the new file is used")
        self.wait_connected(agent)
        failed = {row["name"]: row for row in agent.status()["exchanges"]
                  if int(row.get("failed", 0)) > 0}
        self.assertEqual(failed, {})


if __name__ == "__main__":
    if len(sys.argv) == 1 and FAKETIME is None:
        print("faketime is not installed: parts are skipped; "
              "run deploy/packages ci")
    unittest.main(verbosity=2)
