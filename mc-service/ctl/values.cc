#include "mc-service/ctl/values.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/time/proto_time.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;

absl::Status Wrong(const std::string& option, const std::string& text,
                   absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(option, ": '", text, "' is not ", expected));
}

}  // namespace

absl::StatusOr<google::protobuf::Timestamp> TimeValue(const std::string& option,
                                                      const std::string& text) {
  const auto time = ParseRfc3339(text);
  if (!time.ok()) {
    return Wrong(option, text, "a time such as 2027-01-01T00:00:00Z");
  }
  return ToProto(*time);
}

absl::StatusOr<missioncontrol::v1::TimeFrame> PeriodValue(
    const std::string& from, const std::string& to) {
  missioncontrol::v1::TimeFrame period;
  // The first and the last time that the contract takes.
  period.mutable_start()->set_seconds(946'684'800);
  period.mutable_end()->set_seconds(7'258'118'399);
  if (!from.empty()) {
    const auto time = TimeValue("--from", from);
    if (!time.ok()) return time.status();
    *period.mutable_start() = *time;
  }
  if (!to.empty()) {
    const auto time = TimeValue("--to", to);
    if (!time.ok()) return time.status();
    *period.mutable_end() = *time;
  }
  return period;
}

absl::StatusOr<google::protobuf::Duration> DurationValue(
    const std::string& option, const std::string& text) {
  absl::Duration duration;
  int64_t days = 0;
  if (absl::EndsWith(text, "d") &&
      absl::SimpleAtoi(text.substr(0, text.size() - 1), &days)) {
    duration = absl::Hours(24) * days;
  } else if (!absl::ParseDuration(text, &duration)) {
    return Wrong(option, text, "a duration such as 12h or 14d");
  }
  if (duration < absl::ZeroDuration()) {
    return Wrong(option, text, "a duration from 0 on");
  }
  return ToProto(duration);
}

absl::StatusOr<int64_t> MilliValue(const std::string& option,
                                   const std::string& text) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(text, absl::MaxSplits('.', 1));
  std::string decimals = parts.second;
  int64_t whole = 0, thousandths = 0;
  if (decimals.size() <= 3) {
    decimals.append(3 - decimals.size(), '0');
    if (absl::SimpleAtoi(parts.first, &whole) &&
        absl::SimpleAtoi(decimals, &thousandths) && whole >= 0 &&
        whole <= 1'000'000'000 && thousandths >= 0) {
      return whole * 1000 + thousandths;
    }
  }
  return Wrong(option, text, "a number such as 10 or 0.25");
}

absl::StatusOr<v1::MeterLimit> MeterValue(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  const auto wrong = [&text] {
    return Wrong("--meter", text,
                 "ID:UNIT, ID:UNIT:LIMIT or ID:UNIT:LIMIT:allowed");
  };
  if (parts.size() < 2 || parts.size() > 4 || parts[0].empty()) return wrong();
  v1::MeterLimit meter;
  meter.set_meter_id(parts[0]);
  meter.set_unit(parts[1]);
  meter.set_overage(v1::OVERAGE_RULE_NOT_ALLOWED);
  if (parts.size() > 2 && !parts[2].empty()) {
    int64_t quantity = 0;
    if (!absl::SimpleAtoi(parts[2], &quantity)) return wrong();
    meter.set_quantity(quantity);
  }
  if (parts.size() > 3) {
    if (parts[3] == "allowed") {
      meter.set_overage(v1::OVERAGE_RULE_ALLOWED);
    } else if (parts[3] != "not_allowed") {
      return wrong();
    }
  }
  return meter;
}

absl::StatusOr<v1::Entitlement> EntitlementValue(const std::string& text) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  v1::Entitlement entitlement;
  entitlement.set_name(parts.first);
  int64_t limit = 0;
  if (parts.second == "true" || parts.second == "false") {
    entitlement.set_enabled(parts.second == "true");
  } else if (absl::SimpleAtoi(parts.second, &limit)) {
    entitlement.set_limit(limit);
  } else {
    return Wrong("--entitlement", text, "NAME=true, NAME=false or NAME=NUMBER");
  }
  return entitlement;
}

std::string MilliText(int64_t milli) {
  std::string text = absl::StrFormat("%d.%03d", milli / 1000, milli % 1000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace mc::service
