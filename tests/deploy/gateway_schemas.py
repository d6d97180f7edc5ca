"""Strict schemas of what we use of the Gateway API: unknown keys are errors.

The API's own definitions are of another project than Kubernetes' schemas; these
are of its reference, gateway.networking.k8s.io, with its patterns and bounds.
"""

NAME = {"type": "string", "minLength": 1, "maxLength": 253,
        "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
SECTION = NAME
NAMESPACE = {"type": "string", "minLength": 1, "maxLength": 63,
             "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
GROUP = {"type": "string", "maxLength": 253,
         "pattern": r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?"
                    r"(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"}
KIND = {"type": "string", "pattern": r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
# A host of a route is a name: no address, and a wildcard only in front.
HOST = {"type": "string", "minLength": 1, "maxLength": 253,
        "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?"
                   r"(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "not": {"pattern": r"^[0-9.]+$"}}


def closed(required, **properties):
    return {"type": "object", "additionalProperties": False,
            "required": required, "properties": properties}


def listed(items, least=0, most=16):
    return {"type": "array", "minItems": least, "maxItems": most,
            "items": items}


METADATA = {"type": "object", "required": ["name", "namespace"],
            "additionalProperties": False,
            "properties": {"name": NAME, "namespace": NAMESPACE,
                           "labels": {"type": "object"},
                           "annotations": {"type": "object"}}}

TLS_ROUTE = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"enum": ["gateway.networking.k8s.io/v1alpha2",
                         "gateway.networking.k8s.io/v1alpha3",
                         "gateway.networking.k8s.io/v1"]},
    kind={"const": "TLSRoute"}, metadata=METADATA,
    spec=closed(
        ["parentRefs", "hostnames", "rules"],
        parentRefs=listed(closed(["name"], group=GROUP, kind=KIND, name=NAME,
                                 namespace=NAMESPACE, sectionName=SECTION,
                                 port=PORT), 1, 32),
        hostnames=listed(HOST, 1),
        rules=listed(closed(
            ["backendRefs"], name=NAME,
            backendRefs=listed(closed(
                ["name", "port"], group=GROUP, kind=KIND, name=NAME,
                namespace=NAMESPACE, port=PORT,
                weight={"type": "integer", "minimum": 0,
                        "maximum": 1000000}), 1)), 1, 1)))

GATEWAY = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "gateway.networking.k8s.io/v1"},
    kind={"const": "Gateway"}, metadata=METADATA,
    spec=closed(
        ["gatewayClassName", "listeners"],
        gatewayClassName={"type": "string", "minLength": 1},
        listeners=listed(closed(
            ["name", "port", "protocol", "tls"],
            name=SECTION, hostname=HOST, port=PORT, protocol={"const": "TLS"},
            # Else somebody in between would see what the clusters say.
            tls=closed(["mode"], mode={"const": "Passthrough"}),
            allowedRoutes=closed(
                [],
                namespaces=closed([], **{"from": {"enum": ["All", "Same",
                                                           "Selector"]},
                                         "selector": {"type": "object"}}),
                kinds=listed(closed(["kind"], group=GROUP, kind=KIND)))),
            1, 64)))

SCHEMAS = {"TLSRoute": TLS_ROUTE, "Gateway": GATEWAY}


def problems(found):
    """What is wrong with an object of the Gateway API."""
    import jsonschema
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
            for error in jsonschema.Draft202012Validator(
                SCHEMAS[found["kind"]]).iter_errors(found)]
