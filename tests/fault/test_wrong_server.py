"""Servers that are not the service: the agent sends them nothing, says what is
wrong, and gives up nothing of its own."""

import ssl
import unittest

import identities
import pair
from impostor import Impostor


class WrongServerTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service()
        self.key = self.svc.create_license()["licenseKey"]

    def impostor(self, listener, files, **kwargs):
        """In the place of a listener of the service, which is stopped."""
        made = Impostor(self.svc.ports[listener], *files, **kwargs)
        self.addCleanup(made.close)
        return made

    def wrong_ones(self):
        server = identities.Authority.of(self.svc, "server")
        unknown = identities.Authority.unknown(self.folder)

        def issue(by, name, **times):
            return by.issue(f"DNS:{name}", usage="serverAuth", **times)
        return {
            "another name": issue(server, "other.example"),
            "a name above": issue(server, "*.localhost"),
            "an unknown CA": issue(unknown, "localhost"),
            "expired": issue(server, "localhost", start_s=-7200, end_s=-60),
            "not yet valid": issue(server, "localhost", start_s=600,
                                   end_s=7200),
            "a cluster's": server.issue("DNS:localhost", usage="clientAuth"),
        }

    def connected(self, agent):
        return agent.cli("status", "--check", check=False).returncode == 0

    def tried(self, impostor, times):
        pair.eventually(lambda: impostor.connections >= times,
                        "the agent tries it again and again")

    def test_enrollment_sends_no_license_key(self):
        wrong = self.wrong_ones()
        self.svc.stop()
        agent = self.agent(self.svc, self.key, start=False)
        for name, files in wrong.items():
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.subTest(name, version=version):
                    impostor = self.impostor("enrollment", files,
                                             version=version)
                    agent.start()
                    self.tried(impostor, 3)
                    agent.process.kill()
                    impostor.close()
                    self.assertEqual(impostor.bytes, 0, impostor.said)
        # Those that count would have counted: the right one is spoken to.
        right = self.impostor("enrollment", (
            self.svc.dir / "server" / "server.crt",
            self.svc.dir / "server" / "server.key"))
        agent.start()
        pair.eventually(lambda: right.bytes > 24, "the right one is told")
        agent.process.kill()
        right.close()
        # And none of it has done harm.
        self.svc.start()
        agent.start()
        pair.eventually(lambda: self.connected(agent), "connected")

    def test_cluster_sends_nothing_and_says_what_is_wrong(self):
        agent = self.agent(self.svc, self.key)
        agent.use()
        pair.eventually(lambda: self.connected(agent), "connected")
        state = agent.dir / "state"
        kept = {name: (state / name).read_bytes() for name in (
            "tls.crt", "tls.key", "registration.json", "cluster-id")}
        wrong = self.wrong_ones()
        self.svc.stop()
        clients = self.svc.dir / "ca" / "cluster-ca.crt"
        for name, files in wrong.items():
            with self.subTest(name):
                impostor = self.impostor("cluster", files, clients=clients)
                # Calls, and the agent's own look at why they fail.
                self.tried(impostor, 5)
                self.assertIn("certificate",
                              agent.status().get("waitingFor", ""))
                impostor.close()
                self.assertEqual(impostor.bytes, 0, impostor.said)
                # A name is looked at when the handshake stands: else it
                # would not be the name that was tested.
                if "name" in name:
                    self.assertGreater(impostor.handshakes, 0)
        # Neither its identity nor its usage was touched by that.
        self.assertEqual(kept, {name: (state / name).read_bytes()
                                for name in kept})
        agent.use()
        self.svc.start()
        pair.eventually(lambda: self.connected(agent), "connected")


if __name__ == "__main__":
    unittest.main()
