"""Both sides killed again and again under load: what was acknowledged is
billed, each record once."""

import random
import threading
import time
import unittest
import uuid

import grpc
from missioncontrol.v1 import agent_pb2, fleet_clusters_pb2

import pair

ROUNDS = 25


class KillTests(pair.PairTest):

    def billed(self, service, agent):
        reports = service.fleet().ListConsumption(
            fleet_clusters_pb2.ListConsumptionRequest(
                cluster_id=agent.cluster_id(), page_size=1000),
            timeout=pair.PATIENCE_S).reports
        return sum(e.rum_sessions for r in reports
                   for e in r.consumption.environments)

    def product(self, agent, over, result):
        """Records one session after the other, each until it is
        acknowledged, as a product does that loses nothing."""
        total = 0
        while not over.is_set():
            request = agent_pb2.RecordUsageRequest(records=[
                agent_pb2.UsageRecord(idempotency_key=str(uuid.uuid4()),
                                      environment_id="plant",
                                      rum_sessions=1)])
            while True:
                try:
                    agent.product().RecordUsage(request, timeout=5)
                    total += 1
                    break
                except grpc.RpcError:
                    time.sleep(0.02)
        result.append(total)

    def test_sums_are_equal(self):
        # A frame ends every second, so that kills meet every step of a report.
        service = self.service()
        key = service.create_license()["licenseKey"]
        schedule = dict(pair.FAST, consumption_time_frame="1s",
                        backoff_initial="50ms", backoff_max="200ms")
        agent = self.agent(service, key, config={"schedule": schedule})
        pair.eventually(
            lambda: agent.cli("status", "--check", check=False).returncode == 0,
            "the agent is connected")
        over, totals = threading.Event(), []
        products = [threading.Thread(target=self.product,
                                     args=(agent, over, totals))
                    for _ in range(4)]
        for each in products:
            each.start()
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        chance = random.Random(seed)
        try:
            for _ in range(ROUNDS):
                time.sleep(chance.uniform(0.05, 0.6))
                victim = chance.choice((service, agent))
                victim.process.kill()
                victim.start()
        finally:
            over.set()
            for each in products:
                each.join()
        pair.eventually(lambda: self.billed(service, agent) == sum(totals),
                        f"{sum(totals)} sessions are billed, each once")
        self.assertGreater(sum(totals), 100)
        self.assertEqual(
            agent.cli("outbox", "list", "--output", "json").stdout.count(
                "rejection"), 0)


if __name__ == "__main__":
    unittest.main()
