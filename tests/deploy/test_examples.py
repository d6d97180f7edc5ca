"""The examples of configuration are complete and valid."""

import pathlib
import re
import shutil
import tempfile
import unittest

import pair
from missioncontrol.config.v1 import agent_pb2, service_pb2

EXAMPLES = pair.SOURCE / "deploy" / "examples"


def keys(message):
    """Every key of a configuration, nested ones too."""
    found = set()
    for field in message.fields:
        found.add(field.name)
        if field.message_type and \
                field.message_type.full_name != "google.protobuf.Duration":
            found |= keys(field.message_type)
    return found


class ExamplesTest(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mission-control-"))
        self.service = self.folder / "service"
        pair.run(pair.BIN / "mc-service", "init", "--directory", self.service,
                 "--trust-domain", "missioncontrol.example.com")

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def example(self, name, replace):
        """A copy of the example with paths of this machine."""
        text = (EXAMPLES / name).read_text()
        for old, new in replace.items():
            self.assertIn(old, text)
            text = text.replace(old, str(new))
        copy = self.folder / name
        copy.write_text(text)
        return copy

    def agent_example(self):
        key = self.folder / "license.key"
        key.write_text("MC-0000-0000-0000-0000-0000-0000-0000\n")
        key.chmod(0o600)
        password = self.folder / "proxy.password"
        password.write_text("secret\n")
        password.chmod(0o600)
        return self.example("cluster-agent.yaml", {
            "/etc/mission-control/proxy.password": password,
            "/etc/mission-control/server-ca.crt":
                self.service / "ca" / "server-ca.crt",
            "/etc/mission-control/license.key": key,
            "/etc/mission-control/inventory.yaml": EXAMPLES / "inventory.yaml",
            "/var/lib/cluster-agent": self.folder / "state",
            "/run/cluster-agent": self.folder / "run"})

    def test_service(self):
        config = self.example("mc-service.yaml",
                              {"/var/lib/mission-control": self.service})
        pair.run(pair.BIN / "mc-service", "validate", "--config", config)
        config.write_text(config.read_text() + "unknown_key: 1\n")
        done = pair.run(pair.BIN / "mc-service", "validate", "--config",
                        config, check=False)
        self.assertEqual(done.returncode, 2)

    def test_agent(self):
        config = self.agent_example()
        pair.run(pair.BIN / "cluster-agent", "validate", "--config", config)

    def test_agent_checks_the_inventory(self):
        config = self.agent_example()
        inventory = self.folder / "inventory.yaml"
        inventory.write_text((EXAMPLES / "inventory.yaml").read_text()
                             + "unknown_key: 1\n")
        config.write_text(config.read_text().replace(
            str(EXAMPLES / "inventory.yaml"), str(inventory)))
        done = pair.run(pair.BIN / "cluster-agent", "validate", "--config",
                        config, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("unknown_key", done.stdout + done.stderr)

    def test_every_key_is_shown(self):
        for name, message in (
                ("mc-service.yaml", service_pb2.ServiceConfig),
                ("cluster-agent.yaml", agent_pb2.AgentConfig),
                ("inventory.yaml", agent_pb2.Inventory)):
            text = (EXAMPLES / name).read_text()
            for key in sorted(keys(message.DESCRIPTOR)):
                with self.subTest(file=name, key=key):
                    self.assertTrue(
                        re.search(rf"^ *(# *)?(- )?{key}:", text, re.M),
                        f"{name} does not show {key}")


if __name__ == "__main__":
    unittest.main()
