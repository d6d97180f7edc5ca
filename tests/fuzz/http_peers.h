// Peers that speak HTTP with us, and say whatever they are given.
#ifndef TESTS_FUZZ_HTTP_PEERS_H_
#define TESTS_FUZZ_HTTP_PEERS_H_

#include <string>
#include <string_view>

#include "cluster-agent/mastership/lease_api.h"

namespace mc::fuzz {

// What the server of metrics and probes answers to these bytes, until it ends
// the connection.
std::string AskMetricsServer(std::string_view bytes);

// What the agent makes of these bytes as the answer of Kubernetes' API server,
// to which it speaks TLS.
absl::StatusOr<agent::Lease> LeaseOfAnswer(std::string_view bytes);

}  // namespace mc::fuzz

#endif  // TESTS_FUZZ_HTTP_PEERS_H_
