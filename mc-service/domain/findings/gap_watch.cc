#include "mc-service/domain/findings/gap_watch.h"

#include <memory>

#include "common/log/log.h"
#include "mc-service/domain/findings/gaps.h"

namespace mc::service {
namespace {

// Of one transaction; the next sweep goes on.
constexpr int kLimit = 1000;

}  // namespace

void GapWatch::Sweep() {
  const absl::Time now = options_.clock->Now();
  const absl::Time before = now - options_.patience;
  bool any = false;
  const absl::Status read =
      options_.store->Read([&](Reader& reader) -> absl::Status {
        const auto gaps =
            reader.OpenGaps({.unraised_before = before}, {.limit = 1});
        if (!gaps.ok()) return gaps.status();
        any = !gaps->items.empty();
        return absl::OkStatus();
      });
  if (!read.ok() || !any) return;
  auto raised = std::make_shared<int64_t>(0);
  // Where the queue is full, the next sweep will do.
  (void)options_.store->Write(
      [=](Writer& writer) -> absl::Status {
        const absl::StatusOr<int64_t> gaps =
            RaiseGaps(writer, before, now, kLimit);
        if (gaps.ok()) *raised = *gaps;
        return gaps.status();
      },
      [this, raised](const absl::Status& status) {
        if (!status.ok() || *raised == 0) return;
        LogWarning("consumption reports are missing; see mcctl findings",
                   {{"gaps", *raised}});
        if (options_.on_gaps) options_.on_gaps(*raised);
      });
}

}  // namespace mc::service
