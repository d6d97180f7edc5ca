"""The systemd units: accepted without a word, and hardened."""

import ctypes.util
import grp
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest

import grpc
from missioncontrol.v1 import agent_pb2, agent_service_pb2_grpc

import pair
import yaml_lite

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
            "mc-service.service", "mission-control-enroll-front.service"])

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

    def test_the_front_reads_copies_and_not_the_state(self):
        unit = next(unit for unit in UNITS if "front" in unit.name).read_text()
        self.assertIn("InaccessiblePaths=-/var/lib/mission-control\n", unit)
        # systemd reads these as root and hands them over.
        self.assertNotIn("/var/lib", "".join(
            line for line in unit.splitlines() if line.startswith("Exec")))
        service = next(unit for unit in UNITS
                       if unit.name == "mc-service.service").read_text()
        for key in ("User", "Group"):
            self.assertNotEqual(*(
                next(line for line in text.splitlines()
                     if line.startswith(f"{key}=")) for text in (unit, service)))

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


# What the units refuse, tried by one who may do it otherwise.
REFUSED = """\
import mmap, os, socket
def refused(what):
    try:
        what()
    except OSError:
        return True
both = mmap.PROT_WRITE | mmap.PROT_EXEC
print(refused(lambda: os.sched_setaffinity(0, os.sched_getaffinity(0))),
      refused(lambda: socket.socket(socket.AF_VSOCK)),
      refused(lambda: mmap.mmap(-1, 4096, prot=both)))
"""
GROUP = "users"


def why_not_confined():
    if os.geteuid() != 0:
        return "becoming another user needs root"
    if ctypes.util.find_library("seccomp") is None:
        return "libseccomp is not installed"
    return None


@unittest.skipIf(why_not_confined(), why_not_confined())
class ConfinedTest(unittest.TestCase):
    """The programs do all they are for, under the filters of their units."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mc"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        # nobody must reach the programs, wherever the tree is.
        self.folder.chmod(0o755)
        self.user = pwd.getpwnam("nobody").pw_uid
        for program in ("mc-service", "mcctl", "cluster-agent"):
            shutil.copy2(pair.BIN / program, self.folder / program)

    def command(self, unit, program, *args):
        return [sys.executable, "-B", pathlib.Path(__file__).with_name(
            "confined.py"), pair.SOURCE / "deploy" / "systemd" / unit, GROUP,
            program, *args]

    def start(self, unit, program, config, verb="run", *more):
        process = pair.Process(program, self.command(
            unit, self.folder / program, verb, "--config", config, *more),
            self.folder / f"{unit}.log")
        self.addCleanup(process.kill)
        return process

    def own(self, path, mode, text=None):
        if text is None:
            path.mkdir()
        else:
            path.write_text(text)
        os.chown(path, self.user, self.user)
        path.chmod(mode)
        return path

    def service(self, program, *args):
        return pair.run(*self.command("mc-service.service",
                                      self.folder / program, *args))

    def mcctl(self, *args):
        return json.loads(self.service(
            "mcctl", "--config", self.mcctl_config, *args, "--output",
            "json").stdout)

    def succeeded(self):
        return {count["exchange"].removeprefix("EXCHANGE_")
                for count in self.mcctl("exchanges").get("counts", [])
                if int(count.get("succeeded", 0))}

    def test_the_filters_are_in_force(self):
        for unit in UNITS:
            with self.subTest(unit=unit.name):
                done = pair.run(*self.command(unit.name, "/usr/bin/python3",
                                              "-c", REFUSED))
                self.assertEqual(done.stdout.split(), ["True"] * 3)

    def test_every_exchange_succeeds(self):
        home = self.own(self.folder / "vendor", 0o700)
        state = home / "state"
        self.service("mc-service", "init", "--directory", state,
                     "--server-name", "localhost", "--free-ports")
        config = state / "mc-service.yaml"
        config.write_text(config.read_text() + yaml_lite.dump({
            "enrollment_front": {"socket": str(home / "enrollment.sock"),
                                 "group": GROUP}}))
        service = self.start("mc-service.service", "mc-service", config)
        pair.eventually((state / "ports.json").exists, "ports.json is there")
        ports = json.loads((state / "ports.json").read_text())
        # The front's socket is given to its group.
        self.assertEqual((home / "enrollment.sock").stat().st_gid,
                         grp.getgrnam(GROUP).gr_gid)
        front = self.start("mission-control-enroll-front.service",
                           "mc-service", config, "enroll-front", "--metrics",
                           "127.0.0.1:0", "--ports-file", home / "front.json")
        pair.eventually((home / "front.json").exists, "the front is ready")
        ports["enrollment"] = json.loads(
            (home / "front.json").read_text())["enrollment"]
        self.mcctl_config = self.own(
            home / "mcctl.yaml", 0o600, yaml_lite.dump({
                "operator_address": f"localhost:{ports['operator']}",
                "ca_file": str(state / "operator" / "ca.crt"),
                "certificate_file": str(state / "operator" / "admin.crt"),
                "key_file": str(state / "operator" / "admin.key")}))
        account = self.mcctl("account", "create", "--name", "Example")
        key = self.mcctl("license", "create", "--account",
                         account["account"]["accountId"], "--name",
                         "production")["licenseKey"]

        site = self.own(self.folder / "site", 0o755)
        sockets = self.own(site / "run", 0o755)
        config = self.own(site / "cluster-agent.yaml", 0o600, yaml_lite.dump({
            "service": {
                "enrollment": f"localhost:{ports['enrollment']}",
                "cluster": f"localhost:{ports['cluster']}",
                "ca_file": str(self.own(
                    site / "ca.crt", 0o644,
                    (state / "ca" / "server-ca.crt").read_text()))},
            "license_key_file": str(self.own(site / "license.key", 0o600,
                                             key + "\n")),
            "state_directory": str(self.own(site / "state", 0o700)),
            "socket_directory": str(sockets),
            "product_group": GROUP,
            "schedule": pair.FAST,
            "product": {"version": "1.0.0"}}))
        agent = self.start("cluster-agent.service", "cluster-agent", config)

        socket = sockets / "agent.sock"

        def listens():
            self.assertTrue(agent.alive(), agent.output())
            return socket.exists()
        pair.eventually(listens, "agent.sock is there")
        # Without usage there is no consumption to report.
        with grpc.secure_channel(
                f"unix:{socket}", grpc.local_channel_credentials(
                    grpc.LocalConnectionType.UDS)) as channel:
            agent_service_pb2_grpc.AgentServiceStub(channel).RecordUsage(
                agent_pb2.RecordUsageRequest(records=[agent_pb2.UsageRecord(
                    idempotency_key="1", environment_id="plant",
                    rum_sessions=1)]),
                wait_for_ready=True, timeout=pair.PATIENCE_S)

        def every():
            self.assertTrue(agent.alive(), agent.output())
            return self.succeeded() >= {
                "INSTALLATION", "REGISTRATION", "LICENSE", "HEALTH_CHECK",
                "CONSUMPTION", "HEARTBEAT", "UPDATES", "CLUSTER_EVENTS"}
        pair.eventually(every, "every exchange succeeds")
        # The product's group is given its socket.
        self.assertEqual(socket.stat().st_gid,
                         grp.getgrnam(GROUP).gr_gid)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(front.stop(), 0)
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    if shutil.which("systemd-analyze") is None:
        print("SKIPPED: systemd is not installed; run deploy/packages ci")
        sys.exit(77)
    unittest.main()
