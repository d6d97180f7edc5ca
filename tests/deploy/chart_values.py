"""Values with which the charts are rendered in tests: one set for each choice
that a chart offers."""

SERVICE = {
    "defaults": {},
    "secret": {
        "tls": {"source": "secret", "existingSecret": "public-tls"},
        "persistence": {"existingClaim": "store"},
        "networkPolicy": {"enabled": False},
        "serviceAccount": {"name": "shared"},
    },
    "cert-manager": {
        "tls": {"source": "certManager",
                "certManager": {"issuer": {"name": "public"}}},
    },
    "everything": {
        "fullnameOverride": "mc",
        "image": {"digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
        "serverNames": ["mc.example.com", "192.0.2.7"],
        "reflection": {"cluster": True},
        "log": {"level": "debug", "format": "text"},
        "pacing": {"heartbeatInterval": "60s", "licenseInterval": "5m",
                   "updatesInterval": "1h"},
        "tls": {"source": "certManager",
                "certManager": {"issuer": {"name": "site", "kind": "Issuer"}}},
        "persistence": {"storageClass": "fast", "size": "100Gi"},
        "services": {"cluster": {"type": "LoadBalancer", "port": 443,
                                 "annotations": {"example.com/a": "b"}}},
        "sniPassthrough": {
            "enabled": True,
            "gateway": {"name": "public", "namespace": "edge",
                        "sectionName": "tls"},
            "hosts": {"enrollment": "enroll.example.com",
                      "cluster": "mc.example.com",
                      "operator": "operators.example.com"}},
        "networkPolicy": {
            "clusters": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "operators": [{"namespaceSelector": {}}],
            "metrics": [{"podSelector": {"matchLabels": {"a": "b"}}}]},
        "metrics": {
            "serviceMonitor": {"enabled": True, "labels": {"release": "p"}},
            "prometheusRule": {"enabled": True, "labels": {"release": "p"}},
            "dashboard": {"enabled": True}},
        "podDisruptionBudget": {"enabled": True},
        "serviceAccount": {"annotations": {"example.com/a": "b"}},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "podAnnotations": {"example.com/a": "b"},
        "podLabels": {"example.com/c": "d"},
    },
}

# Not a real key.
KEY = {"license": {"key": "MC-0000-0000-0000-0000-0000-0000-0000"}}

AGENT = {
    "defaults": KEY,
    "one-node": {**KEY, "nodes": {"enabled": False}},
    "existing-secrets": {
        "license": {"existingSecret": "license"},
        "service": {"existingCaSecret": "vendor-ca"},
        "site": {"existingSecret": "site"},
        "networkPolicy": {"enabled": False},
    },
    "proxy": {
        **KEY,
        "proxy": {"url": "http://proxy.example.com:3128",
                  "userName": "cluster-agent", "existingSecret": "proxy"},
    },
    "lease": {**KEY, "mastership": {"lease": {"enabled": True}}},
    "everything": {
        **KEY,
        "fullnameOverride": "agent",
        "image": {"digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "service": {"enrollment": "enroll.example.com:443",
                    "cluster": "mc.example.com:443",
                    "ca": "-----BEGIN CERTIFICATE-----\nAA==\n"
                          "-----END CERTIFICATE-----\n"},
        "proxy": {"url": "https://proxy.example.com", "userName": "agent",
                  "existingSecret": "proxy",
                  "noProxy": [".internal.example.com", "10.0.0.0/8"]},
        "product": {"version": "2.0.0", "cgroup": "system.slice/p.service",
                    "components": [{"component": "one_agent",
                                    "label": "stable", "version": "1.0.0"}]},
        "timeZone": "Europe/Vienna",
        "privacySettings": {"telemetry": "denied", "remoteAccess": "off"},
        "updateWindow": {"day": "sunday", "start_minute": 120,
                         "duration": "2h"},
        "inventory": {
            "environments": [{"environment_id": "plant", "hosts": [
                {"host_id": "press", "host_category": "full_stack",
                 "memory_bytes": 17179869184, "technologies": ["JAVA"]}]}],
            "services": [{"name": "gateway", "state": "running"}],
            "active_gates": [{"active_gate_id": "g", "version": "1.0.0",
                              "os_name": "Debian", "os_version": "12",
                              "status": "running", "type": "synthetic"}]},
        "master": {
            "replicas": 2,
            "persistence": {"existingClaim": "shared"},
            "sidecars": [{"name": "product", "image": "product:1",
                          "volumeMounts": [{"name": "sockets",
                                            "mountPath": "/run/agent"}]}],
            "productGroup": "product",
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}}},
        "mastership": {"lease": {"enabled": True, "duration": "30s"}},
        "podDisruptionBudget": {"enabled": True},
        "nodes": {"dataPartitions": [{"path": "/var/lib/product",
                                      "label": "data"}],
                  "tolerations": [{"operator": "Exists"}],
                  "maxUnavailable": 1},
        "networkPolicy": {
            "service": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "apiServer": [{"ipBlock": {"cidr": "198.51.100.1/32"}}],
            "apiServerPorts": [6443]},
        "serviceAccount": {"annotations": {"example.com/a": "b"}},
        "priorityClassName": "system-node-critical",
        "podAnnotations": {"example.com/a": "b"},
        "podLabels": {"example.com/c": "d"},
    },
}
