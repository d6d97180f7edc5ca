"""The site's HTTP proxy: a real squid with authentication, and one that
inspects TLS. `cluster-agent doctor` names what is wrong."""

import contextlib
import json
import pathlib
import select
import shutil
import socket
import ssl
import sys
import threading
import unittest

import pair

EXCHANGES = {"INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
             "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"}

SQUID = """\
http_port 127.0.0.1:{port}
pid_filename none
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
cache deny all
coredump_dir none
shutdown_lifetime 0 seconds
auth_param basic program {helper} {folder}/passwords
auth_param basic realm site
acl authenticated proxy_auth REQUIRED
acl allowed_ports port {ports}
http_access deny !allowed_ports
http_access allow authenticated
http_access deny all
"""


class Squid:
    """squid that lets `agent` with its password through to some ports."""

    HELPERS = ("/usr/lib/squid/basic_ncsa_auth",)

    def __init__(self, folder, ports):
        self.folder = pathlib.Path(folder) / "squid"
        self.folder.mkdir()
        shutil.chown(self.folder, "proxy", "proxy")
        self.folder.parent.chmod(0o755)
        self.port = pair.free_port()
        digest = pair.run("openssl", "passwd", "-apr1", "right").stdout.strip()
        (self.folder / "passwords").write_text(f"agent:{digest}\n")
        self.config = self.folder / "squid.conf"
        self.config.write_text(SQUID.format(
            port=self.port, folder=self.folder, helper=self.HELPERS[0],
            ports=" ".join(str(port) for port in ports)))
        self.process = None

    def start(self):
        self.process = pair.Process(
            "squid", ["squid", "-N", "-f", self.config],
            self.folder / "squid.log")
        pair.eventually(self.listens, "squid listens")
        return self

    def listens(self):
        if not self.process.alive():
            raise AssertionError("squid ended:\n" + self.process.output())
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        path = self.folder / "access.log"
        return path.read_text() if path.exists() else ""


def certificate(folder, name, *arguments):
    key, crt = folder / f"{name}.key", folder / f"{name}.crt"
    pair.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
             crt, "-days", "2", *arguments)
    return key, crt


class Inspector:
    """A proxy that ends TLS with a certificate of the site's own CA, and
    speaks TLS with the service itself."""

    def __init__(self, folder, service_ca, identity):
        self.folder = pathlib.Path(folder)
        # What it shows to the service, once there is one: (certificate, key).
        self.identity = identity
        self.service_ca = service_ca
        ca_key, self.ca = certificate(
            self.folder, "inspector-ca", "-subj", "/CN=Site inspection CA")
        key, leaf = certificate(
            self.folder, "inspector", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-CA", self.ca, "-CAkey", ca_key,
            "-addext", "basicConstraints=critical,CA:false")
        self.inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.inside.load_cert_chain(leaf, key)
        self.inside.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.relay, args=(client,),
                                 daemon=True).start()

    def relay(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            host, port = request.split()[1].decode().rsplit(":", 1)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            outside = ssl.create_default_context(cafile=str(self.service_ca))
            outside.set_alpn_protocols(["h2"])
            crt, key = self.identity()
            if crt.exists():
                outside.load_cert_chain(crt, key)
            with self.inside.wrap_socket(client, server_side=True) as a, \
                    socket.create_connection((host, int(port))) as raw, \
                    outside.wrap_socket(raw, server_hostname=host) as b:
                self.pump(a, b)

    @staticmethod
    def pump(a, b):
        other = {a: b, b: a}
        for each in other:
            each.setblocking(False)
        while True:
            ready = [s for s in other if s.pending()] or select.select(
                list(other), [], [])[0]
            for each in ready:
                try:
                    data = each.recv(65536)
                except ssl.SSLWantReadError:
                    continue
                if not data:
                    return
                other[each].setblocking(True)
                other[each].sendall(data)
                other[each].setblocking(False)


class ProxyTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.server = self.service()
        self.key = self.server.create_license()["licenseKey"]

    def squid(self, ports=None):
        squid = Squid(self.folder, ports or (
            self.server.ports["enrollment"], self.server.ports["cluster"]))
        self._started.append(squid)
        return squid.start()

    def site(self, url, password="right", start=True, ca=None, no_proxy=None):
        secret = self.folder / "proxy.password"
        secret.write_text(password + "\n")
        secret.chmod(0o600)
        proxy = {"url": url}
        if password:
            proxy.update(user_name="agent", password_file=str(secret))
        if no_proxy:
            proxy["no_proxy"] = no_proxy
        config = {"proxy": proxy}
        if ca:
            config["service"] = {
                "enrollment": f"localhost:{self.server.ports['enrollment']}",
                "cluster": f"localhost:{self.server.ports['cluster']}",
                "ca_file": str(ca)}
        agent = self.agent(self.server, self.key, start=start, config=config)
        if start:
            agent.use()
        return agent

    def counts(self):
        return {count["exchange"].removeprefix("EXCHANGE_") for count in
                self.server.mcctl_json("exchanges").get("counts", [])
                if int(count.get("succeeded", 0))}

    def doctor(self, agent):
        """The checks that are not OK, by name (the first of each), and the
        exit code."""
        done = agent.cli("doctor", "--output", "json", check=False)
        checks = json.loads(done.stdout)["checks"]
        return {check["check"]: check for check in reversed(checks)
                if check["result"] in ("FAILED", "WARNING")}, done.returncode

    def test_all_exchanges_go_through_it(self):
        squid = self.squid()
        agent = self.site(f"http://127.0.0.1:{squid.port}")
        pair.eventually(lambda: self.counts() == EXCHANGES, "all exchanges")
        self.assertEqual(agent.status()["proxy"], f"127.0.0.1:{squid.port}")
        found, code = self.doctor(agent)
        self.assertEqual((found, code), ({}, 0))
        # Nothing goes around it.
        squid.process.stop()
        # It notes a tunnel when that ends.
        for port in ("enrollment", "cluster"):
            self.assertIn(f"CONNECT localhost:{self.server.ports[port]}",
                          squid.log())
        pair.eventually(
            lambda: agent.cli("status", "--check", check=False).returncode,
            "without the proxy there is no connection")
        self.assertIn("proxy", pair.eventually(
            lambda: agent.status().get("waitingFor"), "it says why"))
        found, code = self.doctor(agent)
        self.assertIn("port", found)
        self.assertIn(str(squid.port), found["port"]["detail"])
        self.assertEqual(code, 1)
        squid.start()
        pair.eventually(
            lambda: agent.cli("status", "--check",
                              check=False).returncode == 0,
            "it is connected again")

    def test_exclusions(self):
        squid = self.squid()
        self.site(f"http://127.0.0.1:{squid.port}", no_proxy=["localhost"])
        pair.eventually(lambda: self.counts() == EXCHANGES, "all exchanges")
        self.assertNotIn("CONNECT", squid.log())

    def test_refusals_are_named(self):
        squid = self.squid(ports=(self.server.ports["enrollment"],))
        wrong = self.site(f"http://127.0.0.1:{squid.port}", password="wrong")
        self.assertIn("407", pair.eventually(
            lambda: wrong.status().get("waitingFor", ""), "it says why"))
        found, code = self.doctor(wrong)
        self.assertIn("407", found["proxy"]["detail"])
        self.assertIn("password", found["proxy"]["fix"])
        self.assertNotIn("wrong", json.dumps(found["proxy"]))
        self.assertEqual(code, 1)
        # The port of the cluster listener is not allowed.
        (self.folder / "proxy.password").write_text("right\n")
        found, _ = self.doctor(wrong)
        self.assertIn("403", found["proxy"]["detail"])
        self.assertIn(str(self.server.ports["cluster"]),
                      found["proxy"]["target"])

    def test_inspection(self):
        def identity():
            state = self.folder / "agent" / "state"
            return state / "tls.crt", state / "tls.key"
        inspector = Inspector(self.folder, self.server.ca, identity)
        self.addCleanup(inspector.close)
        agent = self.site(f"http://127.0.0.1:{inspector.port}", password="",
                          start=False, ca=self.server.ca)
        found, code = self.doctor(agent)
        self.assertEqual(code, 1)
        self.assertIn("interception", found)
        self.assertIn("Site inspection CA", found["interception"]["detail"])
        self.assertIn("service.ca_file", found["interception"]["fix"])
        self.assertEqual(self.counts(), set())
        # The site configures its CA; the proxy holds the cluster's key.
        agent.settings["service"]["ca_file"] = str(inspector.ca)
        agent.write_config()
        agent.start()
        agent.use()
        pair.eventually(lambda: self.counts() == EXCHANGES, "all exchanges")


if __name__ == "__main__":
    if shutil.which("squid") is None:
        print("SKIPPED: squid is not installed; run deploy/packages ci")
        sys.exit(77)
    unittest.main()
