// What the service has signed, and whether the agent believes it.
#ifndef MC_CLUSTER_AGENT_DOMAIN_DOCUMENTS_DOCUMENTS_H_
#define MC_CLUSTER_AGENT_DOMAIN_DOCUMENTS_DOCUMENTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "missioncontrol/v1/common.pb.h"
#include "missioncontrol/v1/license.pb.h"
#include "missioncontrol/v1/reports.pb.h"
#include "missioncontrol/v1/updates.pb.h"

namespace mc::agent {

// The keys that the registration gave.
using DocumentKeys = std::vector<missioncontrol::v1::DocumentKey>;

// UNAUTHENTICATED: the signature is not of one of the keys. FAILED_PRECONDITION
// (IDENTITY_MISMATCH): it is another cluster's license.
absl::StatusOr<missioncontrol::v1::LicenseDocument> VerifyLicense(
    const missioncontrol::v1::SignedDocument& signed_license,
    const DocumentKeys& keys, std::string_view cluster_id);

// The same, and that the typed copy says what was signed.
absl::Status VerifyLicenseAnswer(
    const missioncontrol::v1::CheckLicenseResponse& answer,
    const DocumentKeys& keys, std::string_view cluster_id);

struct ExpectedReceipt {
  std::string_view cluster_id;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  // Of the StreamReportsRequest that was sent, 32 raw bytes.
  std::string_view report_sha256;
};
absl::Status VerifyReceipt(
    const missioncontrol::v1::SignedDocument& signed_receipt,
    const DocumentKeys& keys, const ExpectedReceipt& expected);

// The releases whose document verifies and says the same as the typed copy.
struct OfferedReleases {
  // "component label version", for instance "one_agent stable 1.1.0".
  std::vector<std::string> available;
  // Why the others are not offered, one each.
  std::vector<absl::Status> refused;
};
OfferedReleases VerifyReleases(
    const missioncontrol::v1::CheckUpdatesResponse& answer,
    const DocumentKeys& keys);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_DOCUMENTS_DOCUMENTS_H_
