"""Renders the Helm charts, and judges objects by the schemas of Kubernetes."""

import functools
import json
import os
import pathlib
import subprocess
import tempfile

import pair

CHARTS = pair.SOURCE / "deploy" / "helm"
TOOLS = pathlib.Path(os.environ.get("MC_TOOLS", pair.SOURCE / "build/tools"))
HELM = TOOLS / "helm"
SCHEMAS = TOOLS / "kubernetes-schemas"
# The oldest that the charts are for, and a recent one.
VERSIONS = ("1.25", "1.37")


def helm(*arguments, values=None, check=True):
    """Runs helm offline with values given as an object."""
    with tempfile.TemporaryDirectory(prefix="mission-control-") as folder:
        file = pathlib.Path(folder, "values.json")
        file.write_text(json.dumps(values or {}))
        command, *rest = arguments
        return pair.run(HELM, command, *rest, "--values", file, check=check,
                        env={"HOME": folder})


def render(chart, values=None, version="1.37"):
    """The objects of a chart, in a namespace of their own."""
    import yaml
    text = _render(chart, json.dumps(values or {}), version)
    return [found for found in yaml.safe_load_all(text) if found]


@functools.lru_cache(maxsize=None)
def _render(chart, values, version):
    return helm("template", "test", CHARTS / chart, "--namespace", "prod",
                "--kube-version", version, values=json.loads(values)).stdout


def of_kind(objects, kind, suffix=""):
    return [found for found in objects if found["kind"] == kind
            and found["metadata"]["name"].endswith(suffix)]


def one(objects, kind, suffix=""):
    found = of_kind(objects, kind, suffix)
    assert len(found) == 1, f"{len(found)} of {kind} {suffix}"
    return found[0]


class Schemas:
    """The strict schemas of one version: unknown fields are errors."""

    def __init__(self, version):
        self.folder = SCHEMAS / version
        self._definitions = json.loads(
            (self.folder / "_definitions.json").read_text())

    def problems(self, found):
        """What is wrong with an object of Kubernetes itself; None for an
        object of somebody else's definition."""
        import jsonschema
        group, _, api = found["apiVersion"].rpartition("/")
        api = "-".join(filter(None, (group.split(".")[0], api)))
        file = self.folder / f"{found['kind'].lower()}-{api}.json"
        if "." in group and not group.endswith(".k8s.io"):
            return None
        if not file.exists():
            return [f"{found['kind']} of {found['apiVersion']} is unknown"]
        schema = json.loads(file.read_text())
        resolver = jsonschema.RefResolver(schema["$id"], schema, store={
            self._definitions["$id"]: self._definitions})
        validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
                for error in validator.iter_errors(found)]
