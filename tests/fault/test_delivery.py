"""Reports that come late, again, in any order, or changed: each counts once."""

import glob
import queue
import random
import socket
import statistics
import threading
import time
import unittest

import grpc
from missioncontrol.v1 import errors_pb2

import pair
from reports import ReportsTest
from test_foreign_client import ForeignClient, hello


class Gate:
    """A TCP gate in front of a port, which can swallow what the server says
    and then cut the connection."""

    def __init__(self, port):
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._swallow = threading.Event()
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow_answers(self):
        self._swallow.set()

    def cut(self):
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._swallow.clear()

    def close(self):
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            for source, sink, answers in ((client, server, False),
                                          (server, client, True)):
                threading.Thread(target=self._pump, daemon=True,
                                 args=(source, sink, answers)).start()

    def _pump(self, source, sink, answers):
        try:
            while data := source.recv(65536):
                if not (answers and self._swallow.is_set()):
                    sink.sendall(data)
        except OSError:
            pass
        for connection in (source, sink):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class DeliveryTests(ReportsTest):

    def test_shuffled_and_twice_at_the_same_time(self):
        service = self.service()
        client = self.cluster(service)
        requests = [self.usage(client, n, sessions=n) for n in range(1, 201)]
        receipts = [None, None]
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")

        def connection(number):
            shuffled = requests[:]
            random.Random(seed + number).shuffle(shuffled)
            # A pool of its own: else gRPC would take the same connection.
            stub = client.stub([("grpc.use_local_subchannel_pool", 1)])
            receipts[number] = self.send(stub, client, shuffled)

        threads = [threading.Thread(target=connection, args=(n,))
                   for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(receipts[0]), list(range(1, 201)))
        for sequence, receipt in receipts[0].items():
            self.assertTrue(receipt.HasField("consumption"), receipt)
            # But for the pacing, which is not part of what is stored.
            other = receipts[1][sequence]
            receipt.ClearField("pacing")
            other.ClearField("pacing")
            self.assertEqual(receipt, other)
        self.assertEqual(self.billed(service, client), sum(range(1, 201)))
        self.assertEqual(self.findings(service, "--all"), [])

    def test_missing_sequence_and_other_content(self):
        service = self.service()
        client = self.cluster(service)
        stub = client.stub()
        first = self.send(stub, client,
                          [self.usage(client, n) for n in (1, 2, 5)])
        self.assertEqual(len(first), 3)

        # The same key with other content: rejected for good, and a finding.
        changed = self.send(stub, client, [self.usage(client, 2, sessions=9)])
        rejection = changed[2].rejection
        self.assertEqual(rejection.reason,
                         errors_pb2.ERROR_REASON_REPORT_CONFLICT)
        self.assertFalse(rejection.resendable)
        self.assertEqual(self.billed(service, client), 3)
        conflict, = self.findings(service, "--kind", "report_conflict")
        self.assertEqual(conflict["clusterId"], client.cluster_id)
        self.assertEqual(conflict["timeFrame"],
                         {"start": "2026-05-04T12:00:00Z",
                          "end": "2026-05-04T13:00:00Z"})
        again = self.send(stub, client, [self.usage(client, 2)])
        self.assertEqual(again[2], first[2], "the first one is kept")

        # The gap is told after a while, with the time in doubt.
        gaps = pair.eventually(
            lambda: self.findings(service, "--kind", "sequence_gap"),
            "the gap is told")
        self.assertEqual(len(gaps), 1)
        self.assertEqual(gaps[0]["timeFrame"],
                         {"start": "2026-05-04T13:00:00Z",
                          "end": "2026-05-04T15:00:00Z"})
        # A newer epoch fills no gap of the older one.
        self.send(stub, client, [self.usage(client, n, epoch=2)
                                 for n in (1, 2)], epoch=2)
        self.assertEqual(
            len(self.findings(service, "--kind", "sequence_gap")), 1)
        # It survives a restart, and closes when the last one has come.
        service.stop()
        service.start()
        self.send(client.stub(), client, [self.usage(client, 4)])
        self.assertEqual(
            len(self.findings(service, "--kind", "sequence_gap")), 1)
        self.send(client.stub(), client, [self.usage(client, 3)])
        self.assertEqual(self.findings(service, "--kind", "sequence_gap"), [])
        closed, = self.findings(service, "--kind", "sequence_gap", "--all")
        self.assertIn("closedAt", closed)
        self.assertEqual(closed["findingId"], gaps[0]["findingId"])

    def test_greedy_cluster_leaves_others_their_share(self):
        service = self.service()
        greedy = self.cluster(service)
        modest = ForeignClient(self.folder, service, greedy.license_key)
        modest.register()
        backlog = [[self.usage(greedy, stream * 1000 + n)
                    for n in range(1, 1001)] for stream in range(3)]
        feed = queue.SimpleQueue()
        receipts = modest.stub().StreamReports(
            iter(feed.get, None), timeout=pair.PATIENCE_S)
        feed.put(hello(modest))
        self.assertTrue(next(receipts).HasField("welcome"))
        sequence = 0

        def latency():
            nonlocal sequence
            sequence += 1
            begin = time.monotonic()
            feed.put(self.usage(modest, sequence))
            self.assertTrue(next(receipts).receipt.HasField("consumption"))
            return time.monotonic() - begin

        alone = [latency() for _ in range(20)]
        begin = time.monotonic()
        threads = [
            threading.Thread(target=self.send, args=(
                greedy.stub([("grpc.use_local_subchannel_pool", 1)]), greedy,
                reports)) for reports in backlog]
        for thread in threads:
            thread.start()
        beside = []
        while any(thread.is_alive() for thread in threads):
            beside.append(latency())
        took = time.monotonic() - begin
        feed.put(None)
        self.assertEqual(self.billed(service, greedy), 3000)
        print(f"modest cluster: median {statistics.median(alone) * 1e3:.1f} ms "
              f"alone, {statistics.median(beside) * 1e3:.1f} ms beside a "
              f"greedy one, at most {max(beside) * 1e3:.1f} ms; the greedy "
              f"one's 3000 reports took {took * 1e3:.0f} ms")
        # It never waited for the greedy one's backlog.
        self.assertGreater(len(beside), 5)
        self.assertLess(max(beside), took / 2)

    def test_response_is_dropped_after_the_commit(self):
        service = self.service()
        client = self.cluster(service)
        gate = Gate(service.ports["cluster"])
        self.addCleanup(gate.close)
        port, service.ports["cluster"] = service.ports["cluster"], gate.port
        stub = client.stub()
        service.ports["cluster"] = port
        greeted = threading.Event()

        def requests():
            yield hello(client)
            greeted.wait(pair.PATIENCE_S)
            yield self.usage(client, 1, sessions=7)
            finished.wait(pair.PATIENCE_S)

        finished = threading.Event()
        stream = stub.StreamReports(requests(), timeout=pair.PATIENCE_S)
        self.assertTrue(next(stream).HasField("welcome"))
        gate.swallow_answers()
        greeted.set()
        pair.eventually(lambda: self.billed(service, client) == 7,
                        "the report is committed")
        gate.cut()
        with self.assertRaises(grpc.RpcError):
            next(stream)
        finished.set()

        receipts = [
            self.send(client.stub(), client,
                      [self.usage(client, 1, sessions=7)])[1]
            for _ in range(2)]
        self.assertTrue(receipts[0].HasField("consumption"))
        self.assertEqual(receipts[0], receipts[1])
        self.assertEqual(self.billed(service, client), 7)

    def test_replay_after_40_days(self):
        library = next(iter(glob.glob(
            "/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
        if library is None:
            self.skipTest("faketime is not installed; run deploy/packages ci")
        service = self.service(config={
            "certificates": {"cluster_lifetime": "90d"}})
        client = self.cluster(service)
        requests = [self.usage(client, n) for n in range(1, 4)]
        first = self.send(client.stub(), client, requests)
        service.stop()
        service.env = {"LD_PRELOAD": library, "FAKETIME": "+40d",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        service.start()
        again = self.send(client.stub(), client, requests)
        self.assertEqual(again, first)
        changed = self.send(client.stub(), client,
                            [self.usage(client, 1, sessions=2)])
        self.assertEqual(changed[1].rejection.reason,
                         errors_pb2.ERROR_REASON_REPORT_CONFLICT)
        self.assertEqual(self.billed(service, client), 3)


if __name__ == "__main__":
    unittest.main()
