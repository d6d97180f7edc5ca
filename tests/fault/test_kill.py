"""Both sides killed again and again under load, at random moments and at each
step on purpose: what was acknowledged is billed, each record once.

With --cycles N it kills N times and takes that long; the nightly run takes
10000. Without it takes about a minute. A kill counts only while something is
unacknowledged.
"""

import argparse
import collections
import http.client
import random
import sys
import time
import unittest

import kill_load
import load
import pair

SERVICE_POINTS = (
    "service.report.received", "service.record.before",
    "service.commit.before", "service.commit.after",
    "service.receipt.before", "service.receipt.after")
AGENT_POINTS = (
    "agent.usage.before", "agent.usage.after", "agent.commit.before",
    "agent.commit.after", "agent.frame.before", "agent.frame.after",
    "agent.send.before", "agent.send.after", "agent.receipt.before",
    "agent.ack.before", "agent.ack.after")
CLUSTERS = 3

# Of one side, in the bounded run: every point twice and as many at random.
arguments = argparse.Namespace(cycles=None)


def cycles_of(points):
    if arguments.cycles is None:
        return 4 * len(points)
    return max(2 * len(points), arguments.cycles // 2)


class Victim:
    """A program that is killed and started again."""

    def __init__(self, test, name, command, log):
        self.test = test
        self.name = name
        self.command = command
        self.log = log
        self.hits_file = test.folder / f"{name}.hits"
        self.process = None
        self.kills = collections.Counter()

    def start(self, failpoint=None):
        env = {"MC_FAILPOINTS_FILE": str(self.hits_file)}
        if failpoint:
            env["MC_FAILPOINTS"] = failpoint
        self.process = pair.Process(self.name, self.command, self.log, env=env)

    def alive(self):
        return self.process.alive()

    def reap(self):
        """After it killed itself."""
        code = self.process.process.wait()
        self.test.assertEqual(code, -9, self.process.output()[-3000:])
        self.process.kill()

    def hits(self):
        """How often each failpoint has killed it, as it noted itself."""
        text = self.hits_file.read_text() if self.hits_file.exists() else ""
        return collections.Counter(line.split()[0]
                                   for line in text.splitlines())


class KillTests(pair.PairTest):

    def setUp(self):
        super().setUp()
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        self.chance = random.Random(seed)

    def kill_again_and_again(self, victim, points, ready, unacknowledged,
                             linger):
        """Each second time at a failpoint, in turn, else at a random moment."""
        wanted = cycles_of(points)
        counted = 0
        turn = 0
        deadline = time.monotonic() + max(150, 6 * wanted)
        while counted < wanted or set(victim.hits()) != set(points):
            self.assertLess(time.monotonic(), deadline,
                            f"{counted} of {wanted}, hits {victim.hits()}")
            point = None
            if turn % 2 == 0:
                point = points[turn // 2 % len(points)]
            turn += 1
            victim.start(point and
                         f"{point}=kill@{self.chance.randint(1, 8)}")
            if point:
                # It ends by itself; one whose point is not reached in time is
                # killed, and does not count.
                end = time.monotonic() + 10
                while victim.alive() and time.monotonic() < end:
                    time.sleep(0.005)
                if victim.alive():
                    victim.process.kill()
                    continue
                victim.reap()
                counted += 1
                continue
            if not ready(victim):
                continue
            time.sleep(self.chance.uniform(0, linger))
            if unacknowledged():
                counted += 1
                victim.kills["random"] += 1
            victim.process.kill()
        return counted

    def report_of(self, victim, counted):
        hits = victim.hits()
        print(f"{victim.name}: {counted} kills while something was "
              f"unacknowledged, {victim.kills['random']} of them at random; "
              + ", ".join(f"{point} {hits[point]}" for point in sorted(hits)))

    def test_service(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        clusters = [kill_load.ReportingCluster(self.folder, service, key)
                    for _ in range(CLUSTERS)]
        service.stop()
        victim = Victim(self, "mc-service", service.process_command(),
                        self.folder / "mc-service.log")
        self._started.append(victim)

        def ready(process):
            def answers():
                try:
                    connection = http.client.HTTPConnection(
                        "127.0.0.1", service.ports["metrics"], timeout=1)
                    connection.request("GET", "/readyz")
                    return connection.getresponse().status == 200
                except OSError:
                    return False
            pair.eventually(lambda: answers() or not process.alive(),
                            "mc-service is ready")
            return process.alive()

        for cluster in clusters:
            cluster.start()
        try:
            counted = self.kill_again_and_again(
                victim, SERVICE_POINTS, ready,
                lambda: any(c.unacknowledged() for c in clusters), 0.3)
        finally:
            victim.start()
            for cluster in clusters:
                cluster.stop()
        store = service.dir / "store.db"
        for cluster in clusters:
            self.assertEqual(cluster.rejections, [])
            self.assertEqual(
                kill_load.billed(store, cluster.cluster_id),
                (sum(cluster.sessions.values()), len(cluster.sessions)))
            self.check_ledger(store, cluster.cluster_id,
                              sum(cluster.sessions.values()))
        self.verify_ledger(service, ready, victim)
        print(f"{sum(len(c.sessions) for c in clusters)} reports, "
              f"{sum(c.repeats for c in clusters)} sent again")
        self.report_of(victim, counted)

    def test_agent(self):
        # A frame ends every second, so that kills meet every step of a report.
        service = self.service()
        key = service.create_license()["licenseKey"]
        schedule = dict(pair.FAST, consumption_time_frame="1s",
                        backoff_initial="50ms", backoff_max="200ms")
        agent = self.agent(service, key, config={"schedule": schedule})
        pair.eventually(
            lambda: agent.cli("status", "--check", check=False).returncode == 0,
            "the agent is connected")
        agent.stop()
        cluster_id = agent.cluster_id()
        store = service.dir / "store.db"
        victim = Victim(
            self, "cluster-agent",
            [pair.BIN / "cluster-agent", "run", "--config", agent.config],
            self.folder / "cluster-agent.log")
        self._started.append(victim)
        product = load.ProductLoad(agent.product)

        def ready(process):
            pair.eventually(lambda: agent.sockets.joinpath(
                "agent.sock").exists() or not process.alive(), "agent.sock")
            return process.alive()

        def unacknowledged():
            return product.acknowledged() > kill_load.billed(
                store, cluster_id)[0]

        product.start()
        try:
            counted = self.kill_again_and_again(
                victim, AGENT_POINTS, ready, unacknowledged, 1.2)
        finally:
            victim.start()
            total = product.stop()
        pair.eventually(
            lambda: kill_load.billed(store, cluster_id)[0] == total,
            f"{total} sessions are billed, each once")
        self.check_ledger(store, cluster_id, total)
        self.assertGreater(total, 100)
        self.assertNotIn("rejection", agent.cli(
            "outbox", "list", "--output", "json").stdout)
        print(f"{total} sessions")
        self.report_of(victim, counted)

    def check_ledger(self, store, cluster_id, sessions):
        self.assertEqual(kill_load.ledger_sessions(store, cluster_id),
                         sessions)

    def verify_ledger(self, service, ready, victim):
        self.assertTrue(ready(victim))
        verified = service.mcctl_json("ledger", "verify")
        self.assertEqual(verified.get("differences", []), [])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, metavar="N",
                        help="kills of both sides together")
    arguments, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest)
