#include "common/sqlite/statement.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sqlite/database.h"

namespace mc::sqlite {

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      in_use_(other.in_use_),
      bound_(std::move(other.bound_)) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  if (in_use_ == nullptr) {
    sqlite3_finalize(statement_);
    return;
  }
  Reset();
  *in_use_ = false;
}

Statement& Statement::Remember(int index, int code) {
  if (code != SQLITE_OK && bound_.ok()) {
    bound_ = StatusFromCode(
        code, absl::StrCat("parameter ", index, " of ",
                           absl::string_view(sqlite3_sql(statement_)), ": ",
                           sqlite3_errstr(code)));
  }
  return *this;
}

Statement& Statement::BindInt64(int index, int64_t value) {
  return Remember(index, sqlite3_bind_int64(statement_, index, value));
}

Statement& Statement::Bind(int index, double value) {
  return Remember(index, sqlite3_bind_double(statement_, index, value));
}

Statement& Statement::Bind(int index, std::string_view text) {
  // A null pointer would bind NULL.
  return Remember(
      index, sqlite3_bind_text64(statement_, index,
                                 text.data() == nullptr ? "" : text.data(),
                                 text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::Bind(int index, Blob blob) {
  return Remember(
      index,
      sqlite3_bind_blob64(statement_, index,
                          blob.bytes.data() == nullptr ? "" : blob.bytes.data(),
                          blob.bytes.size(), SQLITE_TRANSIENT));
}

Statement& Statement::Bind(int index, std::nullopt_t) {
  return Remember(index, sqlite3_bind_null(statement_, index));
}

absl::StatusOr<bool> Statement::Step() {
  if (!bound_.ok()) return bound_;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  absl::Status error = LastError(database_, sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  return error;
}

absl::Status Statement::Run() {
  absl::StatusOr<bool> row = Step();
  while (row.ok() && *row) row = Step();
  Reset();
  return row.status();
}

void Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bound_ = absl::OkStatus();
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int64_t Statement::Int64(int column) const {
  return sqlite3_column_int64(statement_, column);
}

uint64_t Statement::Uint64(int column) const {
  return static_cast<uint64_t>(Int64(column));
}

double Statement::Double(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return "";
  return std::string(reinterpret_cast<const char*>(text),
                     sqlite3_column_bytes(statement_, column));
}

std::string Statement::BlobBytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return "";
  return std::string(static_cast<const char*>(bytes),
                     sqlite3_column_bytes(statement_, column));
}

std::optional<int64_t> Statement::OptionalInt64(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Int64(column);
}

std::optional<uint64_t> Statement::OptionalUint64(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Uint64(column);
}

std::optional<double> Statement::OptionalDouble(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Double(column);
}

std::optional<std::string> Statement::OptionalText(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Text(column);
}

std::optional<std::string> Statement::OptionalBlob(int column) const {
  if (IsNull(column)) return std::nullopt;
  return BlobBytes(column);
}

}  // namespace mc::sqlite
