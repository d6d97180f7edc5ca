// The commands that look at the outbox. They read its file, whether the agent
// runs or not.
#ifndef MC_CLUSTER_AGENT_CLI_OUTBOX_COMMANDS_H_
#define MC_CLUSTER_AGENT_CLI_OUTBOX_COMMANDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cluster-agent/cli/site_commands.h"

namespace mc::agent {

// DATA_LOSS, here and below, where the file is damaged.
absl::Status ListOutbox(const CommonArguments& common, int page_size,
                        const std::string& page_token, bool all);

// As `outbox list` prints them.
struct ReportArguments {
  std::string lane;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
};
// Prints what leaves, or has left, as JSON. NOT_FOUND: there is no such report
// (any more).
absl::Status ShowOutboxReport(const CommonArguments& common,
                              const ReportArguments& report);

// Says in sentences what waits, for what, and what to do.
absl::Status ExplainOutbox(const CommonArguments& common);

// Holds an invoice against the kept receipts and reports. `agrees`: nothing
// speaks against it.
absl::Status VerifyInvoice(const CommonArguments& common,
                           const std::string& file, bool& agrees);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_OUTBOX_COMMANDS_H_
