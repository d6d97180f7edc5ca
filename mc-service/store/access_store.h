// Who may enroll a cluster, and who may operate the service.
#ifndef MC_SERVICE_STORE_ACCESS_STORE_H_
#define MC_SERVICE_STORE_ACCESS_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/types.h"

namespace mc::service {

struct EnrollmentToken {
  std::string id;
  std::string license_id;
  // SHA-256 of the token; the token itself is not kept.
  std::string digest;
  absl::Time created_at;
  absl::Time expires_at;
  // Absent: not used yet.
  std::optional<absl::Time> used_at = {};
  // The cluster that was registered with it.
  std::string cluster_id = {};
  // It is good no more, and not listed.
  bool deleted = false;
};

class AccessReader {
 public:
  virtual ~AccessReader() = default;

  // Deleted ones too.
  virtual absl::StatusOr<EnrollmentToken> GetEnrollmentToken(
      std::string_view id) = 0;
  virtual absl::StatusOr<EnrollmentToken> FindEnrollmentToken(
      std::string_view digest) = 0;
  // Newest first.
  virtual absl::StatusOr<Paged<EnrollmentToken>> ListEnrollmentTokens(
      std::string_view license_id, const Page& page) = 0;

  // NOT_FOUND for one that was deleted, too.
  virtual absl::StatusOr<Operator> GetOperator(std::string_view name) = 0;
  // At most `limit` of those whose name is after `after`, by name.
  virtual absl::StatusOr<std::vector<Operator>> ListOperators(
      std::string_view after, int limit) = 0;
  virtual absl::StatusOr<int64_t> CountOperators(Role role) = 0;
};

class AccessWriter {
 public:
  virtual ~AccessWriter() = default;

  // Inserts the token or replaces its row. ALREADY_EXISTS when another one has
  // its digest.
  virtual absl::Status PutEnrollmentToken(const EnrollmentToken& token) = 0;

  // Inserts the operator or replaces its row. ALREADY_EXISTS when one of that
  // name was deleted: its certificates must not become good again.
  virtual absl::Status PutOperator(const Operator& op) = 0;
  virtual absl::Status DeleteOperator(std::string_view name) = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_ACCESS_STORE_H_
