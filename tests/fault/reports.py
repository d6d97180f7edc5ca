"""Reports as a client sends them that is not our agent."""

from google.protobuf.timestamp_pb2 import Timestamp
from missioncontrol.v1 import (
    consumption_pb2,
    fleet_clusters_pb2,
    reports_pb2,
)

import pair
from test_foreign_client import ForeignClient, hello, report, time_frame

# 2026-05-04 10:00:00 UTC
HOUR = 1777888800


class ReportsTest(pair.PairTest):

    def cluster(self, service, *license_options):
        client = ForeignClient(
            self.folder, service,
            service.create_license(*license_options)["licenseKey"])
        client.register()
        return client

    @staticmethod
    def usage(client, sequence, sessions=1, epoch=1):
        """The same bytes whenever it is called; sequence n has the hour n."""
        consumption = consumption_pb2.Consumption(
            cluster_id=client.cluster_id,
            time_frame=time_frame(HOUR + 3600 * sequence,
                                  HOUR + 3600 * (sequence + 1)),
            environments=[consumption_pb2.EnvironmentConsumption(
                environment_id="env", rum_sessions=sessions)])
        request = report(reports_pb2.LANE_BILLING, sequence, epoch,
                         consumption=consumption)
        request.report.created_at.CopyFrom(
            Timestamp(seconds=HOUR + 3600 * (sequence + 1)))
        return request

    @staticmethod
    def send(stub, client, requests, epoch=1):
        """Sends the reports on a stream; the receipts by sequence."""
        answers = list(stub.StreamReports(
            iter([hello(client, epoch), *requests]), timeout=pair.PATIENCE_S))
        return {a.receipt.sequence: a.receipt for a in answers[1:]}

    @staticmethod
    def billed(service, client):
        """What the service's store has of the cluster."""
        fleet = service.fleet()
        request = fleet_clusters_pb2.ListConsumptionRequest(
            cluster_id=client.cluster_id, page_size=1000)
        sessions = 0
        while True:
            page = fleet.ListConsumption(request, timeout=pair.PATIENCE_S)
            sessions += sum(e.rum_sessions for r in page.reports
                            for e in r.consumption.environments)
            if not page.next_page_token:
                return sessions
            request.page_token = page.next_page_token

    @staticmethod
    def findings(service, *options):
        return service.mcctl_json("findings", *options).get("findings", [])
