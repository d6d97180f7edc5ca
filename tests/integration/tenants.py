"""Valid calls in the name of one cluster.

A client is a ForeignClient that was registered, with what its registration told
it, a number of its own and the sequence of its last report.
"""

import datetime
import uuid

from missioncontrol.v1 import options_pb2, reports_pb2

from filler import Filler
from test_foreign_client import HOUR, hello


class Values(Filler):
    """Valid messages in the name of one cluster."""

    def __init__(self, client, **changes):
        super().__init__(datetime.datetime.utcfromtimestamp(HOUR))
        # The names of one are not the names of another.
        self.count = client.number * 10000
        self.of_name = {
            "cluster_id": client.cluster_id,
            "license_key": client.license_key,
            "user_name": client.user_name,
            "password": client.password,
            "page_token": "",
            "page_size": 10,
            "certificate_signing_request": client.csr_der,
            "site_public_key": client.site_key_raw,
            # The password is enough.
            "previous_certificate": b"",
            "previous_key_signature": b"",
            **changes,
        }

    def scalar(self, field):
        if field.name in self.of_name:
            return self.of_name[field.name]
        return super().scalar(field)

    def text(self, field):
        if field.GetOptions().Extensions[options_pb2.format]:
            return super().text(field)
        # Operators' messages declare no formats.
        return f"{field.name.replace('_', '-')}-{self.next()}"


def conversations(client, message, **changes):
    """Valid requests of one call, for each kind of message there is."""
    if message is None:
        return [[]]
    if message.DESCRIPTOR.full_name == (
            "missioncontrol.v1.StreamReportsRequest"):
        return [[hello(client), request]
                for request in reports(client)]
    return [[Values(client, **changes).fill(message())]]


def reports(client):
    envelope = reports_pb2.ReportEnvelope
    lanes = {"health_check": reports_pb2.LANE_HEALTH,
             "consumption": reports_pb2.LANE_BILLING,
             "cluster_events": reports_pb2.LANE_EVENTS}
    payloads = envelope.DESCRIPTOR.oneofs_by_name["payload"].fields
    # One that is added needs its lane here.
    assert {f.name for f in payloads} == set(lanes)
    client.sequence += 1
    for field in payloads:
        request = reports_pb2.StreamReportsRequest()
        report = request.report
        report.lane, report.epoch = lanes[field.name], 1
        report.sequence = client.sequence
        report.created_at.GetCurrentTime()
        values = Values(client, start_minute=600, type=0)
        payload = values.fill(getattr(report, field.name))
        if field.name == "consumption":
            settle(payload, values.base, client.sequence)
        for event in getattr(payload, "events", ()):
            event.type = 1
            event.event_id = str(uuid.UUID(int=values.next() + (
                client.sequence << 64)))
        yield request


def settle(consumption, base, number):
    """Times of a report lie within its frame; a frame of its own each."""
    start = base + datetime.timedelta(seconds=number)
    consumption.time_frame.start.FromDatetime(start)
    consumption.time_frame.end.FromDatetime(
        start + datetime.timedelta(seconds=1))
    for environment in consumption.environments:
        for monitor in environment.synthetic_monitors:
            monitor.type = 1
        for host in environment.hosts:
            del host.monitored[:]
            interval = host.monitored.add()
            interval.CopyFrom(consumption.time_frame)
