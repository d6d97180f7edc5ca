"""Which agent is the master: one that holds a Lease of Kubernetes, and what is
said where two speak for one cluster."""

import shutil
import threading
import time
import unittest
import urllib.request
import uuid

import grpc
from missioncontrol.v1 import (
    agent_pb2,
    agent_service_pb2_grpc,
    fleet_clusters_pb2,
)

import pair
from fake_kubernetes import FakeKubernetes

LEASE_DURATION_S = 6
RENEW_DEADLINE_S = 4
RETRY_S = 0.5
NOT_MASTER = 10


class Candidate(pair.Agent):
    """One of several agents with the same state."""

    def __init__(self, folder, service, key, name, state, kubernetes):
        (folder / name).mkdir()
        self.token = f"token-{name}"
        token_file = folder / name / "token"
        token_file.write_text(self.token + "\n")
        kubernetes.tokens.add(self.token)
        super().__init__(folder / name, service, key, config={
            "state_directory": str(state),
            "mastership": {"kubernetes_lease": {
                "name": "cluster-agent",
                "namespace": "site",
                "lease_duration": f"{LEASE_DURATION_S}s",
                "renew_deadline": f"{RENEW_DEADLINE_S}s",
                "retry_period": f"{RETRY_S}s",
                "api_server": kubernetes.url,
                "token_file": str(token_file),
                "ca_file": str(service.ca),
            }},
        })

    def mastership(self):
        """The name of its MastershipState; None while it does not answer."""
        with grpc.secure_channel(
                f"unix:{self.sockets / 'admin.sock'}",
                grpc.local_channel_credentials(
                    grpc.LocalConnectionType.UDS)) as channel:
            try:
                status = agent_service_pb2_grpc.AgentServiceStub(
                    channel).GetStatus(agent_pb2.GetStatusRequest(), timeout=5)
            except grpc.RpcError:
                return None
        return agent_pb2.MastershipState.Name(
            status.mastership_state).removeprefix("MASTERSHIP_STATE_")

    def is_master(self):
        return self.mastership() == "MASTER"


class LeaseTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.mc = self.service()
        key = self.mc.create_license()["licenseKey"]
        self.kubernetes = FakeKubernetes(
            self.mc.dir / "server" / "server.crt",
            self.mc.dir / "server" / "server.key")
        self.addCleanup(self.kubernetes.stop)
        state = self.folder / "state"
        self.a, self.b = (
            Candidate(self.folder, self.mc, key, name, state, self.kubernetes)
            for name in ("a", "b"))
        self._started += [self.a, self.b]
        self.both, self.over = [], threading.Event()
        self.watcher = threading.Thread(target=self.watch)
        self.addCleanup(self.end_watch)

    def watch(self):
        """Never are two of them masters."""
        while not self.over.is_set():
            # What the first said must still hold when the second has spoken.
            if (self.a.is_master() and self.b.is_master()
                    and self.a.is_master()):
                self.both.append(time.monotonic())
            time.sleep(0.05)

    def end_watch(self):
        self.over.set()
        if self.watcher.is_alive():
            self.watcher.join()

    def record(self, agent, key=None, sessions=1):
        return agent.product().RecordUsage(agent_pb2.RecordUsageRequest(
            records=[agent_pb2.UsageRecord(
                idempotency_key=key or str(uuid.uuid4()),
                environment_id="plant", rum_sessions=sessions)]),
            timeout=pair.PATIENCE_S)

    def billed(self):
        reports = self.mc.fleet().ListConsumption(
            fleet_clusters_pb2.ListConsumptionRequest(
                cluster_id=self.a.cluster_id(), page_size=1000),
            timeout=pair.PATIENCE_S).reports
        return sum(e.rum_sessions for r in reports
                   for e in r.consumption.environments)

    def await_exit(self, agent):
        pair.eventually(lambda: not agent.process.alive(), "it has ended")
        return agent.process.process.returncode

    def test_one_is_the_master_whatever_happens(self):
        a, b = self.a, self.b
        a.start()
        pair.eventually(a.is_master, "the first is the master")
        b.start()
        pair.eventually(lambda: b.mastership() == "STANDBY", "b waits")
        self.watcher.start()
        self.assertIn("which the master", b.status()["waitingFor"])
        b.cli("status", "--check")
        self.assertIn("STANDBY", b.cli("status").stdout)
        self.assertFalse((b.sockets / "agent.sock").exists())

        with self.subTest("killed: the other one takes over with all it had"):
            cluster = a.cluster_id()
            self.record(a, "before", sessions=3)
            a.process.kill()  # Nothing is given back.
            killed = time.monotonic()
            pair.eventually(b.is_master, "b takes over")
            # The rest is what a busy machine takes to start an agent.
            self.assertLess(time.monotonic() - killed,
                            LEASE_DURATION_S + RETRY_S + 5)
            self.assertEqual(b.status()["clusterId"], cluster)
            self.assertEqual(self.record(b, "before", sessions=3).repeated, 1)
            self.record(b, sessions=4)

        with self.subTest("ended in order: handed over at once"):
            a.start()
            pair.eventually(lambda: a.mastership() == "STANDBY", "a waits")
            self.assertEqual(b.stop(), 0)
            ended = time.monotonic()
            pair.eventually(a.is_master, "a takes over")
            self.assertLess(time.monotonic() - ended, LEASE_DURATION_S)
            self.record(a, sessions=5)

        with self.subTest("the API server is down: it ends before its Lease"):
            self.kubernetes.cut.add("*")
            self.assertEqual(self.await_exit(a), NOT_MASTER)
            self.assertLess(
                time.monotonic() - self.kubernetes.written_at[a.token],
                LEASE_DURATION_S)
            self.assertIn("the Lease is lost", a.process.output())
            a.start()
            pair.eventually(
                lambda: "does not answer" in a.status().get("waitingFor", ""),
                "a says what it waits for")
            a.cli("status", "--check")
            self.kubernetes.cut.clear()
            pair.eventually(a.is_master, "a is the master again")
            self.record(a, sessions=6)

        with self.subTest("cut off alone: the other one takes over after it"):
            b.start()
            pair.eventually(lambda: b.mastership() == "STANDBY", "b waits")
            self.kubernetes.hung.add(a.token)
            self.assertEqual(self.await_exit(a), NOT_MASTER)
            self.assertNotEqual(b.mastership(), "MASTER")
            pair.eventually(b.is_master, "b takes over")
            self.record(b, sessions=7)
            self.kubernetes.hung.clear()

        with self.subTest("a token that is not accepted"):
            a.start()
            pair.eventually(lambda: a.mastership() == "STANDBY", "a waits")
            self.kubernetes.tokens.remove(a.token)
            pair.eventually(
                lambda: "token" in a.status().get("waitingFor", ""),
                "a says what is wrong")
            self.assertEqual(a.stop(), 0)

        pair.eventually(lambda: self.billed() == 3 + 4 + 5 + 6 + 7,
                        "all is billed, each once")
        self.end_watch()
        self.assertEqual(self.both, [])
        # Hand-overs are no clones.
        shown = self.mc.mcctl_json("cluster", "show", cluster)
        self.assertNotIn("cloneSuspectedAt", shown["cluster"])
        self.assertEqual(b.stop(), 0)


class CloneTest(pair.PairTest):

    def test_two_masters_are_said(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        first = self.agent(service, key)
        check = lambda agent: agent.cli("status", "--check", check=False)
        pair.eventually(lambda: check(first).returncode == 0, "connected")
        first.stop()
        (self.folder / "copy").mkdir()
        second = pair.Agent(self.folder / "copy", service, key)
        self._started.append(second)
        shutil.copytree(first.settings["state_directory"],
                        second.settings["state_directory"])
        first.start()
        second.start()
        for agent in (first, second):
            pair.eventually(lambda: agent.status().get("otherMaster"),
                            "both agents know")
            done = pair.eventually(
                lambda: (lambda d: d.returncode == 6 and d)(check(agent)),
                "the check fails")
            self.assertIn("stop one of the two", done.stderr)
            self.assertIn("Other master", agent.cli("status").stdout)
            self.assertIn("two masters", agent.process.output())
        pair.eventually(
            lambda: "CLONE_SUSPECTED" in first.process.output()
            + second.process.output(), "the service says so, too")
        shown = pair.eventually(
            lambda: (lambda s: "cloneSuspectedAt" in s["cluster"] and s)(
                service.mcctl_json("cluster", "show", first.cluster_id())),
            "operators see it")
        self.assertTrue(shown["nodes"][0]["agentInstanceId"])
        self.assertIn("clone suspected",
                      service.mcctl("cluster", "list").stdout)
        with urllib.request.urlopen(
                f"http://127.0.0.1:{service.ports['metrics']}/metrics") as got:
            self.assertIn(b"mission_control_clones_suspected_total 1",
                          got.read())
        self.assertEqual(
            service.process.output().count("two agents beat in turn"), 1)
        second.stop()
        pair.eventually(lambda: check(first).returncode == 0,
                        "the one that stays is well again")


if __name__ == "__main__":
    unittest.main()
