#include "cluster-agent/domain/config/outbox_config.h"

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/time/proto_time.h"

namespace mc::agent {

void ApplyOutboxDefaults(config::Outbox& outbox) {
  if (!outbox.has_keep_acknowledged()) {
    *outbox.mutable_keep_acknowledged() = mc::ToProto(absl::Hours(72));
  }
  if (outbox.max_events() == 0) outbox.set_max_events(10000);
  if (outbox.reserved_bytes() == 0) outbox.set_reserved_bytes(1 << 20);
  if (!outbox.has_clock_tolerance()) {
    *outbox.mutable_clock_tolerance() = mc::ToProto(absl::Seconds(5));
  }
}

void CheckOutbox(const config::Outbox& outbox,
                 std::vector<std::string>& problems) {
  const absl::Duration keep = ToAbsl(outbox.keep_acknowledged());
  if (keep < absl::Hours(1) || keep > absl::Hours(366 * 24)) {
    problems.push_back(
        absl::StrCat("outbox.keep_acknowledged is ", absl::FormatDuration(keep),
                     "; set it between 1h and 8784h, and not shorter than the "
                     "time between two backups of the service"));
  }
  if (outbox.max_events() < 100 || outbox.max_events() > 1000000) {
    problems.push_back(absl::StrCat("outbox.max_events is ",
                                    outbox.max_events(),
                                    "; set it between 100 and 1000000"));
  }
  if (outbox.reserved_bytes() < (64 << 10) ||
      outbox.reserved_bytes() > (1 << 30)) {
    problems.push_back(absl::StrCat("outbox.reserved_bytes is ",
                                    outbox.reserved_bytes(),
                                    "; set it between 65536 and 1073741824"));
  }
  const absl::Duration tolerance = ToAbsl(outbox.clock_tolerance());
  if (tolerance < absl::Milliseconds(100) || tolerance > absl::Hours(1)) {
    problems.push_back(absl::StrCat("outbox.clock_tolerance is ",
                                    absl::FormatDuration(tolerance),
                                    "; set it between 100ms and 1h"));
  }
}

}  // namespace mc::agent
