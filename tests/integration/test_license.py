"""What a license allows: answers of the vendor, outages, clocks, new keys."""

import base64
import datetime
import glob
import json
import queue
import threading
import time
import unittest
import uuid

import grpc
from missioncontrol.v1 import agent_pb2, license_pb2

import load
import pair

FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
DAY_S = 24 * 3600


def standing(answer):
    return license_pb2.LicenseStanding.Name(answer.standing).removeprefix(
        "LICENSE_STANDING_")


def in_seconds(seconds):
    """RFC 3339, so many seconds from now."""
    return (datetime.datetime.now(datetime.timezone.utc)
            + datetime.timedelta(seconds=seconds)).strftime(
                "%Y-%m-%dT%H:%M:%SZ")


class Watcher:
    """A product that watches its license; what it was told, in order."""

    def __init__(self, agent):
        self._told = queue.Queue()
        self._call = agent.product().WatchLicenseState(
            agent_pb2.WatchLicenseStateRequest())
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for state in self._call:
                self._told.put((state.answer, time.time()))
        except grpc.RpcError as error:
            self._told.put((error, time.time()))

    def expect(self, name):
        """The next answers until one of this standing; it and its time."""
        while True:
            answer, at = self._told.get(timeout=pair.PATIENCE_S)
            if isinstance(answer, grpc.RpcError):
                raise AssertionError(f"the stream ended: {answer.details()}")
            if standing(answer) == name:
                return answer, at

    def ended(self):
        while True:
            answer, _ = self._told.get(timeout=pair.PATIENCE_S)
            if isinstance(answer, grpc.RpcError):
                return pair.error_reason(answer)


class LicenseTests(pair.PairTest):

    def both(self, *license_args, **agent_args):
        service = self.service()
        self.license = service.create_license(*license_args)
        agent = self.agent(service, self.license["licenseKey"], **agent_args)
        return service, agent

    def state_file(self, agent, name):
        return agent.dir / "state" / name

    def standing(self, agent):
        return agent.status().get("licenseAnswer", {}).get(
            "standing", "").removeprefix("LICENSE_STANDING_")

    def wait_for(self, agent, name):
        pair.eventually(lambda: self.standing(agent) == name,
                        f"the standing is {name}")

    def record(self, agent, sessions):
        agent.product().RecordUsage(agent_pb2.RecordUsageRequest(records=[
            agent_pb2.UsageRecord(idempotency_key=str(uuid.uuid4()),
                                  environment_id="plant",
                                  rum_sessions=sessions)]),
            timeout=pair.PATIENCE_S)

    def test_the_vendors_answer_acts_at_once(self):
        service, agent = self.both()
        watcher = Watcher(agent)
        active, _ = watcher.expect("ACTIVE")
        self.assertTrue(active.monitoring_allowed)
        license_id = self.license["license"]["licenseId"]
        for command, expected in (("suspend", "SUSPENDED"),
                                  ("resume", "ACTIVE"),
                                  ("revoke", "REVOKED")):
            service.mcctl("license", command, license_id)
            answer, _ = watcher.expect(expected)
            self.assertEqual(answer.monitoring_allowed, expected == "ACTIVE")
        # Usage is recorded whatever the state.
        self.record(agent, 3)
        shown = json.loads(agent.cli(
            "license", "show", "--output", "json").stdout)
        self.assertEqual(shown["answer"]["standing"],
                         "LICENSE_STANDING_REVOKED")
        self.assertIn("REVOKED", agent.cli("license", "show").stdout)
        # It stays while nothing else is heard, also over a restart.
        service.process.kill()
        agent.stop()
        self.assertEqual(watcher.ended(), "OVERLOADED")
        agent.start()
        agent.wait_for_socket()
        self.wait_for(agent, "REVOKED")

    def test_an_outage_disallows_overage_at_its_deadline(self):
        grace_s = 8
        service, agent = self.both("--grace-period", f"{grace_s}s",
                                   "--overage", "allowed")
        watcher = Watcher(agent)
        active, _ = watcher.expect("ACTIVE")
        self.assertTrue(active.overage_allowed)
        service.process.kill()
        grace, at = watcher.expect("GRACE")
        self.assertTrue(grace.monitoring_allowed)
        self.assertTrue(grace.overage_allowed)
        deadline = grace.until.ToNanoseconds() / 1e9
        self.assertLessEqual(deadline, at + grace_s + 1)
        self.assertEqual(
            grace.next_standing,
            license_pb2.LICENSE_STANDING_OVERAGE_DISALLOWED)
        over, at = watcher.expect("OVERAGE_DISALLOWED")
        self.assertTrue(over.monitoring_allowed)
        self.assertFalse(over.overage_allowed)
        self.assertGreaterEqual(at, deadline - 0.5)
        self.assertLess(at, deadline + 10)
        self.record(agent, 5)
        service.start()
        active, _ = watcher.expect("ACTIVE")
        self.assertTrue(active.overage_allowed)
        pair.eventually(
            lambda: load.billed_sessions(
                service.fleet(), agent.cluster_id()) == 5,
            "what was used meanwhile is billed")

    def test_a_license_ends_while_nobody_is_reached(self):
        service, agent = self.both("--model", "subscription",
                                   "--ends-at", in_seconds(20))
        watcher = Watcher(agent)
        watcher.expect("ACTIVE")
        service.process.kill()
        unreached, _ = watcher.expect("ACTIVE")
        self.assertIn("cannot be reached", unreached.reason)
        ended, at = watcher.expect("EXPIRED")
        self.assertFalse(ended.monitoring_allowed)
        self.assertGreaterEqual(at, unreached.until.ToNanoseconds() / 1e9 - 1)

    @unittest.skipIf(FAKETIME is None, "faketime is not installed")
    def test_no_clock_revives_a_license_or_locks_anybody_out(self):
        service, agent = self.both("--ends-at", in_seconds(60 * DAY_S))
        self.wait_for(agent, "ACTIVE")
        agent.stop()
        service.process.kill()
        for offset in ("+365d", "-365d"):
            agent.env = {"LD_PRELOAD": FAKETIME, "FAKETIME": offset,
                         "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            agent.start()
            agent.env = None
            agent.wait_for_socket()
            self.wait_for(agent, "GRACE")
            offline = agent.status()["licenseAnswer"]["offline"]
            self.assertLess(float(offline.rstrip("s")), 3600)
            agent.stop()
        # The machine was off for 20 days by its clock.
        path = self.state_file(agent, "contact.json")
        contact = json.loads(path.read_text())
        contact["bootId"] = "another"
        contact["notedAt"] = in_seconds(-20 * DAY_S)
        path.write_text(json.dumps(contact))
        agent.start()
        agent.wait_for_socket()
        self.wait_for(agent, "OVERAGE_DISALLOWED")
        self.assertTrue(agent.status()["licenseAnswer"]["monitoringAllowed"])
        service.start()
        self.wait_for(agent, "ACTIVE")

    def rotate(self, service):
        return json.loads(pair.run(
            pair.BIN / "mc-service", "keys", "rotate", "--config",
            service.config, "--output", "json").stdout)

    def keys_of(self, agent):
        registration = json.loads(
            self.state_file(agent, "registration.json").read_text())
        return [key["keyId"] for key in registration["documentKeys"]]

    def license_key_id(self, agent):
        kept = json.loads(self.state_file(agent, "license.json").read_text())
        return kept["signedLicense"]["keyId"]

    def offered(self, agent, release):
        pair.eventually(
            lambda: release in agent.status().get("availableUpdates", []),
            f"{release} is offered")

    def test_document_keys_follow_each_other(self):
        service, agent = self.both()
        service.mcctl("release", "add", "--component", "cluster",
                      "--version", "9.0.0", "--url", "https://example.com/9",
                      "--size", "10", "--sha256", "ab" * 32)
        self.offered(agent, "cluster 9.0.0")
        first = self.keys_of(agent)
        self.record(agent, 3)
        second = self.rotate(service)
        self.assertEqual([second["predecessorKeyId"]], first)
        # The service that runs goes on with the old one.
        self.assertEqual(self.license_key_id(agent), first[0])
        service.stop()
        service.start()
        pair.eventually(
            lambda: self.license_key_id(agent) == second["keyId"],
            "the running agent believes the new key")
        self.assertEqual(self.keys_of(agent), first + [second["keyId"]])
        self.record(agent, 4)
        pair.eventually(
            lambda: load.billed_sessions(
                service.fleet(), agent.cluster_id()) == 7,
            "receipts of the new key are believed")
        # Two more while the agent is away.
        agent.stop()
        service.stop()
        third, fourth = self.rotate(service), self.rotate(service)
        service.start()
        agent.start()
        agent.wait_for_socket()
        pair.eventually(
            lambda: self.license_key_id(agent) == fourth["keyId"],
            "the chain is followed")
        everything = first + [second["keyId"], third["keyId"],
                              fourth["keyId"]]
        self.assertEqual(self.keys_of(agent), everything)
        self.offered(agent, "cluster 9.0.0")
        # A cluster that comes now verifies what older keys have signed.
        folder = self.folder / "late"
        folder.mkdir()
        late = pair.Agent(folder, service, self.license["licenseKey"])
        self._started.append(late)
        late.start()
        late.wait_for_socket()
        self.offered(late, "cluster 9.0.0")
        self.assertEqual(sorted(self.keys_of(late)), sorted(everything))
        self.assertEqual(pair.run(
            pair.BIN / "mc-service", "validate", "--config",
            service.config).returncode, 0)
        history = json.loads(
            (service.dir / "keys" / "document-keys.json").read_text())
        self.assertEqual(len(history["successions"]), 3)
        self.assertEqual(
            len(base64.b64decode(history["keys"][0]["publicKey"])), 32)

    def test_simulations(self):
        def simulate(*command):
            timeline = json.loads(pair.run(
                *command, "--output", "json").stdout)
            return [(change["after"],
                     change["answer"]["standing"].removeprefix(
                         "LICENSE_STANDING_"))
                    for change in timeline["changes"]]
        for program in ("mc-service", "cluster-agent"):
            command = [pair.BIN / program, "license", "simulate",
                       "--offline", "20d"]
            self.assertEqual(
                simulate(*command, "--model", "classic"),
                [("0s", "GRACE"), ("1209600s", "OVERAGE_DISALLOWED")])
            self.assertEqual(
                simulate(*command, "--model", "trial"),
                [("0s", "GRACE"), ("604800s", "OVERAGE_DISALLOWED")])
            self.assertEqual(
                simulate(*command, "--model", "trial", "--grace", "3d"),
                [("0s", "GRACE"), ("259200s", "OVERAGE_DISALLOWED")])
            self.assertEqual(
                simulate(*command, "--model", "subscription"),
                [("0s", "ACTIVE")])
            self.assertEqual(
                simulate(*command, "--model", "subscription", "--ends-at",
                         in_seconds(-1)), [("0s", "EXPIRED")])
            text = pair.run(*command, "--model", "classic").stdout
            self.assertIn("After 20d: OVERAGE_DISALLOWED", text)
            wrong = pair.run(*command, "--model", "gold", check=False)
            self.assertEqual(wrong.returncode, 2)
            self.assertIn("classic, trial or subscription", wrong.stderr)
            self.assertIn("Example", pair.run(
                pair.BIN / program, "license", "simulate", "--help").stdout)
        service, agent = self.both("--model", "trial")
        self.wait_for(agent, "ACTIVE")
        kept = [pair.BIN / "cluster-agent", "license", "simulate",
                "--config", agent.config]
        standings = [name for _, name in simulate(*kept, "--offline", "8d")]
        self.assertEqual(standings, ["GRACE", "OVERAGE_DISALLOWED"])
        agent.stop()
        standings = [name for _, name in simulate(*kept, "--offline", "6d")]
        self.assertEqual(standings, ["GRACE"])


if __name__ == "__main__":
    unittest.main()
