// Look-ups and pages of rows in memory.
#ifndef MC_SERVICE_STORE_FAKE_FAKE_TABLE_H_
#define MC_SERVICE_STORE_FAKE_FAKE_TABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "mc-service/store/fake/fake_session.h"

namespace mc::service {

// The first row that `matches`, or null.
template <typename T, typename Matches>
const T* FindRow(const FakeTable<T>& table, Matches matches) {
  for (const auto& [position, row] : table) {
    if (matches(row)) return &row;
  }
  return nullptr;
}

template <typename T, typename Matches>
T* FindRow(FakeTable<T>& table, Matches matches) {
  for (auto& [position, row] : table) {
    if (matches(row)) return &row;
  }
  return nullptr;
}

template <typename T>
absl::StatusOr<T> Found(const T* row) {
  if (row == nullptr) return absl::NotFoundError("it is not in the store");
  return *row;
}

template <typename T>
void Append(FakeTable<T>& table, const T& row) {
  table.emplace(table.empty() ? 1 : table.rbegin()->first + 1, row);
}

// The rows that `matches` keeps.
template <typename T, typename Matches>
Paged<T> ListRows(const FakeTable<T>& table, const Page& page,
                  bool newest_first, Matches matches) {
  const size_t limit = std::max(1, page.limit);
  Paged<T> listed;
  int64_t last = 0;
  // Whether to go on.
  const auto add = [&](const auto& entry) {
    if (!matches(entry.second)) return true;
    if (listed.items.size() == limit) {
      listed.next = last;
      return false;
    }
    listed.items.push_back(entry.second);
    last = entry.first;
    return true;
  };
  if (newest_first) {
    auto row = page.after == 0
                   ? table.rbegin()
                   : std::make_reverse_iterator(table.lower_bound(page.after));
    while (row != table.rend() && add(*row)) ++row;
  } else {
    auto row = table.upper_bound(page.after);
    while (row != table.end() && add(*row)) ++row;
  }
  return listed;
}

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_FAKE_FAKE_TABLE_H_
