// Join tokens: mcj1.<secret>.<SHA-256 of the site CA's certificate>.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_JOIN_TOKEN_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_JOIN_TOKEN_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace mc::agent {

// Both parts come from the site's administrator: the secret lets a node in, and
// the digest lets the node know whom it gives the secret to.
struct JoinToken {
  // 32 to 128 of A-Z a-z 0-9 _ -
  std::string secret;
  // Of the site CA's certificate in DER; lower-case hexadecimal.
  std::string ca_sha256;
};

// A secret of 256 random bits.
JoinToken NewJoinToken(std::string_view ca_der);

std::string FormatJoinToken(const JoinToken& token);

// White space around it is ignored. INVALID_ARGUMENT: no token; the message
// does not repeat the text.
absl::StatusOr<JoinToken> ParseJoinToken(std::string_view text);

// Whether it names this CA.
bool IsTokenOf(const JoinToken& token, std::string_view ca_der);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_JOIN_TOKEN_H_
