"""deploy/quickstart with the programs of this build."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import pair

QUICKSTART = pair.SOURCE / "deploy" / "quickstart"
EXCHANGES = ["INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
             "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"]


class QuickstartTest(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mission-control-"))
        self.directory = self.folder / "quickstart"
        self.running = None

    def tearDown(self):
        if self.running and self.running.poll() is None:
            os.killpg(self.running.pid, signal.SIGTERM)
            self.running.wait(pair.PATIENCE_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *args):
        return [str(a) for a in (QUICKSTART, "--directory", self.directory,
                                 "--build-directory", pair.BUILD, *args)]

    def quickstart(self, *args):
        """To its end."""
        return subprocess.run(self.command(*args), capture_output=True,
                              text=True, timeout=200)

    def start(self, *args):
        """In a process group of its own, as a shell starts it."""
        self.output = self.folder / "output.log"
        with open(self.output, "ab") as out:
            self.running = subprocess.Popen(
                self.command(*args), stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, start_new_session=True)

    def mcctl_json(self, *args):
        done = subprocess.run(
            [pair.BIN / "mcctl", "--config",
             self.directory / "service" / "mcctl.yaml", *args, "--output",
             "json"], capture_output=True, text=True, timeout=30)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def succeeded(self):
        return {c["exchange"].removeprefix("EXCHANGE_")
                for c in self.mcctl_json("exchanges").get("counts", [])
                if int(c.get("succeeded", 0))}

    def processes(self):
        """The processes whose command line names this test's folder."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    line = (entry / "cmdline").read_bytes()
                    if str(self.folder).encode() in line:
                        found[int(entry.name)] = line.replace(b"\0", b" ")
        return found

    def rows(self, output):
        """Exchange to (succeeded, last result), from the printed table."""
        rows = {}
        for line in output.splitlines():
            words = line.split()
            if len(words) >= 5 and words[0] in EXCHANGES and \
                    words[1].isdigit() and words[2].isdigit():
                rows[words[0]] = (int(words[1]), words[4])
        return rows

    def test_once_ends_when_each_exchange_succeeded(self):
        done = self.quickstart("--once")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = self.rows(done.stdout)
        self.assertEqual(sorted(rows), sorted(EXCHANGES), done.stdout)
        for name, (count, result) in rows.items():
            with self.subTest(name):
                self.assertGreater(count, 0)
                self.assertEqual(result, "OK")
        self.assertRegex(done.stdout,
                         r"Usage of the cluster: [1-9][0-9]* sessions")
        self.assertEqual(self.processes(), {})

    def test_interrupt_ends_everything_and_a_broken_exchange_is_told(self):
        self.start()
        pair.eventually(lambda: self.succeeded() == set(EXCHANGES),
                        "each exchange succeeded", patience=120)
        license_id = self.mcctl_json("license", "list")["licenses"][0][
            "licenseId"]
        self.assertTrue(self.mcctl_json("license", "suspend", license_id))
        self.assertGreater(len(self.processes()), 3)
        # What a terminal does at Ctrl-C.
        os.killpg(self.running.pid, signal.SIGINT)
        code = self.running.wait(pair.PATIENCE_S)
        output = self.output.read_text()
        self.assertEqual(code, 0, output)
        self.assertEqual(self.processes(), {})
        self.assertIn("mcctl --config", output)
        self.assertIn("grpcurl", output)
        self.assertIn("buf curl", output)

        # The same cluster, with a license that lets no updates through.
        done = self.quickstart("--once", "--keep", "--timeout", "40")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"Missing after \d+ s: UPDATES\n")
        self.assertEqual(self.rows(done.stdout)["UPDATES"][1],
                         "FAILED_PRECONDITION/LICENSE_SUSPENDED")
        self.assertEqual(self.processes(), {})

    def test_nothing_of_somebody_else_is_removed(self):
        self.directory.mkdir()
        precious = self.directory / "precious"
        precious.write_text("mine")
        done = self.quickstart("--once")
        self.assertEqual(done.returncode, 1)
        self.assertIn("something else", done.stderr)
        self.assertEqual(precious.read_text(), "mine")

    def test_wrong_usage(self):
        for args in (["--onse"], ["--timeout", "soon"], ["--directory"]):
            with self.subTest(args):
                done = subprocess.run([QUICKSTART, *args],
                                      capture_output=True, text=True)
                self.assertEqual(done.returncode, 2)
                self.assertIn("--help", done.stderr)


if __name__ == "__main__":
    unittest.main()
