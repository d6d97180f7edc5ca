"""Clusters that report without a pause, as their own model of what is billed.

They are this file's own client, so that the service alone is killed: what has
no receipt is sent again with the same bytes, as an agent does.
"""

import queue
import random
import sqlite3
import threading
import time

import grpc
from missioncontrol.v1 import (
    cluster_service_pb2_grpc,
    consumption_pb2,
    reports_pb2,
)

from test_foreign_client import HOUR, ForeignClient, hello, report, time_frame

WINDOW = 24


class ReportingCluster:
    """A thread that keeps WINDOW reports in flight until it is told to stop,
    and then until each has its receipt."""

    def __init__(self, folder, service, license_key):
        self.client = ForeignClient(folder, service, license_key)
        self.client.register()
        self.cluster_id = self.client.cluster_id
        self._over = threading.Event()
        self._lock = threading.Lock()
        # By sequence: what is billed once it is accepted.
        self.sessions = {}
        self._unacknowledged = {}
        self.rejections = []
        self.repeats = 0
        self._random = random.Random(self.cluster_id)
        self._thread = threading.Thread(target=self._run)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        """Returns when every report has its receipt."""
        self._over.set()
        self._thread.join()

    def unacknowledged(self):
        with self._lock:
            return len(self._unacknowledged)

    def _next(self):
        with self._lock:
            if self._over.is_set() or len(self._unacknowledged) >= WINDOW:
                return None
            sequence = len(self.sessions) + 1
            sessions = self._random.randint(1, 9)
            start = HOUR + sequence
            request = report(
                reports_pb2.LANE_BILLING, sequence,
                consumption=consumption_pb2.Consumption(
                    cluster_id=self.cluster_id,
                    time_frame=time_frame(start, start + 1),
                    environments=[consumption_pb2.EnvironmentConsumption(
                        environment_id="plant", rum_sessions=sessions)]))
            self.sessions[sequence] = sessions
            self._unacknowledged[sequence] = request
            return request

    def _run(self):
        while not self._over.is_set() or self.unacknowledged():
            try:
                self._stream()
            except grpc.RpcError:
                time.sleep(0.02)

    def _stream(self):
        channel = self.client.service.channel(
            "cluster", self.client.tls_cert, self.client.tls_key)
        outgoing = queue.SimpleQueue()
        outgoing.put(hello(self.client))
        try:
            stub = cluster_service_pb2_grpc.ClusterServiceStub(channel)
            answers = stub.StreamReports(iter(outgoing.get, None), timeout=60)
            assert next(answers).WhichOneof("message") == "welcome"
            with self._lock:
                again = list(self._unacknowledged.values())
            self.repeats += len(again)
            for request in again:
                outgoing.put(request)
            while (request := self._next()) is not None:
                outgoing.put(request)
            while self.unacknowledged():
                receipt = next(answers).receipt
                if receipt.HasField("rejection"):
                    if not receipt.rejection.resendable:
                        self.rejections.append(receipt.rejection)
                    raise grpc.RpcError()
                with self._lock:
                    self._unacknowledged.pop(receipt.sequence, None)
                while (request := self._next()) is not None:
                    outgoing.put(request)
        except StopIteration:
            raise grpc.RpcError() from None
        finally:
            outgoing.put(None)
            channel.close()


def billed(store, cluster_id):
    """Sessions that a service's store has of a cluster, and its reports."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=60) as db:
        return db.execute(
            "SELECT coalesce(sum(rum_sessions), 0), count(*) "
            "FROM consumption_environment AS e "
            "JOIN consumption_report AS r ON r.id = e.parent "
            "WHERE r.cluster_id = ?", (cluster_id,)).fetchone()


def ledger_sessions(store, cluster_id):
    """The same by the ledger's entries; METER_RUM_SESSIONS is 1."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=60) as db:
        return db.execute(
            "SELECT coalesce(sum(quantity), 0) FROM ledger_entry "
            "JOIN cluster ON cluster.id = cluster_row "
            "WHERE cluster_id = ? AND meter = 1", (cluster_id,)).fetchone()[0]
