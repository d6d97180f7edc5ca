"""A clock that is wrong, on either side: said, and nobody is locked out."""

import glob
import sys
import time
import unittest
import uuid

from missioncontrol.v1 import agent_pb2, fleet_clusters_pb2

import load
import pair

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


def shifted(offset):
    """The environment of a process whose wall clock is off."""
    return {"LD_PRELOAD": LIBRARY, "FAKETIME": offset,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class WrongClockTests(pair.PairTest):

    def agent_at(self, agent, offset):
        agent.process = pair.Process(
            "cluster-agent",
            [pair.BIN / "cluster-agent", "run", "--config", agent.config],
            agent.folder / "cluster-agent.log", env=shifted(offset))

    @staticmethod
    def billed(service, agent):
        return load.billed_sessions(service.fleet(), agent.cluster_id())

    def record(self, agent, sessions):
        agent.product().RecordUsage(agent_pb2.RecordUsageRequest(records=[
            agent_pb2.UsageRecord(idempotency_key=str(uuid.uuid4()),
                                  environment_id="plant",
                                  rum_sessions=sessions)]),
            timeout=pair.PATIENCE_S)

    def check(self, agent):
        return agent.cli("status", "--check", check=False)

    def test_agent(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        agent = self.agent(service, key)
        self.record(agent, 5)
        pair.eventually(lambda: self.billed(service, agent) == 5, "billed")
        agent.stop()

        # By this clock the cluster's certificate has expired; by the
        # service's it has not.
        self.agent_at(agent, "+40d")
        self.record(agent, 5)
        pair.eventually(lambda: self.check(agent).returncode == 0, "connected")
        self.assertIn("not valid by this clock", agent.process.output())
        pair.eventually(lambda: self.billed(service, agent) == 10, "billed")
        agent.stop()

        # The service's certificate is not valid yet: no connection, but what
        # is used is recorded.
        self.agent_at(agent, "-40d")
        self.record(agent, 5)
        self.assertNotEqual(self.check(agent).returncode, 0)
        agent.stop()

        agent.start()
        pair.eventually(lambda: self.billed(service, agent) == 15,
                        "all are billed, each once")

    def test_agents_clock_is_set_by_a_year_and_back(self):
        """Nothing is lost or doubled, and nothing is billed early: no time
        frame lies in the future."""
        service = self.service()
        key = service.create_license()["licenseKey"]
        offset = self.folder / "offset"
        offset.write_text("+0\n")
        env = shifted("")
        del env["FAKETIME"]
        env.update(FAKETIME_TIMESTAMP_FILE=str(offset), FAKETIME_NO_CACHE="1")
        agent = self.agent(service, key, env=env)
        self.record(agent, 1)
        pair.eventually(lambda: self.billed(service, agent) == 1, "billed")
        total = 1
        for step in ("+365d", "+0", "-365d", "+0"):
            with self.subTest(step):
                offset.write_text(step + "\n")
                self.record(agent, 10)
                total += 10
                pair.eventually(
                    lambda: self.billed(service, agent) == total, "billed")
        reports = service.fleet().ListConsumption(
            fleet_clusters_pb2.ListConsumptionRequest(
                cluster_id=agent.cluster_id(), page_size=1000),
            timeout=pair.PATIENCE_S).reports
        now = time.time()
        for report in reports:
            frame = report.consumption.time_frame
            self.assertLess(frame.end.seconds, now + 1)
            self.assertGreater(frame.start.seconds, now - 3600)


if __name__ == "__main__":
    if LIBRARY is None:
        print("SKIPPED: faketime is not installed; run deploy/packages ci")
        sys.exit(77)
    unittest.main()
