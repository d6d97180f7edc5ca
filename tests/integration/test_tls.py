"""TLS of the listeners: who gets through the handshake, how, and how what they
show and trust changes while clients call."""

import json
import socket
import ssl
import subprocess
import threading
import unittest
import urllib.request

from missioncontrol.v1 import license_pb2

import pair
from identities import Authority
from test_foreign_client import ForeignClient, openssl, pem


def speaks_http2(port, cert=None, key=None):
    """Whether a server's first HTTP/2 bytes come after the handshake."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if cert:
        context.load_cert_chain(cert, key)
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.settimeout(pair.PATIENCE_S)
        try:
            with context.wrap_socket(plain) as tls:
                return bool(tls.recv(1))
        except (ssl.SSLError, ConnectionError):
            return False


def s_client(port, *args):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", "h2",
         *map(str, args)], input=b"", capture_output=True,
        timeout=pair.PATIENCE_S)
    return (done.stdout + done.stderr).decode(errors="replace")


def renegotiate(port):
    """What a client says that begins another handshake in TLS 1.2."""
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn",
             "h2", "-tls1_2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT) as client:
        # Its input stays open, or it would not wait for the answer.
        client.stdin.write(b"R\n")
        client.stdin.flush()
        client.wait(pair.PATIENCE_S)
        return client.stdout.read().decode(errors="replace")


def established(output):
    return "Cipher is (NONE)" not in output and "Cipher is " in output


def shown_certificate(port):
    return ssl.get_server_certificate(("127.0.0.1", port))


class Caller:
    """Calls all the time, on one connection and on new ones in turn."""

    def __init__(self, client):
        self.client = client
        self.calls = 0
        self.failures = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(fresh,))
                         for fresh in (False, True)]
        for thread in self._threads:
            thread.start()

    def _run(self, fresh):
        options = (("grpc.use_local_subchannel_pool", 1),)
        stub = self.client.stub(options)
        while not self._stop.is_set():
            if fresh:
                stub = self.client.stub(options)
            try:
                stub.CheckLicense(license_pb2.CheckLicenseRequest(),
                                  timeout=pair.PATIENCE_S)
            except Exception as error:  # noqa: BLE001 - each is a failed call
                self.failures.append(str(error))
            self.calls += 1
            self._stop.wait(0.02)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class TlsTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.server = self.service(config={
            "limits": {"calls_per_second_per_cluster": 1000000}})
        key = self.server.create_license()["licenseKey"]
        self.client = ForeignClient(self.folder, self.server, key)
        self.client.register()
        self.key = key
        self.port = self.server.ports["cluster"]
        self.ca = self.server.dir / "ca"

    def metrics(self):
        url = f"http://127.0.0.1:{self.server.ports['metrics']}/metrics"
        with urllib.request.urlopen(url, timeout=pair.PATIENCE_S) as answer:
            return answer.read().decode()

    def call_all_the_time(self, client):
        caller = Caller(client)
        self.addCleanup(caller.stop)
        return caller

    def assert_no_call_failed(self, caller):
        before = caller.calls
        pair.eventually(lambda: caller.calls >= before + 10, "calls go on")
        self.assertEqual(caller.failures, [])

    def ca_command(self, *args):
        return pair.run(pair.BIN / "mc-service", "ca", *args, "--config",
                        self.server.config)

    def test_who_gets_through(self):
        uri = f"URI:spiffe://test.example/cluster/{self.client.cluster_id}"
        cluster = Authority.of(self.server, "cluster")
        other = Authority.of(self.server, "operator")
        self.assertTrue(speaks_http2(self.port, self.client.tls_cert,
                                     self.client.tls_key))
        refused = {
            "without": (None, None),
            "other CA": other.issue(uri),
            "authority": cluster.issue(uri, ca=True),
            "expired": cluster.issue(uri, start_s=-7200, end_s=-3600),
            "not yet": cluster.issue(uri, start_s=3600, end_s=7200),
            "other trust domain": cluster.issue(
                uri.replace("test.example", "other.example")),
            "operator": cluster.issue(
                "URI:spiffe://test.example/operator/admin"),
            "no identity": cluster.issue("URI:https://test.example/"),
        }
        for name, files in refused.items():
            with self.subTest(name):
                self.assertFalse(speaks_http2(self.port, *files))
        # Passes the handshake: the guard says what is wrong with it.
        self.assertTrue(speaks_http2(self.port, *cluster.issue(uri)))

    def test_revoked_in_the_handshake(self):
        files = (self.client.tls_cert, self.client.tls_key)
        session = self.folder / "session"
        s_client(self.port, "-cert", files[0], "-key", files[1], "-sess_out",
                 session, "-tls1_2")
        resumed = s_client(self.port, "-cert", files[0], "-key", files[1],
                           "-sess_in", session, "-tls1_2")
        self.assertIn("Reused, TLSv1.2", resumed)
        self.server.mcctl("cluster", "revoke", self.client.cluster_id)
        self.assertFalse(speaks_http2(self.port, *files))
        self.assertIn('handshakes_refused_total{listener="cluster",'
                      'reason="revoked"} 1', self.metrics())
        self.assertIn("a handshake was refused", self.server.process.output())
        # Also when the session is resumed: OpenSSL does not look again.
        s_client(self.port, "-cert", files[0], "-key", files[1], "-sess_in",
                 session, "-tls1_2")
        self.assertIn('reason="revoked"} 2', self.metrics())
        # And after a restart.
        self.server.stop()
        self.server.start()
        self.assertFalse(speaks_http2(self.port, *files))

    def test_old_versions_and_weak_suites(self):
        files = ("-cert", self.client.tls_cert, "-key", self.client.tls_key)
        for listener in ("enrollment", "cluster", "operator"):
            port = self.server.ports[listener]
            for good in (("-tls1_2",), ("-tls1_3",)):
                self.assertTrue(established(s_client(port, *files, *good)),
                                (listener, good))
            for bad in (("-tls1",), ("-tls1_1",)):
                self.assertFalse(established(s_client(
                    port, *files, *bad, "-cipher", "ALL:@SECLEVEL=0")),
                    (listener, bad))
            for suite in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
                          "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM8",
                          "aNULL:eNULL:RC4:3DES"):
                self.assertFalse(established(s_client(
                    port, *files, "-tls1_2", "-cipher",
                    f"{suite}:@SECLEVEL=0")), (listener, suite))
        # Secure renegotiation is told, and a client that begins one refused. Where
        # HTTP/2's first bytes come before the alert, the client ends before it
        # has seen that.
        for _ in range(20):
            asked = renegotiate(self.server.ports["enrollment"])
            if "unexpected record" not in asked:
                break
        self.assertIn("Secure Renegotiation IS supported", asked)
        self.assertIn("no renegotiation", asked)

    def replace_server_certificate(self):
        issued = Authority.of(self.server, "server").issue(
            "DNS:localhost", usage="serverAuth")
        server = self.server.dir / "server"
        issued[1].rename(server / "server.key")
        issued[0].rename(server / "server.crt")

    def test_server_certificate_changes_under_way(self):
        caller = self.call_all_the_time(self.client)
        before = shown_certificate(self.port)
        self.replace_server_certificate()
        pair.eventually(lambda: shown_certificate(self.port) != before,
                        "the new certificate is shown")
        self.assert_no_call_failed(caller)
        self.assertIn('certificate_reloads_total{listener="cluster",'
                      'result="used"} 1', self.metrics())
        end = openssl("x509", "-noout", "-enddate", "-in",
                      self.server.dir / "server" / "server.crt").decode()
        seconds = ssl.cert_time_to_seconds(end.strip().partition("=")[2])
        self.assertIn("certificate_not_after_seconds{certificate="
                      f'"cluster listener"}} {seconds}', self.metrics())

    def test_broken_pair_is_refused(self):
        caller = self.call_all_the_time(self.client)
        before = shown_certificate(self.port)
        key = self.server.dir / "server" / "server.key"
        good = key.read_bytes()
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-out", key)
        refused = 'certificate_files_refused{listener="cluster"} '
        pair.eventually(lambda: refused + "1" in self.metrics(),
                        "the pair is refused")
        self.assertIn("the one before goes on", self.server.process.output())
        self.assertEqual(shown_certificate(self.port), before)
        key.write_bytes(good)
        pair.eventually(lambda: refused + "0" in self.metrics(),
                        "the pair is good again")
        self.assert_no_call_failed(caller)

    def test_cluster_ca_is_followed_by_another(self):
        old_caller = self.call_all_the_time(self.client)
        old = (self.ca / "cluster-ca.crt").read_bytes()
        self.ca_command("rotate", "--ca", "cluster", "--trust-old", "30s")
        new = (self.ca / "cluster-ca.crt").read_bytes()
        self.assertNotEqual(new, old)
        listed = json.loads(self.ca_command("list", "--output", "json").stdout)
        self.assertEqual(
            [a["state"] for a in listed["authorities"] if a["ca"] == "cluster"],
            ["issues", "trusted"])

        # Register with the old one, then with the new one: each answer names
        # the authority that really issued.
        def registered_by_the_new_one():
            later = ForeignClient(self.folder, self.server, self.key)
            answer = later.register()
            issuer = self.folder / "issuer.crt"
            issuer.write_bytes(pem(answer.ca_chain[0]))
            openssl("verify", "-CAfile", issuer, later.tls_cert)
            by_new = ssl.DER_cert_to_PEM_cert(answer.ca_chain[0]) == \
                new.decode()
            return later if by_new else None
        later = pair.eventually(registered_by_the_new_one,
                                "the new CA issues")
        new_caller = self.call_all_the_time(later)
        self.assert_no_call_failed(new_caller)
        self.assert_no_call_failed(old_caller)
        old_caller.stop()

        # Its time is over: the running service trusts it no more.
        pair.eventually(
            lambda: not speaks_http2(self.port, self.client.tls_cert,
                                     self.client.tls_key),
            "the old CA is trusted no more")
        self.assert_no_call_failed(new_caller)
        new_caller.stop()
        self.server.stop()
        self.server.start()
        self.assertFalse(speaks_http2(self.port, self.client.tls_cert,
                                      self.client.tls_key))
        later.stub().CheckLicense(license_pb2.CheckLicenseRequest(),
                                  timeout=pair.PATIENCE_S)

    def test_operator_and_server_ca_are_followed_by_others(self):
        self.ca_command("rotate", "--ca", "operator", "--trust-old", "1h")
        pair.eventually(lambda: self.server.mcctl(
            "account", "list", check=False).returncode == 0,
            "the operator's new certificate is trusted")
        said = self.ca_command("rotate", "--ca", "server").stdout
        self.assertIn("server-ca.bundle.crt", said)
        before = shown_certificate(self.port)
        self.server.mcctl("account", "list")
        # Who has the bundle goes on; nobody else does.
        bundle = self.ca / "server-ca.bundle.crt"
        self.ca_command("rotate", "--ca", "server", "--now")
        pair.eventually(lambda: shown_certificate(self.port) != before,
                        "the certificate of the new CA is shown")
        self.server.mcctl("account", "list")
        shown = self.folder / "shown.crt"
        shown.write_text(shown_certificate(self.port))
        openssl("verify", "-CAfile", bundle, shown)
        openssl("verify", "-CAfile", self.ca / "server-ca.crt", shown)


class WeakSettingsTest(pair.PairTest):

    def test_are_errors_when_it_is_strict(self):
        service = self.service(start=False, reflection=True)
        validate = (pair.BIN / "mc-service", "validate", "--config",
                    service.config)
        lenient = pair.run(*validate)
        self.assertIn("warning: ", lenient.stdout)
        self.assertIn("listeners.cluster.reflection", lenient.stdout)
        self.assertEqual(pair.run(*validate, "--strict", check=False)
                         .returncode, 2)


if __name__ == "__main__":
    unittest.main()
