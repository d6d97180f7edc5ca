// An invoice: the lines of the vendor's ledger, as it exports them.
#ifndef MC_CLUSTER_AGENT_DOMAIN_INVOICE_INVOICE_H_
#define MC_CLUSTER_AGENT_DOMAIN_INVOICE_INVOICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "missioncontrol/v1/fleet_usage.pb.h"

namespace mc::agent {

struct InvoiceLine {
  // In the file, from 1; the header is line 1.
  int64_t number = 0;
  std::string cluster_id;
  std::string environment_id;
  missioncontrol::v1::Meter meter = missioncontrol::v1::METER_UNSPECIFIED;
  std::string meter_id;
  std::string unit;
  std::string resource_id;
  TimeFrame time_frame;
  int64_t quantity = 0;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  // Absent where the file does not say.
  std::optional<absl::Time> accepted_at;
};

// CSV as in RFC 4180, with a header; columns may come in any order and others
// may be among them. INVALID_ARGUMENT names line and column.
absl::StatusOr<std::vector<InvoiceLine>> ParseInvoice(std::string_view csv);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_INVOICE_INVOICE_H_
