"""grpcurl and buf curl: list, describe and call, by reflection."""

import json
import shutil
import unittest

import pair

TOOLS = pair.SOURCE / "build" / "tools"
BUF = TOOLS / "node_modules" / ".bin" / "buf"
GRPCURL = (TOOLS / "grpcurl" if (TOOLS / "grpcurl").exists()
           else shutil.which("grpcurl"))
INSTALL = "missioncontrol.v1.EnrollmentService/Install"


class ToolsTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.svc = self.service(reflection=True)
        self.key = self.svc.create_license()["licenseKey"]
        self.request = json.dumps({
            "licenseKey": self.key, "agentVersion": "1.0.0",
            "productVersion": "1.0.0"})

    @unittest.skipUnless(GRPCURL, "grpcurl is not installed; it needs Go, and "
                         "tests/tools/install")
    def test_grpcurl(self):
        def grpcurl(*args):
            return pair.run(GRPCURL, "-cacert", self.svc.ca, *args).stdout
        address = f"localhost:{self.svc.ports['enrollment']}"
        listed = grpcurl(address, "list").split()
        self.assertIn("missioncontrol.v1.EnrollmentService", listed)
        self.assertIn("grpc.health.v1.Health", listed)
        self.assertIn("rpc Install", grpcurl(
            address, "describe", "missioncontrol.v1.EnrollmentService"))
        answer = json.loads(grpcurl("-d", self.request, address, INSTALL))
        # gRPC 1.51's reflection leaves JSON names out: grpcurl shows fields
        # by their own.
        self.assertEqual(answer["account_name"], "Example")
        health = json.loads(grpcurl(
            "-d", '{"service": "missioncontrol.v1.EnrollmentService"}',
            address, "grpc.health.v1.Health/Check"))
        self.assertEqual(health["status"], "SERVING")
        operator = self.svc.dir / "operator"
        fleet = json.loads(grpcurl(
            "-cert", operator / "admin.crt", "-key", operator / "admin.key",
            f"localhost:{self.svc.ports['operator']}",
            "missioncontrol.v1.FleetService/ListAccounts"))
        self.assertEqual(fleet["accounts"][0]["name"], "Example")

    @unittest.skipUnless(BUF.exists(), "buf is not installed; run "
                         "tests/tools/install")
    def test_buf_curl(self):
        url = f"https://localhost:{self.svc.ports['enrollment']}"

        def curl(*args):
            return pair.run(BUF, "curl", "--protocol", "grpc", "--cacert",
                            self.svc.ca, *args).stdout
        self.assertIn("missioncontrol.v1.EnrollmentService",
                      curl("--list-services", url))
        self.assertIn(INSTALL, curl("--list-methods", url))
        answer = json.loads(curl("--data", self.request, f"{url}/{INSTALL}"))
        self.assertEqual(answer["licenseName"], "production")


if __name__ == "__main__":
    if not GRPCURL and not BUF.exists():
        print("SKIPPED: neither grpcurl nor buf is installed; "
              "run tests/tools/install")
        raise SystemExit(77)
    unittest.main()
