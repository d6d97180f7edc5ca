"""mc-service and cluster-agent together: each exchange, with true values."""

import grp
import json
import os
import pathlib
import re
import time
import unittest
import uuid

import grpc
from missioncontrol.v1 import (
    agent_pb2,
    consumption_pb2,
    fleet_clusters_pb2,
    health_pb2,
)

import pair

EXCHANGES = ["INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
             "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"]


def usage(environment, key=None, **what):
    return agent_pb2.UsageRecord(
        idempotency_key=key or str(uuid.uuid4()), environment_id=environment,
        **what)


def sockets_of(pid):
    """Inodes of the sockets that the process has open."""
    mine = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.match(r"socket:\[(\d+)\]", os.readlink(fd))
        except FileNotFoundError:
            continue
        if found:
            mine.add(found.group(1))
    return mine


def listening_sockets(pid):
    """The process's TCP listeners and UDP sockets."""
    mine = sockets_of(pid)
    result = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in pathlib.Path(
                f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            listens = parts[3] == "0A" or table.startswith("udp")
            if parts[9] in mine and listens:
                result.append((table, parts[1]))
    return result


def opened_connections(pid, own_ports):
    """TCP connections of the process that it did not accept."""
    result = []
    mine = sockets_of(pid)
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(
                f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            port = int(parts[1].rsplit(":", 1)[1], 16)
            if parts[9] in mine and parts[3] != "0A" and port not in own_ports:
                result.append((table, parts[1], parts[2]))
    return result


class PairTests(pair.PairTest):

    def both(self, config=None, license_args=(), **kwargs):
        service = self.service(**kwargs)
        key = service.create_license(*license_args)["licenseKey"]
        return service, self.agent(service, key, config=config)

    def counts(self, service):
        listed = service.mcctl_json("exchanges").get("counts", [])
        result = {}
        for count in listed:
            name = count["exchange"].removeprefix("EXCHANGE_")
            result[name] = result.get(name, 0) + int(count.get("succeeded", 0))
        return result

    def show(self, service, cluster_id):
        return service.fleet().GetCluster(
            fleet_clusters_pb2.GetClusterRequest(cluster_id=cluster_id),
            timeout=pair.PATIENCE_S)

    def consumption(self, service, cluster_id):
        return service.fleet().ListConsumption(
            fleet_clusters_pb2.ListConsumptionRequest(
                cluster_id=cluster_id, page_size=1000),
            timeout=pair.PATIENCE_S).reports

    def test_each_exchange_takes_place(self):
        service, agent = self.both(license_args=("--rum-sessions", "1000"))
        watch = pair.Process(
            "mcctl watch", [pair.BIN / "mcctl", "--config",
                            service.mcctl_config, "watch"],
            self.folder / "watch.log")
        product = agent.product()
        answer = product.RecordUsage(agent_pb2.RecordUsageRequest(records=[
            usage("env-1", rum_sessions=7),
            usage("env-1", rum_sessions=5),
            usage("env-1", new_problems=2),
            usage("env-2", meter=agent_pb2.MeterUsage(
                meter_id="log-lines", quantity=99, unit="lines")),
        ]), timeout=pair.PATIENCE_S)
        self.assertEqual((answer.recorded, answer.repeated), (4, 0))

        def all_seen():
            counts = self.counts(service)
            return all(counts.get(name) for name in EXCHANGES)
        try:
            pair.eventually(all_seen, "each exchange was counted")
        except AssertionError:
            self.fail(f"only {self.counts(service)}\n"
                      + agent.process.output()[-3000:])
        watch.stop()
        seen = watch.output()
        for name in ("HEARTBEAT", "LICENSE", "HEALTH_CHECK", "CONSUMPTION"):
            self.assertIn(name, seen)

        cluster_id = agent.cluster_id()
        pair.eventually(
            lambda: sum(e.rum_sessions
                        for r in self.consumption(service, cluster_id)
                        for e in r.consumption.environments) == 12,
            "the sessions arrived")
        shown = self.show(service, cluster_id)
        self.assertEqual(shown.cluster.presence,
                         fleet_clusters_pb2.PRESENCE_STATE_ONLINE)
        self.assertEqual(shown.license.license_key_masked.count("*") > 10,
                         True)
        self.assertEqual(shown.usage.remaining_rum_sessions, 988)
        status = agent.status()
        self.assertEqual(status["connectionState"],
                         "CONNECTION_STATE_CONNECTED")
        self.assertEqual(status.get("waitingFor", ""), "")
        self.assertEqual(status["license"]["status"], "LICENSE_STATUS_ACTIVE")
        self.assertEqual(listening_sockets(agent.process.process.pid), [])
        self.assertEqual(
            opened_connections(service.process.process.pid,
                               set(service.ports.values())), [])
        for line in service.process.output().splitlines():
            json.loads(line)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(service.stop(), 0)

    def test_health_values_are_the_machines(self):
        data = self.folder / "data"
        data.mkdir()
        service, agent = self.both(config={
            "data_partitions": [{"path": str(data), "label": "data"}],
            "time_zone": "Europe/Vienna",
            "privacy_settings": {"telemetry": "denied",
                                 "remote_access": "on_approval"},
            "update_window": {"day": "sunday", "start_minute": 120,
                              "duration": "2h"}})
        cluster_id = pair.eventually(
            lambda: (agent.dir / "state" / "cluster-id").exists()
            and agent.cluster_id(), "the cluster has an ID")

        def health():
            shown = self.show(service, cluster_id)
            return (shown.HasField("last_health")
                    and shown.last_health.health_check)
        pair.eventually(
            lambda: service.mcctl_json("cluster", "list").get("clusters"),
            "the cluster is registered")
        pair.eventually(health, "a health check arrived")

        def now():
            meminfo = dict(
                re.findall(r"^(\w+):\s+(\d+)",
                           pathlib.Path("/proc/meminfo").read_text(), re.M))
            df = pair.run("df", "-B1", "--output=size,used", data)
            size, used = df.stdout.split("\n")[1].split()
            return meminfo, int(size), int(used)
        check = health()
        meminfo, size, used = now()
        self.assertEqual(check.cluster_id, cluster_id)
        self.assertEqual(check.time_zone, "Europe/Vienna")
        self.assertEqual(check.privacy_settings.telemetry,
                         health_pb2.PERMISSION_DENIED)
        self.assertEqual(check.privacy_settings.remote_access,
                         health_pb2.REMOTE_ACCESS_POLICY_ON_APPROVAL)
        self.assertEqual(check.update_window.day,
                         health_pb2.DAY_OF_WEEK_SUNDAY)
        self.assertEqual(check.update_window.start_minute, 120)
        node, = check.nodes
        self.assertEqual(node.cpu_cores, int(pair.run("nproc").stdout))
        release = dict(line.split("=", 1) for line in pathlib.Path(
            "/etc/os-release").read_text().splitlines() if "=" in line)
        self.assertEqual(node.os_name, release["NAME"].strip('"'))
        self.assertEqual(node.os_version, release["VERSION_ID"].strip('"'))
        self.assertEqual(node.total_memory_bytes,
                         int(meminfo["MemTotal"]) * 1024)
        self.assertAlmostEqual(node.free_memory_bytes,
                               int(meminfo["MemAvailable"]) * 1024,
                               delta=1 << 30)
        load = float(pathlib.Path("/proc/loadavg").read_text().split()[0])
        self.assertAlmostEqual(node.cpu_load, load, delta=2)
        partition, = node.partitions
        self.assertEqual(partition.label, "data")
        self.assertEqual(partition.total_bytes, size)
        self.assertAlmostEqual(partition.used_bytes, used, delta=4 << 30)
        self.assertTrue(node.master)
        self.assertEqual(node.server_state, health_pb2.RUN_STATE_RUNNING)
        self.assertGreater(node.started_at.seconds, 0)
        self.assertNotIn(os.uname().nodename.encode(),
                         check.SerializeToString())
        self.assertNotIn(str(data).encode(), check.SerializeToString())

    def test_what_the_product_describes_is_in_the_health_check(self):
        service, agent = self.both()
        product = agent.product()
        product.DescribeNode(agent_pb2.DescribeNodeRequest(
            product_version="7.7.7", server_state=health_pb2.RUN_STATE_RUNNING,
            services=[health_pb2.ServiceHealth(
                name="indexer", state=health_pb2.RUN_STATE_FAILED)]),
            timeout=pair.PATIENCE_S)
        gate = health_pb2.ActiveGateHealth(
            active_gate_id="gate-1", version="1.2.3", os_name="Debian",
            os_version="12", status=health_pb2.RUN_STATE_RUNNING,
            certificate_issuer="Example CA",
            type=health_pb2.ACTIVE_GATE_TYPE_BEACON_FORWARDER)
        product.DescribeActiveGates(agent_pb2.DescribeActiveGatesRequest(
            active_gates=[gate]), timeout=pair.PATIENCE_S)
        product.DescribeEnvironments(agent_pb2.DescribeEnvironmentsRequest(
            environment_ids=["quiet"]), timeout=pair.PATIENCE_S)
        product.RecordTraffic(agent_pb2.RecordTrafficRequest(bytes=4321),
                              timeout=pair.PATIENCE_S)
        cluster_id = pair.eventually(
            lambda: agent.status().get("clusterId"), "the agent is up")

        def reports():
            return service.fleet().ListHealthReports(
                fleet_clusters_pb2.ListHealthReportsRequest(
                    cluster_id=cluster_id, page_size=1000),
                timeout=pair.PATIENCE_S).reports
        pair.eventually(
            lambda: service.mcctl_json("cluster", "list").get("clusters"),
            "the cluster is registered")

        def described():
            latest = next(iter(reports()), None)
            return (latest and latest.health_check.active_gates
                    and latest.health_check.nodes[0].product_version
                    == "7.7.7" and latest)
        latest = pair.eventually(described, "the description arrived")
        self.assertEqual(list(latest.health_check.active_gates), [gate])
        self.assertEqual(latest.result.status,
                         health_pb2.HEALTH_STATUS_CRITICAL)
        self.assertEqual([f.subject for f in latest.result.findings],
                         ["indexer"])
        pair.eventually(
            lambda: sum(r.health_check.traffic_size.bytes
                        for r in reports()) == 4321,
            "the traffic arrived, once")
        pair.eventually(
            lambda: any(e.environment_id == "quiet"
                        for r in self.consumption(service, cluster_id)
                        for e in r.consumption.environments),
            "the environment without usage is reported")

    def test_inventory_speaks_for_a_product_without_integration(self):
        inventory = self.folder / "inventory.yaml"
        inventory.write_text("""
environments:
  - environment_id: plant
    hosts:
      - host_id: press-1
        host_category: infrastructure
        memory_bytes: 4294967296
        technologies: [JAVA]
services:
  - name: gateway
    state: running
""")
        service, agent = self.both(
            config={"inventory_file": str(inventory)})
        cluster_id = pair.eventually(
            lambda: agent.status().get("clusterId"), "the agent is up")

        def host():
            try:
                reports = self.consumption(service, cluster_id)
            except grpc.RpcError:
                return None
            for r in reports:
                for e in r.consumption.environments:
                    for h in e.hosts:
                        return e.environment_id, h
            return None
        environment, found = pair.eventually(host, "the host is reported")
        self.assertEqual(environment, "plant")
        self.assertEqual(found.host_id, "press-1")
        self.assertEqual(found.host_category,
                         consumption_pb2.HOST_CATEGORY_INFRASTRUCTURE)
        self.assertEqual(list(found.technologies), ["JAVA"])

    def test_acknowledged_usage_survives_kill_and_is_billed_once(self):
        service, agent = self.both(
            config={"schedule": dict(pair.FAST, consumption_time_frame="3s")})
        total = 0
        for _ in range(5):
            product = agent.product()
            pair.eventually(lambda: agent.status().get("clusterId"),
                            "the agent is up")
            record = usage("env-1", rum_sessions=3)
            for expected in ((1, 0), (0, 1)):
                answer = product.RecordUsage(
                    agent_pb2.RecordUsageRequest(records=[record]),
                    timeout=pair.PATIENCE_S, wait_for_ready=True)
                self.assertEqual((answer.recorded, answer.repeated), expected)
            agent.process.kill()
            total += 3
            agent.start()
        cluster_id = agent.cluster_id()

        def sessions():
            return sum(e.rum_sessions
                       for r in self.consumption(service, cluster_id)
                       for e in r.consumption.environments)
        pair.eventually(
            lambda: service.mcctl_json("cluster", "list").get("clusters"),
            "the cluster is registered")
        pair.eventually(lambda: sessions() >= total, "all sessions arrived")
        pair.eventually(
            lambda: not agent.status().get("waitingReports", 0)
            or sessions() > total, "the outbox is empty")
        self.assertEqual(sessions(), total)

    def test_service_restarts_in_the_middle(self):
        service, agent = self.both()
        product = agent.product()
        pair.eventually(lambda: self.counts(service).get("HEARTBEAT"),
                        "a beat arrived")
        total = 0
        for restart in (service.stop, service.process.kill, service.stop):
            for _ in range(20):
                product.RecordUsage(agent_pb2.RecordUsageRequest(
                    records=[usage("env-1", rum_sessions=1)]),
                    timeout=pair.PATIENCE_S)
                total += 1
            if restart == service.stop:
                self.assertEqual(service.stop(), 0)
            else:
                service.process.kill()
            pair.eventually(
                lambda: agent.status().get("waitingFor"),
                "status says what the agent waits for")
            self.assertEqual(agent.status()["connectionState"],
                             "CONNECTION_STATE_WAITING")
            service.start()
            pair.eventually(
                lambda: agent.status().get("connectionState")
                == "CONNECTION_STATE_CONNECTED", "the agent is back")
        cluster_id = agent.cluster_id()

        def sessions():
            return sum(e.rum_sessions
                       for r in self.consumption(service, cluster_id)
                       for e in r.consumption.environments)
        pair.eventually(lambda: sessions() >= total, "all sessions arrived")
        self.assertEqual(sessions(), total)

    def test_agent_before_the_service(self):
        service = self.service(start=False)
        service.start()
        key = service.create_license()["licenseKey"]
        service.stop()
        agent = self.agent(service, key)
        pair.eventually(lambda: agent.status().get("waitingFor"),
                        "status says what the agent waits for")
        time.sleep(3)
        waiting = [line for line in agent.process.output().splitlines()
                   if "waiting" in line.lower()]
        self.assertEqual(len(waiting), 1, "said once:\n" + "\n".join(waiting))
        service.start()
        pair.eventually(
            lambda: agent.status().get("connectionState")
            == "CONNECTION_STATE_CONNECTED", "the agent connects by itself")

    def test_install_is_repeated_when_the_version_changes(self):
        service, agent = self.both()
        pair.eventually(
            lambda: self.counts(service).get("INSTALLATION") == 1,
            "the agent installed")
        agent.stop()
        agent.start()
        pair.eventually(lambda: agent.status().get("connectionState")
                        == "CONNECTION_STATE_CONNECTED", "connected again")
        pair.eventually(lambda: self.counts(service).get("HEARTBEAT", 0) > 3,
                        "beats went on")
        self.assertEqual(self.counts(service)["INSTALLATION"], 1)
        agent.stop()
        agent.settings["product"]["version"] = "1.1.0"
        agent.write_config()
        agent.start()
        pair.eventually(
            lambda: self.counts(service).get("INSTALLATION") == 2,
            "the agent installed again for the new version")

    def test_a_forged_license_is_not_believed(self):
        """Another vendor's keys: the agent keeps what it verified before."""
        service, agent = self.both()
        pair.eventually(lambda: agent.status().get("license"), "a license")
        agent.stop()
        path = agent.dir / "state" / "registration.json"
        registration = json.loads(path.read_text())
        keys = registration["documentKeys"]
        self.assertEqual(len(keys), 1)
        # The same key ID, but 32 other bytes.
        keys[0]["publicKey"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        path.write_text(json.dumps(registration))
        agent.start()

        def refused():
            exchanges = {e["name"]: e for e in
                         agent.status().get("exchanges", [])}
            return exchanges.get("license", {}).get("lastError")
        self.assertIn("sign", pair.eventually(
            refused, "the signature is refused"))

    def test_suspended_license(self):
        service, agent = self.both()
        pair.eventually(lambda: agent.status().get("license"), "a license")
        license_id = service.mcctl_json("license", "list")["licenses"][0][
            "licenseId"]
        service.mcctl("license", "suspend", license_id)
        pair.eventually(
            lambda: agent.status()["license"]["status"]
            == "LICENSE_STATUS_SUSPENDED", "the agent knows")
        beats = self.counts(service)["HEARTBEAT"]
        pair.eventually(lambda: self.counts(service)["HEARTBEAT"] > beats,
                        "beats go on")
        service.mcctl("license", "resume", license_id)
        pair.eventually(
            lambda: agent.status()["license"]["status"]
            == "LICENSE_STATUS_ACTIVE", "the agent knows")

    def test_command_lines(self):
        service, agent = self.both()
        pair.eventually(
            lambda: agent.status().get("connectionState")
            == "CONNECTION_STATE_CONNECTED", "connected")
        record = {"records": [{"idempotencyKey": "k-1",
                               "environmentId": "env-1", "rumSessions": "4"}]}
        done = agent.cli("usage", "record", "--file", "-", "--output", "json",
                         stdin=json.dumps(record))
        self.assertEqual(json.loads(done.stdout)["recorded"], 1)
        service.stop()
        listed = pair.eventually(
            lambda: "LANE_BILLING" in agent.cli(
                "outbox", "list", "--output", "json").stdout
            and agent.cli("outbox", "list").stdout, "usage waits")
        self.assertIn("BILLING", listed)
        service.start()
        cluster_id = agent.cluster_id()
        for command in (["account", "list"], ["license", "list"],
                        ["cluster", "list"], ["cluster", "show", cluster_id],
                        ["release", "list"], ["exchanges"],
                        ["consumption", "list", "--cluster", cluster_id]):
            with self.subTest(command):
                self.assertTrue(service.mcctl(*command).stdout)
                json.loads(service.mcctl(
                    *command, "--output", "json").stdout)
        self.assertEqual(service.mcctl(
            "cluster", "show", str(uuid.uuid4()), check=False).returncode, 3)
        service.stop()
        self.assertEqual(
            service.mcctl("cluster", "list", check=False).returncode, 5)
        for program in ("mc-service", "cluster-agent", "mcctl"):
            shown = pair.run(pair.BIN / program, "--help").stdout
            self.assertIn("Example", shown)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be another user")
    def test_who_may_use_the_sockets(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        agent = self.agent(service, key, start=False,
                           config={"product_group": "nogroup"})
        # Whoever may use a socket has to reach it, and the configuration.
        agent.sockets.chmod(0o755)
        config = agent.sockets / "agent.yaml"
        config.write_text(agent.config.read_text())
        config.chmod(0o644)
        agent.start()
        agent.wait_for_socket()
        nogroup = grp.getgrnam("nogroup").gr_gid

        def run_as(uid, gid, *command):
            return pair.run(
                "setpriv", f"--reuid={uid}", f"--regid={gid}",
                "--clear-groups", pair.BIN / "cluster-agent", *command,
                "--config", config, check=False).returncode
        record = ("usage", "record", "--environment", "env-1",
                  "--rum-sessions", "1")
        self.assertEqual(run_as(64000, nogroup, *record), 0)
        self.assertEqual(run_as(64000, 64000, *record), 4)
        self.assertEqual(run_as(64000, nogroup, "status"), 4)
        self.assertEqual(run_as(0, 0, "status"), 0)

    def test_pages_come_from_the_service(self):
        service = self.service()
        for i in range(7):
            service.mcctl("account", "create", "--name", f"Account {i}")
        names, token = [], None
        while True:
            args = ["account", "list", "--page-size", "3"]
            page = service.mcctl_json(*args, *(
                ["--page-token", token] if token else []))
            names += [a["name"] for a in page["accounts"]]
            self.assertLessEqual(len(page["accounts"]), 3)
            token = page.get("nextPageToken")
            if not token:
                break
        self.assertEqual(names, [f"Account {i}" for i in range(7)])
        bad = service.mcctl("account", "list", "--page-token", "nonsense",
                            check=False)
        self.assertEqual(bad.returncode, 2)


if __name__ == "__main__":
    unittest.main()
