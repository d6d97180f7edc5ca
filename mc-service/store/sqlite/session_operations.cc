// Exchange counts, releases.
#include "mc-service/store/checks.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Blob;
using sqlite::Statement;

constexpr std::string_view kRelease =
    "SELECT id, release_id, created_at_us, document, key_id, signature "
    "FROM release ";

absl::StatusOr<Release> ReadRelease(const Statement& row) {
  Release release;
  release.id = row.Text(1);
  release.created_at = FromMicros(row.Int64(2));
  release.signed_document.set_document(row.BlobBytes(3));
  release.signed_document.set_key_id(row.Text(4));
  release.signed_document.set_signature(row.BlobBytes(5));
  if (!release.document.ParseFromString(release.signed_document.document())) {
    return absl::DataLossError(
        "the stored release does not parse; restore the store from a backup");
  }
  return release;
}

}  // namespace

absl::StatusOr<Paged<ExchangeCount>> Session::ListExchangeCounts(
    std::string_view cluster_id, const Page& page) {
  std::string sql =
      "SELECT id, cluster_id, exchange, succeeded, failed, last_at_us, "
      "last_result FROM exchange_count WHERE id > ?1 ";
  if (!cluster_id.empty()) sql += "AND cluster_id = ?2 ";
  sql += "ORDER BY id LIMIT ?3";
  return List<ExchangeCount>(
      page,
      [](const Statement& row) -> absl::StatusOr<ExchangeCount> {
        ExchangeCount count;
        count.cluster_id = row.Text(1);
        count.exchange = static_cast<v1::Exchange>(row.Int64(2));
        count.succeeded = row.Int64(3);
        count.failed = row.Int64(4);
        count.last_at = FromMicros(row.Int64(5));
        count.last_result = row.Text(6);
        return count;
      },
      sql, page.after, cluster_id);
}

absl::Status Session::AddExchangeCount(const ExchangeCount& count) {
  if (!count.cluster_id.empty()) {
    const absl::StatusOr<bool> erased = IsErased(count.cluster_id);
    if (!erased.ok()) return erased.status();
    if (*erased) return absl::OkStatus();
  }
  return Run(
      "INSERT INTO exchange_count (cluster_id, exchange, succeeded, failed, "
      "last_at_us, last_result) VALUES (?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (cluster_id, exchange) DO UPDATE SET "
      "succeeded = succeeded + excluded.succeeded, "
      "failed = failed + excluded.failed, "
      "last_result = iif(excluded.last_at_us >= last_at_us, "
      "excluded.last_result, last_result), "
      "last_at_us = max(last_at_us, excluded.last_at_us)",
      count.cluster_id, int{count.exchange}, count.succeeded, count.failed,
      Micros(count.last_at), count.last_result);
}

absl::StatusOr<Release> Session::GetRelease(std::string_view id) {
  return One<Release>(ReadRelease,
                      std::string(kRelease).append("WHERE release_id = ?"), id);
}

absl::StatusOr<Paged<Release>> Session::ListReleases(v1::Component component,
                                                     const Page& page) {
  std::string sql = std::string(kRelease).append("WHERE id < ?1 ");
  if (component != v1::COMPONENT_UNSPECIFIED) sql += "AND component = ?2 ";
  sql += "ORDER BY id DESC LIMIT ?3";
  return List<Release>(page, ReadRelease, sql, Before(page), int{component});
}

absl::Status Session::InsertRelease(const Release& release) {
  if (absl::Status valid = CheckRelease(release); !valid.ok()) return valid;
  const v1::ReleaseDocument& document = release.document;
  return Run(
      "INSERT INTO release (release_id, created_at_us, component, label, "
      "version, document, key_id, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      release.id, Micros(release.created_at), int{document.component()},
      document.label(), document.version(),
      Blob{release.signed_document.document()},
      release.signed_document.key_id(),
      Blob{release.signed_document.signature()});
}

absl::StatusOr<uint64_t> Session::ServiceEpoch() {
  return Number("SELECT service_epoch FROM store_info");
}

}  // namespace mc::service
