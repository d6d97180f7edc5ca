#include "mc-service/durable_parts.h"

#include <string>
#include <utility>

#include "common/crypto/key.h"
#include "common/files/files.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/domain/ledger/ledger.h"

namespace mc::service {
namespace {

absl::StatusOr<DocumentSigner> LoadSigner(const StateLayout& state) {
  const absl::StatusOr<std::string> key_pem =
      ReadPrivateFile(state.DocumentKeyFile());
  if (!key_pem.ok()) return key_pem.status();
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*key_pem);
  if (!key.ok()) return key.status();
  return DocumentSigner::Create(*std::move(key));
}

}  // namespace

absl::StatusOr<DurableParts> OpenDurableParts(const StateLayout& state,
                                              SqliteOptions store_options) {
  absl::StatusOr<std::unique_ptr<Store>> store =
      OpenSqliteStore(std::move(store_options));
  if (!store.ok()) return store.status();
  // Before any report: what a version without a ledger has left.
  const absl::Status entered = EnterBacklog(**store, {});
  if (!entered.ok()) return entered;
  absl::StatusOr<DocumentSigner> signer = LoadSigner(state);
  if (!signer.ok()) return signer.status();
  absl::StatusOr<DocumentKeyHistory> history = ReadDocumentKeyHistory(state);
  if (!history.ok()) return history.status();
  absl::StatusOr<CertificateAuthority> cluster_ca =
      LoadAuthority(state, AuthorityKind::kCluster);
  if (!cluster_ca.ok()) return cluster_ca.status();
  absl::StatusOr<CertificateAuthority> operator_ca =
      LoadAuthority(state, AuthorityKind::kOperator);
  if (!operator_ca.ok()) return operator_ca.status();
  return DurableParts{*std::move(store), *std::move(signer),
                      *std::move(cluster_ca), *std::move(operator_ca),
                      *std::move(history)};
}

}  // namespace mc::service
