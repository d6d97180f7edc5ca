#include "cluster-agent/domain/usage/check.h"

#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::UsageRecord;

std::string_view Text(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

absl::StatusOr<absl::Time> ValidTime(const google::protobuf::Timestamp& time) {
  absl::StatusOr<absl::Time> valid = FromProto(time);
  if (valid.ok() && *valid < absl::UnixEpoch()) {
    return absl::InvalidArgumentError("is before the year 1970");
  }
  return valid;
}

absl::Status CheckCount(std::string_view field, int64_t count,
                        int64_t max = kMaxQuantityPerReport) {
  if (count < 0) return InvalidField(field, "a count cannot be negative");
  if (count > max) {
    return InvalidField(field, absl::StrCat("must be at most ", max));
  }
  return absl::OkStatus();
}

absl::Status CheckId(std::string_view field, std::string_view id) {
  if (!id.empty()) return absl::OkStatus();
  return InvalidField(field, "must be set");
}

absl::Status FrameError(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument,
               missioncontrol::v1::ERROR_REASON_TIME_FRAME_INVALID, message,
               {{"field", "host.monitored"}});
}

absl::Status CheckHost(const UsageRecord& record, absl::Time now) {
  const missioncontrol::v1::HostInterval& host = record.host();
  absl::Status id = CheckId("host.host_id", host.host_id());
  if (!id.ok()) return id;
  if (host.host_category() == missioncontrol::v1::HOST_CATEGORY_UNSPECIFIED ||
      !missioncontrol::v1::HostCategory_IsValid(host.host_category())) {
    return InvalidField("host.host_category",
                        "must be a known category; it decides the host units");
  }
  absl::Status memory = CheckCount("host.memory_bytes", host.memory_bytes(),
                                   kMaxMemoryBytesPerHost);
  if (!memory.ok()) return memory;
  if (host.technologies_size() > kMaxTechnologies) {
    return InvalidField("host.technologies", "at most 100 may be named");
  }
  const absl::StatusOr<TimeFrame> used = UsedDuring(record);
  if (!used.ok()) return FrameError(Text(used.status()));
  if (used->start >= used->end) {
    return FrameError("the interval must end after it starts");
  }
  if (used->end - used->start > kMaxHostInterval) {
    return FrameError("the interval is longer than 31 days; split it");
  }
  if (used->end > now + kMaxUsageAhead) {
    return FrameError(
        "the interval ends more than five minutes ahead; check the clocks");
  }
  return absl::OkStatus();
}

absl::Status CheckSynthetic(
    const missioncontrol::v1::SyntheticExecutions& synthetic) {
  absl::Status status = CheckId("synthetic.monitor_id", synthetic.monitor_id());
  if (status.ok() &&
      !missioncontrol::v1::SyntheticMonitorType_IsValid(synthetic.type())) {
    status = InvalidField("synthetic.type", "must be a known type");
  }
  if (status.ok()) {
    status = CheckCount("synthetic.success_count", synthetic.success_count());
  }
  if (status.ok()) {
    // Both are executions, and are limited together.
    status = CheckCount("synthetic.failure_count", synthetic.failure_count(),
                        kMaxQuantityPerReport - synthetic.success_count());
  }
  if (status.ok()) {
    status = CheckCount("synthetic.action_count", synthetic.action_count());
  }
  return status;
}

absl::Status CheckUsage(const UsageRecord& record, absl::Time now) {
  switch (record.usage_case()) {
    case UsageRecord::kNewProblems:
      return CheckCount("new_problems", record.new_problems());
    case UsageRecord::kRumSessions:
      return CheckCount("rum_sessions", record.rum_sessions());
    case UsageRecord::kSynthetic:
      return CheckSynthetic(record.synthetic());
    case UsageRecord::kHost:
      return CheckHost(record, now);
    case UsageRecord::kMeter: {
      absl::Status status =
          CheckId("meter.meter_id", record.meter().meter_id());
      if (status.ok()) status = CheckId("meter.unit", record.meter().unit());
      if (status.ok()) {
        status = CheckCount("meter.quantity", record.meter().quantity());
      }
      return status;
    }
    case UsageRecord::USAGE_NOT_SET:
      break;
  }
  return InvalidField("usage", "must say what was used");
}

}  // namespace

absl::Status CheckUsageRecord(const UsageRecord& record, absl::Time now) {
  absl::Status status = CheckMessage(record);
  if (status.ok())
    status = CheckId("idempotency_key", record.idempotency_key());
  if (status.ok()) status = CheckId("environment_id", record.environment_id());
  if (!status.ok()) return status;
  if (record.has_used_at()) {
    const absl::StatusOr<absl::Time> used_at = ValidTime(record.used_at());
    if (!used_at.ok()) return InvalidField("used_at", Text(used_at.status()));
    if (*used_at > now + kMaxUsageAhead) {
      return InvalidField("used_at",
                          "is more than five minutes ahead; check the clocks");
    }
  }
  return CheckUsage(record, now);
}

absl::StatusOr<TimeFrame> UsedDuring(const UsageRecord& record) {
  const bool host = record.has_host();
  if (!(host ? record.host().monitored().has_start() &&
                   record.host().monitored().has_end()
             : record.has_used_at())) {
    return absl::InvalidArgumentError("the record does not say when");
  }
  const absl::StatusOr<absl::Time> start =
      ValidTime(host ? record.host().monitored().start() : record.used_at());
  const absl::StatusOr<absl::Time> end =
      ValidTime(host ? record.host().monitored().end() : record.used_at());
  if (!start.ok()) return start.status();
  if (!end.ok()) return end.status();
  return TimeFrame{*start, *end};
}

}  // namespace mc::agent
