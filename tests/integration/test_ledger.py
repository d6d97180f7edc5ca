"""The ledger: what real reports come to, verified, exported, damaged."""

import csv
import datetime
import io
import json
import sqlite3
import time
import unittest

import pair
from missioncontrol.v1 import (
    common_pb2,
    consumption_pb2,
    reports_pb2,
)
from test_foreign_client import ForeignClient, hello, report, time_frame

GIB = 1 << 30
# The UTC hour in which the test runs: frames of it are of the current period.
HOUR = int(time.time()) // 3600 * 3600
COLUMNS = ["account_id", "license_id", "cluster_id", "environment_id", "meter",
           "meter_id", "unit", "resource_id", "time_frame_start",
           "time_frame_end", "quantity", "epoch", "sequence", "accepted_at"]


def environment(name="env-1", sessions=0, problems=0, hosts=(), monitors=(),
                meters=()):
    """hosts: ID, GiB, from and to in seconds; monitors: ID and successes;
    meters: ID, unit and quantity."""
    return consumption_pb2.EnvironmentConsumption(
        environment_id=name, rum_sessions=sessions, new_problems=problems,
        hosts=[consumption_pb2.HostConsumption(
            host_id=host, memory_bytes=memory * GIB,
            host_category=consumption_pb2.HOST_CATEGORY_FULL_STACK,
            monitored=[time_frame(start, end)])
            for host, memory, start, end in hosts],
        synthetic_monitors=[consumption_pb2.SyntheticMonitorConsumption(
            monitor_id=monitor, success_count=count, failure_count=1,
            type=consumption_pb2.SYNTHETIC_MONITOR_TYPE_HTTP)
            for monitor, count in monitors],
        meters=[consumption_pb2.MeterConsumption(
            meter_id=meter, unit=unit, quantity=quantity)
            for meter, unit, quantity in meters])


def utc(seconds):
    return datetime.datetime.fromtimestamp(
        seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster(ForeignClient):
    """A registered cluster that reports what it is told to."""

    def __init__(self, folder, service, license_key):
        super().__init__(folder, service, license_key)
        self.register()

    def make(self, sequence, *environments, epoch=1, start=HOUR, length=3600):
        return report(
            reports_pb2.LANE_BILLING, sequence, epoch=epoch,
            consumption=consumption_pb2.Consumption(
                cluster_id=self.cluster_id,
                time_frame=time_frame(start, start + length),
                environments=environments))

    def send(self, *messages):
        """Receipts, in order; all messages are of one epoch."""
        epoch = messages[0].report.epoch
        answers = list(self.stub().StreamReports(
            iter([hello(self, epoch=epoch), *messages]),
            timeout=pair.PATIENCE_S))
        receipts = {a.receipt.sequence: a.receipt for a in answers[1:]}
        return [receipts[m.report.sequence] for m in messages]

    def use(self, *args, **kwargs):
        """The answer to one report."""
        (receipt,) = self.send(self.make(*args, **kwargs))
        assert receipt.WhichOneof("result") == "consumption", receipt
        return receipt.consumption


class LedgerTest(pair.PairTest):

    def fleet_of(self, *license_args, clusters=1, **kwargs):
        service = self.service(**kwargs)
        made = service.create_license(*license_args)
        self.license_id = made["license"]["licenseId"]
        return service, [Cluster(self.folder, service, made["licenseKey"])
                         for _ in range(clusters)]

    def usage(self, service, *args):
        """Quantities by cluster, environment and meter."""
        totals = service.mcctl_json("usage", "--license", self.license_id,
                                    "--page-size", "1000", *args)
        return {(t["clusterId"], t["environmentId"],
                 t["meter"].removeprefix("METER_"), t.get("meterId", "")):
                int(t["quantity"]) for t in totals.get("totals", [])}

    def entries(self, service, *args):
        done = service.mcctl("ledger", "entries", "--license", self.license_id,
                             "--output", "csv", *args)
        reader = csv.DictReader(io.StringIO(done.stdout, newline=""))
        rows = list(reader)
        self.assertEqual(reader.fieldnames, COLUMNS)
        return rows

    def verify(self, service):
        return service.mcctl_json("ledger", "verify")

    def test_usage_adds_up_and_is_exported(self):
        service, (first, second) = self.fleet_of(
            "--rum-sessions", "100", "--host-units", "1.5", "--overage",
            "allowed", "--meter", "storage:GiB:10:allowed", clusters=2)
        first.use(1, environment(
            sessions=60, problems=2,
            hosts=[("h1", 16, HOUR, HOUR + 3600),
                   ("h2", 16, HOUR, HOUR + 300),
                   ("h3", 16, HOUR, HOUR + 299)],
            monitors=[("m1", 9), ("m2", 4)],
            meters=[("storage", "GiB", 7), ("calls", "1", 5)]),
            environment("env-2", sessions=1))
        answer = second.use(1, environment(sessions=50), length=600)
        self.assertEqual(answer.state,
                         common_pb2.USAGE_STATE_USING_OVERAGE)
        self.assertEqual(answer.remaining_rum_sessions, 0)
        self.assertEqual(answer.consumed_rum_overage, 11)
        self.assertEqual(answer.host_unit_hours_overage_milli, 500)
        self.assertEqual(answer.environments[0].consumed_rum_sessions, 50)
        # Late usage of the same frame, then what a restored disk sends again.
        first.use(2, environment(sessions=5))
        answer = first.use(1, environment(
            sessions=64, hosts=[("h1", 16, HOUR, HOUR + 1800)]), epoch=2)
        self.assertEqual(answer.environments[0].consumed_rum_sessions, 65)
        self.assertEqual(answer.environments[0].host_units_milli, 2000)
        (again,) = first.send(first.make(1, environment(
            sessions=65), epoch=2))
        self.assertEqual(again.WhichOneof("result"), "rejection")

        (finding,) = service.mcctl_json(
            "findings", "--kind", "usage_overlap")["findings"]
        self.assertEqual(finding["clusterId"], first.cluster_id)

        a, b = first.cluster_id, second.cluster_id
        expected = {
            (a, "env-1", "RUM_SESSIONS", ""): 65,
            (a, "env-1", "PROBLEMS", ""): 2,
            (a, "env-1", "SYNTHETIC_EXECUTIONS", ""): 15,
            (a, "env-1", "HOST_UNIT_HOURS_MILLI", ""): 2000,
            (a, "env-1", "GENERIC", "storage"): 7,
            (a, "env-1", "GENERIC", "calls"): 5,
            (a, "env-2", "RUM_SESSIONS", ""): 1,
            (b, "env-1", "RUM_SESSIONS", ""): 50,
        }
        self.assertEqual(self.usage(service), expected)
        self.assertEqual(
            self.usage(service, "--cluster", b),
            {(b, "env-1", "RUM_SESSIONS", ""): 50})
        self.assertEqual(self.usage(service, "--to", "2020-01-01T00:00:00Z"),
                         {})

        # Pages of two make no difference to an export.
        rows = self.entries(service)
        self.assertEqual(self.entries(service, "--page-size", "2"), rows)
        sums = {}
        for row in rows:
            key = (row["cluster_id"], row["environment_id"], row["meter"],
                   row["meter_id"])
            sums[key] = sums.get(key, 0) + int(row["quantity"])
            self.assertEqual(row["license_id"], self.license_id)
            self.assertEqual(row["time_frame_start"], utc(HOUR))
            self.assertRegex(row["accepted_at"],
                             r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertEqual(sums, expected)
        hosts = {r["resource_id"]: r for r in rows
                 if r["meter"] == "HOST_UNIT_HOURS_MILLI"}
        self.assertEqual(set(hosts), {"h1", "h2"})
        self.assertEqual((hosts["h1"]["epoch"], hosts["h1"]["sequence"]),
                         ("2", "1"), "the last report of the host")
        self.assertEqual(hosts["h2"]["time_frame_end"], utc(HOUR + 3600))

        table = service.mcctl("usage", "--license", self.license_id).stdout
        self.assertIn("HOST_UNIT_HOURS", table)
        lines = list(csv.DictReader(io.StringIO(service.mcctl(
            "usage", "--license", self.license_id, "--output", "csv").stdout)))
        self.assertEqual(len(lines), len(expected))
        self.assertEqual({line["complete"] for line in lines}, {"true"})
        self.assertEqual(
            service.mcctl("cluster", "list", "--output", "csv",
                          check=False).returncode, 2)

        verified = self.verify(service)
        self.assertEqual(verified.get("differences", []), [])
        self.assertEqual(int(verified["checkedReports"]), 4)
        self.assertEqual(int(verified["checkedEntries"]), len(rows))

    def test_damage_is_found_and_a_kill_is_none(self):
        service, (cluster,) = self.fleet_of()
        for sequence in range(1, 6):
            cluster.use(sequence, environment(
                sessions=sequence, hosts=[("h1", 8, HOUR, HOUR + 600)]))
        service.process.kill()
        service.start()
        self.assertEqual(self.verify(service).get("differences", []), [])
        service.stop()
        database = sqlite3.connect(next(service.dir.rglob("store.db")))
        with database:
            database.execute(
                "UPDATE ledger_total SET quantity = quantity + 1 "
                "WHERE meter = 1")
        database.close()
        service.start()
        done = service.mcctl("ledger", "verify", "--output", "json",
                             check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        differences = json.loads(done.stdout)["differences"]
        self.assertEqual(
            [(int(d["expected"]), int(d["found"])) for d in differences],
            [(16, 15), (15, 16)])
        done = service.mcctl("ledger", "verify", "--license", self.license_id,
                             check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 differences", done.stdout)

    def test_license_changes_within_a_period(self):
        service, (cluster,) = self.fleet_of("--rum-sessions", "10")
        self.assertEqual(cluster.use(1, environment(sessions=4))
                         .remaining_rum_sessions, 6)
        reached = cluster.make(2, environment(
            sessions=6, hosts=[("h1", 32, HOUR, HOUR + 3600)]))
        (before,) = cluster.send(reached)
        self.assertEqual(before.consumption.state,
                         common_pb2.USAGE_STATE_QUOTA_REACHED)
        self.assertEqual(before.consumption.host_unit_hours_overage_milli, 0)

        def update(*args, check=True):
            return service.mcctl("license", "update", self.license_id, *args,
                                 check=check)
        for _ in range(2):
            shown = update("--rum-sessions", "12", "--overage", "allowed",
                           "--entitlement", "overage.rum_sessions=5",
                           "--host-units", "1").stdout
        self.assertRegex(shown, r"RUM sessions +12")
        # What was accepted before keeps its answer.
        self.assertEqual(cluster.send(reached), [before])
        answer = cluster.use(3, environment(sessions=3))
        self.assertEqual(answer.remaining_rum_sessions, 0)
        self.assertEqual(answer.consumed_rum_overage, 1)
        self.assertEqual(answer.state, common_pb2.USAGE_STATE_USING_OVERAGE)
        self.assertEqual(answer.host_unit_hours_overage_milli, 0,
                         "in this hour it was unlimited")
        answer = cluster.use(4, environment(sessions=4))
        self.assertEqual(answer.state,
                         common_pb2.USAGE_STATE_OVERAGE_QUOTA_REACHED)
        update("--model", "subscription")
        self.assertEqual(cluster.use(5, environment(sessions=1)).state,
                         common_pb2.USAGE_STATE_USING_OVERAGE)
        # An hour after the change has the new limit.
        later = HOUR + 2 * 3600
        answer = cluster.use(6, environment(
            hosts=[("h1", 32, later, later + 3600)]), start=later)
        self.assertEqual(answer.host_unit_hours_overage_milli, 1000)
        update("--rum-sessions", "unlimited", "--no-end")
        self.assertFalse(cluster.use(7, environment(sessions=1))
                         .HasField("remaining_rum_sessions"))

        # Another reset: the period that runs ends, the next one begins.
        update("--reset", "annual")
        answer = cluster.use(8, environment(sessions=2), start=later)
        self.assertEqual(answer.environments[0].consumed_rum_sessions, 2)
        changed = answer.period.start.seconds
        self.assertGreaterEqual(changed, HOUR)
        self.assertGreater(answer.period.end.seconds - changed, 360 * 86400)
        answer = cluster.use(9, environment(sessions=2))
        self.assertEqual(answer.environments[0].consumed_rum_sessions, 21)
        self.assertEqual(answer.period.end.seconds, changed)
        self.assertEqual(self.verify(service).get("differences", []), [])

        self.assertEqual(update("--rum-sessions", "many",
                                check=False).returncode, 2)
        service.mcctl("license", "revoke", self.license_id)
        self.assertEqual(update("--no-end", check=False).returncode, 6)

    def test_periods_are_of_the_calendar_or_of_the_license(self):
        service, (monthly,) = self.fleet_of()
        month = datetime.datetime.fromtimestamp(
            HOUR, datetime.timezone.utc).replace(day=1, hour=0)
        last = int(month.timestamp()) - 3600
        answer = monthly.use(1, environment(sessions=3), start=last)
        self.assertEqual(answer.period.end.seconds, last + 3600)
        monthly.use(2, environment(sessions=4))
        totals = service.mcctl_json("usage", "--license", self.license_id)
        self.assertEqual([int(t["quantity"]) for t in totals["totals"]],
                         [4, 3], "the newest first")
        self.assertEqual(totals["totals"][0]["period"]["start"],
                         utc(last + 3600))
        self.assertEqual([int(t["quantity"]) for t in service.mcctl_json(
            "usage", "--license", self.license_id, "--to",
            utc(last + 3600))["totals"]], [3])

        made = service.create_license("--reset", "annual", name="annual")
        annual = Cluster(self.folder, service, made["licenseKey"])
        day = HOUR // 86400 * 86400
        # Created today: yesterday was in the year before.
        answer = annual.use(1, environment(sessions=5), start=day - 3600)
        self.assertEqual(answer.period.end.seconds, day)
        answer = annual.use(2, environment(sessions=6))
        self.assertEqual(answer.period.start.seconds, day)
        self.assertEqual(answer.environments[0].consumed_rum_sessions, 6)
        self.assertEqual(self.verify(service).get("differences", []), [])

    def test_period_with_a_gap_is_not_complete(self):
        service, (cluster,) = self.fleet_of()

        def complete():
            totals = service.mcctl_json(
                "usage", "--license", self.license_id)["totals"]
            return {t.get("complete", False) for t in totals}
        cluster.use(1, environment(sessions=1))
        self.assertEqual(complete(), {True})
        cluster.use(3, environment(sessions=1))
        self.assertEqual(complete(), {False})
        cluster.use(2, environment(sessions=1))
        self.assertEqual(complete(), {True})

    def test_what_an_agent_reports_is_in_the_ledger(self):
        service = self.service()
        made = service.create_license()
        self.license_id = made["license"]["licenseId"]
        agent = self.agent(service, made["licenseKey"])
        agent.use()
        agent.use()
        pair.eventually(
            lambda: sum(int(r["quantity"]) for r in self.entries(service)) == 2,
            "both sessions are in the ledger")
        self.assertEqual(
            set(self.usage(service)),
            {(agent.cluster_id(), "plant", "RUM_SESSIONS", "")})
        self.assertEqual(self.verify(service).get("differences", []), [])


if __name__ == "__main__":
    unittest.main()
