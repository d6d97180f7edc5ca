"""The Helm charts: linted, strictly valid, and no wider than they say."""

import copy
import importlib.util
import json
import shutil
import subprocess
import sys
import unittest

import chart_values
import charts
import gateway_schemas
from charts import of_kind, one
from missioncontrol.config.v1 import agent_pb2, service_pb2

SETS = [("mission-control", name, values)
        for name, values in chart_values.SERVICE.items()]
SETS += [("cluster-agent", name, values)
         for name, values in chart_values.AGENT.items()]

# What the definitions of others must have and may have, by kind.
FOREIGN = {
    "Certificate": {"secretName", "duration", "renewBefore", "usages",
                    "privateKey", "dnsNames", "issuerRef"},
    "ServiceMonitor": {"selector", "endpoints"},
    "PrometheusRule": {"groups"},
}


def sni(hosts):
    return {"sniPassthrough": {"enabled": True, "gateway": {"name": "public"},
                               "hosts": hosts}}


def pod_specs(objects):
    for found in objects:
        if found["kind"] in ("StatefulSet", "DaemonSet"):
            yield found["metadata"]["name"], found["spec"]["template"]["spec"]


def unknown_keys(values, message, where=""):
    """Keys of a configuration that its message does not have."""
    for key, value in values.items():
        field = message.fields_by_name.get(key)
        if field is None:
            yield where + key
        elif field.message_type:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    yield from unknown_keys(item, field.message_type,
                                            f"{where}{key}.")


class ChartsTest(unittest.TestCase):

    def rendered(self):
        for chart, name, values in SETS:
            with self.subTest(chart=chart, values=name):
                yield chart, name, charts.render(chart, values)

    def test_lint_has_nothing_to_say(self):
        for chart, name, values in SETS:
            with self.subTest(chart=chart, values=name):
                done = charts.helm("lint", "--strict", charts.CHARTS / chart,
                                   values=values)
                self.assertNotIn("[WARNING]", done.stdout)
                self.assertNotIn("[ERROR]", done.stdout)

    def test_unknown_keys_are_refused_by_name(self):
        for chart, values, message in (
                ("mission-control", {"persistance": {}}, "persistance"),
                ("mission-control", {"tls": {"soruce": "init"}}, "soruce"),
                ("cluster-agent", {"nodes": {"enbled": True}}, "enbled"),
                ("cluster-agent", {"inventory": {"hosts": []}}, "hosts")):
            with self.subTest(values=values):
                done = charts.helm(
                    "template", "test", charts.CHARTS / chart,
                    "--kube-version", "1.37", check=False,
                    values={**chart_values.KEY, **values}
                    if chart == "cluster-agent" else values)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(
                    f"Additional property {message} is not allowed",
                    done.stderr)

    def test_schemas_close_every_object(self):
        def walk(schema, where):
            if schema.get("type") == "object" and "properties" in schema:
                self.assertIs(schema.get("additionalProperties"), False, where)
            for key, inner in schema.items():
                if isinstance(inner, dict):
                    walk(inner, f"{where}.{key}")

        for chart in ("mission-control", "cluster-agent"):
            walk(json.loads((charts.CHARTS / chart / "values.schema.json")
                            .read_text()), chart)

    def test_every_value_is_in_the_schema_and_back(self):
        import yaml

        def keys(values, schema, where):
            if not isinstance(values, dict) or not values:
                return
            if "$ref" in schema or "properties" not in schema:
                return
            self.assertEqual(set(values), set(schema["properties"]) - {
                "global"}, where)
            for key, value in values.items():
                keys(value, schema["properties"][key], f"{where}.{key}")

        for chart in ("mission-control", "cluster-agent"):
            folder = charts.CHARTS / chart
            keys(yaml.safe_load((folder / "values.yaml").read_text()),
                 json.loads((folder / "values.schema.json").read_text()),
                 chart)

    def test_what_is_missing_is_said(self):
        for chart, values, message in (
                ("cluster-agent", {}, "license: give the key"),
                ("cluster-agent",
                 {**chart_values.KEY, "master": {"replicas": 2}},
                 "mastership.lease.enabled"),
                ("mission-control", {"tls": {"source": "secret"}},
                 "tls.existingSecret"),
                ("mission-control", {"tls": {"source": "certManager"}},
                 "tls.certManager.issuer.name"),
                ("mission-control", {"sniPassthrough": {"enabled": True}},
                 "sniPassthrough.gateway.name"),
                ("mission-control", sni({"enrollment": "", "cluster": ""}),
                 "sniPassthrough.hosts: name the host"),
                ("mission-control", sni({"enrollment": "a.example.com",
                                         "cluster": "a.example.com"}),
                 "the same host"),
                ("mission-control", sni({"cluster": "192.0.2.7"}),
                 "sniPassthrough.hosts.cluster"),
                ("mission-control", sni({"cluster": "*a.example.com"}),
                 "sniPassthrough.hosts.cluster")):
            with self.subTest(message=message):
                done = charts.helm("template", "test", charts.CHARTS / chart,
                                   "--kube-version", "1.37", values=values,
                                   check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(message, done.stderr)

    @unittest.skipUnless(
        charts.SCHEMAS.exists() and importlib.util.find_spec("jsonschema"),
        "schemas of Kubernetes are missing; run tests/tools/install")
    def test_objects_are_strictly_valid(self):
        for version in charts.VERSIONS:
            schemas = charts.Schemas(version)
            for chart, name, values in SETS:
                for found in charts.render(chart, values, version):
                    kind = found["kind"]
                    with self.subTest(version=version, values=name, kind=kind,
                                      name=found["metadata"]["name"]):
                        self.assertEqual(found["metadata"]["namespace"],
                                         "prod")
                        if kind == "TLSRoute":
                            self.assertEqual(gateway_schemas.problems(found),
                                             [])
                        elif kind in FOREIGN:
                            self.assertEqual(set(found["spec"]), FOREIGN[kind])
                        else:
                            self.assertEqual(schemas.problems(found), [])

    @unittest.skipUnless(
        charts.SCHEMAS.exists() and importlib.util.find_spec("jsonschema"),
        "schemas of Kubernetes are missing; run tests/tools/install")
    def test_a_misspelt_field_is_found_at_any_depth(self):
        schemas = charts.Schemas(charts.VERSIONS[-1])
        good = one(charts.render("mission-control"), "StatefulSet")

        def spoil(found, *path):
            for key in path[:-1]:
                found = found[key]
            found[path[-1] + "X"] = found.pop(path[-1])

        pod = ("spec", "template", "spec")
        for path in (("spec", "serviceName"),
                     (*pod, "terminationGracePeriodSeconds"),
                     (*pod, "securityContext", "fsGroupChangePolicy"),
                     (*pod, "containers", 0, "readinessProbe"),
                     (*pod, "containers", 0, "securityContext",
                      "readOnlyRootFilesystem"),
                     (*pod, "volumes", 0, "configMap", "name")):
            with self.subTest(path=path):
                bad = copy.deepcopy(good)
                spoil(bad, *path)
                self.assertIn(f"'{path[-1]}X' was unexpected",
                              "\n".join(schemas.problems(bad)))
        self.assertEqual(schemas.problems(good), [])
        policy = one(charts.render("mission-control"), "NetworkPolicy")
        policy["spec"]["ingress"][0]["port"] = []
        self.assertNotEqual(schemas.problems(policy), [])

    @unittest.skipUnless(importlib.util.find_spec("jsonschema"),
                         "python3-jsonschema is not installed")
    def test_the_example_of_a_gateway_is_strictly_valid(self):
        import yaml
        text = (charts.CHARTS.parent / "examples"
                / "gateway-passthrough.yaml").read_text()
        found = list(yaml.safe_load_all(text))
        self.assertEqual([each["kind"] for each in found],
                         ["Gateway"] + ["TLSRoute"] * 3)
        for each in found:
            self.assertEqual(gateway_schemas.problems(each), [])
        gateway, *routes = found
        for route in routes:
            parent, = route["spec"]["parentRefs"]
            self.assertEqual(parent, {**gateway["metadata"], "sectionName":
                                      gateway["spec"]["listeners"][0]["name"]})
        # It finds what is wrong.
        routes[0]["spec"]["rules"][0]["backendRef"] = []
        gateway["spec"]["listeners"][0]["tls"]["mode"] = "Terminate"
        for each in (routes[0], gateway):
            self.assertEqual(len(gateway_schemas.problems(each)), 1)

    def test_pods_are_restricted(self):
        for _, name, objects in self.rendered():
            specs = list(pod_specs(objects))
            self.assertTrue(specs)
            for pod, spec in specs:
                context = spec["securityContext"]
                self.assertTrue(context["runAsNonRoot"], pod)
                self.assertGreater(context["runAsUser"], 0)
                self.assertEqual(context["seccompProfile"],
                                 {"type": "RuntimeDefault"})
                for key in ("hostNetwork", "hostPID", "hostIPC"):
                    self.assertNotIn(key, spec)
                for container in spec["containers"] + spec.get(
                        "initContainers", []):
                    if container["name"] == "product":
                        continue
                    self.assertEqual(container["securityContext"], {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]}})
                    self.assertIn("memory", container["resources"]["limits"])

    def test_probes_need_no_shell_and_ends_have_time(self):
        for chart, name, objects in self.rendered():
            for pod, spec in pod_specs(objects):
                main = spec["containers"][0]
                self.assertIn("livenessProbe", main)
                for probe in ("startupProbe", "readinessProbe"):
                    command = main[probe]["exec"]["command"]
                    self.assertEqual(command[0], "/usr/bin/" + main["name"])
                self.assertGreaterEqual(spec["terminationGracePeriodSeconds"],
                                        25)
        objects = charts.render("mission-control",
                                {"drainTimeoutSeconds": 120})
        (_, spec), = pod_specs(objects)
        self.assertGreater(spec["terminationGracePeriodSeconds"], 120)
        self.assertIn("drain_timeout: 120s",
                      one(objects, "ConfigMap")["data"]["mc-service.yaml"])

    def test_a_changed_configuration_restarts_the_pod(self):
        for chart, base, changed in (
                ("mission-control", {}, {"log": {"level": "debug"}}),
                ("cluster-agent", chart_values.KEY,
                 {**chart_values.KEY, "timeZone": "Europe/Vienna"})):
            sums = [[found["spec"]["template"]["metadata"]["annotations"]
                     ["checksum/config"]
                     for found in charts.render(chart, values)
                     if found["kind"] in ("StatefulSet", "DaemonSet")]
                    for values in (base, base, changed)]
            self.assertEqual(sums[0], sums[1])
            self.assertTrue(all(a != b for a, b in zip(sums[0], sums[2])))

    def test_configurations_have_only_known_keys(self):
        import yaml
        files = {"mc-service.yaml": service_pb2.ServiceConfig,
                 "cluster-agent.yaml": agent_pb2.AgentConfig,
                 "inventory.yaml": agent_pb2.Inventory}
        seen = set()
        for chart, name, objects in self.rendered():
            for found in of_kind(objects, "ConfigMap"):
                for file, text in found["data"].items():
                    if file not in files:
                        continue
                    seen.add(file)
                    self.assertEqual(
                        list(unknown_keys(yaml.safe_load(text),
                                          files[file].DESCRIPTOR)), [], file)
        self.assertEqual(seen, set(files))

    def test_nodes_see_only_what_they_read(self):
        for values, expected in (
                ("defaults", {"/proc", "/etc/os-release", "/etc/machine-id"}),
                ("everything", {"/proc", "/etc/os-release", "/etc/machine-id",
                                "/sys/fs/cgroup", "/var/lib/product"})):
            objects = charts.render("cluster-agent",
                                    chart_values.AGENT[values])
            spec = one(objects, "DaemonSet")["spec"]["template"]["spec"]
            paths = {volume["name"]: volume["hostPath"]["path"]
                     for volume in spec["volumes"] if "hostPath" in volume}
            self.assertEqual(set(paths.values()), expected)
            for mount in spec["containers"][0]["volumeMounts"]:
                if mount["name"] in paths:
                    self.assertTrue(mount["readOnly"])
                    self.assertEqual(mount["mountPath"],
                                     "/host" + paths[mount["name"]])
            # The key of the site's CA and the license are the master's.
            secrets = [volume["secret"] for volume in spec["volumes"]
                       if "secret" in volume]
            self.assertEqual(
                [[item["key"] for item in secret["items"]]
                 for secret in secrets], [["join.token"]])

    def test_rights_only_for_the_lease(self):
        for chart, name, objects in self.rendered():
            leases = chart == "cluster-agent" and name in ("lease",
                                                           "everything")
            self.assertEqual(bool(of_kind(objects, "Role")), leases)
            self.assertEqual(of_kind(objects, "ClusterRole"), [])
            self.assertEqual(of_kind(objects, "ClusterRoleBinding"), [])
            for account in of_kind(objects, "ServiceAccount"):
                self.assertIs(account["automountServiceAccountToken"], False)
            for pod, spec in pod_specs(objects):
                self.assertIs(spec["automountServiceAccountToken"],
                              leases and pod.endswith("-master"), pod)
        objects = charts.render("cluster-agent", chart_values.AGENT["lease"])
        self.assertEqual(one(objects, "Role")["rules"], [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
             "resourceNames": ["test-cluster-agent"],
             "verbs": ["get", "update"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
             "verbs": ["create"]}])
        self.assertIn("name: test-cluster-agent\n", one(
            objects, "ConfigMap", "-master")["data"]["cluster-agent.yaml"])
        self.assertEqual(
            [subject["name"] for subject in
             one(objects, "RoleBinding")["subjects"]],
            ["test-cluster-agent-master"])

    def test_network_of_the_agents(self):
        objects = charts.render("cluster-agent", chart_values.AGENT["lease"])
        master = one(objects, "NetworkPolicy", "-master")["spec"]
        node = one(objects, "NetworkPolicy", "-node")["spec"]
        node_pod = one(objects, "DaemonSet")["spec"]["template"]
        self.assertEqual(len(master["ingress"]), 1)
        selected = master["ingress"][0]["from"][0]["podSelector"][
            "matchLabels"]
        self.assertLessEqual(selected.items(),
                             node_pod["metadata"]["labels"].items())
        self.assertEqual(selected["app.kubernetes.io/component"], "node")

        def ports(rules):
            return [sorted({str(port["port"]) for port in rule["ports"]})
                    for rule in rules]

        self.assertEqual(ports(master["egress"]),
                         [["53"], ["8442", "8443"], ["443", "6443"]])
        # No node speaks to the vendor, and nobody speaks to a node.
        self.assertEqual(node["ingress"], [])
        self.assertEqual(ports(node["egress"]), [["53"], ["8450", "8451"]])
        self.assertEqual(node["egress"][1]["to"][0]["podSelector"][
            "matchLabels"]["app.kubernetes.io/component"], "master")
        for policy in (master, node):
            self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])
        objects = charts.render("cluster-agent", chart_values.AGENT["proxy"])
        self.assertEqual(
            ports(one(objects, "NetworkPolicy", "-master")["spec"]["egress"]),
            [["53"], ["3128"]])
        objects = charts.render("cluster-agent",
                                chart_values.AGENT["one-node"])
        self.assertEqual(
            one(objects, "NetworkPolicy", "-master")["spec"]["ingress"], [])

    def test_network_of_the_service(self):
        spec = one(charts.render("mission-control"), "NetworkPolicy")["spec"]
        rules = {tuple(port["port"] for port in rule["ports"]):
                 rule.get("from") for rule in spec["ingress"]}
        self.assertEqual(rules, {("enrollment", "cluster"): None,
                                 ("operator",): [{"podSelector": {}}],
                                 ("metrics", "front-metrics"):
                                     [{"podSelector": {}}]})
        self.assertEqual(spec["egress"], [])

    def test_the_front_sees_its_certificate_and_nothing_of_the_state(self):
        for values, certificate in (("defaults", "front-files"),
                                    ("secret", "tls")):
            objects = charts.render("mission-control",
                                    chart_values.SERVICE[values])
            spec = one(objects, "StatefulSet")["spec"]["template"]["spec"]
            service, front = spec["containers"]
            self.assertEqual(front["args"][0], "enroll-front")
            self.assertEqual({mount["name"] for mount in
                              front["volumeMounts"]},
                             {"config", "front", certificate})
            for mount in front["volumeMounts"]:
                self.assertIs(mount["readOnly"], True)
            ports = [{port["name"] for port in found["ports"]}
                     for found in (service, front)]
            self.assertEqual(ports, [{"cluster", "operator", "metrics"},
                                     {"enrollment", "front-metrics"}])
            config = one(objects, "ConfigMap")["data"]["mc-service.yaml"]
            self.assertIn("enrollment_front:", config)
        objects = charts.render("mission-control",
                                chart_values.SERVICE["no-front"])
        spec = one(objects, "StatefulSet")["spec"]["template"]["spec"]
        self.assertEqual([found["name"] for found in spec["containers"]],
                         ["mc-service"])
        self.assertEqual(len(spec["initContainers"]), 1)
        self.assertNotIn("enrollment_front", one(objects, "ConfigMap")["data"][
            "mc-service.yaml"])

    def test_services_lead_to_the_pods_ports(self):
        for chart, name, objects in self.rendered():
            pods = [found["spec"]["template"] for found in objects
                    if found["kind"] in ("StatefulSet", "DaemonSet")]
            services = of_kind(objects, "Service")
            self.assertTrue(services)
            for service in services:
                selector = service["spec"]["selector"].items()
                chosen = [pod for pod in pods
                          if selector <= pod["metadata"]["labels"].items()]
                self.assertEqual(len(chosen), 1, service["metadata"]["name"])
                names = {port["name"] for container in
                         chosen[0]["spec"]["containers"]
                         for port in container.get("ports", [])}
                for port in service["spec"].get("ports", []):
                    self.assertIn(port["targetPort"], names)
        objects = charts.render("mission-control",
                                chart_values.SERVICE["everything"])
        services = {found["metadata"]["name"]: found["spec"]["ports"]
                    for found in of_kind(objects, "Service")}
        routes = of_kind(objects, "TLSRoute")
        self.assertEqual(len(routes), 3)
        for route in routes:
            backend = route["spec"]["rules"][0]["backendRefs"][0]
            self.assertEqual(backend["port"],
                             services[backend["name"]][0]["port"])
            host, = route["spec"]["hostnames"]
            certificate = one(objects, "Certificate")["spec"]
            self.assertIn(host, certificate["dnsNames"])

    def test_the_site_has_one_ca_and_the_token_names_it(self):
        import base64
        import hashlib
        objects = charts.render("cluster-agent", chart_values.KEY)
        data = {key: base64.b64decode(value) for key, value in
                one(objects, "Secret", "-site")["data"].items()}
        der = subprocess.run(["openssl", "x509", "-outform", "der"],
                             input=data["tls.crt"], capture_output=True,
                             check=True).stdout
        start, secret, digest = data["join.token"].decode().split(".")
        self.assertEqual(start, "mcj1")
        self.assertGreaterEqual(len(secret), 43)
        self.assertEqual(digest, hashlib.sha256(der).hexdigest())
        objects = charts.render("cluster-agent",
                                chart_values.AGENT["existing-secrets"])
        self.assertEqual(of_kind(objects, "Secret"), [])

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_rules_arrive_whole(self):
        import yaml
        objects = charts.render("mission-control",
                                chart_values.SERVICE["everything"])
        source = charts.CHARTS.parent / "monitoring"
        self.assertEqual(
            one(objects, "PrometheusRule")["spec"],
            yaml.safe_load((source / "rules.yaml").read_text()))
        self.assertEqual(
            json.loads(one(objects, "ConfigMap", "-dashboard")["data"][
                "mission-control.json"]),
            json.loads((source / "dashboard.json").read_text()))


if __name__ == "__main__":
    missing = []
    if not charts.HELM.exists():
        missing.append("helm (tests/tools/install)")
    if importlib.util.find_spec("yaml") is None:
        missing.append("python3-yaml (deploy/packages ci)")
    if missing:
        print(f"SKIPPED: {', '.join(missing)} not installed")
        sys.exit(77)
    unittest.main()
