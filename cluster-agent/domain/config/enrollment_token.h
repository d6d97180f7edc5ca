// The one-time token that some licenses need for a registration.
#ifndef MC_CLUSTER_AGENT_DOMAIN_CONFIG_ENROLLMENT_TOKEN_H_
#define MC_CLUSTER_AGENT_DOMAIN_CONFIG_ENROLLMENT_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"

namespace mc::agent {

struct EnrollmentTokenSource {
  // The value of MC_ENROLLMENT_TOKEN, which takes the file's place; empty: not
  // set. A secret.
  std::string environment;
  std::string file;

  bool empty() const { return environment.empty() && file.empty(); }
  // As ReadPrivateFile; INVALID_ARGUMENT for what is no token.
  absl::StatusOr<std::string> Read() const;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_CONFIG_ENROLLMENT_TOKEN_H_
