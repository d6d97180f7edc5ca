"""nginx and haproxy as they are shown in deploy/examples: one port, TLS passed
through by the name that the client asks for."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

import http2
import pair

# Whence haproxy connects.
BALANCER = "127.0.0.3"
EXAMPLES = pair.SOURCE / "deploy" / "examples"
NAMES = {"enrollment": "enroll.mc.example.com",
         "cluster": "clusters.mc.example.com",
         "operator": "operators.mc.example.com"}
EXCHANGES = {"INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
             "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"}


# Names of this test alone: the system's file is covered by another one, in a
# mount namespace of this process.
WITH_NAMES = """
set -e
cp /etc/hosts "$1"
echo "127.0.0.1 $2" >>"$1"
mount --bind "$1" /etc/hosts
shift 2
exec "$@"
"""


class BalancersTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.port = pair.free_port()

    def config(self, example, service):
        """The example with this test's ports."""
        text = (EXAMPLES / example).read_text()
        for listener, port in (("enrollment", 8442), ("cluster", 8443),
                               ("operator", 8444)):
            self.assertIn(f"127.0.0.1:{port}", text)
            text = text.replace(f"127.0.0.1:{port}",
                                f"127.0.0.1:{service.ports[listener]}")
        for public in ("listen 443;", "bind :443"):
            text = text.replace(public, public.replace(
                ":443" if "bind" in public else "443",
                f"127.0.0.1:{self.port}"))
        copy = self.folder / example
        copy.write_text(text)
        return copy

    def balance(self, command):
        balancer = pair.Process(command[0], command,
                                self.folder / "balancer.log")

        def listens():
            self.assertTrue(balancer.alive(), balancer.output())
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        self.addCleanup(balancer.kill)
        pair.eventually(listens, f"{command[0]} listens")

    def all_exchanges(self, service):
        key = service.create_license()["licenseKey"]
        agent = self.agent(service, key, config={"service": {
            "enrollment": f"{NAMES['enrollment']}:{self.port}",
            "cluster": f"{NAMES['cluster']}:{self.port}",
            "ca_file": str(service.ca)}})
        agent.use()
        # The operator comes through the balancer, too.
        lines = [line for line in service.mcctl_config.read_text().splitlines()
                 if not line.startswith("operator_address:")]
        service.mcctl_config.write_text("\n".join(
            lines + [f"operator_address: {NAMES['operator']}:{self.port}"]))

        def done():
            return {count["exchange"].removeprefix("EXCHANGE_") for count in
                    service.mcctl_json("exchanges").get("counts", [])
                    if int(count.get("succeeded", 0))} == EXCHANGES
        pair.eventually(done, "all exchanges went through the balancer")

    def refuses_other_names(self, service):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}",
             "-servername", "other.example.com", "-CAfile", service.ca],
            input=b"", capture_output=True, timeout=pair.PATIENCE_S)
        self.assertNotIn(b"BEGIN CERTIFICATE", done.stdout)

    def test_nginx(self):
        if shutil.which("nginx") is None:
            self.skipTest("nginx is not installed; run deploy/packages ci")
        service, _ = self.service_with_front(server_names=NAMES.values())
        config = self.config("nginx-passthrough.conf", service)
        config.write_text(config.read_text()
                          + f"pid {self.folder}/nginx.pid;\n"
                          + f"error_log {self.folder}/nginx.log;\n")
        self.balance(["nginx", "-c", config, "-p", self.folder, "-g",
                      "daemon off; master_process off;"])
        self.all_exchanges(service)
        self.refuses_other_names(service)

    def test_haproxy(self):
        if shutil.which("haproxy") is None:
            self.skipTest("haproxy is not installed; run deploy/packages ci")
        service = self.service(
            server_names=NAMES.values(), start=False,
            config={"limits": {"handshake_timeout": "3s"}})
        # With the PROXY protocol, from an address that nobody else has.
        for listener in NAMES:
            service.add_to_listener(listener, "proxy_protocol_from",
                                    [BALANCER])
        service.start()
        config = self.config("haproxy-passthrough.cfg", service)
        text = config.read_text()
        for listener in NAMES:
            server = f"server mc-service 127.0.0.1:{service.ports[listener]}"
            self.assertIn(server, text)
            text = text.replace(
                server, f"{server} send-proxy-v2 source {BALANCER}")
        config.write_text(text)
        self.balance(["haproxy", "-db", "-f", config])
        self.all_exchanges(service)
        self.refuses_other_names(service)
        self.logs_the_client(service)

    def logs_the_client(self, service):
        with socket.socket() as s:
            s.bind(("127.0.0.5", 0))
            s.connect(("127.0.0.1", self.port))
            s.sendall(http2.client_hello(NAMES["cluster"]))
            peer = f"ipv4:127.0.0.5:{s.getsockname()[1]}"
            pair.eventually(
                lambda: any("connection was cut" in line and peer in line
                            for line in service.process.output().splitlines()),
                "the log names the client whose handshake is cut")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIPPED: names for this test alone need root")
        sys.exit(77)
    if "MC_NAMES" not in os.environ:
        with tempfile.NamedTemporaryFile(prefix="mission-control-") as hosts:
            sys.exit(subprocess.run(
                ["unshare", "--mount", "sh", "-c", WITH_NAMES, "sh",
                 hosts.name, " ".join(NAMES.values()), sys.executable, "-B",
                 *sys.argv],
                env=dict(os.environ, MC_NAMES="set")).returncode)
    unittest.main()
