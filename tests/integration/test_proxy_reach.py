"""Nothing of the agent goes around the site's proxy, wherever that is named,
and what a proxy that inspects TLS cannot do."""

import json
import os
import shutil
import sys
import threading
import unittest

import pair
from test_pair import opened_connections
from test_proxy import EXCHANGES, Inspector, Squid

# Only the proxy can resolve it: what reaches the service by this name came
# through the proxy.
NAME = "mc.only-the-proxy-knows.test"


class ReachTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.server = self.service(server_names=(NAME,))
        self.key = self.server.create_license()["licenseKey"]

    def squid(self):
        squid = Squid(self.folder, (self.server.ports["enrollment"],
                                    self.server.ports["cluster"]))
        hosts = squid.folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {NAME}\n")
        with squid.config.open("a") as config:
            config.write(f"hosts_file {hosts}\n")
        self._started.append(squid)
        return squid.start()

    def site(self, host, env=None, **settings):
        """An agent that is not started yet, and knows the service by `host`."""
        agent = self.agent(self.server, self.key, start=False, env=env,
                           config=settings)
        for listener in ("enrollment", "cluster"):
            agent.settings["service"][listener] = (
                f"{host}:{self.server.ports[listener]}")
        agent.write_config()
        return agent

    def all_exchanges(self, agent):
        agent.wait_for_socket()
        agent.cli("usage", "record", "--environment", "plant",
                  "--rum-sessions", "1")
        pair.eventually(lambda: {
            count["exchange"].removeprefix("EXCHANGE_") for count in
            self.server.mcctl_json("exchanges").get("counts", [])
            if int(count.get("succeeded", 0))} == EXCHANGES, "all exchanges")

    def doctor(self, agent):
        """The exit code, and the checks by listener and name."""
        done = agent.cli("doctor", "--output", "json", check=False)
        return done.returncode, {
            (check["target"].split()[0], check["check"]): check
            for check in json.loads(done.stdout)["checks"]}

    def test_nothing_goes_around_it(self):
        squid = self.squid()
        secret = self.folder / "proxy.password"
        secret.write_text("right\n")
        secret.chmod(0o600)
        # gRPC by itself would go by these.
        misleading = {"http_proxy": "http://127.0.0.1:1", "no_proxy": "*",
                      "grpc_proxy": "http://127.0.0.1:1"}
        agent = self.site(NAME, misleading, proxy={
            "url": f"http://127.0.0.1:{squid.port}", "user_name": "agent",
            "password_file": str(secret)}).start()
        self.all_exchanges(agent)
        opened = opened_connections(agent.process.process.pid, ())
        self.assertEqual({int(remote.rsplit(":", 1)[1], 16)
                          for _, _, remote in opened}, {squid.port})
        code, checks = self.doctor(agent)
        self.assertIn(code, (0, 11))
        self.assertEqual(checks["this", "clock"]["result"], "OK")
        self.assertIn("the service", checks["this", "clock"]["detail"])

    def test_the_environment_names_it(self):
        squid = self.squid()
        agent = self.site(NAME, {
            "HTTPS_PROXY": f"http://agent:%72ight@localhost:{squid.port}",
            "NO_PROXY": "internal.test, 10.0.0.0/8"}).start()
        self.all_exchanges(agent)
        self.assertEqual(agent.status()["proxy"], f"localhost:{squid.port}")

    def test_what_is_no_proxy_is_named(self):
        agent = self.site("localhost", proxy={
            "url": f"http://127.0.0.1:{self.server.ports['cluster']}"})
        code, checks = self.doctor(agent)
        self.assertEqual(code, 1)
        self.assertIn("check that proxy.url",
                      checks["enrollment", "proxy"]["fix"])

    def test_inspection_without_the_clusters_certificate(self):
        state = self.folder / "agent" / "state"
        given = threading.Event()

        def identity():
            folder = state if given.is_set() else self.folder / "nothing"
            return folder / "tls.crt", folder / "tls.key"
        inspector = Inspector(self.folder, self.server.ca, identity)
        self.addCleanup(inspector.close)
        agent = self.site("localhost", proxy={
            "url": f"http://127.0.0.1:{inspector.port}"})
        agent.start()
        pair.eventually(
            lambda: "Site inspection CA" in agent.status().get(
                "waitingFor", ""), "the status names the issuer")
        agent.stop()
        agent.settings["service"]["ca_file"] = str(inspector.ca)
        agent.write_config()
        agent.start()
        # What needs no certificate of the cluster works.
        pair.eventually((state / "tls.crt").exists, "registered")
        code, checks = self.doctor(agent)
        self.assertEqual(code, 1)
        self.assertEqual(checks["enrollment", "service"]["result"], "OK")
        seen = checks["cluster", "interception"]
        self.assertEqual(seen["result"], "WARNING", seen)
        self.assertIn("client certificate", seen["detail"])
        self.assertIn("excluded from TLS inspection", seen["fix"])
        given.set()
        self.all_exchanges(agent)
        code, checks = self.doctor(agent)
        self.assertEqual(code, 11)
        self.assertEqual(checks["cluster", "service"]["result"], "OK")


if __name__ == "__main__":
    if shutil.which("squid") is None:
        print("SKIPPED: squid is not installed; run deploy/packages ci")
        sys.exit(77)
    if os.geteuid() != 0:
        print("SKIPPED: squid's folder is given to its user, which needs root")
        sys.exit(77)
    unittest.main()
