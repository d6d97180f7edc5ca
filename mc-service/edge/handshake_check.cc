#include "mc-service/edge/handshake_check.h"

#include <prometheus/counter.h>

#include <utility>

#include "common/log/log.h"

namespace mc::service {

HandshakeCheck::HandshakeCheck(Options options)
    : options_(std::move(options)),
      refused_(prometheus::BuildCounter()
                   .Name("mission_control_handshakes_refused_total")
                   .Help("Handshakes whose certificate was of a trusted CA and "
                         "refused all the same, by reason.")
                   .Register(options_.metrics->registry())),
      log_lines_({.burst = 10, .per_second = 1, .clock = options_.clock}) {}

absl::Status HandshakeCheck::Check(std::string_view cert_pem) {
  const absl::StatusOr<PeerIdentityCache::Entry> identity =
      options_.identities->OfCertificate(cert_pem);
  const std::string_view kind =
      options_.listener == Listener::kCluster ? "cluster" : "operator";
  if (!identity.ok()) return Refuse(Refusal::kUnknown, "");
  const PeerIdentity& peer = **identity;
  if (peer.kind != kind || peer.trust_domain != options_.trust_domain) {
    return Refuse(Refusal::kUnknown, peer.id);
  }
  // OpenSSL looks at it in full handshakes only, not when it resumes.
  if (peer.not_after < options_.clock->Now()) {
    return Refuse(Refusal::kExpired, peer.id);
  }
  if (options_.revoked != nullptr && options_.revoked(peer.id)) {
    return Refuse(Refusal::kRevoked, peer.id);
  }
  return absl::OkStatus();
}

absl::Status HandshakeCheck::Refuse(Refusal refusal, std::string_view id) {
  const char* reason = "unknown";
  if (refusal == Refusal::kExpired) reason = "expired";
  if (refusal == Refusal::kRevoked) reason = "revoked";
  refused_
      .Add({{"listener", std::string(ListenerName(options_.listener))},
            {"reason", reason}})
      .Increment();
  if (log_lines_.Take(reason) == absl::ZeroDuration()) {
    LogWarning("a handshake was refused",
               {{"listener", ListenerName(options_.listener)},
                {"reason", reason},
                {"identity", id}});
  }
  return absl::PermissionDeniedError(reason);
}

}  // namespace mc::service
