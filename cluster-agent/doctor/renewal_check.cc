#include "cluster-agent/doctor/renewal_check.h"

#include "absl/strings/str_cat.h"
#include "cluster-agent/state/state_directory.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

constexpr char kCheck[] = "renewal";
// Renewal takes seconds where the service answers.
constexpr absl::Duration kLong = absl::Hours(1);

}  // namespace

CheckResult CheckRenewal(const std::string& state_directory, absl::Time now) {
  const auto renewal = StateDirectory::ReadRenewal(state_directory);
  if (!renewal.ok()) {
    return Failed(kCheck, state_directory,
                  std::string(renewal.status().message()),
                  "do what it says, and start the agent");
  }
  if (!renewal->has_value()) {
    return Ok(kCheck, state_directory, "none is under way");
  }
  const absl::Time since =
      FromProto((*renewal)->requested_at()).value_or(absl::InfinitePast());
  std::string detail;
  if ((*renewal)->confirmed()) {
    detail = "the new certificate is accepted; the next start puts it in place";
  } else if ((*renewal)->certificate_chain_pem().empty()) {
    detail = absl::StrCat("another certificate is asked for since ",
                          FormatUtc(since));
  } else {
    detail = absl::StrCat("a new certificate waits since ", FormatUtc(since),
                          " for the service to accept it");
  }
  if (now - since < kLong) return Ok(kCheck, state_directory, detail);
  return Warning(kCheck, state_directory, detail,
                 "the agent goes on by itself as soon as it runs and the "
                 "service answers: look at what cluster-agent status waits "
                 "for");
}

}  // namespace mc::agent
