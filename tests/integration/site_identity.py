"""A site of our own agent, whose identity something happens to."""

import datetime
import json
import pathlib

import grpc
from missioncontrol.v1 import license_pb2

import identities
import pair


class SiteTest(pair.PairTest):

    def both(self, **service_args):
        self.svc = self.service(**service_args)
        self.made = self.svc.create_license("--clusters", "100")
        self.site = self.agent(self.svc, self.made["licenseKey"])
        self.state = pathlib.Path(self.site.settings["state_directory"])
        self.site.use()
        self.wait_connected()

    def wait_connected(self, agent=None, patience=pair.PATIENCE_S):
        agent = agent or self.site
        pair.eventually(lambda: agent.cli("status", "--check", check=False)
                        .returncode == 0, "the agent is connected", patience)

    def rows(self, agent=None):
        status = (agent or self.site).status()
        return {row["name"]: row for row in status.get("exchanges", [])}

    def succeeded(self, name):
        return int(self.rows().get(name, {}).get("succeeded", 0))

    def failed(self):
        """Exchanges of which one failed since the agent's start."""
        return {name: row for name, row in self.rows().items()
                if int(row.get("failed", 0))}

    def wait_for_all(self):
        """Every steady exchange takes place from now on, and its usage too."""
        before = {name: self.succeeded(name) for name in (
            "license", "heartbeat", "health_check", "consumption")}
        self.site.use()
        pair.eventually(
            lambda: all(self.succeeded(name) > count
                        for name, count in before.items()),
            "every exchange takes place")

    def certificate(self):
        return (self.state / "tls.crt").read_bytes()

    def serial(self):
        return identities.openssl("x509", "-noout", "-serial", "-in",
                                  self.state / "tls.crt")

    def waits_for(self, *words):
        def said():
            text = self.site.status().get("waitingFor", "")
            return text if all(word in text for word in words) else None
        return pair.eventually(said, f"the agent waits for {words}")

    def ca_command(self, *args):
        return pair.run(pair.BIN / "mc-service", "ca", *args, "--config",
                        self.svc.config)

    def renew(self):
        """As if half of the certificate's life had passed while it was off."""
        self.site.stop()
        before = self.serial()
        path = self.state / "registration.json"
        registration = json.loads(path.read_text())
        asked = (datetime.datetime.now(datetime.timezone.utc)
                 - datetime.timedelta(days=29))
        registration["certifiedAt"] = asked.strftime("%Y-%m-%dT%H:%M:%SZ")
        path.write_text(json.dumps(registration))
        self.site.start()
        pair.eventually(
            lambda: self.serial() != before
            and not (self.state / "renewal.json").exists(),
            "the certificate is renewed")
        self.wait_connected()

    def gets_through(self, state=None):
        state = state or self.state
        try:
            self.svc.cluster(
                state / "tls.crt", state / "tls.key",
                (("grpc.use_local_subchannel_pool", 1),)).CheckLicense(
                    license_pb2.CheckLicenseRequest(),
                    timeout=pair.PATIENCE_S)
            return True
        except grpc.RpcError:
            return False
