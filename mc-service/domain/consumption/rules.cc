#include "mc-service/domain/consumption/rules.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/consumption/host_units.h"

namespace mc::service {
namespace {

absl::Status InvalidFrame(const std::string& message) {
  return Error(absl::StatusCode::kInvalidArgument,
               v1::ERROR_REASON_TIME_FRAME_INVALID, message);
}

// The IDs of one kind within their parent: present and different.
class UniqueIds {
 public:
  explicit UniqueIds(std::string field) : field_(std::move(field)) {}

  absl::Status Add(const std::string& id) {
    if (id.empty()) {
      return InvalidField(field_, absl::StrCat(field_, " is missing"));
    }
    if (!seen_.insert(id).second) {
      return InvalidField(field_, absl::StrCat("the ", field_, " ", id,
                                               " stands twice in the report"));
    }
    return absl::OkStatus();
  }

 private:
  const std::string field_;
  std::unordered_set<std::string_view> seen_;
};

// Sums one quantity over the report, within kMaxQuantityPerReport.
class Quantity {
 public:
  explicit Quantity(std::string field) : field_(std::move(field)) {}

  absl::Status Add(int64_t value) {
    if (value < 0) {
      return InvalidField(field_, absl::StrCat(field_, " is negative"));
    }
    if (value > kMaxQuantityPerReport - sum_) {
      return InvalidField(
          field_, absl::StrCat("the report's ", field_, " is more than ",
                               kMaxQuantityPerReport));
    }
    sum_ += value;
    return absl::OkStatus();
  }

 private:
  const std::string field_;
  int64_t sum_ = 0;
};

class Checker {
 public:
  absl::Status Check(const v1::Consumption& consumption) {
    if (absl::Status s = CheckFrame(consumption.time_frame()); !s.ok()) {
      return s;
    }
    UniqueIds ids("environment_id");
    for (const v1::EnvironmentConsumption& e : consumption.environments()) {
      if (absl::Status s = ids.Add(e.environment_id()); !s.ok()) return s;
      if (absl::Status s = CheckEnvironment(e); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckFrame(const v1::TimeFrame& frame) {
    if (!frame.has_start() || !frame.has_end()) {
      return InvalidFrame("the time frame needs a start and an end");
    }
    const absl::StatusOr<absl::Time> start = FromProto(frame.start());
    const absl::StatusOr<absl::Time> end = FromProto(frame.end());
    if (!start.ok() || !end.ok()) {
      return InvalidFrame("the time frame has no valid times");
    }
    start_ = *start;
    end_ = *end;
    if (end_ <= start_) {
      return InvalidFrame("the time frame must end after it starts");
    }
    if (HourOf(start_) != HourOf(end_ - absl::Nanoseconds(1))) {
      return InvalidFrame(
          "the time frame crosses a UTC hour; report each hour apart");
    }
    return absl::OkStatus();
  }

  absl::Status CheckEnvironment(const v1::EnvironmentConsumption& e) {
    if (absl::Status s = problems_.Add(e.new_problems()); !s.ok()) return s;
    if (absl::Status s = sessions_.Add(e.rum_sessions()); !s.ok()) return s;
    UniqueIds monitors("monitor_id");
    for (const v1::SyntheticMonitorConsumption& m : e.synthetic_monitors()) {
      if (absl::Status s = monitors.Add(m.monitor_id()); !s.ok()) return s;
      for (int64_t count : {m.success_count(), m.failure_count()}) {
        if (absl::Status s = executions_.Add(count); !s.ok()) return s;
      }
      if (absl::Status s = actions_.Add(m.action_count()); !s.ok()) return s;
    }
    UniqueIds hosts("host_id");
    for (const v1::HostConsumption& host : e.hosts()) {
      if (absl::Status s = hosts.Add(host.host_id()); !s.ok()) return s;
      if (absl::Status s = CheckHost(host); !s.ok()) return s;
    }
    UniqueIds meters("meter_id");
    for (const v1::MeterConsumption& meter : e.meters()) {
      if (absl::Status s = meters.Add(meter.meter_id()); !s.ok()) return s;
      Quantity& sum =
          meters_.try_emplace(meter.meter_id(), "quantity").first->second;
      if (absl::Status s = sum.Add(meter.quantity()); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status CheckHost(const v1::HostConsumption& host) {
    // The category decides the weight: a guess would be a wrong invoice.
    if (host.host_category() == v1::HOST_CATEGORY_UNSPECIFIED ||
        !v1::HostCategory_IsValid(host.host_category())) {
      return InvalidField("host_category",
                          absl::StrCat("the host ", host.host_id(),
                                       " has no category that is known here"));
    }
    if (host.memory_bytes() < 0 ||
        host.memory_bytes() > kMaxMemoryBytesPerHost) {
      return InvalidField("memory_bytes",
                          absl::StrCat("the memory of host ", host.host_id(),
                                       " must be between 0 and ",
                                       kMaxMemoryBytesPerHost, " bytes"));
    }
    for (const v1::TimeFrame& interval : host.monitored()) {
      const absl::StatusOr<absl::Time> from = FromProto(interval.start());
      const absl::StatusOr<absl::Time> to = FromProto(interval.end());
      if (!interval.has_start() || !interval.has_end() || !from.ok() ||
          !to.ok() || *to < *from || *from < start_ || *to > end_) {
        return InvalidFrame(absl::StrCat("an interval of host ", host.host_id(),
                                         " is not within the time frame"));
      }
    }
    return absl::OkStatus();
  }

  absl::Time start_;
  absl::Time end_;
  Quantity problems_{"new_problems"};
  Quantity sessions_{"rum_sessions"};
  Quantity executions_{"success_count and failure_count"};
  Quantity actions_{"action_count"};
  std::map<std::string, Quantity> meters_;
};

}  // namespace

absl::Status CheckConsumption(const v1::Consumption& consumption) {
  return Checker().Check(consumption);
}

}  // namespace mc::service
