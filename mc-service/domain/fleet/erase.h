// Erasing a customer's account, for good.
#ifndef MC_SERVICE_DOMAIN_FLEET_ERASE_H_
#define MC_SERVICE_DOMAIN_FLEET_ERASE_H_

#include <functional>
#include <string_view>

#include "absl/status/statusor.h"
#include "mc-service/store/store.h"

namespace mc::service {

struct EraseOptions {
  Store* store = nullptr;
  // Told of each cluster once it is revoked, so that its streams end and caches
  // forget it.
  std::function<void(std::string_view cluster_id)> cluster_changed;
  // Rows of one transaction: others' writes wait that long.
  int chunk = 1000;
};

// Erases the account with all that refers to it, in chunks, and overwrites the
// places; it blocks, for minutes where there is much. Where it is cut off, even
// by a kill, it is to be called again and goes on; the counts are this call's.
// Its clusters' IDs stay known as erased, by digest alone: a certificate that
// still is valid opens nothing, and the ID cannot be registered.
//
// NOT_FOUND: there is no such account. INVALID_ARGUMENT (INVALID_FIELD): the
// name is not the account's. FAILED_PRECONDITION (LICENSE_STILL_VALID): a
// license is not revoked. UNAVAILABLE: the rows are gone, but their places
// could not be overwritten yet; the service does so within the hour.
absl::StatusOr<ErasedRows> EraseAccount(const EraseOptions& options,
                                        std::string_view account_id,
                                        std::string_view confirm_name);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_FLEET_ERASE_H_
