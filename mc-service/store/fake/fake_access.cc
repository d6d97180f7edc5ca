#include "mc-service/store/fake/fake_session.h"
#include "mc-service/store/fake/fake_table.h"

namespace mc::service {

absl::StatusOr<EnrollmentToken> FakeSession::GetEnrollmentToken(
    std::string_view id) {
  return Found(
      FindRow(state_.enrollment_tokens,
              [&](const EnrollmentToken& row) { return row.id == id; }));
}

absl::StatusOr<EnrollmentToken> FakeSession::FindEnrollmentToken(
    std::string_view digest) {
  return Found(FindRow(
      state_.enrollment_tokens,
      [&](const EnrollmentToken& row) { return row.digest == digest; }));
}

absl::StatusOr<Paged<EnrollmentToken>> FakeSession::ListEnrollmentTokens(
    std::string_view license_id, const Page& page) {
  return ListRows(state_.enrollment_tokens, page, true,
                  [&](const EnrollmentToken& row) {
                    return row.license_id == license_id && !row.deleted;
                  });
}

absl::Status FakeSession::PutEnrollmentToken(const EnrollmentToken& token) {
  if (!HasLicense(token.license_id)) {
    return absl::NotFoundError("the license is not in the store");
  }
  const auto same = [&](const EnrollmentToken& row) {
    return row.id == token.id;
  };
  const absl::StatusOr<EnrollmentToken> holder =
      FindEnrollmentToken(token.digest);
  if (holder.ok() && !same(*holder)) {
    return absl::AlreadyExistsError("it is in the store already");
  }
  EnrollmentToken* row = FindRow(writable_->enrollment_tokens, same);
  if (row != nullptr) {
    *row = token;
  } else {
    Append(writable_->enrollment_tokens, token);
  }
  return absl::OkStatus();
}

absl::StatusOr<Operator> FakeSession::GetOperator(std::string_view name) {
  const auto row = state_.operators.find(name);
  return Found(row == state_.operators.end() ? nullptr : &row->second);
}

absl::StatusOr<std::vector<Operator>> FakeSession::ListOperators(
    std::string_view after, int limit) {
  std::vector<Operator> operators;
  for (auto row = state_.operators.upper_bound(after);
       row != state_.operators.end() && limit-- > 0; ++row) {
    operators.push_back(row->second);
  }
  return operators;
}

absl::StatusOr<int64_t> FakeSession::CountOperators(Role role) {
  int64_t count = 0;
  for (const auto& [name, row] : state_.operators) count += row.role == role;
  return count;
}

absl::Status FakeSession::PutOperator(const Operator& op) {
  if (state_.deleted_operators.contains(op.name)) {
    return absl::AlreadyExistsError("an operator of that name was deleted");
  }
  writable_->operators.insert_or_assign(op.name, op);
  return absl::OkStatus();
}

absl::Status FakeSession::DeleteOperator(std::string_view name) {
  const auto row = writable_->operators.find(name);
  if (row == writable_->operators.end()) {
    return absl::NotFoundError("it is not in the store");
  }
  writable_->deleted_operators.insert(row->first);
  writable_->operators.erase(row);
  return absl::OkStatus();
}

}  // namespace mc::service
