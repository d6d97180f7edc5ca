"""A disk that is full: refused with a reason, nothing lost, nothing doubled."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import uuid

import grpc
from missioncontrol.v1 import agent_pb2

import load
import pair


def usage(sessions=1):
    return agent_pb2.RecordUsageRequest(records=[agent_pb2.UsageRecord(
        idempotency_key=str(uuid.uuid4()), environment_id="plant",
        rum_sessions=sessions)])


class SmallDisk:
    """A tmpfs of a few MiB that can be filled to its last byte."""

    def __init__(self, megabytes):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="mc"))
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        f"size={megabytes}m,mode=0700", "tmpfs", self.path],
                       check=True)
        self.ballast = self.path / "ballast"

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as out:
            for size in (65536, 4096, 1):
                try:
                    while out.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def relieve(self):
        self.ballast.unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)
        self.path.rmdir()


class DiskFullTests(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.disk = SmallDisk(24)
        self.addCleanup(self.disk.close)

    @staticmethod
    def sessions(service, agent):
        return load.billed_sessions(service.fleet(), agent.cluster_id())

    def record_until_refused(self, product):
        """Fills the disk under a recording product; what was acknowledged."""
        acknowledged = 0
        self.disk.fill()
        for _ in range(20000):
            try:
                product.RecordUsage(usage(), timeout=pair.PATIENCE_S)
                acknowledged += 1
            except grpc.RpcError as error:
                self.assertIn(error.code(),
                              (grpc.StatusCode.UNAVAILABLE,
                               grpc.StatusCode.RESOURCE_EXHAUSTED),
                              error.details())
                self.assertEqual(pair.error_reason(error), "STORE_UNAVAILABLE")
                return acknowledged
        raise AssertionError("a full disk took everything")

    def test_agent(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        agent = self.agent(service, key, config={
            "state_directory": str(self.disk.path / "state")})
        product = agent.product()
        acknowledged = self.record_until_refused(product)
        self.assertTrue(agent.process.alive())
        self.disk.relieve()
        for _ in range(10):
            pair.eventually(lambda: self.recorded(product), "it records again")
            acknowledged += 1
        pair.eventually(
            lambda: self.sessions(service, agent) == acknowledged,
            f"{acknowledged} sessions are billed, each once")

    def test_agent_deletes_after_receipts(self):
        """The receipts of a backlog come while the agent's disk is full."""
        service = self.service()
        key = service.create_license()["licenseKey"]
        agent = self.agent(service, key, config={
            "state_directory": str(self.disk.path / "state")})
        product = agent.product()
        pair.eventually(
            lambda: agent.cli("status", "--check", check=False).returncode == 0,
            "the agent is connected")
        service.stop()
        acknowledged = 0
        for _ in range(3):
            waiting = self.waiting(agent)
            for _ in range(20):
                product.RecordUsage(usage(), timeout=pair.PATIENCE_S)
                acknowledged += 1
            pair.eventually(lambda w=waiting: self.waiting(agent) > w,
                            "a report waits")
        reserve = self.disk.path / "state" / "usage.db.reserve"
        self.assertTrue(reserve.exists())
        self.disk.fill()
        service.start()
        # What is set aside for it is enough to note the receipts.
        pair.eventually(lambda: self.waiting(agent) == 0,
                        "the receipts are kept on a full disk")
        pair.eventually(
            lambda: self.sessions(service, agent) == acknowledged,
            f"{acknowledged} sessions are billed, each once")
        self.record_until_refused(product)
        self.disk.relieve()
        pair.eventually(lambda: self.recorded(product), "it records again")
        pair.eventually(reserve.exists, "the reserve is there again")
        self.assertLess(self.attempts(agent), 30, "no flood of resends")

    @staticmethod
    def waiting(agent):
        return int(agent.status().get("waitingReports", 0))

    @staticmethod
    def attempts(agent):
        for exchange in agent.status()["exchanges"]:
            if exchange["name"] == "consumption":
                return int(exchange.get("succeeded", 0)) + int(
                    exchange.get("failed", 0))
        return 0

    @staticmethod
    def recorded(product):
        try:
            product.RecordUsage(usage(), timeout=pair.PATIENCE_S)
            return True
        except grpc.RpcError:
            return False

    def test_service(self):
        service = self.service(start=False, config={
            "state_directory": str(self.disk.path)})
        for entry in service.dir.iterdir():
            if entry != service.config and entry != service.mcctl_config:
                subprocess.run(["cp", "-a", entry, self.disk.path], check=True)
        service.start()
        key = service.create_license()["licenseKey"]
        agent = self.agent(service, key)
        product = agent.product()
        product.RecordUsage(usage(), timeout=pair.PATIENCE_S)
        acknowledged = 1
        pair.eventually(lambda: self.sessions(service, agent) == 1, "the first one")
        self.disk.fill()
        for _ in range(50):
            product.RecordUsage(usage(), timeout=pair.PATIENCE_S)
            acknowledged += 1
        pair.eventually(
            lambda: "disk" in service.process.output(),
            "the service's log says that the disk is full")
        self.assertTrue(service.process.alive())
        self.disk.relieve()
        pair.eventually(
            lambda: self.sessions(service, agent) == acknowledged,
            f"{acknowledged} sessions are billed, each once")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIPPED: a small disk is mounted as root only")
        sys.exit(77)
    unittest.main()
