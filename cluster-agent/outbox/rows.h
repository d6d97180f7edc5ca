// What the files of this folder share about rows of usage.db.
#ifndef MC_CLUSTER_AGENT_OUTBOX_ROWS_H_
#define MC_CLUSTER_AGENT_OUTBOX_ROWS_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/database.h"

namespace mc::agent {

// SHA-256 of bytes and of the numbers that belong to them.
std::string RowSum(std::string_view bytes,
                   std::initializer_list<uint64_t> numbers);
std::string ReportSum(const ReportKey& key, std::string_view request);

// Enums are stored as their numbers.
template <typename T>
decltype(auto) Plain(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<int64_t>(value);
  } else {
    return (value);
  }
}

// A statement that has at most one row: the bound parameters in their order,
// and `read` for the row. False: no row.
template <typename Read, typename... Values>
absl::StatusOr<bool> QueryOne(sqlite::Database& database, std::string_view sql,
                              Read read, const Values&... values) {
  absl::StatusOr<sqlite::Statement> statement = database.Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->BindAll(Plain(values)...).Step();
  if (row.ok() && *row) read(*statement);
  return row;
}

// As QueryOne, for any number of rows.
template <typename Read, typename... Values>
absl::Status QueryAll(sqlite::Database& database, std::string_view sql,
                      Read read, const Values&... values) {
  absl::StatusOr<sqlite::Statement> statement = database.Prepare(sql);
  if (!statement.ok()) return statement.status();
  statement->BindAll(Plain(values)...);
  for (;;) {
    const absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    read(*statement);
  }
}

template <typename... Values>
absl::Status Execute(sqlite::Database& database, std::string_view sql,
                     const Values&... values) {
  absl::StatusOr<sqlite::Statement> statement = database.Prepare(sql);
  if (!statement.ok()) return statement.status();
  return statement->BindAll(Plain(values)...).Run();
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_ROWS_H_
