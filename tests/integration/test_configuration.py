"""What is wrong with files and configuration is said in one line."""

import stat
import unittest

import pair


class ConfigurationTest(pair.PairTest):
    """One clear line with what to do, and an exit code other than 0."""

    def assert_refused(self, done, *words):
        self.assertNotEqual(done.returncode, 0)
        self.assertGreater(done.returncode, 0, "no signal")
        text = done.stderr.strip()
        self.assertEqual(len(text.splitlines()), 1, text)
        for word in words:
            self.assertIn(str(word), text)

    def test_agent(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        agent = self.agent(service, key, start=False)

        def attempt():
            return agent.cli("run", check=False)
        good = agent.config.read_text()
        agent.config.write_text(good + "heartbeet: 1s\n")
        self.assert_refused(attempt(), "heartbeet", agent.config)
        agent.config.write_text(good.replace('"1s"', '"soon"'))
        self.assert_refused(attempt(), "soon")
        agent.config.write_text(good)
        agent.config.rename(agent.config.with_suffix(".away"))
        self.assert_refused(attempt(), agent.config)
        agent.config.with_suffix(".away").rename(agent.config)

        key_file = agent.dir / "license.key"
        key_file.chmod(0o644)
        self.assert_refused(attempt(), key_file, "chmod")
        key_file.chmod(0o600)
        key_file.write_text("letmein\n")
        self.assert_refused(attempt(), "license key")
        key_file.write_text(key)
        state = agent.dir / "state"
        state.mkdir()
        state.chmod(0o755)
        self.assert_refused(attempt(), state, "chmod")
        state.chmod(0o700)
        agent.settings["service"]["ca_file"] = str(self.folder / "no.crt")
        agent.write_config()
        self.assert_refused(attempt(), "no.crt")
        agent.settings["service"]["ca_file"] = str(key_file)
        agent.write_config()
        self.assert_refused(attempt(), key_file)
        agent.settings["service"]["ca_file"] = str(service.ca)
        agent.write_config()
        agent.start()
        pair.eventually(lambda: agent.status().get("connectionState")
                        == "CONNECTION_STATE_CONNECTED", "connected")
        # A second one on the same state.
        self.assert_refused(attempt(), agent.process.process.pid)
        agent.stop()
        tls_key = state / "tls.key"
        tls_key.chmod(0o644)
        self.assert_refused(attempt(), tls_key, "chmod")
        tls_key.chmod(0o600)
        tls_key.write_text("garbage")
        self.assert_refused(attempt(), tls_key)

    def test_agent_sends_nothing_to_a_server_it_cannot_verify(self):
        service = self.service()
        key = service.create_license()["licenseKey"]
        other = self.folder / "other.crt"
        pair.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
                 "-keyout", self.folder / "other.key", "-out", other)
        agent = self.agent(service, key, config={"service": {
            "enrollment": f"localhost:{service.ports['enrollment']}",
            "cluster": f"localhost:{service.ports['cluster']}",
            "ca_file": str(other)}})
        pair.eventually(lambda: agent.status().get("waitingFor"),
                        "status says what the agent waits for")
        done = agent.cli("install", check=False)
        self.assertEqual(done.returncode, 5)
        self.assertFalse(service.mcctl_json("exchanges").get("counts"))

    def test_service(self):
        service = self.service(start=False)
        good = service.config.read_text()

        def attempt():
            return pair.run(pair.BIN / "mc-service", "run", "--config",
                            service.config, check=False)
        service.config.write_text(good + "write_behind: 1s\n")
        self.assert_refused(attempt(), "write_behind", service.config)
        service.config.write_text(
            good.replace("127.0.0.1:", "127.0.0.1:x", 1))
        self.assert_refused(attempt(), "127.0.0.1:x")
        service.config.write_text(good)
        service.dir.chmod(0o755)
        self.assert_refused(attempt(), service.dir, "chmod")
        service.dir.chmod(0o700)
        keys = [k for k in service.dir.rglob("*.key")
                if "operator" not in k.parts]
        self.assertGreaterEqual(len(keys), 3)
        for key in keys:
            with self.subTest(key.name):
                content = key.read_bytes()
                key.chmod(0o644)
                self.assert_refused(attempt(), key, "chmod")
                key.chmod(0o600)
                key.write_bytes(b"garbage")
                self.assert_refused(attempt(), key)
                key.unlink()
                self.assert_refused(attempt(), key)
                key.write_bytes(content)
                key.chmod(0o600)
        server_key = next(k for k in keys if k.stem == "server")
        content = server_key.read_bytes()
        pair.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-out", server_key)
        self.assert_refused(attempt(), server_key, "match")
        done = pair.run(pair.BIN / "mc-service", "validate", "--config",
                        service.config, check=False)
        self.assertEqual(done.returncode, 2)
        server_key.write_bytes(content)
        again = pair.run(pair.BIN / "mc-service", "init", "--directory",
                         service.dir, check=False)
        self.assert_refused(again, service.dir, "already")
        self.assertEqual(stat.S_IMODE(service.dir.stat().st_mode), 0o700)
        service.start()
        # A second one on the same store.
        other = service.config.with_name("other.yaml")
        text = good
        for port in service.ports.values():
            text = text.replace(f":{port}", ":0")
        other.write_text(text)
        self.assert_refused(pair.run(
            pair.BIN / "mc-service", "run", "--config", other, check=False))


if __name__ == "__main__":
    unittest.main()
