// A prepared statement, bound by position and read by column.
#ifndef COMMON_SQLITE_STATEMENT_H_
#define COMMON_SQLITE_STATEMENT_H_

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace mc::sqlite {

// Bytes, as against text.
struct Blob {
  std::string_view bytes;
};

// Comes from Database::Prepare and must not outlive its database. Not
// thread-safe. Its destruction resets the statement and gives it back to the
// database, so no read lock outlives it.
//
// Parameters count from 1 and columns from 0, as in SQLite. A failed Bind is
// remembered and returned by the next Step.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Integers and booleans. A uint64_t is stored as the int64_t of the same
  // bits: values from 2^63 on sort before all others inside SQL and come back
  // unharmed through Uint64().
  template <std::integral T>
  Statement& Bind(int index, T value) {
    return BindInt64(index, static_cast<int64_t>(value));
  }
  Statement& Bind(int index, double value);
  Statement& Bind(int index, std::string_view text);
  Statement& Bind(int index, Blob blob);
  // NULL.
  Statement& Bind(int index, std::nullopt_t);
  template <typename T>
  Statement& Bind(int index, const std::optional<T>& value) {
    return value.has_value() ? Bind(index, *value) : Bind(index, std::nullopt);
  }
  // Binds from parameter 1 on.
  template <typename... T>
  Statement& BindAll(const T&... values) {
    int index = 0;
    (Bind(++index, values), ...);
    return *this;
  }

  // True: a row is there to be read. False: the statement is through.
  absl::StatusOr<bool> Step();
  // For statements without rows: runs to the end and resets, so that it can
  // be bound anew.
  absl::Status Run();
  // To be run once more; bindings go too.
  void Reset();

  // Of the current row; converted as SQLite converts where the stored type
  // is another. Text and blob are copies.
  bool IsNull(int column) const;
  int64_t Int64(int column) const;
  uint64_t Uint64(int column) const;
  bool Bool(int column) const { return Int64(column) != 0; }
  double Double(int column) const;
  std::string Text(int column) const;
  std::string BlobBytes(int column) const;
  // Absent for NULL.
  std::optional<int64_t> OptionalInt64(int column) const;
  std::optional<uint64_t> OptionalUint64(int column) const;
  std::optional<double> OptionalDouble(int column) const;
  std::optional<std::string> OptionalText(int column) const;
  std::optional<std::string> OptionalBlob(int column) const;

 private:
  friend class Database;
  // `in_use`: the cache's mark to clear; null where the statement is not
  // cached and is finalized instead.
  Statement(sqlite3* database, sqlite3_stmt* statement, bool* in_use)
      : database_(database), statement_(statement), in_use_(in_use) {}

  Statement& BindInt64(int index, int64_t value);
  Statement& Remember(int index, int code);

  sqlite3* database_;
  sqlite3_stmt* statement_;
  bool* in_use_;
  absl::Status bound_;
};

}  // namespace mc::sqlite

#endif  // COMMON_SQLITE_STATEMENT_H_
