// Judges clients in the handshake, before HTTP/2.
#ifndef MC_SERVICE_EDGE_HANDSHAKE_CHECK_H_
#define MC_SERVICE_EDGE_HANDSHAKE_CHECK_H_

#include <functional>
#include <string>
#include <string_view>

#include "common/metrics/metrics.h"
#include "common/retry/rate_limit.h"
#include "common/time/clock.h"
#include "common/tls/identity_cache.h"
#include "common/tls/reloading_credentials.h"
#include "mc-service/edge/policy.h"

namespace mc::service {

// What the handshake can tell for certain: the certificate is that of a
// cluster (or an operator) of this service, in date, and not of one that was
// revoked. All else is the Guard's, which answers with a reason. Refusals are
// logged (some of them, when there are many) and all counted. Thread-safe.
class HandshakeCheck {
 public:
  struct Options {
    Listener listener = Listener::kCluster;
    std::string trust_domain;
    PeerIdentityCache* identities = nullptr;
    // Whether an identity was revoked; it must not block. Null: none was.
    std::function<bool(std::string_view id)> revoked;
    const Clock* clock = nullptr;
    Metrics* metrics = nullptr;
  };

  explicit HandshakeCheck(Options options);

  // OK, or why not, for the log.
  absl::Status Check(std::string_view cert_pem);

 private:
  enum class Refusal { kUnknown, kExpired, kRevoked };

  absl::Status Refuse(Refusal refusal, std::string_view id);

  const Options options_;
  prometheus::Family<prometheus::Counter>& refused_;
  RateLimit log_lines_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_HANDSHAKE_CHECK_H_
