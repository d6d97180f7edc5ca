"""The service is restored from a backup: what was acknowledged after it comes
once more, and is billed once. And what can be wrong with a backup."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from missioncontrol.v1 import consumption_pb2, reports_pb2

import kill_load
import load
import pair
from test_foreign_client import HOUR, ForeignClient, hello, report, time_frame


def usage(client, sequence, sessions):
    start = HOUR + sequence
    return report(
        reports_pb2.LANE_BILLING, sequence,
        consumption=consumption_pb2.Consumption(
            cluster_id=client.cluster_id,
            time_frame=time_frame(start, start + 1),
            environments=[consumption_pb2.EnvironmentConsumption(
                environment_id="plant", rum_sessions=sessions)]))


class BackupTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.key = self.folder / "backup.key"
        self.recipient = self.folder / "backup.pub"
        self.file = self.folder / "backup.age"
        self.make_key(self.key)
        self.recipient.write_bytes(subprocess.run(
            ["openssl", "pkey", "-in", self.key, "-pubout"],
            check=True, capture_output=True).stdout)

    @staticmethod
    def make_key(path):
        subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-out",
                        path], check=True, capture_output=True)
        path.chmod(0o600)

    def backup(self, service, check=True, to=None, recipient=None):
        return pair.run(pair.BIN / "mc-service", "backup", "--config",
                        service.config, "--recipient",
                        recipient or self.recipient, "--to", to or self.file,
                        check=check)

    def restore(self, to, check=True, key=None, source=None):
        return pair.run(pair.BIN / "mc-service", "restore", "--from",
                        source or self.file, "--key", key or self.key, "--to",
                        to, check=check)

    def restart_restored(self, service):
        """The service again, out of its backup, at the same addresses."""
        service.process.kill()
        restored = self.folder / f"restored-{service.starts}"
        done = self.restore(restored)
        self.assertIn("new service epoch", done.stdout)
        service.dir = restored
        service.config = restored / "mc-service.yaml"
        service.mcctl_config = restored / "mcctl.yaml"
        service.start()


class RestoreTest(BackupTest):

    def test_marks_and_epoch(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        client = ForeignClient(self.folder, service, key)
        client.register()
        requests = {n: usage(client, n, n) for n in range(1, 11)}

        def exchange(sequences):
            answers = list(client.stub().StreamReports(
                iter([hello(client)] + [requests[n] for n in sequences]),
                timeout=pair.PATIENCE_S))
            for answer in answers[1:]:
                self.assertTrue(answer.receipt.HasField("consumption"),
                                answer)
            return answers[0].welcome

        def mark(welcome):
            return {m.lane: m.highest_accepted_sequence
                    for m in welcome.marks}[reports_pb2.LANE_BILLING]

        exchange(range(1, 6))
        self.backup(service)
        before = exchange(range(6, 11))
        self.restart_restored(service)
        after = exchange([])
        self.assertNotEqual(after.service_epoch, before.service_epoch)
        self.assertEqual(mark(after), 5)
        # More than is missing: each counts once.
        exchange(range(1, 11))
        self.assertEqual(
            kill_load.billed(service.dir / "store.db", client.cluster_id),
            (sum(range(1, 11)), 10))
        self.assertEqual(
            kill_load.ledger_sessions(service.dir / "store.db",
                                      client.cluster_id), sum(range(1, 11)))
        # The epoch stays what it is until the next restore.
        service.stop()
        service.start()
        self.assertEqual(exchange([]).service_epoch, after.service_epoch)

    def test_agents_send_again(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        schedule = dict(pair.FAST, consumption_time_frame="1s",
                        backoff_initial="50ms", backoff_max="200ms")
        agent = self.agent(service, key, config={"schedule": schedule})
        product = load.ProductLoad(agent.product).start()

        def billed():
            return kill_load.billed(service.dir / "store.db",
                                    agent.cluster_id())[0]

        try:
            pair.eventually(
                lambda: agent.cli("status", "--check",
                                  check=False).returncode == 0, "connected")
            pair.eventually(lambda: billed() > 0, "the first usage")
            self.backup(service)
            backed_up = billed()
            # More that the service acknowledges, and then forgets.
            pair.eventually(lambda: billed() > backed_up + 500,
                            "usage after the backup")
            self.restart_restored(service)
            pair.eventually(lambda: billed() > backed_up + 1000,
                            "usage after the restore")
        finally:
            total = product.stop()
        pair.eventually(lambda: billed() == total,
                        f"{total} sessions are billed, each once")
        self.assertEqual(
            kill_load.ledger_sessions(service.dir / "store.db",
                                      agent.cluster_id()), total)
        verified = service.mcctl_json("ledger", "verify")
        self.assertEqual(verified.get("differences", []), [])
        self.assertGreater(int(verified["checkedReports"]), 0)
        print(f"{total} sessions, of which the backup had at most {backed_up}")


class BackupUnderLoadTest(BackupTest):

    def test_is_consistent(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        cluster = kill_load.ReportingCluster(self.folder, service, key).start()
        try:
            for turn in range(3):
                time.sleep(0.3)
                self.backup(service)
                target = self.folder / f"turn-{turn}"
                self.restore(target)
                sessions, reports = kill_load.billed(
                    target / "store.db", cluster.cluster_id)
                # Every report up to one moment, and none twice.
                self.assertGreater(reports, 0)
                self.assertEqual(sessions, sum(
                    cluster.sessions[n] for n in range(1, reports + 1)))
        finally:
            cluster.stop()
        self.assertFalse([p for p in service.dir.iterdir()
                          if p.name.startswith(".backup")])


class BackupErrorsTest(BackupTest):

    def setUp(self):
        super().setUp()
        self.server = self.service(start=False)
        self.target = self.folder / "restored"

    def assert_refused(self, code, text, done):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertFalse(self.target.exists())
        self.assertFalse(self.target.with_name("restored.restoring").exists())

    def test_inspect(self):
        self.backup(self.server)
        done = pair.run(pair.BIN / "mc-service", "backup", "inspect", "--from",
                        self.file, "--key", self.key, "--output", "json")
        manifest = json.loads(done.stdout)
        names = {f["name"] for f in manifest["files"]}
        for name in ("store.db", "mc-service.yaml", "keys/documents.key",
                     "ca/cluster-ca.key", "operator/admin.key"):
            self.assertIn(name, names)
        self.assertEqual(manifest["trust_domain"], "test.example")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_what_is_wrong_with_the_file(self):
        self.backup(self.server)
        whole = self.file.read_bytes()
        other = self.folder / "other.key"
        self.make_key(other)
        self.assert_refused(4, "another key",
                            self.restore(self.target, False, key=other))
        self.assert_refused(3, "cannot read", self.restore(
            self.target, False, source=self.folder / "nothing"))
        self.assert_refused(2, "no encrypted file", self.restore(
            self.target, False, source=self.server.config))
        self.file.write_bytes(whole[:-100])
        self.assert_refused(1, "cut off", self.restore(self.target, False))
        self.file.write_bytes(whole[:5000] + b"x" + whole[5001:])
        self.assert_refused(1, "changed", self.restore(self.target, False))
        self.file.write_bytes(whole)
        self.restore(self.target)

    def test_a_target_that_is_not_empty(self):
        self.backup(self.server)
        done = self.restore(self.server.dir, False)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("not an empty directory", done.stderr)
        self.assertTrue((self.server.dir / "store.db").exists())

    def test_a_recipient_that_is_no_public_key(self):
        done = self.backup(self.server, False, recipient=self.key)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("public key", done.stderr)
        self.assertFalse(self.file.exists())

    @unittest.skipIf(os.geteuid() != 0, "a small disk is mounted as root only")
    def test_too_little_space(self):
        disk = tempfile.mkdtemp(prefix="mc")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs",
                        disk], check=True)
        try:
            done = self.backup(self.server, False, to=f"{disk}/backup")
            self.assertEqual(done.returncode, 7, done.stderr)
            self.assertIn("space", done.stderr)
            self.assertEqual(os.listdir(disk), [])
            self.backup(self.server)
            done = self.restore(f"{disk}/restored", False)
            self.assertEqual(done.returncode, 7, done.stderr)
            self.assertEqual(os.listdir(disk), [])
        finally:
            subprocess.run(["umount", "-l", disk], check=False)
            os.rmdir(disk)

    @unittest.skipIf(shutil.which("age") is None,
                     "age is not installed; run deploy/packages ci")
    def test_age_opens_it(self):
        secret = subprocess.run(["age-keygen"], check=True,
                                capture_output=True, text=True).stdout
        self.key.write_text(secret)
        self.recipient.write_text(subprocess.run(
            ["age-keygen", "-y", self.key], check=True, capture_output=True,
            text=True).stdout)
        self.backup(self.server)
        archive = self.folder / "backup.tar"
        subprocess.run(["age", "-d", "-i", self.key, "-o", archive, self.file],
                       check=True)
        names = subprocess.run(["tar", "tf", archive], check=True,
                               capture_output=True, text=True).stdout.split()
        self.assertIn("store.db", names)
        self.assertEqual(names[0], "manifest.json")
        # What age makes, restore opens.
        self.file.unlink()
        subprocess.run(["age", "-R", self.recipient, "-o", self.file, archive],
                       check=True)
        self.restore(self.target)


if __name__ == "__main__":
    unittest.main()
