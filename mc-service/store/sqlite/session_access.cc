// Enrollment tokens and operators.
#include <optional>

#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Blob;
using sqlite::Statement;

constexpr std::string_view kToken =
    "SELECT enrollment_token.id, token_id, license_id, digest, "
    "enrollment_token.created_at_us, expires_at_us, used_at_us, cluster_id, "
    "deleted FROM enrollment_token JOIN license ON license.id = license_row ";

EnrollmentToken ReadToken(const Statement& row) {
  EnrollmentToken token;
  token.id = row.Text(1);
  token.license_id = row.Text(2);
  token.digest = row.BlobBytes(3);
  token.created_at = FromMicros(row.Int64(4));
  token.expires_at = FromMicros(row.Int64(5));
  if (!row.IsNull(6)) token.used_at = FromMicros(row.Int64(6));
  token.cluster_id = row.Text(7);
  token.deleted = row.Bool(8);
  return token;
}

constexpr std::string_view kOperator =
    "SELECT name, role, created_at_us, certificate_not_after_us "
    "FROM operator WHERE deleted = 0 ";

Operator ReadOperator(const Statement& row) {
  Operator op;
  op.name = row.Text(0);
  op.role = static_cast<Role>(row.Int64(1));
  if (!row.IsNull(2)) op.created_at = FromMicros(row.Int64(2));
  if (!row.IsNull(3)) op.certificate_not_after = FromMicros(row.Int64(3));
  return op;
}

// NULL for "never".
std::optional<int64_t> MicrosUnlessPast(absl::Time time) {
  if (time == absl::InfinitePast()) return std::nullopt;
  return Micros(time);
}

}  // namespace

absl::StatusOr<EnrollmentToken> Session::GetEnrollmentToken(
    std::string_view id) {
  return One<EnrollmentToken>(
      ReadToken, std::string(kToken).append("WHERE token_id = ?"), id);
}

absl::StatusOr<EnrollmentToken> Session::FindEnrollmentToken(
    std::string_view digest) {
  return One<EnrollmentToken>(
      ReadToken, std::string(kToken).append("WHERE digest = ?"), Blob{digest});
}

absl::StatusOr<Paged<EnrollmentToken>> Session::ListEnrollmentTokens(
    std::string_view license_id, const Page& page) {
  return List<EnrollmentToken>(
      page,
      [](const Statement& row) -> absl::StatusOr<EnrollmentToken> {
        return ReadToken(row);
      },
      std::string(kToken).append(
          "WHERE enrollment_token.id < ? AND license_id = ? AND deleted = 0 "
          "ORDER BY enrollment_token.id DESC LIMIT ?"),
      Before(page), license_id);
}

absl::Status Session::PutEnrollmentToken(const EnrollmentToken& token) {
  const absl::StatusOr<int64_t> license = LicenseRow(token.license_id);
  if (!license.ok()) return license.status();
  std::optional<int64_t> used_at;
  if (token.used_at.has_value()) used_at = Micros(*token.used_at);
  return Run(
      "INSERT INTO enrollment_token (token_id, license_row, digest, "
      "created_at_us, expires_at_us, used_at_us, cluster_id, deleted) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (token_id) DO UPDATE SET "
      "license_row = excluded.license_row, digest = excluded.digest, "
      "created_at_us = excluded.created_at_us, "
      "expires_at_us = excluded.expires_at_us, "
      "used_at_us = excluded.used_at_us, cluster_id = excluded.cluster_id, "
      "deleted = excluded.deleted",
      token.id, *license, Blob{token.digest}, Micros(token.created_at),
      Micros(token.expires_at), used_at, token.cluster_id, token.deleted);
}

absl::StatusOr<Operator> Session::GetOperator(std::string_view name) {
  return One<Operator>(ReadOperator,
                       std::string(kOperator).append("AND name = ?"), name);
}

absl::StatusOr<std::vector<Operator>> Session::ListOperators(
    std::string_view after, int limit) {
  std::vector<Operator> operators;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        operators.push_back(ReadOperator(row));
        return absl::OkStatus();
      },
      std::string(kOperator).append("AND name > ? ORDER BY name LIMIT ?"),
      after, limit);
  if (!done.ok()) return done;
  return operators;
}

absl::StatusOr<int64_t> Session::CountOperators(Role role) {
  return Number("SELECT count(*) FROM operator WHERE deleted = 0 AND role = ?",
                static_cast<int>(role));
}

absl::Status Session::PutOperator(const Operator& op) {
  absl::Status done =
      Run("INSERT INTO operator (name, role, created_at_us, "
          "certificate_not_after_us) VALUES (?, ?, ?, ?) "
          "ON CONFLICT (name) DO UPDATE SET role = excluded.role, "
          "created_at_us = excluded.created_at_us, "
          "certificate_not_after_us = excluded.certificate_not_after_us "
          "WHERE deleted = 0",
          op.name, static_cast<int>(op.role), MicrosUnlessPast(op.created_at),
          MicrosUnlessPast(op.certificate_not_after));
  if (done.ok() && database_.changes() == 0) {
    return absl::AlreadyExistsError("an operator of that name was deleted");
  }
  return done;
}

absl::Status Session::DeleteOperator(std::string_view name) {
  absl::Status done = Run(
      "UPDATE operator SET deleted = 1 WHERE name = ? AND deleted = 0", name);
  if (done.ok() && database_.changes() == 0) {
    return absl::NotFoundError("it is not in the store");
  }
  return done;
}

}  // namespace mc::service
