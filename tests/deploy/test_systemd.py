"""The systemd units: accepted without a word, and hardened."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import pair

UNITS = sorted((pair.SOURCE / "deploy" / "systemd").glob("*.service"))
# systemd-analyze security: 0 is the safest, 10 the least safe.
LARGEST_EXPOSURE = 2.0


class SystemdTest(unittest.TestCase):

    def setUp(self):
        # What a unit starts must be there: the units of a tree with the
        # programs where the units expect them.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mission-control-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.units = self.root / "units"
        self.units.mkdir()
        for unit in UNITS:
            text = unit.read_text()
            self.assertIn("=/usr/bin/", text)
            (self.units / unit.name).write_text(
                text.replace("=/usr/bin/", f"={pair.BIN}/"))

    def analyze(self, *args):
        return subprocess.run(["systemd-analyze", *map(str, args)],
                              capture_output=True, text=True, timeout=60)

    def test_all_are_here(self):
        self.assertEqual([unit.name for unit in UNITS], [
            "cluster-agent-node.service", "cluster-agent.service",
            "mc-service.service"])

    def test_accepted_without_a_word(self):
        for unit in UNITS:
            with self.subTest(unit=unit.name):
                done = self.analyze("verify", self.units / unit.name)
                # It exits with 0 for warnings, too.
                self.assertEqual(
                    (done.returncode, done.stdout + done.stderr), (0, ""))

    def test_a_mistake_is_found(self):
        unit = self.units / "mc-service.service"
        unit.write_text(unit.read_text().replace("ProtectHome=",
                                                 "ProtectHomes="))
        done = self.analyze("verify", unit)
        self.assertIn("ProtectHomes", done.stdout + done.stderr)

    def test_hardened(self):
        for unit in UNITS:
            with self.subTest(unit=unit.name):
                done = self.analyze(
                    "security", "--offline=true", "--no-pager",
                    f"--threshold={int(LARGEST_EXPOSURE * 10)}",
                    self.units / unit.name)
                print(unit.name, done.stdout.strip().splitlines()[-1])
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_commands_exist(self):
        for unit in UNITS:
            for line in unit.read_text().splitlines():
                if line.startswith("ExecStart"):
                    command = line.split("=", 1)[1].split()
                    program = pair.BIN / pathlib.Path(command[0]).name
                    verbs = command[1:command.index("--config")]
                    self.assertIn(
                        " ".join(["Usage:", program.name, *verbs]),
                        pair.run(program, *verbs, "--help").stdout)


if __name__ == "__main__":
    if shutil.which("systemd-analyze") is None:
        print("SKIPPED: systemd is not installed; run deploy/packages ci")
        sys.exit(77)
    unittest.main()
