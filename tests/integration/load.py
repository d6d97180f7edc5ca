"""A product that records usage without a pause and loses nothing."""

import threading
import time
import uuid

import grpc
from missioncontrol.v1 import agent_pb2, fleet_clusters_pb2

import pair


class ProductLoad:
    """Threads that record one session after the other, each until it is
    acknowledged, whatever happens to the agent meanwhile."""

    THREADS = 4

    def __init__(self, product):
        self._product = product
        self._over = threading.Event()
        self._totals = [0] * self.THREADS
        self._threads = [threading.Thread(target=self._record, args=(i,))
                         for i in range(self.THREADS)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """What was acknowledged."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return sum(self._totals)

    def acknowledged(self):
        """What was acknowledged so far."""
        return sum(self._totals)

    def _record(self, thread):
        product = None
        while not self._over.is_set():
            request = agent_pb2.RecordUsageRequest(records=[
                agent_pb2.UsageRecord(idempotency_key=str(uuid.uuid4()),
                                      environment_id="plant",
                                      rum_sessions=1)])
            while True:
                try:
                    product = product or self._product()
                    product.RecordUsage(request, timeout=5)
                    self._totals[thread] += 1
                    break
                except grpc.RpcError:
                    product = None
                    time.sleep(0.02)


def billed_sessions(fleet, cluster_id):
    """What the service's store has of a cluster, all reports together."""
    reports = fleet.ListConsumption(
        fleet_clusters_pb2.ListConsumptionRequest(
            cluster_id=cluster_id, page_size=1000),
        timeout=pair.PATIENCE_S).reports
    return sum(e.rum_sessions for r in reports
               for e in r.consumption.environments)
