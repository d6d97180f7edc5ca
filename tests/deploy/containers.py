"""Images and containers without a running engine: buildah and podman."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile

import pair

BASE = "localhost/debian:bookworm-slim"
TAG = "test"

# What podman does without systemd and without a cgroup of its own.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=1024:1024"]
cgroups = "no-conmon"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


def missing():
    """Why there can be no containers here, or None."""
    if os.geteuid() != 0:
        return "containers need root here"
    for program in ("buildah", "podman", "runc", "debootstrap"):
        if shutil.which(program) is None:
            return f"{program} is not installed; run deploy/packages ci"
    return None


class Engine:
    """An image store in the build folder; images stay from run to run."""

    def __init__(self):
        self.folder = pair.BUILD / "containers"
        self.folder.mkdir(exist_ok=True)
        conf = self.folder / "containers.conf"
        conf.write_text(CONTAINERS_CONF)
        storage = self.folder / "storage.conf"
        storage.write_text(
            "[storage]\n"
            'driver = "overlay"\n'
            f'graphroot = "{self.folder / "images"}"\n'
            f'runroot = "{self.folder / "run"}"\n')
        self.env = {"CONTAINERS_CONF": str(conf),
                    "CONTAINERS_STORAGE_CONF": str(storage),
                    "BUILDAH_ISOLATION": "chroot"}

    def command(self, *args, check=True, timeout=600):
        done = subprocess.run([str(a) for a in args], capture_output=True,
                              text=True, timeout=timeout,
                              env=dict(os.environ, **self.env))
        if check and done.returncode != 0:
            raise AssertionError(f"{args}: exit {done.returncode}\n"
                                 f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done

    def podman(self, *args, **kwargs):
        return self.command("podman", *args, **kwargs)

    def build(self):
        """Both images, of this build's programs."""
        # Tests that run at the same time build once.
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.podman("image", "exists", BASE, check=False).returncode:
                self.import_base()
            stamp = self.folder / "built"
            built = stamp.stat().st_mtime if stamp.exists() else 0
            newest = max((pair.BIN / program).stat().st_mtime for program in
                         ("mc-service", "mcctl", "cluster-agent"))
            recipe = max(
                path.stat().st_mtime
                for path in (pair.SOURCE / "deploy" / "container").iterdir())
            if built < max(newest, recipe):
                self.command(pair.SOURCE / "deploy" / "container" / "build",
                             "--engine", "buildah", "--tag", TAG,
                             "--base", BASE, "--binaries", pair.BIN)
                stamp.touch()

    def import_base(self):
        folder = tempfile.mkdtemp(prefix="mission-control-")
        try:
            root = f"{folder}/root"
            self.command(pair.SOURCE / "tests" / "deploy" / "debian-base",
                         root)
            self.command("bash", "-c",
                         f"tar -C {root} -c . | podman import - {BASE}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def inspect(self, image):
        return json.loads(self.podman("inspect", image).stdout)[0]

    @contextlib.contextmanager
    def mounted(self, image):
        """The image's files, read-only in a folder."""
        path = self.podman("image", "mount", image).stdout.strip()
        try:
            yield path
        finally:
            self.podman("image", "unmount", image)
