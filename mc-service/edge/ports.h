// The file that tells which ports the running service listens on.
#ifndef MC_SERVICE_EDGE_PORTS_H_
#define MC_SERVICE_EDGE_PORTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mc::service {

struct Ports {
  int enrollment = 0;
  int cluster = 0;
  int operator_ = 0;
  int metrics = 0;
};

// {"enrollment": 8442, "cluster": 8443, "operator": 8444, "metrics": 9464}
absl::Status WritePorts(const Ports& ports, const std::string& file);
absl::StatusOr<Ports> ReadPorts(const std::string& file);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_PORTS_H_
