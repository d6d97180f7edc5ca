// `mc-service init`: makes the state directory of a new service.
#ifndef MC_SERVICE_CLI_INIT_H_
#define MC_SERVICE_CLI_INIT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/time/clock.h"
#include "mc-service/cli/state_layout.h"

namespace mc::service {

struct InitOptions {
  std::string directory;
  // What clusters and operators reach the service by: DNS names and addresses
  // in the server's certificate.
  std::vector<std::string> server_names;
  std::string trust_domain = "missioncontrol.local";
  // A service that is there already is success, and left as it is.
  bool if_missing = false;
  // Writes port 0 for every listener, on 127.0.0.1, and no front.
  bool free_ports = false;
  // Where the service and its enrollment front meet, and the front's group;
  // empty: the front is of the service's user.
  std::string front_socket = "enrollment.sock";
  std::string front_group;
  // The service opens the enrollment listener itself.
  bool without_front = false;
  const Clock* clock = nullptr;
};

// "localhost", "127.0.0.1", "::1" and this host's name.
std::vector<std::string> DefaultServerNames();

// Makes the directory with everything in it, or nothing: it appears complete,
// by a rename. FAILED_PRECONDITION when it is initialized already (unless
// `if_missing`), or holds anything else; INVALID_ARGUMENT for a wrong trust
// domain or server name.
absl::Status Init(const InitOptions& options);

// What init says when it is done: what was made, what to do next.
std::string NextSteps(const InitOptions& options);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_INIT_H_
