#include "mc-service/domain/retention/retention.h"

#include <algorithm>
#include <string>

#include "common/log/log.h"

namespace mc::service {
namespace {

constexpr int kPace = 2;
// A clock that is ahead by more is worth a line.
constexpr absl::Duration kTold = absl::Hours(24);

std::string_view NameOf(Prunable what) {
  switch (what) {
    case Prunable::kConsumptionReports:
      return "consumption_reports";
    case Prunable::kEvents:
      return "events";
    case Prunable::kEnrollmentTokens:
      return "enrollment_tokens";
    case Prunable::kClosedFindings:
      break;
  }
  return "closed_findings";
}

}  // namespace

absl::Time RetentionTime(absl::Time now, absl::Time before,
                         absl::Duration elapsed) {
  return std::max(before, std::min(now, before + kPace * elapsed));
}

absl::Status Retention::Run() {
  UpkeepState state;
  absl::Status status =
      options_.store->Read([&](Reader& reader) -> absl::Status {
        const absl::StatusOr<UpkeepState> upkeep = reader.Upkeep();
        if (upkeep.ok()) state = *upkeep;
        return upkeep.status();
      });
  if (!status.ok()) return status;
  if (state.scrub_pending) {
    status = options_.store->Scrub();
    if (!status.ok()) return status;
    LogInfo("the places of erased rows were overwritten", {});
  }
  const absl::Time now = options_.clock->Now();
  const absl::Duration since_boot = options_.clock->SinceBoot();
  // The first time ever: not later than what others' clocks agreed to.
  const absl::Time before = state.retained_until.value_or(
      std::min(now, state.newest_report_at.value_or(now)));
  const absl::Time time =
      RetentionTime(now, before, since_boot - last_run_.value_or(since_boot));
  if (now - time > kTold) {
    LogWarning(
        "the clock is ahead of the retention rules; they follow at twice the "
        "pace of time: set the clock if it is wrong",
        {{"ahead",
          absl::FormatDuration(absl::Trunc(now - time, absl::Minutes(1)))}});
  }
  status = options_.store->WriteAndWait(
      [time](Writer& writer) { return writer.SetRetainedUntil(time); });
  if (!status.ok()) return status;
  last_run_ = since_boot;
  const RetentionRules& rules = options_.rules;
  // A clock that was set back: what is young by it stays.
  const absl::Time counted = std::min(time, now);
  status = Apply(Prunable::kEvents, rules.events, counted);
  if (status.ok()) {
    status = Apply(Prunable::kClosedFindings, rules.closed_findings, counted);
  }
  if (status.ok()) {
    status =
        Apply(Prunable::kEnrollmentTokens, rules.enrollment_tokens, counted);
  }
  if (status.ok()) {
    status = Apply(Prunable::kConsumptionReports, rules.consumption_reports,
                   counted);
  }
  return status;
}

absl::Status Retention::Apply(Prunable what, absl::Duration kept,
                              absl::Time time) {
  if (kept == absl::InfiniteDuration()) return absl::OkStatus();
  const absl::Time before = time - kept;
  int64_t total = 0;
  int64_t deleted = 0;
  absl::Status status;
  do {
    deleted = 0;
    status = options_.store->WriteAndWait([&](Writer& writer) -> absl::Status {
      const absl::StatusOr<int64_t> rows =
          writer.Prune(what, before, options_.chunk);
      if (rows.ok()) deleted = *rows;
      return rows.status();
    });
    if (!status.ok()) break;
    total += deleted;
    if (deleted > 0 && options_.on_deleted) options_.on_deleted(what, deleted);
  } while (deleted > 0);
  if (total > 0) {
    LogInfo("deleted what was over its time",
            {{"what", NameOf(what)},
             {"rows", total},
             {"before", absl::FormatTime(before)}});
  }
  return status;
}

}  // namespace mc::service
