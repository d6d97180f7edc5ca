#include "cluster-agent/mastership/lease_json.h"

#include <nlohmann/json.hpp>

namespace mc::agent {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 64;
constexpr size_t kMaxMessage = 300;
constexpr int64_t kMaxSeconds = 1 << 30;
// MicroTime of Kubernetes (k8s.io/apimachinery, meta/v1).
constexpr char kMicroTime[] = "%Y-%m-%dT%H:%M:%E6SZ";

absl::Status NoLease() {
  return absl::DataLossError("the API server's answer is no Lease");
}

// Discarded where it is no object, or one that is nested so deeply that writing
// it, which calls itself for each level, could exhaust the stack.
Json ParseObject(std::string_view text) {
  bool too_deep = false;
  const auto within = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  Json json = Json::parse(text, within, /*allow_exceptions=*/false);
  if (too_deep || !json.is_object()) return Json(Json::value_t::discarded);
  return json;
}

// Null where there is none, or where `json` is no object.
const Json& Member(const Json& json, const char* name) {
  static const Json& null = *new Json();
  if (!json.is_object()) return null;
  const auto found = json.find(name);
  return found == json.end() ? null : *found;
}

std::string Text(const Json& json) {
  return json.is_string() ? json.get<std::string>() : std::string();
}

absl::Time TimeOf(const Json& json) {
  absl::Time time;
  // An infinite one could not be written.
  if (!absl::ParseTime(absl::RFC3339_full, Text(json), &time, nullptr) ||
      time == absl::InfiniteFuture() || time == absl::InfinitePast()) {
    return absl::UnixEpoch();
  }
  return time;
}

int64_t Number(const Json& json) {
  if (!json.is_number_integer()) return 0;
  return json.get<int64_t>();
}

std::string TextOf(absl::Time time) {
  return absl::FormatTime(kMicroTime, time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<Lease> ParseLease(std::string_view json) {
  const Json object = ParseObject(json);
  if (object.is_discarded() || Text(Member(object, "kind")) != "Lease" ||
      Text(Member(Member(object, "metadata"), "resourceVersion")).empty()) {
    return NoLease();
  }
  const Json& spec = Member(object, "spec");
  const int64_t seconds = Number(Member(spec, "leaseDurationSeconds"));
  if (seconds < 0 || seconds > kMaxSeconds) return NoLease();
  Lease lease;
  lease.holder = Text(Member(spec, "holderIdentity"));
  lease.duration = absl::Seconds(seconds);
  lease.acquired_at = TimeOf(Member(spec, "acquireTime"));
  lease.renewed_at = TimeOf(Member(spec, "renewTime"));
  lease.transitions = Number(Member(spec, "leaseTransitions"));
  lease.object = std::string(json);
  return lease;
}

absl::StatusOr<std::string> LeaseJson(const Lease& lease,
                                      std::string_view name_space,
                                      std::string_view name) {
  Json object;
  if (lease.object.empty()) {
    object = {{"apiVersion", "coordination.k8s.io/v1"},
              {"kind", "Lease"},
              {"metadata",
               {{"name", std::string(name)},
                {"namespace", std::string(name_space)}}}};
  } else {
    object = ParseObject(lease.object);
    if (object.is_discarded()) return NoLease();
  }
  Json spec = Member(object, "spec");
  if (!spec.is_object()) spec = Json::object();
  spec["holderIdentity"] = lease.holder;
  spec["leaseDurationSeconds"] = absl::ToInt64Seconds(lease.duration);
  spec["acquireTime"] = TextOf(lease.acquired_at);
  spec["renewTime"] = TextOf(lease.renewed_at);
  spec["leaseTransitions"] = lease.transitions;
  object["spec"] = std::move(spec);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string MessageOf(std::string_view json) {
  const Json object = ParseObject(json);
  if (object.is_discarded()) return "";
  return Text(Member(object, "message")).substr(0, kMaxMessage);
}

}  // namespace mc::agent
