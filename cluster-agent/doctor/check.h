// What `cluster-agent doctor` finds out, one line each.
#ifndef MC_CLUSTER_AGENT_DOCTOR_CHECK_H_
#define MC_CLUSTER_AGENT_DOCTOR_CHECK_H_

#include <string>
#include <utility>
#include <vector>

namespace mc::agent {

// In the order of their weight.
enum class Outcome { kOk, kSkipped, kWarning, kFailed };

struct CheckResult {
  // For instance "port".
  std::string check;
  // What was looked at, for instance "cluster mc.example.com:8443".
  std::string target;
  Outcome outcome = Outcome::kOk;
  std::string detail;
  // What to do; empty unless it is a warning or failed.
  std::string fix;
};
using CheckResults = std::vector<CheckResult>;

inline CheckResult Ok(std::string check, std::string target,
                      std::string detail) {
  return {std::move(check), std::move(target), Outcome::kOk, std::move(detail),
          ""};
}
// `because`: what has to be right first.
inline CheckResult Skipped(std::string check, std::string target,
                           std::string because) {
  return {std::move(check), std::move(target), Outcome::kSkipped,
          std::move(because), ""};
}
inline CheckResult Warning(std::string check, std::string target,
                           std::string detail, std::string fix) {
  return {std::move(check), std::move(target), Outcome::kWarning,
          std::move(detail), std::move(fix)};
}
inline CheckResult Failed(std::string check, std::string target,
                          std::string detail, std::string fix) {
  return {std::move(check), std::move(target), Outcome::kFailed,
          std::move(detail), std::move(fix)};
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOCTOR_CHECK_H_
