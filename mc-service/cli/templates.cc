#include "mc-service/cli/templates.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace mc::service {
namespace {

constexpr char kService[] =
    R"(# The configuration of mc-service. Each key that is commented out shows its
# default. A key that is not known is an error:
#   mc-service validate --config FILE

# The authority of all identities, spiffe://<trust domain>/... It is part of
# every certificate that was issued: it stays as it is.
trust_domain: $TRUST_DOMAIN

# Where the store, the CAs and the keys are. Only this program's user may read
# it. A relative path is relative to this file.
# state_directory: .

# host:port; port 0 takes a free port. The ports in use are in ports.json in
# the state directory while the service runs.
listeners:
  # Clusters that are not registered yet; no client certificate.
  enrollment:
    address: $ENROLLMENT
    # Lists methods to whoever reaches the listener.
    # reflection: false
    # A certificate chain and key (PEM) of your own, for instance of a public
    # CA; the default is the pair in server/.
    # certificate_file: server/server.crt
    # key_file: server/server.key
    # Balancers in front of this listener, addresses or networks, that tell by
    # the PROXY protocol, version 2, whose connection it is.
    # proxy_protocol_from: [192.0.2.10, 198.51.100.0/24]
  # Registered clusters, by their certificate.
  cluster:
    address: $CLUSTER
    # reflection: false
  # Operators (mcctl), by their certificate.
  operator:
    address: $OPERATOR
    # reflection: true
  # Plain HTTP: /metrics, /healthz, /readyz. Keep it on loopback or behind a
  # firewall.
  metrics:
    address: $METRICS

# `mc-service enroll-front` opens the enrollment listener, as a process that has
# neither the store nor a CA's key, and hands calls over through this socket
# (at most 107 characters). Without this the service opens it itself. `group`
# is that of the front's user; default: the service's own user alone.
$FRONT
# Lifetime of a cluster's certificate, and of an operator's.
# certificates:
#   cluster_lifetime: 30d
#   operator_lifetime: 2160h

# The largest message that is accepted, in bytes; the calls that wait for a
# thread; the threads; calls of those who have no certificate yet.
# limits:
#   max_message_bytes: 4194304
#   max_queued_calls: 10000
#   worker_threads: 8
#   enrollments_per_minute_per_address: 60
#   enrollments_per_minute_per_license: 120
#   # Connections of a listener: in all, of one address (of a /64 of IPv6), and
#   # those whose handshake begins in a second, is under way, or takes too long.
#   max_connections: 20000
#   max_connections_per_address: 2000
#   handshakes_per_second: 1000
#   max_handshakes: 64
#   handshake_timeout: 10s
#   # Who takes nothing for this long, or sends more than this over ten seconds,
#   # is cut off.
#   slow_reader_timeout: 60s
#   max_bytes_per_second_per_connection: 33554432
#   # What gRPC may use for the connections and calls of a listener.
#   memory_quota_bytes: 2147483648

# level: debug, info, warning or error; format: json or text.
# log:
#   level: info
#   format: json

# How long what is not needed for billing is kept; consumption_reports without
# end. The ledger is kept for good.
# retention:
#   consumption_reports: 43800h
#   events: 2160h
#   closed_findings: 2160h

# Heartbeats and counts are written at this interval.
# write_behind_interval: 5s

# How long open calls may take after SIGTERM.
# drain_timeout: 10s

# How often clusters are told to come; without them they keep their own
# schedule.
# pacing:
#   heartbeat_interval: 1m
#   license_interval: 5m
#   updates_interval: 1h
)";

constexpr char kMcctl[] =
    R"(# How mcctl reaches mc-service. Relative paths are relative to this file.
operator_address: 127.0.0.1:8444
ca_file: operator/ca.crt
certificate_file: operator/admin.crt
key_file: operator/admin.key
)";

}  // namespace

std::string ServiceConfigTemplate(const TemplateOptions& options) {
  const auto address = [&options](absl::string_view usual) {
    return options.free_ports ? absl::string_view("127.0.0.1:0") : usual;
  };
  const bool front = !options.front_socket.empty();
  std::string section = absl::StrCat(
      front ? "" : "# ", "enrollment_front:\n", front ? "" : "# ",
      "  socket: ", front ? options.front_socket : "enrollment.sock", "\n");
  if (front && !options.front_group.empty()) {
    absl::StrAppend(&section, "  group: ", options.front_group, "\n");
  } else {
    absl::StrAppend(&section, "#   group: mission-control-front\n");
  }
  return absl::StrReplaceAll(kService,
                             {{"$TRUST_DOMAIN", options.trust_domain},
                              {"$FRONT", section},
                              {"$ENROLLMENT", address("0.0.0.0:8442")},
                              {"$CLUSTER", address("0.0.0.0:8443")},
                              {"$OPERATOR", address("127.0.0.1:8444")},
                              {"$METRICS", address("127.0.0.1:9464")}});
}

std::string McctlConfigTemplate() { return kMcctl; }

}  // namespace mc::service
