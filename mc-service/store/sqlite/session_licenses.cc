// Accounts and licenses.
#include <optional>

#include "google/protobuf/util/message_differencer.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using google::protobuf::util::MessageDifferencer;
using sqlite::Blob;
using sqlite::Statement;

constexpr std::string_view kAccount =
    "SELECT id, account_id, name, created_at_us FROM account ";

constexpr std::string_view kLicense =
    "SELECT license.id, license_id, account_id, license.name, key_digest, "
    "key_hint, state, model, enrollment_policy, license.created_at_us, "
    "starts_at_us, ends_at_us, grace_period_ns, one_agent_installation "
    "FROM license JOIN account ON account.id = license.account_row ";

std::string Select(std::string_view select, std::string_view rest) {
  return std::string(select).append(rest);
}

Account ReadAccount(const Statement& row) {
  return {row.Text(1), row.Text(2), FromMicros(row.Int64(3))};
}

std::optional<int64_t> EndMicros(absl::Time time) {
  if (time == absl::InfiniteFuture()) return std::nullopt;
  return Micros(time);
}

std::optional<int64_t> GraceNanos(const License& license) {
  if (!license.grace_period.has_value()) return std::nullopt;
  return absl::ToInt64Nanoseconds(*license.grace_period);
}

}  // namespace

absl::Status Session::Atomically(absl::FunctionRef<absl::Status()> work) {
  absl::Status done = Run("SAVEPOINT method");
  if (!done.ok()) return done;
  done = work();
  // Rows that were looked up may be gone again.
  if (!done.ok()) cluster_ = license_ = {};
  // A full disk may have ended the transaction with all of its savepoints.
  if (!database_.in_transaction()) return done;
  absl::Status ended = done.ok() ? absl::OkStatus() : Run("ROLLBACK TO method");
  ended.Update(Run("RELEASE method"));
  return done.ok() ? ended : done;
}

absl::StatusOr<int64_t> Session::AccountRow(std::string_view account_id) {
  return Number("SELECT id FROM account WHERE account_id = ?", account_id);
}

absl::StatusOr<int64_t> Session::LicenseRow(std::string_view license_id) {
  return Remembered(license_, license_id,
                    "SELECT id FROM license WHERE license_id = ?");
}

absl::StatusOr<int64_t> Session::Remembered(KnownRow& known,
                                            std::string_view key,
                                            std::string_view sql) {
  if (known.id != 0 && known.key == key) return known.id;
  absl::StatusOr<int64_t> id = Number(sql, key);
  if (id.ok()) known = {std::string(key), *id};
  return id;
}

absl::StatusOr<int64_t> Session::AccountRowOf(int64_t license_row) {
  if (account_of_license_.first == license_row) {
    return account_of_license_.second;
  }
  absl::StatusOr<int64_t> account =
      Number("SELECT account_row FROM license WHERE id = ?", license_row);
  if (account.ok()) account_of_license_ = {license_row, *account};
  return account;
}

absl::StatusOr<Account> Session::GetAccount(std::string_view id) {
  return One<Account>(ReadAccount, Select(kAccount, "WHERE account_id = ?"),
                      id);
}

absl::StatusOr<Paged<Account>> Session::ListAccounts(const Page& page) {
  return List<Account>(
      page,
      [](const Statement& row) -> absl::StatusOr<Account> {
        return ReadAccount(row);
      },
      Select(kAccount, "WHERE id > ? ORDER BY id LIMIT ?"), page.after);
}

absl::Status Session::InsertAccount(const Account& account) {
  return Run(
      "INSERT INTO account (account_id, name, created_at_us) VALUES (?, ?, ?)",
      account.id, account.name, Micros(account.created_at));
}

absl::StatusOr<License> Session::ReadLicense(const Statement& row) {
  License license;
  const int64_t id = row.Int64(0);
  license.id = row.Text(1);
  license.account_id = row.Text(2);
  license.name = row.Text(3);
  license.key_digest = row.BlobBytes(4);
  license.key_hint = row.Text(5);
  license.state = static_cast<v1::LicenseState>(row.Int64(6));
  license.model = static_cast<v1::LicenseModel>(row.Int64(7));
  license.enrollment_policy = static_cast<v1::EnrollmentPolicy>(row.Int64(8));
  license.created_at = FromMicros(row.Int64(9));
  license.starts_at = FromMicros(row.Int64(10));
  if (!row.IsNull(11)) license.ends_at = FromMicros(row.Int64(11));
  if (!row.IsNull(12)) license.grace_period = absl::Nanoseconds(row.Int64(12));
  license.one_agent_installation = row.Bool(13);
  absl::Status loaded = tables_.limits.Load(database_, id, license.limits);
  if (!loaded.ok()) return loaded;
  loaded = tables_.entitlement.LoadAll(
      database_, id, [&]() -> google::protobuf::Message& {
        return license.entitlements.emplace_back();
      });
  if (!loaded.ok()) return loaded;
  return license;
}

absl::StatusOr<License> Session::GetLicense(std::string_view id) {
  return One<License>([&](const Statement& row) { return ReadLicense(row); },
                      Select(kLicense, "WHERE license_id = ?"), id);
}

absl::StatusOr<License> Session::FindLicenseByKey(std::string_view key_digest) {
  return One<License>([&](const Statement& row) { return ReadLicense(row); },
                      Select(kLicense, "WHERE key_digest = ?"),
                      Blob{key_digest});
}

absl::StatusOr<Paged<License>> Session::ListLicenses(
    std::string_view account_id, const Page& page) {
  const auto read = [&](const Statement& row) { return ReadLicense(row); };
  if (account_id.empty()) {
    return List<License>(
        page, read,
        Select(kLicense, "WHERE license.id > ? ORDER BY license.id LIMIT ?"),
        page.after);
  }
  return List<License>(page, read,
                       Select(kLicense,
                              "WHERE account_id = ? AND license.id > ? "
                              "ORDER BY license.id LIMIT ?"),
                       account_id, page.after);
}

absl::Status Session::InsertLicense(const License& license) {
  return Atomically([&]() -> absl::Status {
    absl::StatusOr<int64_t> account = AccountRow(license.account_id);
    if (!account.ok()) return account.status();
    absl::Status done = Run(
        "INSERT INTO license (license_id, account_row, name, key_digest, "
        "key_hint, state, model, enrollment_policy, created_at_us, "
        "starts_at_us, ends_at_us, grace_period_ns, one_agent_installation) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        license.id, *account, license.name, Blob{license.key_digest},
        license.key_hint, int{license.state}, int{license.model},
        int{license.enrollment_policy}, Micros(license.created_at),
        Micros(license.starts_at), EndMicros(license.ends_at),
        GraceNanos(license), license.one_agent_installation);
    if (!done.ok()) return done;
    const int64_t id = database_.last_insert_rowid();
    done = tables_.limits.Insert(database_, {&id, 1}, license.limits).status();
    if (done.ok()) {
      done =
          InsertTerms(id, {license.created_at, license.model, license.limits});
    }
    return done.ok() ? InsertEntitlements(id, license) : done;
  });
}

absl::Status Session::InsertEntitlements(int64_t license_row,
                                         const License& license) {
  absl::Status done;
  for (size_t i = 0; done.ok() && i < license.entitlements.size(); ++i) {
    const int64_t keys[] = {license_row, static_cast<int64_t>(i)};
    done = tables_.entitlement.Insert(database_, keys, license.entitlements[i])
               .status();
  }
  return done;
}

absl::Status Session::UpdateLicense(const License& license, absl::Time at) {
  return Atomically([&]() -> absl::Status {
    absl::StatusOr<int64_t> id = LicenseRow(license.id);
    if (!id.ok()) return id.status();
    absl::StatusOr<std::vector<LicenseTerms>> terms =
        ListLicenseTerms(license.id);
    if (!terms.ok()) return terms.status();
    absl::Status done =
        Run("UPDATE license SET model = ?, enrollment_policy = ?, "
            "ends_at_us = ?, grace_period_ns = ? WHERE id = ?",
            int{license.model}, int{license.enrollment_policy},
            EndMicros(license.ends_at), GraceNanos(license), *id);
    for (const char* sql :
         {"DELETE FROM license_meter WHERE parent = ?",
          "DELETE FROM license_limits WHERE id = ?",
          "DELETE FROM license_entitlement WHERE parent = ?"}) {
      if (done.ok()) done = Run(sql, *id);
    }
    if (done.ok()) {
      done =
          tables_.limits.Insert(database_, {&*id, 1}, license.limits).status();
    }
    if (done.ok()) done = InsertEntitlements(*id, license);
    const LicenseTerms& last = terms->back();
    if (!done.ok() ||
        (last.model == license.model &&
         MessageDifferencer::Equals(last.limits, license.limits))) {
      return done;
    }
    return InsertTerms(*id, {std::max(last.from + absl::Microseconds(1), at),
                             license.model, license.limits});
  });
}

absl::Status Session::SetLicenseState(std::string_view id,
                                      v1::LicenseState state) {
  absl::Status done =
      Run("UPDATE license SET state = ? WHERE license_id = ?", int{state}, id);
  if (done.ok() && database_.changes() == 0) {
    return absl::NotFoundError("the license is not in the store");
  }
  return done;
}

}  // namespace mc::service
