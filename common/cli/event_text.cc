#include "common/cli/event_text.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/cli/output.h"
#include "common/time/proto_time.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

std::string UpdateText(const v1::UpdateEventDetails& update) {
  std::string text =
      absl::StrCat(update.from_version(), " -> ", update.to_version());
  if (!update.failure().empty()) {
    absl::StrAppend(&text, ": ", update.failure());
  }
  return text;
}

std::string LicenseText(const v1::LicenseEventDetails& license) {
  std::string text = EnumText(license.status());
  if (license.has_ends_at()) {
    absl::StrAppend(&text, ", ends ", TimeText(license.ends_at()));
  }
  return text;
}

}  // namespace

std::string EventDetails(const v1::ClusterEvent& event) {
  switch (event.details_case()) {
    case v1::ClusterEvent::kConnection:
      if (!event.connection().has_outage()) return "";
      return absl::StrCat("lasted ", absl::FormatDuration(absl::Trunc(
                                         FromProto(event.connection().outage())
                                             .value_or(absl::ZeroDuration()),
                                         absl::Milliseconds(100))));
    case v1::ClusterEvent::kLicense:
      return LicenseText(event.license());
    case v1::ClusterEvent::kUpdate:
      return UpdateText(event.update());
    case v1::ClusterEvent::kActiveGate:
      return event.active_gate().active_gate_id();
    case v1::ClusterEvent::kClock: {
      const int64_t offset = event.clock().offset_milliseconds();
      return absl::StrCat(std::llabs(offset), " ms ",
                          offset < 0 ? "behind" : "ahead");
    }
    case v1::ClusterEvent::kCertificate:
      return absl::StrCat("until ", TimeText(event.certificate().not_after()));
    case v1::ClusterEvent::kRemoteAccess:
      return event.remote_access().session_id();
    case v1::ClusterEvent::kSettings:
      return absl::StrCat("revision ", event.settings().revision());
    case v1::ClusterEvent::kOutbox:
      return absl::StrCat(event.outbox().problem(), " (",
                          event.outbox().affected_rows(), ")");
    case v1::ClusterEvent::DETAILS_NOT_SET:
      break;
  }
  return "";
}

absl::StatusOr<v1::ClusterEventType> ParseEventType(const std::string& text) {
  v1::ClusterEventType type = v1::CLUSTER_EVENT_TYPE_UNSPECIFIED;
  if (v1::ClusterEventType_Parse(
          absl::StrCat("CLUSTER_EVENT_TYPE_", absl::AsciiStrToUpper(text)),
          &type) &&
      type != v1::CLUSTER_EVENT_TYPE_UNSPECIFIED) {
    return type;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--type \"", text,
      "\" is no type of event; write for instance connection_lost"));
}

absl::StatusOr<v1::Severity> ParseSeverity(const std::string& text) {
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  if (v1::Severity_Parse(absl::StrCat("SEVERITY_", absl::AsciiStrToUpper(text)),
                         &severity) &&
      severity != v1::SEVERITY_UNSPECIFIED) {
    return severity;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--severity \"", text, "\" is none; write info, warning or severe"));
}

}  // namespace mc
