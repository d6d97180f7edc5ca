// Who may call what, and where: one table for every method of every listener.
// What the table does not name is denied, health and reflection included.
#ifndef MC_SERVICE_EDGE_POLICY_H_
#define MC_SERVICE_EDGE_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mc-service/store/types.h"

namespace mc::service {

// Who calls, as the TLS handshake proved and the store confirmed it.
struct Caller {
  enum class Kind { kAnonymous, kCluster, kOperator };

  Kind kind = Kind::kAnonymous;
  // The cluster's ID or the operator's name; empty for kAnonymous.
  std::string id;
  // SHA-256 of the certified key's SubjectPublicKeyInfo; empty for kAnonymous.
  std::string tls_key_digest;
  // Only of kOperator.
  Role role = Role::kViewer;
  // The peer's address as gRPC writes it, for logs.
  std::string peer;
};

// A listener of the service; a policy can name several.
enum class Listener : uint8_t {
  kEnrollment = 1,
  kCluster = 2,
  kOperator = 4,
  kEvery = kEnrollment | kCluster | kOperator,
};

struct MethodPolicy {
  // As in HTTP/2's :path, "/package.Service/Method".
  std::string_view full_method;
  Listener listener;
  // kAnonymous: whoever passed the listener's handshake.
  Caller::Kind caller;
  // The least role; only where the caller is an operator.
  Role role = Role::kViewer;
  // Served only where the configuration turns reflection on.
  bool reflection = false;
  // How many calls it counts for of limits.calls_per_second_per_cluster; 0: not
  // counted there.
  int cost = 0;
  // Streams of one caller that may be open at once; 0: not a stream, or bounded
  // otherwise.
  size_t max_open = 0;
};

// The whole table.
std::span<const MethodPolicy> Policies();

// The policy of a method on a listener; null: denied there.
const MethodPolicy* FindPolicy(std::string_view full_method, Listener listener,
                               bool reflection);

// The policy of a method wherever it is served; null: denied everywhere.
const MethodPolicy* FindPolicy(std::string_view full_method);

// "enrollment", "cluster" or "operator", as in the configuration.
std::string_view ListenerName(Listener listener);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_POLICY_H_
