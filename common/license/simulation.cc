#include "common/license/simulation.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/time/proto_time.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

// More than anybody waits; additions cannot overflow.
constexpr absl::Duration kLongest = absl::Hours(24 * 36500);

std::string AllowedText(bool allowed) { return allowed ? "allowed" : "no"; }

absl::Time StartOf(const LicenseSituation& situation) {
  return situation.anchored.value_or(situation.now);
}

std::string AsText(const LicenseSituation& situation, absl::Duration offline,
                   const std::vector<LicenseChange>& changes) {
  const v1::LicenseDocument& license = *situation.license;
  const auto grace = GracePeriod(license);
  std::string text = Properties({
      {"Model", absl::AsciiStrToLower(EnumText(license.model()))},
      {"Status", EnumText(license.status())},
      {"Grace period", grace.has_value() ? DaysText(*grace) : "without end"},
      {"Ends",
       license.has_ends_at() ? TimeText(license.ends_at()) : "without end"},
  });
  Table table({"AT", "OFFLINE", "STANDING", "MONITORING", "OVERAGE", "WHY"});
  for (const LicenseChange& change : changes) {
    const v1::LicenseAnswer& answer = change.answer;
    table.Add({FormatUtc(StartOf(situation) + change.after),
               DaysText(situation.offline + change.after),
               EnumText(answer.standing()),
               AllowedText(answer.monitoring_allowed()),
               AllowedText(answer.overage_allowed()), answer.reason()});
  }
  absl::StrAppend(&text, "\n", table.Text(), "\nAfter ", DaysText(offline),
                  ": ", EnumText(changes.back().answer.standing()), "\n");
  return text;
}

absl::Status AddJson(const google::protobuf::Message& message,
                     google::protobuf::Value& out) {
  const absl::StatusOr<std::string> text = ToJson(message, true);
  if (!text.ok()) return text.status();
  if (!google::protobuf::util::JsonStringToMessage(*text, &out).ok()) {
    return absl::InternalError("a message has no JSON");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> AsJson(const LicenseSituation& situation,
                                   absl::Duration offline,
                                   const std::vector<LicenseChange>& changes) {
  google::protobuf::Struct result;
  auto& fields = *result.mutable_fields();
  absl::Status status = AddJson(*situation.license, fields["license"]);
  status.Update(AddJson(ToProto(offline), fields["offline"]));
  auto& list = *fields["changes"].mutable_list_value();
  for (const LicenseChange& change : changes) {
    auto& entry = *list.add_values()->mutable_struct_value()->mutable_fields();
    status.Update(
        AddJson(ToProto(StartOf(situation) + change.after), entry["at"]));
    status.Update(AddJson(ToProto(change.after), entry["after"]));
    status.Update(AddJson(change.answer, entry["answer"]));
  }
  if (!status.ok()) return status;
  absl::StatusOr<std::string> text = ToJson(result, false);
  if (text.ok() && !text->empty() && text->back() != '\n') *text += '\n';
  return text;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDays(const std::string& option,
                                         const std::string& text) {
  const auto wrong = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " \"", text,
                     "\" is no duration; write for instance 20d, 1d12h or "
                     "90m"));
  };
  std::string rest = text;
  absl::Duration days = absl::ZeroDuration();
  const std::vector<std::string> parts =
      absl::StrSplit(text, absl::MaxSplits('d', 1));
  if (parts.size() == 2) {
    int32_t count = 0;
    if (!absl::SimpleAtoi(parts[0], &count)) return wrong();
    days = absl::Hours(24) * count;
    rest = parts[1].empty() ? "0" : parts[1];
  }
  absl::Duration duration;
  if (!absl::ParseDuration(rest, &duration)) return wrong();
  duration += days;
  if (duration < absl::ZeroDuration() || duration > kLongest) return wrong();
  return duration;
}

std::string DaysText(absl::Duration duration) {
  const int64_t days = duration / absl::Hours(24);
  const absl::Duration rest = duration % absl::Hours(24);
  if (days == 0) return absl::FormatDuration(rest);
  if (rest == absl::ZeroDuration()) return absl::StrCat(days, "d");
  return absl::StrCat(days, "d", absl::FormatDuration(rest));
}

absl::StatusOr<v1::LicenseDocument> SimulatedLicense(
    const SimulationArguments& arguments) {
  v1::LicenseDocument license;
  license.set_kind(v1::DOCUMENT_KIND_LICENSE);
  license.set_status(v1::LICENSE_STATUS_ACTIVE);
  v1::LicenseModel model = v1::LICENSE_MODEL_UNSPECIFIED;
  if (!v1::LicenseModel_Parse(
          absl::StrCat("LICENSE_MODEL_",
                       absl::AsciiStrToUpper(arguments.model)),
          &model) ||
      model == v1::LICENSE_MODEL_UNSPECIFIED) {
    return absl::InvalidArgumentError(
        absl::StrCat("--model \"", arguments.model,
                     "\" is none; write classic, trial or subscription"));
  }
  license.set_model(model);
  license.mutable_limits()->set_overage(arguments.overage
                                            ? v1::OVERAGE_RULE_ALLOWED
                                            : v1::OVERAGE_RULE_NOT_ALLOWED);
  if (!arguments.ends_at.empty()) {
    const absl::StatusOr<absl::Time> end = ParseRfc3339(arguments.ends_at);
    if (!end.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--ends-at: ", end.status().message()));
    }
    *license.mutable_ends_at() = ToProto(*end);
  }
  if (!arguments.grace.empty()) {
    const auto grace = ParseDays("--grace", arguments.grace);
    if (!grace.ok()) return grace.status();
    *license.mutable_grace_period() = ToProto(*grace);
  }
  // As the service would write it.
  const auto grace = GracePeriod(license);
  license.clear_grace_period();
  if (grace.has_value()) *license.mutable_grace_period() = ToProto(*grace);
  return license;
}

absl::StatusOr<std::string> Simulate(const LicenseSituation& situation,
                                     absl::Duration offline, bool json) {
  const std::vector<LicenseChange> changes = Timeline(situation, offline);
  if (json) return AsJson(situation, offline, changes);
  return AsText(situation, offline, changes);
}

}  // namespace mc
