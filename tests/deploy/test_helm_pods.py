"""The rendered pods of both charts run, and exchange with each other."""

import contextlib
import importlib.util
import json
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import unittest

import charts
import containers
import pair
import pods
from charts import of_kind, one

EXCHANGES = {"INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
             "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"}
# Every exchange within seconds.
SCHEDULE = {"heartbeat": "1s", "heartbeatWithoutRemoteAccess": "1s",
            "license": "1s", "healthCheck": "1s", "updates": "1s",
            "consumptionTimeFrame": "5s", "backoffInitial": "100ms",
            "backoffMax": "1s"}


def image(name):
    return {"image": {"repository": f"localhost/{name}", "tag": containers.TAG,
                      "pullPolicy": "Never"}}


class PodsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.engine = containers.Engine()
        cls.engine.build()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mission-control-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)
        self.network = pods.Network()
        self.addCleanup(self.network.close)
        self.pods = []
        self.names = []

    def show(self):
        for pod in self.pods:
            print(f"--- {pod.name} (end)\n{pod.logs()[-5000:]}"
                  f"{pod.last_probe}", file=sys.stderr)

    def pod(self, name, controller, objects):
        self.names += [f"{found['metadata']['name']}"
                       for found in of_kind(objects, "Service")
                       if found["metadata"]["name"] not in self.names]
        pod = pods.Pod(self.engine, self.network, self.folder, name,
                       controller, objects, self.names)
        self.pods.append(pod)
        self.addCleanup(pod.remove)
        return pod.start()

    def wait(self, check, what):
        try:
            return pair.eventually(check, what)
        except AssertionError:
            self.show()
            raise

    def start_service(self):
        objects = charts.render("mission-control", {
            **image("mc-service"), "writeBehindInterval": "1s"})
        service = self.pod("mc", one(objects, "StatefulSet"), objects)
        self.wait(lambda: service.probe("readinessProbe"),
                  "the service is ready")
        return service

    def mcctl(self, *arguments):
        return json.loads(self.pods[0].exec(
            "mcctl", "--config", "/var/lib/mission-control/state/mcctl.yaml",
            *arguments, "--output", "json").stdout)

    def agent_objects(self, nodes):
        account = self.mcctl("account", "create", "--name", "Customer")
        key = self.mcctl("license", "create", "--account",
                         account["account"]["accountId"], "--name",
                         "production")["licenseKey"]
        ca = self.pods[0].exec("mc-service", "server-ca", "--config",
                               "/etc/mission-control/mc-service.yaml").stdout
        return charts.render("cluster-agent", {
            **image("cluster-agent"),
            "license": {"key": key},
            "service": {"enrollment": "test-mission-control-enrollment:8442",
                        "cluster": "test-mission-control-cluster:8443",
                        "ca": ca},
            "schedule": SCHEDULE,
            "site": {"reportInterval": "1s", "silentAfter": "5s"},
            "nodes": {"enabled": nodes},
            "inventory": {"environments": [
                {"environment_id": "plant", "hosts": [
                    {"host_id": "press", "host_category": "full_stack",
                     "memory_bytes": 17179869184}]}]},
        })

    def succeeded(self):
        return {count["exchange"].removeprefix("EXCHANGE_"):
                int(count.get("succeeded", 0))
                for count in self.mcctl("exchanges").get("counts", [])
                if int(count.get("succeeded", 0)) > 0}

    def wait_for_exchanges(self, more_than=None):
        before = more_than or {}
        # Not at intervals; a restart that is this short is no event.
        once = {"INSTALLATION", "REGISTRATION", "CLUSTER_EVENTS"}

        def all_of_them():
            now = self.succeeded()
            return all(now.get(name, 0) > (0 if name in once
                                           else before.get(name, 0))
                       for name in EXCHANGES)

        self.wait(all_of_them, "every exchange succeeded")

    def test_service_and_agents_exchange(self):
        service = self.start_service()
        with_nodes = "\n  node " in pair.run(
            pair.BIN / "cluster-agent", "--help").stdout
        objects = self.agent_objects(with_nodes)
        master = self.pod("master", one(objects, "StatefulSet"), objects)
        self.wait_for_exchanges()
        # The front has met the agent, and sees nothing of the state.
        for path in ("state/store.db", "state/ca/cluster-ca.key"):
            self.assertFalse(self.has(service, 1, path))
            self.assertTrue(self.has(service, 0, path))
        for probe in ("startupProbe", "readinessProbe"):
            self.assertTrue(master.probe(probe), probe)
        if with_nodes:
            self.node_joins(objects)

        # A new pod on the same volume goes on with the same state: the agent
        # comes back by itself.
        before = self.succeeded()
        self.assertEqual(service.stop(), 0, service.logs())
        service.remove()
        service.start()
        self.wait(lambda: service.probe("readinessProbe"),
                  "the service is ready again")
        self.wait_for_exchanges(more_than=before)
        self.assertEqual(len(self.mcctl("cluster", "list")["clusters"]), 1)
        self.assertEqual(master.stop(), 0, master.logs())

    def has(self, pod, index, path):
        """Whether a container sees a file of the state; there is no shell."""
        pid = self.engine.podman("inspect", "--format", "{{.State.Pid}}",
                                 pod.container(index)).stdout.strip()
        return pathlib.Path(f"/proc/{pid}/root/var/lib/mission-control",
                            path).exists()

    def node_joins(self, objects):
        node = self.pod("node", one(objects, "DaemonSet"), objects)
        self.wait(lambda: node.probe("readinessProbe"),
                  "the node is connected with the master")
        # The health check has both nodes, and both beat.
        store = self.folder / "mc" / "state" / "state" / "store.db"

        def nodes(query):
            with contextlib.closing(sqlite3.connect(
                    f"file:{store}?mode=ro", uri=True)) as connection:
                return {row[0] for row in connection.execute(query)}

        def both():
            reported = nodes("SELECT node_id FROM health_node WHERE parent = "
                             "(SELECT max(id) FROM health_report)")
            return len(reported) == 2 and \
                reported == nodes("SELECT node_id FROM presence")

        self.wait(both, "the store has both nodes")


if __name__ == "__main__":
    reason = pods.missing()
    if not charts.HELM.exists():
        reason = "helm is not installed; run tests/tools/install"
    if importlib.util.find_spec("yaml") is None:
        reason = "python3-yaml is not installed; run deploy/packages ci"
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main()
