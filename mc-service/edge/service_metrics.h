// Figures of the process and its disk that an operator watches.
#ifndef MC_SERVICE_EDGE_SERVICE_METRICS_H_
#define MC_SERVICE_EDGE_SERVICE_METRICS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/metrics/metrics.h"

namespace mc::service {

struct ServiceFigures {
  // Its size, with what SQLite keeps beside it, and the space of its volume.
  std::string store_file;
  absl::Time started_at;
  // By name, for instance "cluster listener": until when it is valid.
  std::vector<std::pair<std::string, absl::Time>> certificates;
};

// A size that cannot be read is NaN.
void AddServiceFigures(const ServiceFigures& figures, Metrics* metrics);

// The descriptors that this process has open, and that it may open.
void AddDescriptorFigures(Metrics* metrics);

// Until when a certificate in use is valid, also after it was replaced.
void SetCertificateEnd(const std::string& name, absl::Time not_after,
                       Metrics* metrics);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_SERVICE_METRICS_H_
