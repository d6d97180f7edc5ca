"""Agent and service killed again and again while a certificate is renewed, at
random moments and at each step on purpose: nobody is locked out.

With --kills N it kills N times and takes that long (1000 take about 20
minutes). Without it takes about 40 s.
"""

import argparse
import collections
import contextlib
import datetime
import json
import random
import sys
import time
import unittest

import pair

AGENT_POINTS = (
    "agent.renewal.draw.before", "agent.renewal.draw.after",
    "agent.renewal.send.before", "agent.renewal.send.after",
    "agent.renewal.answer.before", "agent.renewal.answer.after",
    "agent.renewal.prove.before", "agent.renewal.prove.after",
    "agent.renewal.confirm.before", "agent.renewal.confirm.after",
    "agent.renewal.file.after")
# Between the issue and its commit, and between the first use and its.
SERVICE_POINTS = (
    "service.issue.before", "service.issue.after",
    "service.promote.before", "service.promote.after")
POINTS = AGENT_POINTS + SERVICE_POINTS
BUDGET_S = 40

arguments = argparse.Namespace(kills=None)


class RotationTests(pair.PairTest):

    def setUp(self):
        super().setUp()
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        self.chance = random.Random(seed)
        self.service_ = self.service()
        self.key = self.service_.create_license(
            "--clusters", "100")["licenseKey"]
        self.agent_ = self.agent(self.service_, self.key)
        self.agent_.use()
        self.wait_healthy()

    def state_file(self, name):
        return self.agent_.dir / "state" / name

    def make_due(self):
        """The next start finds a certificate in its last days."""
        path = self.state_file("registration.json")
        registration = json.loads(path.read_text())
        asked = (datetime.datetime.now(datetime.timezone.utc)
                 - datetime.timedelta(days=29))
        registration["certifiedAt"] = asked.strftime("%Y-%m-%dT%H:%M:%SZ")
        path.write_text(json.dumps(registration))

    def rows(self):
        return {row["name"]: row
                for row in self.agent_.status().get("exchanges", [])}

    def healthy(self):
        status = self.agent_.status()
        rows = {row["name"]: row for row in status.get("exchanges", [])}
        return (status.get("connectionState") == "CONNECTION_STATE_CONNECTED"
                and int(rows.get("license", {}).get("succeeded", 0)) > 0
                and int(rows.get("heartbeat", {}).get("succeeded", 0)) > 0)

    def wait_healthy(self):
        pair.eventually(self.healthy, "the agent is connected")

    def wait_renewed(self, before):
        """The renewal that was cut off has come to its end."""
        def renewed():
            return (self.state_file("tls.crt").read_bytes() != before
                    and not self.state_file("renewal.json").exists()
                    and self.healthy())
        pair.eventually(renewed, "the certificate is renewed")

    def start_agent(self, point=None):
        self.agent_.env = ({"MC_FAILPOINTS": f"{point}=kill@1"}
                           if point else None)
        self.agent_.start()

    def await_end(self, process):
        end = time.monotonic() + 10
        while process.alive() and time.monotonic() < end:
            time.sleep(0.005)
        died = not process.alive()
        process.kill()
        return died

    def kill_agent_at(self, point):
        self.start_agent(point)
        return self.await_end(self.agent_.process)

    def kill_service_at(self, point):
        self.service_.stop()
        self.service_.env = {"MC_FAILPOINTS": f"{point}=kill@1"}
        self.service_.start()
        self.service_.env = None
        self.start_agent()
        died = self.await_end(self.service_.process)
        self.service_.start()
        return died

    def kill_at(self, point):
        return (self.kill_agent_at(point) if point in AGENT_POINTS
                else self.kill_service_at(point))

    def kill_agent_at_random(self):
        self.start_agent()
        time.sleep(self.chance.uniform(0, 0.5))
        self.agent_.process.kill()
        return True

    def kill_service_at_random(self):
        self.start_agent()
        time.sleep(self.chance.uniform(0, 0.5))
        self.service_.process.kill()
        self.service_.start()
        return True

    def test_nobody_is_locked_out(self):
        kills = collections.Counter()
        turn = 0
        begin = time.monotonic()
        # Every point once at least, and then until the time is over.
        while (sum(kills.values()) < arguments.kills if arguments.kills
               else turn < len(POINTS)
               or time.monotonic() - begin < BUDGET_S):
            self.agent_.process.kill()
            self.make_due()
            before = self.state_file("tls.crt").read_bytes()
            kind = turn % 3
            if turn < len(POINTS) or kind == 0:
                point = (POINTS[turn] if turn < len(POINTS)
                         else self.chance.choice(POINTS))
                self.assertTrue(self.kill_at(point),
                                f"{point} was not reached")
                kills[point] += 1
            elif kind == 1:
                self.kill_agent_at_random()
                kills["agent at random"] += 1
            else:
                self.kill_service_at_random()
                kills["service at random"] += 1
            turn += 1
            if not self.agent_.process.alive():
                self.start_agent()
            self.wait_renewed(before)
        self.assertNotIn("is asked why", self.agent_.process.output())
        shown = self.service_.mcctl_json(
            "cluster", "show", self.agent_.cluster_id())
        self.assertNotIn("cloneSuspectedAt", shown["cluster"])
        print(f"{sum(kills.values())} kills in "
              f"{time.monotonic() - begin:.0f} s, 0 lock-outs; "
              + ", ".join(f"{name} {kills[name]}" for name in sorted(kills)))

    def registered(self):
        return sorted(c["clusterId"] for c in self.service_.mcctl_json(
            "cluster", "list", "--registration", "registered")["clusters"])

    def new_agent(self, name):
        folder = self.folder / name
        folder.mkdir()
        agent = pair.Agent(folder, self.service_, self.key)
        self._started.append(agent)
        return agent

    def test_registration_that_is_cut_off_converges(self):
        """Killed on either side between the issue and what is stored of it."""
        self.agent_.stop()
        agents, reached = [], 0
        cases = [("service", f"service.commit.{when}=kill@{number}")
                 for when in ("before", "after") for number in (2, 3, 4)]
        cases += [("agent", self.chance.uniform(0.02, 0.25))
                  for _ in range(4)]
        for number, (side, how) in enumerate(cases):
            agent = self.new_agent(f"agent-{number}")
            agents.append(agent)
            if side == "service":
                self.service_.stop()
                self.service_.env = {"MC_FAILPOINTS": how}
                # The start has commits of its own, the fewest of all.
                with contextlib.suppress(AssertionError):
                    self.service_.start()
                    reached += 1
                self.service_.env = None
            agent.start()
            if side == "service":
                pair.eventually(
                    lambda: not self.service_.process.alive(), how)
                self.service_.start()
            else:
                time.sleep(how)
                agent.process.kill()
                agent.start()
            pair.eventually(
                lambda a=agent: a.cli("status", "--check", check=False)
                .returncode == 0, f"connected after {side} {how}")
        self.assertGreaterEqual(reached, 4)
        # Each is one cluster, whatever it had to do twice.
        self.assertEqual(self.registered(), sorted(
            a.cluster_id() for a in [self.agent_, *agents]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int)
    parser.parse_known_args(namespace=arguments)
    unittest.main(argv=sys.argv[:1], verbosity=2)
