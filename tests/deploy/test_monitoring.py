"""Rules, dashboard and examples of monitoring fit the figures of the service."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

import pair

MONITORING = pair.SOURCE / "deploy" / "monitoring"
TOOLS = ("promtool", "prometheus", "amtool")


def fetch(url):
    with urllib.request.urlopen(url, timeout=pair.PATIENCE_S) as answer:
        return answer.read().decode()


def metric_names(text):
    """The names of an exposition, histograms by their common name."""
    return set(re.findall(r"^# TYPE (\S+)", text, re.M))


def used_names(expression):
    """Every figure and record of ours that an expression names."""
    found = set(re.findall(r"\bmission_control[a-z0-9_:]+", expression))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def dashboard_expressions():
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


class FilesTest(unittest.TestCase):

    def test_the_tools_accept_the_files(self):
        for command in (("promtool", "check", "rules", "rules.yaml"),
                        ("promtool", "check", "config", "prometheus.yaml"),
                        ("amtool", "check-config", "alertmanager.yaml")):
            with self.subTest(command=command):
                done = subprocess.run(command, cwd=MONITORING, text=True,
                                      capture_output=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_alerts_fire_when_they_should(self):
        done = subprocess.run(["promtool", "test", "rules", "rules_test.yaml"],
                              cwd=MONITORING, text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_alert_has_a_case_that_fires_and_one_that_does_not(self):
        alerts = re.findall(r"- alert: (\w+)",
                            (MONITORING / "rules.yaml").read_text())
        self.assertGreater(len(alerts), 10)
        cases = set(re.findall(r"- name: (\w+), (fires|quiet),",
                               (MONITORING / "rules_test.yaml").read_text()))
        self.assertEqual(cases, {(alert, how) for alert in alerts
                                 for how in ("fires", "quiet")})

    def test_a_changed_rule_is_noticed(self):
        with tempfile.TemporaryDirectory(prefix="mission-control-") as folder:
            text = (MONITORING / "rules.yaml").read_text()
            self.assertIn("ratio > 0.2", text)
            pathlib.Path(folder, "rules.yaml").write_text(
                text.replace("ratio > 0.2", "ratio > 0.9"))
            shutil.copy(MONITORING / "rules_test.yaml", folder)
            done = subprocess.run(
                ["promtool", "test", "rules", "rules_test.yaml"], cwd=folder,
                text=True, capture_output=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("MissionControlClustersSilent", done.stdout + done.stderr)


class RealServiceTest(pair.PairTest):

    def setUp(self):
        super().setUp()
        self.mc = self.service()
        self.mc.create_license()
        self.figures = fetch(
            f"http://127.0.0.1:{self.mc.ports['metrics']}/metrics")

    def test_what_is_used_is_measured(self):
        rules = (MONITORING / "rules.yaml").read_text()
        known = metric_names(self.figures)
        records = set(re.findall(r"- record: (\S+)", rules))
        self.assertIn("mission_control_rpc_calls_total", known)
        for where, expression in [("rules.yaml", rules),
                                  *dashboard_expressions()]:
            with self.subTest(where=where):
                self.assertLessEqual(used_names(expression), known | records)

    def test_prometheus_takes_figures_rules_and_dashboard(self):
        port = pair.free_port()
        config = self.folder / "prometheus.yaml"
        config.write_text(
            (MONITORING / "prometheus.yaml").read_text()
            .replace("127.0.0.1:9464", f"127.0.0.1:{self.mc.ports['metrics']}")
            .replace("_interval: 15s", "_interval: 1s")
            .replace("[rules.yaml]", f"[{MONITORING / 'rules.yaml'}]"))
        prometheus = pair.Process(
            "prometheus",
            ["prometheus", f"--config.file={config}",
             f"--storage.tsdb.path={self.folder / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{port}"],
            self.folder / "prometheus.log")
        self.addCleanup(prometheus.stop)
        api = f"http://127.0.0.1:{port}/api/v1"

        def ask(path, **parameters):
            try:
                answer = json.loads(fetch(
                    f"{api}/{path}?{urllib.parse.urlencode(parameters)}"))
            except urllib.error.HTTPError as error:
                if error.code == 503:  # It starts.
                    return None
                raise AssertionError(
                    f"{parameters}: {error.read().decode()}") from None
            except OSError:
                return None
            self.assertEqual(answer["status"], "success")
            return answer["data"]

        def value(expression):
            found = ask("query", query=expression)
            return [r["value"][1] for r in found["result"]] if found else None

        pair.eventually(lambda: value('up{job="mission-control"}') == ["1"], "the target is up")
        pair.eventually(
            lambda: value("mission_control:connected_clusters:sum") == ["0"],
            "the records are evaluated")
        rules = [rule for group in ask("rules")["groups"]
                 for rule in group["rules"]]
        self.assertEqual({rule["health"] for rule in rules
                          if rule.get("lastEvaluation")} - {"unknown"}, {"ok"})
        firing = [rule["name"] for rule in rules
                  if rule.get("state") == "firing"]
        self.assertEqual(firing, [])
        for where, expression in dashboard_expressions():
            with self.subTest(where=where):
                ask("query", query=expression.replace("$job", "mission-control")
                    .replace("$__rate_interval", "1m"))
        # What the service says of itself is true.
        size = sum(path.stat().st_size
                   for path in self.mc.dir.glob("store.db*"))
        self.assertLessEqual(
            abs(float(value("mission_control_store_bytes")[0]) - size), 1 << 20)
        ends = ask("query", query="mission_control_certificate_not_after_"
                   "seconds - time()")["result"]
        self.assertEqual({r["metric"]["certificate"] for r in ends},
                         {f"{name} listener" for name in
                          ("enrollment", "cluster", "operator")}
                         | {f"{name} CA" for name in
                            ("server", "cluster", "operator")})
        for result in ends:
            self.assertGreater(float(result["value"][1]), 800 * 86400)


if __name__ == "__main__":
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"SKIPPED: {', '.join(missing)} not installed; "
              "run deploy/packages ci")
        sys.exit(77)
    unittest.main()
