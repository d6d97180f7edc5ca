"""The outbox seen from outside: its commands, invoices, restored disks on
either side."""

import csv
import json
import shutil
import sqlite3
import unittest
import uuid

import grpc
from missioncontrol.v1 import (
    agent_pb2,
    agent_service_pb2_grpc,
    fleet_clusters_pb2,
    reports_pb2,
)

import load
import pair

COLUMNS = ("account_id license_id cluster_id environment_id meter meter_id "
           "unit resource_id time_frame_start time_frame_end quantity epoch "
           "sequence accepted_at").split()


class OutboxTests(pair.PairTest):

    def start_pair(self, **config):
        self.mc = self.service()
        self.cluster = self.agent(
            self.mc, self.mc.create_license()["licenseKey"], config=config)
        self.cluster.wait_for_socket()
        pair.eventually(
            lambda: self.cluster.cli("status", "--check",
                                     check=False).returncode == 0,
            "the agent is connected")

    def use(self, sessions):
        self.cluster.product().RecordUsage(
            agent_pb2.RecordUsageRequest(records=[agent_pb2.UsageRecord(
                idempotency_key=str(uuid.uuid4()), environment_id="plant",
                rum_sessions=sessions)]), timeout=pair.PATIENCE_S)

    def billed(self):
        return load.billed_sessions(self.mc.fleet(), self.cluster.cluster_id())

    def billed_is(self, sessions):
        pair.eventually(lambda: self.billed() >= sessions,
                        f"{sessions} sessions are billed")
        self.assertEqual(self.billed(), sessions, "each once")

    def entries(self, *args):
        text = self.cluster.cli("outbox", "list", "--output", "json", *args)
        return [e for e in json.loads(text.stdout).get("entries", [])
                if e["lane"] == "LANE_BILLING"]

    def nothing_waits(self):
        pair.eventually(lambda: not self.entries(), "all is confirmed")

    def show(self, entry):
        return json.loads(self.cluster.cli(
            "outbox", "show", "billing", entry["epoch"],
            entry["sequence"]).stdout)

    def admin(self):
        return agent_service_pb2_grpc.AgentServiceStub(grpc.secure_channel(
            f"unix:{self.cluster.sockets / 'admin.sock'}",
            grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)))

    def test_commands(self):
        self.start_pair()
        self.mc.stop()
        self.use(3)
        entry = pair.eventually(self.entries, "a report waits")[0]
        self.assertEqual(entry["state"], "OUTBOX_ENTRY_STATE_WAITING")
        shown = self.show(entry)
        self.assertEqual(shown["consumption"]["environments"][0]["rumSessions"],
                         "3")
        explained = self.cluster.cli("outbox", "explain").stdout
        self.assertIn(f"billing {entry['epoch']} {entry['sequence']}: waits",
                      explained)
        self.assertIn("the agent waits for the service", explained)
        missing = self.cluster.cli("outbox", "show", "billing", "1", "1",
                                   check=False)
        self.assertEqual(missing.returncode, 3, missing.stderr)

        self.mc.start()
        self.nothing_waits()
        kept = self.entries("--all")
        self.assertEqual({e["state"] for e in kept},
                         {"OUTBOX_ENTRY_STATE_ACKNOWLEDGED"})
        self.assertEqual(self.show(entry), shown, "the same bytes were sent")

        admin = self.admin()
        found = admin.GetOutboxReport(agent_pb2.GetOutboxReportRequest(
            lane=reports_pb2.LANE_BILLING, epoch=int(entry["epoch"]),
            sequence=int(entry["sequence"])), timeout=pair.PATIENCE_S)
        self.assertEqual(found.entry.state,
                         agent_pb2.OUTBOX_ENTRY_STATE_ACKNOWLEDGED)
        self.assert_fails(
            grpc.StatusCode.NOT_FOUND, "UNKNOWN_RESOURCE",
            admin.GetOutboxReport, agent_pb2.GetOutboxReportRequest(
                lane=reports_pb2.LANE_BILLING, epoch=1, sequence=1))
        receipts = admin.ListReceipts(agent_pb2.ListReceiptsRequest(),
                                      timeout=pair.PATIENCE_S).receipts
        self.assertEqual(len(receipts), len(kept))
        listed = admin.ListOutbox(agent_pb2.ListOutboxRequest(
            include_acknowledged=True, page_size=1), timeout=pair.PATIENCE_S)
        self.assertEqual(len(listed.entries), 1)
        self.assert_fails(
            grpc.StatusCode.PERMISSION_DENIED, "METHOD_NOT_ALLOWED",
            self.cluster.product().ListReceipts,
            agent_pb2.ListReceiptsRequest())

    def invoice(self, name, lines):
        path = self.folder / name
        with open(path, "w", newline="") as out:
            writer = csv.DictWriter(out, COLUMNS)
            writer.writeheader()
            writer.writerows(lines)
        return path

    def line(self, entry):
        report = self.show(entry)["consumption"]
        return {
            "account_id": "account", "license_id": "license",
            "cluster_id": self.cluster.cluster_id(),
            "environment_id": "plant", "meter": "RUM_SESSIONS",
            "time_frame_start": report["timeFrame"]["start"],
            "time_frame_end": report["timeFrame"]["end"],
            "quantity": report["environments"][0].get("rumSessions", 0),
            "epoch": entry["epoch"], "sequence": entry["sequence"]}

    def verify(self, name, *lines):
        return self.cluster.cli(
            "usage", "verify", "--invoice", self.invoice(name, lines),
            check=False)

    def test_invoices_are_verified(self):
        self.start_pair()
        self.use(5)
        self.billed_is(5)
        self.nothing_waits()
        self.cluster.stop()
        good = [self.line(e) for e in self.entries("--all")]
        self.assertGreater(sum(int(line["quantity"]) for line in good), 0)
        done = self.verify("good.csv", *good, dict(good[0], cluster_id="other"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("lines of other clusters: 1", done.stdout)
        for name, change, said in (
                ("quantity", {"quantity": 4}, "quantity is 4"),
                ("receipt", {"sequence": 9999}, "no receipt"),
                ("time", {"time_frame_end": "2031-01-01T00:00:00Z"},
                 "time frame"),
                ("unreported", {"environment_id": "other"}, "reported is 0")):
            with self.subTest(name):
                line = next(l for l in good if int(l["quantity"]) == 5)
                done = self.verify(f"{name}.csv", dict(line, **change))
                self.assertEqual(done.returncode, 12, done.stdout + done.stderr)
                self.assertIn(said, done.stdout)
        done = self.verify("bad.csv", dict(good[0], epoch="x"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("line 2", done.stderr)
        # A receipt that somebody has forged proves nothing.
        with sqlite3.connect(self.cluster.dir / "state" / "usage.db") as db:
            db.execute("UPDATE receipt SET document = x'00'")
        done = self.verify("forged.csv", good[0])
        self.assertEqual(done.returncode, 12)
        self.assertIn("proves nothing", done.stdout)

    def test_what_the_vendor_exports_is_verified(self):
        self.start_pair()
        self.use(5)
        self.use(2)
        self.billed_is(7)
        self.nothing_waits()
        path = self.folder / "entries.csv"
        path.write_text(self.mc.mcctl(
            "ledger", "entries", "--cluster", self.cluster.cluster_id(),
            "--output", "csv").stdout)
        with open(path, newline="") as exported:
            lines = list(csv.DictReader(exported))
        self.assertEqual(list(lines[0]), COLUMNS)
        self.assertEqual(sum(int(line["quantity"]) for line in lines
                             if line["meter"] == "RUM_SESSIONS"), 7)
        done = self.cluster.cli("usage", "verify", "--invoice", path,
                                "--output", "json", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout)["compared"], len(lines))

    def test_the_agents_disk_is_restored_from_an_old_copy(self):
        self.start_pair()
        self.use(1)
        self.billed_is(1)
        # The copy has a report that waits.
        self.mc.stop()
        self.use(10)
        pair.eventually(self.entries, "a report waits")
        self.cluster.stop()
        state = self.cluster.dir / "state"
        copy = self.folder / "copy"
        shutil.copytree(state, copy)
        self.cluster.start()
        self.mc.start()
        self.use(100)
        self.billed_is(111)
        self.nothing_waits()
        self.cluster.stop()
        before = self.accepted()

        shutil.rmtree(state)
        shutil.copytree(copy, state)
        self.cluster.start()
        self.use(1000)
        self.billed_is(1111)
        self.nothing_waits()
        after = self.accepted()
        for key, report in before.items():
            self.assertEqual(after[key], report, "no number has a new meaning")
        self.assertGreater(len(after), len(before))

    def accepted(self):
        """All that the service has taken, by its number."""
        reports = self.mc.fleet().ListConsumption(
            fleet_clusters_pb2.ListConsumptionRequest(
                cluster_id=self.cluster.cluster_id(), page_size=1000),
            timeout=pair.PATIENCE_S).reports
        keys = [(r.epoch, r.sequence) for r in reports]
        self.assertEqual(len(keys), len(set(keys)))
        return {(r.epoch, r.sequence): r.SerializeToString() for r in reports}

    def test_the_service_is_restored_from_a_backup(self):
        self.start_pair()
        self.use(1)
        self.billed_is(1)
        self.nothing_waits()
        self.mc.stop()
        store = next(self.mc.dir.rglob("store.db"))
        backup = self.folder / "store.backup"
        shutil.copy(store, backup)
        self.mc.start()
        for sessions in (10, 100):
            before = self.billed()
            self.use(sessions)
            self.billed_is(before + sessions)
        self.nothing_waits()
        self.mc.stop()

        shutil.copy(backup, store)
        for extra in ("-wal", "-shm"):
            store.with_name(store.name + extra).unlink(missing_ok=True)
        with sqlite3.connect(store) as db:
            db.execute("UPDATE store_info SET service_epoch = "
                       "service_epoch + 1")
        db.close()
        self.mc.start()
        self.billed_is(111)
        self.nothing_waits()
        self.assertIn("was restored from a backup",
                      self.cluster.process.output())

    def test_an_unreadable_outbox_is_not_replaced(self):
        self.start_pair()
        self.use(1)
        self.cluster.stop()
        path = self.cluster.dir / "state" / "usage.db"
        size = path.stat().st_size
        for garbage in (b"x" * size, b""):
            path.write_bytes(garbage)
            done = self.cluster.cli("run", check=False)
            self.assertEqual(done.returncode, 13, done.stdout + done.stderr)
            self.assertIn("Restore it from a backup", done.stderr)
            self.assertEqual(path.read_bytes(), garbage)
            done = self.cluster.cli("outbox", "list", check=False)
            self.assertEqual(done.returncode, 13, done.stderr)


if __name__ == "__main__":
    unittest.main()
