"""Every request field of Heartbeat, HealthCheck, Consumption and ClusterEvents
arrives.

Filled by a generator over the descriptors, sent by a registered cluster, read
back through FleetService.
"""

import datetime
import unittest

from missioncontrol.v1 import (
    consumption_pb2,
    events_pb2,
    fleet_clusters_pb2,
    fleet_operations_pb2,
    health_pb2,
    heartbeat_pb2,
    reports_pb2,
)

import pair
from filler import Filler
from test_foreign_client import HOUR, ForeignClient, hello, report


class EveryFieldTest(pair.PairTest):

    def test_every_field_arrives_and_is_read_back(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        client = ForeignClient(self.folder, service, key)
        client.register()
        overrides = {
            f"missioncontrol.v1.{message}.cluster_id": client.cluster_id
            for message in ("HealthCheck", "Consumption",
                            "StreamHeartbeatsRequest")}
        overrides["missioncontrol.v1.UpdateWindow.start_minute"] = 1439
        base = datetime.datetime.utcfromtimestamp(HOUR)
        filler = Filler(base, overrides)
        health = filler.fill(health_pb2.HealthCheck())
        consumption = filler.fill(consumption_pb2.Consumption())
        # Intervals lie within the report's time frame, in order.
        consumption.time_frame.start.FromDatetime(base)
        consumption.time_frame.end.FromDatetime(
            base + datetime.timedelta(hours=1))
        for environment in consumption.environments:
            for host in environment.hosts:
                for i, interval in enumerate(host.monitored):
                    interval.start.FromDatetime(
                        base + datetime.timedelta(minutes=10 * i, seconds=1))
                    interval.end.FromDatetime(
                        base + datetime.timedelta(minutes=10 * i + 7))
        beat = filler.fill(heartbeat_pb2.StreamHeartbeatsRequest())
        self.assertGreater(len(filler.filled), 90)

        stub = client.stub()
        answers = list(stub.StreamReports(iter([
            hello(client),
            report(reports_pb2.LANE_BILLING, 1, consumption=consumption),
            report(reports_pb2.LANE_HEALTH, 1, health_check=health),
        ]), timeout=pair.PATIENCE_S))
        for answer in answers[1:]:
            self.assertFalse(answer.receipt.HasField("rejection"),
                             str(answer.receipt))
        self.assertEqual(len(answers), 3)
        self.assertEqual(len(list(stub.StreamHeartbeats(
            iter([beat]), timeout=pair.PATIENCE_S))), 1)

        fleet = service.fleet()
        stored = fleet.ListHealthReports(
            fleet_clusters_pb2.ListHealthReportsRequest(
                cluster_id=client.cluster_id), timeout=pair.PATIENCE_S)
        self.assertEqual([r.health_check for r in stored.reports], [health])
        listed = fleet.ListConsumption(
            fleet_clusters_pb2.ListConsumptionRequest(
                cluster_id=client.cluster_id), timeout=pair.PATIENCE_S)
        self.assertEqual([r.consumption for r in listed.reports],
                         [consumption])

        def presence():
            shown = fleet.GetCluster(fleet_clusters_pb2.GetClusterRequest(
                cluster_id=client.cluster_id), timeout=pair.PATIENCE_S)
            return [(n.cluster_id, n.node_id, n.source_type,
                     n.agent_instance_id)
                    for n in shown.nodes]
        pair.eventually(
            lambda: presence() == [
                (beat.cluster_id, beat.node_id, beat.source_type,
                 beat.agent_instance_id)],
            "the beat is in the store")

        # From typed columns: no column of the store holds a serialized report.
        database = next(service.dir.rglob("*.db"))
        for message in (health, consumption):
            blob = message.SerializeToString()
            for file in database.parent.glob(database.name + "*"):
                self.assertNotIn(blob, file.read_bytes(), file.name)

    def test_every_field_of_every_type_of_event(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        client = ForeignClient(self.folder, service, key)
        client.register()
        base = datetime.datetime.utcfromtimestamp(HOUR)
        filler = Filler(base, {
            "missioncontrol.v1.ClusterEvent.type": 0,
            # Of any sign.
            "missioncontrol.v1.ClockEventDetails.offset_milliseconds": -7250})
        # Each type, and with them each kind of details again and again.
        details = events_pb2.ClusterEvent.DESCRIPTOR.oneofs_by_name[
            "details"].fields
        types = [v.number for v in events_pb2.ClusterEventType.DESCRIPTOR.values
                 if v.number]
        self.assertGreater(len(types), len(details))
        sent = events_pb2.ClusterEvents(cluster_id=client.cluster_id)
        for i, number in enumerate(types):
            event = filler.fill(sent.events.add())
            event.type = number
            kind = details[i % len(details)].name
            event.ClearField("connection")
            getattr(event, kind).SetInParent()
            filler.fill(getattr(event, kind))
        stub = client.stub()
        answers = list(stub.StreamReports(iter([
            hello(client),
            report(reports_pb2.LANE_EVENTS, 1, cluster_events=sent),
        ]), timeout=pair.PATIENCE_S))
        self.assertEqual(answers[1].receipt.WhichOneof("result"),
                         "cluster_events", str(answers[1]))
        listed = service.fleet().ListEvents(
            fleet_operations_pb2.ListEventsRequest(
                cluster_id=client.cluster_id), timeout=pair.PATIENCE_S).events
        self.assertEqual([e.event for e in reversed(listed)],
                         list(sent.events))
        for event in listed:
            self.assertEqual(event.cluster_id, client.cluster_id)
            self.assertTrue(event.HasField("received_at"))
        # From typed columns.
        database = next(service.dir.rglob("*.db"))
        for file in database.parent.glob(database.name + "*"):
            self.assertNotIn(sent.events[0].SerializeToString(),
                             file.read_bytes(), file.name)


if __name__ == "__main__":
    unittest.main()
