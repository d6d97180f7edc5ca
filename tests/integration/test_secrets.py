"""Secrets: in no log, no error, no metric, no status, and not in the store.

The main exchanges and their failures run with debug logs of both programs; then
everything that they wrote is searched for every secret there was.
"""

import base64
import json
import pathlib
import unittest
import urllib.request

import grpc
from missioncontrol.v1 import identity_pb2, installation_pb2

import pair
from test_foreign_client import ForeignClient, openssl

DEBUG = {"level": "debug"}


def private_parts(pem):
    """The secret number of a key, as it may be written."""
    der = openssl("pkey", "-outform", "DER", stdin=pem)
    text = openssl("pkey", "-noout", "-text", stdin=pem).decode()
    digits = text.split("priv:")[1].split("pub:")[0]
    raw = bytes.fromhex("".join(digits.split()).replace(":", ""))[-32:]
    lines = [line for line in pem.decode().splitlines() if "-----" not in line]
    # The header of the encoding is no secret.
    return {raw, raw.hex().encode(), base64.b64encode(raw), der,
            *(line.encode() for line in lines[1:-1])}


class SecretsTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service(config={"log": DEBUG})
        self.secrets = {}

    def secret(self, name, value):
        value = value.encode() if isinstance(value, str) else value
        self.assertGreater(len(value), 12, name)
        self.secrets[name] = value

    def key_file(self, path):
        for number, part in enumerate(private_parts(path.read_bytes())):
            self.secret(f"{path.name} {number}", part)

    def refused(self, call, request, texts):
        with self.assertRaises(grpc.RpcError) as caught:
            call(request, timeout=pair.PATIENCE_S)
        texts.append(str(caught.exception).encode())

    def test_secrets_are_nowhere(self):
        svc = self.svc
        made = svc.create_license("--clusters", "2")
        key = made["licenseKey"]
        self.secret("license key", key)
        self.secret("license key without its groups", key.replace("-", ""))
        site = self.agent(svc, key, config={"log": DEBUG})
        pair.eventually(
            lambda: site.cli("status", "--check", check=False).returncode == 0,
            "the agent is connected")
        site.use()
        told = [site.cli(*command).stdout.encode() for command in (
            ("status",), ("status", "--output", "json"), ("outbox", "list"),
            ("license", "show"))]

        # A cluster whose answers we see, and what goes wrong with it.
        client = ForeignClient(self.folder, svc, key)
        for number in range(2):
            self.secret(f"password {number}", client.register().password)
        errors, stub = [], svc.enrollment()
        wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
        self.secret("wrong license key", wrong)
        self.refused(stub.Install, installation_pb2.InstallRequest(
            license_key=wrong, agent_version="1", product_version="1"), errors)
        self.refused(stub.Register, ForeignClient(
            self.folder, svc, wrong).request(), errors)
        self.refused(stub.Register, ForeignClient(self.folder, svc, key).request(
            enrollment_token="token-that-nobody-may-see"), errors)
        self.secret("enrollment token", "token-that-nobody-may-see")
        self.secret("guessed password", "guess-that-nobody-may-see")
        self.refused(stub.RecoverCertificate,
                  identity_pb2.RecoverCertificateRequest(
                      user_name=f"cluster-{client.cluster_id}",
                      password="guess-that-nobody-may-see",
                      certificate_signing_request=client.csr()), errors)
        svc.mcctl("license", "suspend", made["license"]["licenseId"])
        self.refused(stub.Install, installation_pb2.InstallRequest(
            license_key=key, agent_version="1", product_version="1"), errors)
        svc.mcctl("cluster", "revoke", client.cluster_id)

        # The keys of both sides, wherever they keep them.
        kept = set()
        state = pathlib.Path(site.settings["state_directory"])
        for path in [*svc.dir.rglob("*"), *state.rglob("*"),
                     client.tls_key, client.site_key]:
            if path.is_file() and b"PRIVATE KEY-----" in path.read_bytes():
                if path.suffix == ".json":
                    continue
                kept.add(path)
                self.key_file(path)
        self.assertGreaterEqual(len(kept), 8)
        registration = json.loads((state / "registration.json").read_text())
        self.secret("the agent's password", registration["password"])

        with urllib.request.urlopen(
                f"http://127.0.0.1:{svc.ports['metrics']}/metrics",
                timeout=pair.PATIENCE_S) as answer:
            metrics = answer.read()
        exchanges = svc.mcctl("exchanges", "--output", "json").stdout.encode()
        site.stop()
        svc.stop()
        places = {
            "errors": b"\n".join(errors),
            "what the agent tells": b"\n".join(told),
            "metrics": metrics,
            "exchanges": exchanges,
            "the service's log": svc.process.log.read_bytes(),
            "the agent's log": site.process.log.read_bytes(),
        }
        # Whoever copies the store has no secret; the digest is there.
        for path in svc.dir.glob("store.db*"):
            places[path.name] = path.read_bytes()
        for path in state.rglob("*.db*"):
            places[path.name] = path.read_bytes()
        for place in ("errors", "metrics", "exchanges", "the service's log",
                      "the agent's log", "store.db", "usage.db"):
            self.assertGreater(len(places[place]), 100, place)
        for place, content in places.items():
            for name, value in self.secrets.items():
                # Not assertNotIn, which would print it.
                self.assertFalse(value in content, f"{name} is in {place}")


if __name__ == "__main__":
    unittest.main()
