// What the service has on its disk: its store, its keys and its authorities.
#ifndef MC_SERVICE_DURABLE_PARTS_H_
#define MC_SERVICE_DURABLE_PARTS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/crypto/authority.h"
#include "common/crypto/document.h"
#include "mc-service/cli/document_keys.h"
#include "mc-service/cli/state_layout.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {

struct DurableParts {
  std::unique_ptr<Store> store;
  DocumentSigner signer;
  CertificateAuthority cluster_ca;
  CertificateAuthority operator_ca;
  DocumentKeyHistory key_history;
};

// Opens the store, and has what a version without a ledger left
// in it entered; then reads the keys. The first that fails is returned.
absl::StatusOr<DurableParts> OpenDurableParts(const StateLayout& state,
                                              SqliteOptions store_options);

}  // namespace mc::service

#endif  // MC_SERVICE_DURABLE_PARTS_H_
