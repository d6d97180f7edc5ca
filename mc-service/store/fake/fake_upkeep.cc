#include <utility>

#include "mc-service/store/fake/fake_session.h"
#include "mc-service/store/fake/fake_table.h"

namespace mc::service {
namespace {

// Erases rows of a map where `over(row)`; returns how many.
template <typename Map, typename Over>
int64_t EraseWhere(Map& map, Over over) {
  int64_t count = 0;
  for (auto row = map.begin(); row != map.end();) {
    if (over(std::as_const(*row))) {
      row = map.erase(row);
      ++count;
    } else {
      ++row;
    }
  }
  return count;
}

}  // namespace

absl::StatusOr<UpkeepState> FakeSession::Upkeep() {
  UpkeepState state;
  state.retained_until = state_.retained_until;
  state.scrub_pending = state_.scrub_pending;
  for (const auto& [key, report] : state_.reports) {
    if (!state.newest_report_at.has_value() ||
        report.accepted_at > *state.newest_report_at) {
      state.newest_report_at = report.accepted_at;
    }
  }
  return state;
}

absl::StatusOr<bool> FakeSession::IsErased(std::string_view cluster_id) {
  return state_.erased_clusters.contains(cluster_id);
}

absl::Status FakeSession::SetRetainedUntil(absl::Time time) {
  writable_->retained_until = time;
  return absl::OkStatus();
}

absl::StatusOr<int64_t> FakeSession::Prune(Prunable what, absl::Time before,
                                           int max_rows) {
  int64_t left = max_rows;
  switch (what) {
    case Prunable::kConsumptionReports:
      return EraseWhere(writable_->consumption, [&](const auto& row) {
        return row.second.accepted_at < before && left-- > 0;
      });
    case Prunable::kEvents:
      return EraseWhere(writable_->events, [&](const auto& row) {
        return row.second.received_at < before && left-- > 0;
      });
    case Prunable::kEnrollmentTokens:
      return EraseWhere(writable_->enrollment_tokens, [&](const auto& row) {
        return row.second.expires_at < before && left-- > 0;
      });
    case Prunable::kClosedFindings:
      break;
  }
  return EraseWhere(writable_->findings, [&](const auto& row) {
    return row.second.closed_at.value_or(absl::InfiniteFuture()) < before &&
           left-- > 0;
  });
}

absl::Status FakeSession::BeginErasure(std::string_view account_id) {
  if (absl::Status there = GetAccount(account_id).status(); !there.ok()) {
    return there;
  }
  for (auto& [position, row] : writable_->clusters) {
    const auto license = GetLicense(row.cluster.license_id);
    if (!license.ok() || license->account_id != account_id) continue;
    row.cluster.registration = v1::REGISTRATION_STATUS_REVOKED;
    writable_->erased_clusters.insert(row.cluster.id);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> FakeSession::EraseSome(std::string_view account_id,
                                            int /*max_rows*/,
                                            ErasedRows& erased) {
  std::set<std::string> licenses;
  for (const auto& [position, row] : state_.licenses) {
    if (row.account_id == account_id) licenses.insert(row.id);
  }
  std::set<std::string> clusters;
  for (const auto& [position, row] : state_.clusters) {
    if (licenses.contains(row.cluster.license_id)) {
      clusters.insert(row.cluster.id);
    }
  }
  FakeState& state = *writable_;
  erased.reports += EraseWhere(state.reports, [&](const auto& row) {
    return clusters.contains(row.second.key.cluster_id);
  });
  EraseWhere(state.marks, [&](const auto& row) {
    return clusters.contains(std::get<0>(row.first));
  });
  EraseWhere(state.health, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.consumption, [&](const auto& row) {
    return clusters.contains(row.second.key.cluster_id);
  });
  EraseWhere(state.host_hours, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.presence, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.events, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.dropped_events, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.findings, [&](const auto& row) {
    return clusters.contains(row.second.last.key.cluster_id);
  });
  EraseWhere(state.gaps, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.identities,
             [&](const auto& row) { return clusters.contains(row.first); });
  EraseWhere(state.exchange_counts, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  erased.ledger_entries += EraseWhere(state.entries, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.totals, [&](const auto& row) {
    return clusters.contains(row.second.cluster_id);
  });
  EraseWhere(state.frames, [&](const auto& row) {
    return clusters.contains(std::get<0>(row.first));
  });
  EraseWhere(state.environment_hours, [&](const auto& row) {
    return clusters.contains(std::get<0>(row.first));
  });
  EraseWhere(state.license_totals, [&](const auto& row) {
    return licenses.contains(std::get<0>(row.first));
  });
  EraseWhere(state.license_hours, [&](const auto& row) {
    return licenses.contains(row.first.first);
  });
  EraseWhere(state.terms,
             [&](const auto& row) { return licenses.contains(row.first); });
  erased.clusters += EraseWhere(state.clusters, [&](const auto& row) {
    return clusters.contains(row.second.cluster.id);
  });
  EraseWhere(state.enrollment_tokens, [&](const auto& row) {
    return licenses.contains(row.second.license_id);
  });
  erased.licenses += EraseWhere(state.licenses, [&](const auto& row) {
    return licenses.contains(row.second.id);
  });
  EraseWhere(state.accounts,
             [&](const auto& row) { return row.second.id == account_id; });
  state.scrub_pending = true;
  return true;
}

}  // namespace mc::service
