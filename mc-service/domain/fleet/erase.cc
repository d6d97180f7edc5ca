#include "mc-service/domain/fleet/erase.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/failpoint/failpoint.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

// Calls `visit` for each item of a listing.
template <typename List, typename Visit>
absl::Status ForEachOf(List list, Visit visit) {
  Page page{.limit = 500};
  while (true) {
    const auto listed = list(page);
    if (!listed.ok()) return listed.status();
    for (const auto& item : listed->items) {
      if (absl::Status s = visit(item); !s.ok()) return s;
    }
    if (!listed->next.has_value()) return absl::OkStatus();
    page.after = *listed->next;
  }
}

absl::Status MayErase(Reader& reader, std::string_view account_id,
                      std::string_view confirm_name) {
  const absl::StatusOr<Account> account = reader.GetAccount(account_id);
  if (!account.ok()) return account.status();
  if (account->name != confirm_name) {
    return InvalidField("confirm_name",
                        "this is not the account's name; nothing was erased");
  }
  return ForEachOf(
      [&](const Page& page) { return reader.ListLicenses(account_id, page); },
      [](const License& license) -> absl::Status {
        if (license.state == v1::LICENSE_STATE_REVOKED) return absl::OkStatus();
        return Error(absl::StatusCode::kFailedPrecondition,
                     v1::ERROR_REASON_LICENSE_STILL_VALID,
                     absl::StrCat("license ", license.id, " (", license.name,
                                  ") is not revoked; revoke it first"));
      });
}

}  // namespace

absl::StatusOr<ErasedRows> EraseAccount(const EraseOptions& options,
                                        std::string_view account_id,
                                        std::string_view confirm_name) {
  std::vector<std::string> clusters;
  absl::Status status =
      options.store->WriteAndWait([&](Writer& writer) -> absl::Status {
        absl::Status allowed = MayErase(writer, account_id, confirm_name);
        if (!allowed.ok()) return allowed;
        ClusterFilter filter;
        filter.account_id = std::string(account_id);
        allowed = ForEachOf(
            [&](const Page& page) { return writer.ListClusters(filter, page); },
            [&](const ClusterOverview& cluster) {
              clusters.push_back(cluster.cluster.id);
              return absl::OkStatus();
            });
        if (!allowed.ok()) return allowed;
        return writer.BeginErasure(account_id);
      });
  if (!status.ok()) return status;
  for (const std::string& cluster : clusters) options.cluster_changed(cluster);
  ErasedRows erased;
  for (bool finished = false; !finished;) {
    ErasedRows chunk;
    status = options.store->WriteAndWait([&](Writer& writer) -> absl::Status {
      chunk = {};
      const absl::StatusOr<bool> done =
          writer.EraseSome(account_id, options.chunk, chunk);
      if (done.ok()) finished = *done;
      return done.status();
    });
    if (!status.ok()) return status;
    MC_FAILPOINT("service.erase.chunk");
    erased.licenses += chunk.licenses;
    erased.clusters += chunk.clusters;
    erased.reports += chunk.reports;
    erased.ledger_entries += chunk.ledger_entries;
  }
  // Once more, for what was read while the rows went.
  for (const std::string& cluster : clusters) options.cluster_changed(cluster);
  status = options.store->Scrub();
  if (!status.ok()) {
    return Error(absl::StatusCode::kUnavailable,
                 v1::ERROR_REASON_STORE_UNAVAILABLE,
                 absl::StrCat("the account is erased, but what it left in free "
                              "space could not be overwritten yet (",
                              status.message(),
                              "); the service tries again within the hour"));
  }
  return erased;
}

}  // namespace mc::service
