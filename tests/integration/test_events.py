"""ClusterEvents from the agent's outbox to the operators' list."""

import glob
import json
import random
import sqlite3
import time
import unittest
import uuid

import grpc
from missioncontrol.v1 import agent_pb2, events_pb2, fleet_operations_pb2

import pair

FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")),
                None)


def event(event_id=None, **fields):
    return events_pb2.ClusterEvent(
        event_id=event_id or str(uuid.uuid4()),
        **{"type": events_pb2.CLUSTER_EVENT_TYPE_UPDATE_STARTED, **fields})


class EventsTest(pair.PairTest):

    def both(self, **kwargs):
        service = self.service()
        key = service.create_license()["licenseKey"]
        return service, self.agent(service, key, **kwargs)

    def at_service(self, service, **filters):
        """All events that the operators see, the oldest first."""
        fleet = service.fleet()
        found = []
        token = ""
        while True:
            page = fleet.ListEvents(fleet_operations_pb2.ListEventsRequest(
                page_size=1000, page_token=token, **filters),
                timeout=pair.PATIENCE_S)
            found += [e.event for e in page.events]
            token = page.next_page_token
            if not token:
                return found[::-1]

    def at_site(self, agent):
        """All events that the agent lists, the oldest first, as JSON."""
        found = []
        token = ""
        while True:
            page = json.loads(agent.cli(
                "events", "--output", "json", "--page-size", "1000",
                *(("--page-token", token) if token else ())).stdout)
            found += page.get("events", [])
            token = page.get("nextPageToken")
            if not token:
                return found[::-1]

    def of_type(self, service, name):
        number = events_pb2.ClusterEventType.Value("CLUSTER_EVENT_TYPE_" + name)
        return self.at_service(service, type=number)

    def site_of_type(self, agent, name):
        return [e for e in self.at_site(agent)
                if e["event"]["type"] == "CLUSTER_EVENT_TYPE_" + name]

    def record(self, agent, events):
        """Until it is acknowledged, whatever happens to the agent."""
        request = agent_pb2.RecordEventsRequest(events=events)
        while True:
            try:
                return agent.product().RecordEvents(request, timeout=5)
            except grpc.RpcError:
                time.sleep(0.05)

    def wait_until_started_is_known(self, service):
        pair.eventually(lambda: self.of_type(service, "NODE_STARTED"),
                        "the start is known to the service")

    def test_a_lost_connection_is_told_with_its_duration(self):
        service, agent = self.both()
        self.wait_until_started_is_known(service)
        service.stop()
        lost_at = time.monotonic()
        lost = pair.eventually(
            lambda: self.site_of_type(agent, "CONNECTION_LOST"),
            "the agent has told that the connection is lost")
        self.assertGreater(time.monotonic() - lost_at, 4, "a blip is not told")
        self.assertFalse(lost[0].get("acknowledged", False))
        # The outage goes on over a restart of the agent.
        agent.process.kill()
        agent.start()
        agent.wait_for_socket()
        service.start()
        restored = pair.eventually(
            lambda: self.of_type(service, "CONNECTION_RESTORED"),
            "the service knows that the connection is back")
        lasted = time.monotonic() - lost_at
        self.assertEqual(len(restored), 1)
        outage = restored[0].connection.outage
        self.assertGreater(outage.seconds + outage.nanos / 1e9, 4.9)
        self.assertLess(outage.seconds + outage.nanos / 1e9, lasted + 1)
        self.assertEqual(restored[0].severity, events_pb2.SEVERITY_INFO)

        # The same in both listings.
        def all_acknowledged():
            return all(e.get("acknowledged") for e in self.at_site(agent))
        pair.eventually(all_acknowledged, "everything is acknowledged")
        for name in ("CONNECTION_LOST", "CONNECTION_RESTORED"):
            self.assertEqual(
                [e["event"]["eventId"] for e in self.site_of_type(agent, name)],
                [e.event_id for e in self.of_type(service, name)])
        self.assertEqual(
            [e.severity for e in self.of_type(service, "CONNECTION_LOST")],
            [events_pb2.SEVERITY_WARNING])
        text = agent.cli("events").stdout
        self.assertIn("CONNECTION_RESTORED", text)
        self.assertIn("lasted ", text)
        text = service.mcctl("events", "--type", "connection_restored").stdout
        self.assertIn("lasted ", text)
        self.assertNotIn("NODE_STARTED", text)
        severe = service.mcctl_json("events", "--severity", "warning",
                                    "--cluster", agent.cluster_id())
        self.assertIn("CLUSTER_EVENT_TYPE_CONNECTION_LOST",
                      [e["event"]["type"] for e in severe["events"]])
        self.assertNotIn("SEVERITY_INFO",
                         [e["event"]["severity"] for e in severe["events"]])

    def test_nothing_is_lost_or_doubled_by_kills(self):
        service, agent = self.both()
        agent.product()
        told = []
        for turn in range(6):
            for _ in range(10):
                events = [event() for _ in range(5)]
                self.record(agent, events)
                told += [e.event_id for e in events]
                # A product that got no answer says it again.
                if random.random() < 0.3:
                    again = self.record(agent, events)
                    self.assertEqual((again.recorded, again.repeated), (0, 5))
            victim = agent if turn % 2 else service
            victim.process.kill()
            victim.start()
            agent.wait_for_socket()

        def arrived():
            return len(self.of_type(service, "UPDATE_STARTED")) >= len(told)
        pair.eventually(arrived, "all events are at the service")
        found = [e.event_id for e in self.of_type(service, "UPDATE_STARTED")]
        self.assertEqual(sorted(found), sorted(told))

    def test_beyond_the_bound_the_oldest_go_and_the_gap_is_declared(self):
        service, agent = self.both(config={"outbox": {"max_events": 100}})
        self.wait_until_started_is_known(service)
        service.stop()
        told = []
        for turn in range(7):
            events = [event() for _ in range(50)]
            self.record(agent, events)
            told += [e.event_id for e in events]
            if turn == 3:
                agent.process.kill()
                agent.start()
        service.start()
        pair.eventually(
            lambda: told[-1] in [e.event_id for e in self.at_service(service)],
            "the newest is at the service")
        found = [e.event_id for e in self.of_type(service, "UPDATE_STARTED")]
        # Some of the last 100 places are the agent's own events'.
        self.assertEqual(found, told[-len(found):])
        self.assertGreater(len(found), 80)
        self.assertLessEqual(len(found), 100)
        trouble = pair.eventually(
            lambda: self.of_type(service, "OUTBOX_TROUBLE"),
            "the service knows that events were dropped")
        self.assertIn("dropped", trouble[0].outbox.problem)
        self.assertGreater(trouble[0].outbox.affected_rows, 0)
        # Every number was accepted or is declared as dropped.
        with sqlite3.connect(next(service.dir.rglob("*.db"))) as database:
            accepted = [row[0] for row in database.execute(
                "SELECT sequence FROM report WHERE lane = 2")]
            ranges = list(database.execute(
                "SELECT first_sequence, last_sequence FROM dropped_events"))
        self.assertTrue(ranges)
        dropped = {n for first, last in ranges for n in range(first, last + 1)}
        self.assertEqual(sorted(dropped | set(accepted)),
                         list(range(1, max(accepted) + 1)))

    def test_without_permission_events_stay_in_the_site(self):
        service, agent = self.both(
            config={"privacy_settings": {"cluster_events": "denied"}})
        told = event()
        self.record(agent, [told])
        # What comes later has come: a health check, and consumption.
        agent.use()
        pair.eventually(
            lambda: all(x.get("succeeded") for x in agent.status().get(
                "exchanges", [{}]) if x.get("name") in (
                    "health_check", "consumption")),
            "the other exchanges took place")
        self.assertEqual(self.at_service(service), [])
        listed = self.at_site(agent)
        self.assertIn(told.event_id, [e["event"]["eventId"] for e in listed])
        self.assertFalse([e for e in listed if e.get("acknowledged")])
        self.assertNotIn("LANE_EVENTS", agent.cli(
            "outbox", "list", "--output", "json").stdout)

    def test_a_wrong_clock_is_told_in_milliseconds(self):
        if FAKETIME is None:
            self.skipTest("faketime is not installed; run deploy/packages ci")
        service, agent = self.both(env={
            "LD_PRELOAD": FAKETIME, "FAKETIME": "+90s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        told = pair.eventually(
            lambda: self.of_type(service, "CLOCK_OUT_OF_SYNC"),
            "the service knows that the clock is off")
        self.assertAlmostEqual(told[0].clock.offset_milliseconds, 90000,
                               delta=1500)
        self.assertEqual(told[0].severity, events_pb2.SEVERITY_WARNING)
        # Some more checks of the license change nothing.
        def checked():
            return next((int(x.get("succeeded", 0))
                         for x in agent.status().get("exchanges", [])
                         if x.get("name") == "license"), 0)
        before = checked()
        pair.eventually(lambda: checked() >= before + 2, "two more checks")
        self.assertEqual(len(self.of_type(service, "CLOCK_OUT_OF_SYNC")), 1)
        self.assertIn("ms ahead", agent.cli("events").stdout)

    def test_the_product_tells_events(self):
        service, agent = self.both()
        agent.wait_for_socket()
        done = agent.cli("record-event", "--type", "update_failed",
                         "--severity", "severe", "--id", "my-event",
                         "--node", "node-7")
        self.assertIn("Recorded 1", done.stdout)
        again = agent.cli("record-event", "--type", "update_failed", "--id",
                          "my-event", "--output", "json")
        self.assertEqual(json.loads(again.stdout), {"repeated": 1})
        agent.cli("record-event", "--file", "-", stdin=json.dumps({"events": [{
            "type": "CLUSTER_EVENT_TYPE_UPDATE_FINISHED",
            "update": {"fromVersion": "1.0", "toVersion": "1.1"}}]}))
        found = pair.eventually(
            lambda: self.of_type(service, "UPDATE_FINISHED"),
            "the event is at the service")
        self.assertEqual(found[0].update.to_version, "1.1")
        failed = self.of_type(service, "UPDATE_FAILED")
        self.assertEqual([(e.event_id, e.node_id, e.severity) for e in failed],
                         [("my-event", "node-7", events_pb2.SEVERITY_SEVERE)])
        for arguments in (("--type", "nonsense"), (),
                          ("--type", "update_failed", "--severity", "mild"),
                          ("--type", "update_failed", "--id", "no id")):
            done = agent.cli("record-event", *arguments, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
        self.assert_fails(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD",
            agent.product().RecordEvents,
            agent_pb2.RecordEventsRequest(events=[event()] * 101))
        self.assert_fails(
            grpc.StatusCode.PERMISSION_DENIED, "METHOD_NOT_ALLOWED",
            agent.product().ListRecordedEvents,
            agent_pb2.ListRecordedEventsRequest())


if __name__ == "__main__":
    unittest.main()
