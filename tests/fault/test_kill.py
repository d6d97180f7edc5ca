"""Both sides killed again and again under load: what was acknowledged is
billed, each record once."""

import random
import time
import unittest

import load
import pair

ROUNDS = 25


class KillTests(pair.PairTest):

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
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        chance = random.Random(seed)
        product = load.ProductLoad(agent.product).start()
        try:
            for _ in range(ROUNDS):
                time.sleep(chance.uniform(0.05, 0.6))
                victim = chance.choice((service, agent))
                victim.process.kill()
                victim.start()
        finally:
            total = product.stop()
        pair.eventually(
            lambda: load.billed_sessions(service.fleet(),
                                         agent.cluster_id()) == total,
            f"{total} sessions are billed, each once")
        self.assertGreater(total, 100)
        self.assertNotIn("rejection", agent.cli(
            "outbox", "list", "--output", "json").stdout)


if __name__ == "__main__":
    unittest.main()
