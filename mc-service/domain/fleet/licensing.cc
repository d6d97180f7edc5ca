#include "mc-service/domain/fleet/licensing.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/enrollment/adoption.h"
#include "mc-service/domain/ledger/ledger.h"

namespace mc::service {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr int kMaxEntries = 100;

absl::Status CheckName(std::string_view field, std::string_view name) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (name.empty() || name.size() > kMaxNameBytes ||
      std::any_of(name.begin(), name.end(), is_control)) {
    return InvalidField(field,
                        "must be 1 to 128 characters, none of them a control "
                        "character");
  }
  return absl::OkStatus();
}

// A name that is taken, said as such.
absl::Status ExplainTaken(absl::Status status, std::string_view what) {
  if (status.code() != absl::StatusCode::kAlreadyExists) return status;
  return Error(absl::StatusCode::kAlreadyExists,
               v1::ERROR_REASON_ALREADY_PRESENT,
               std::string(what).append(" exists already"));
}

absl::Status CheckLimits(const v1::LicenseLimits& limits) {
  const auto negative = [](std::string_view field) {
    return InvalidField(field, "must not be negative");
  };
  if (limits.host_units_milli() < 0) return negative("limits.host_units_milli");
  if (limits.rum_sessions() < 0) return negative("limits.rum_sessions");
  if (limits.synthetic_executions() < 0) {
    return negative("limits.synthetic_executions");
  }
  if (limits.clusters() < 0) return negative("limits.clusters");
  if (limits.meters_size() > kMaxEntries) {
    return InvalidField("limits.meters", "has more than 100 entries");
  }
  std::set<std::string> meters;
  for (const v1::MeterLimit& meter : limits.meters()) {
    if (absl::Status status =
            CheckName("limits.meters.meter_id", meter.meter_id());
        !status.ok()) {
      return status;
    }
    if (!meters.insert(meter.meter_id()).second) {
      return InvalidField("limits.meters", meter.meter_id() + " comes twice");
    }
    if (meter.quantity() < 0) return negative("limits.meters.quantity");
  }
  return absl::OkStatus();
}

absl::Status CheckEntitlements(
    const google::protobuf::RepeatedPtrField<v1::Entitlement>& entitlements) {
  if (entitlements.size() > kMaxEntries) {
    return InvalidField("entitlements", "has more than 100 entries");
  }
  std::set<std::string> names;
  for (const v1::Entitlement& entitlement : entitlements) {
    if (absl::Status status =
            CheckName("entitlements.name", entitlement.name());
        !status.ok()) {
      return status;
    }
    if (!names.insert(entitlement.name()).second) {
      return InvalidField("entitlements", entitlement.name() + " comes twice");
    }
    if (entitlement.value_case() == v1::Entitlement::VALUE_NOT_SET) {
      return InvalidField("entitlements", entitlement.name() + " has no value");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPolicy(v1::EnrollmentPolicy policy) {
  if (v1::EnrollmentPolicy_IsValid(policy)) return absl::OkStatus();
  return InvalidField("enrollment_policy", "must be AUTO, TOKEN or APPROVE");
}

absl::Status SetEnd(const google::protobuf::Timestamp& ends_at,
                    License& license) {
  const auto time = FromProto(ends_at);
  if (!time.ok()) {
    return InvalidField("ends_at", std::string(time.status().message()));
  }
  if (*time <= license.starts_at) {
    return InvalidField("ends_at", "must be after the start");
  }
  license.ends_at = *time;
  return absl::OkStatus();
}

absl::Status SetGracePeriod(const google::protobuf::Duration& grace_period,
                            License& license) {
  const auto grace = FromProto(grace_period);
  if (!grace.ok() || *grace < absl::ZeroDuration()) {
    return InvalidField("grace_period", "must not be negative");
  }
  license.grace_period = *grace;
  return absl::OkStatus();
}

absl::Status FillTimes(const v1::CreateLicenseRequest& request, absl::Time now,
                       License& license) {
  license.created_at = now;
  license.starts_at = now;
  if (request.has_starts_at()) {
    const auto time = FromProto(request.starts_at());
    if (!time.ok())
      return InvalidField("starts_at", std::string(time.status().message()));
    license.starts_at = *time;
  }
  if (request.has_ends_at()) {
    absl::Status status = SetEnd(request.ends_at(), license);
    if (!status.ok()) return status;
  }
  if (request.has_grace_period()) {
    return SetGracePeriod(request.grace_period(), license);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ExplainMissing(absl::Status status, std::string_view what) {
  if (status.code() != absl::StatusCode::kNotFound) return status;
  return Error(absl::StatusCode::kNotFound, v1::ERROR_REASON_UNKNOWN_RESOURCE,
               std::string(what).append(" does not exist"));
}

absl::StatusOr<Account> CreateAccount(Store& store, std::string_view name,
                                      absl::Time now) {
  if (absl::Status status = CheckName("name", name); !status.ok()) {
    return status;
  }
  const Account account = {RandomUuid(), std::string(name), now};
  const absl::Status status = store.WriteAndWait(
      [&account](Writer& writer) { return writer.InsertAccount(account); });
  if (!status.ok()) {
    return ExplainTaken(status, absl::StrCat("account '", account.name, "'"));
  }
  return account;
}

absl::StatusOr<NewLicense> DescribeLicense(
    const v1::CreateLicenseRequest& request, absl::Time now) {
  if (absl::Status status = CheckName("name", request.name()); !status.ok()) {
    return status;
  }
  if (request.model() == v1::LICENSE_MODEL_UNSPECIFIED ||
      !v1::LicenseModel_IsValid(request.model())) {
    return InvalidField("model", "must be CLASSIC, TRIAL or SUBSCRIPTION");
  }
  if (absl::Status status = CheckPolicy(request.enrollment_policy());
      !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckLimits(request.limits()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckEntitlements(request.entitlements());
      !status.ok()) {
    return status;
  }
  NewLicense made;
  made.key = GenerateLicenseKey();
  License& license = made.license;
  if (absl::Status status = FillTimes(request, now, license); !status.ok()) {
    return status;
  }
  license.id = RandomUuid();
  license.account_id = request.account_id();
  license.name = request.name();
  license.key_digest = LicenseKeyDigest(made.key);
  license.key_hint = LicenseKeyLastGroup(made.key);
  license.model = request.model();
  license.limits = request.limits();
  if (license.limits.reset() == v1::QUOTA_RESET_UNSPECIFIED) {
    license.limits.set_reset(v1::QUOTA_RESET_MONTHLY);
  }
  license.entitlements.assign(request.entitlements().begin(),
                              request.entitlements().end());
  if (request.enrollment_policy() != v1::ENROLLMENT_POLICY_UNSPECIFIED) {
    license.enrollment_policy = request.enrollment_policy();
  }
  license.one_agent_installation = request.one_agent_installation();
  return made;
}

absl::StatusOr<NewLicense> CreateLicense(
    Store& store, const v1::CreateLicenseRequest& request, absl::Time now) {
  const absl::StatusOr<NewLicense> made = DescribeLicense(request, now);
  if (!made.ok()) return made.status();
  const License& license = made->license;
  const absl::Status status =
      store.WriteAndWait([&license](Writer& writer) -> absl::Status {
        if (const auto account = writer.GetAccount(license.account_id);
            !account.ok()) {
          return ExplainMissing(account.status(),
                                "account " + license.account_id);
        }
        return writer.InsertLicense(license);
      });
  if (!status.ok()) {
    return ExplainTaken(status, absl::StrCat("license '", license.name, "'"));
  }
  return made;
}

absl::StatusOr<License> ChangeLicense(License license,
                                      const v1::UpdateLicenseRequest& request) {
  if (license.state == v1::LICENSE_STATE_REVOKED) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 v1::ERROR_REASON_LICENSE_REVOKED,
                 "A revoked license stays as it is; create another.");
  }
  if (request.no_end()) {
    if (request.has_ends_at()) {
      return InvalidField("no_end", "and ends_at exclude each other");
    }
    license.ends_at = absl::InfiniteFuture();
  }
  absl::Status status;
  if (request.has_ends_at()) status = SetEnd(request.ends_at(), license);
  if (status.ok() && request.has_grace_period()) {
    status = SetGracePeriod(request.grace_period(), license);
  }
  if (status.ok() && request.has_limits()) {
    status = CheckLimits(request.limits());
    const v1::QuotaReset reset = license.limits.reset();
    license.limits = request.limits();
    if (license.limits.reset() == v1::QUOTA_RESET_UNSPECIFIED) {
      license.limits.set_reset(reset);
    }
  }
  if (status.ok() && request.replace_entitlements()) {
    status = CheckEntitlements(request.entitlements());
    license.entitlements.assign(request.entitlements().begin(),
                                request.entitlements().end());
  } else if (status.ok() && request.entitlements_size() > 0) {
    status = InvalidField("replace_entitlements",
                          "must be set for entitlements to be replaced");
  }
  if (!status.ok()) return status;
  if (request.model() != v1::LICENSE_MODEL_UNSPECIFIED) {
    if (!v1::LicenseModel_IsValid(request.model())) {
      return InvalidField("model", "must be CLASSIC, TRIAL or SUBSCRIPTION");
    }
    license.model = request.model();
  }
  if (status = CheckPolicy(request.enrollment_policy()); !status.ok()) {
    return status;
  }
  if (request.enrollment_policy() != v1::ENROLLMENT_POLICY_UNSPECIFIED) {
    license.enrollment_policy = request.enrollment_policy();
  }
  return license;
}

absl::StatusOr<License> UpdateLicense(Store& store,
                                      const v1::UpdateLicenseRequest& request,
                                      absl::Time now) {
  absl::StatusOr<License> changed = absl::UnknownError("the work did not run");
  const absl::Status status =
      store.WriteAndWait([&](Writer& writer) -> absl::Status {
        auto license = writer.GetLicense(request.license_id());
        if (!license.ok()) {
          return ExplainMissing(license.status(),
                                "license " + request.license_id());
        }
        changed = ChangeLicense(*std::move(license), request);
        if (!changed.ok()) return changed.status();
        const auto terms = writer.ListLicenseTerms(changed->id);
        if (!terms.ok()) return terms.status();
        absl::Status done = writer.UpdateLicense(*changed, now);
        return done.ok() ? ApplyTerms(writer, *changed, *terms) : done;
      });
  if (!status.ok()) return status;
  return changed;
}

absl::Status CheckTransition(v1::LicenseState from, v1::LicenseState to) {
  if (from == v1::LICENSE_STATE_REVOKED && to != from) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 v1::ERROR_REASON_LICENSE_REVOKED,
                 "A revoked license stays revoked; create another.");
  }
  return absl::OkStatus();
}

absl::Status ChangeLicenseState(Store& store, std::string_view license_id,
                                v1::LicenseState state) {
  return store.WriteAndWait(
      [id = std::string(license_id), state](Writer& writer) -> absl::Status {
        const auto license = writer.GetLicense(id);
        if (!license.ok()) {
          return ExplainMissing(license.status(), "license " + id);
        }
        if (absl::Status status = CheckTransition(license->state, state);
            !status.ok()) {
          return status;
        }
        return writer.SetLicenseState(id, state);
      });
}

absl::Status ReopenRegistration(Store& store, std::string_view cluster_id) {
  return store.WriteAndWait(
      [id = std::string(cluster_id)](Writer& writer) -> absl::Status {
        auto cluster = writer.GetCluster(id);
        if (!cluster.ok()) {
          return ExplainMissing(cluster.status(), "cluster " + id);
        }
        if (cluster->registration == v1::REGISTRATION_STATUS_REVOKED) {
          return Error(absl::StatusCode::kFailedPrecondition,
                       v1::ERROR_REASON_IDENTITY_REVOKED,
                       "A revoked cluster stays revoked; let it register "
                       "with a new cluster ID.");
        }
        if (cluster->registration == v1::REGISTRATION_STATUS_PENDING) {
          return Error(absl::StatusCode::kFailedPrecondition,
                       v1::ERROR_REASON_REGISTRATION_PENDING,
                       "The cluster waits to be registered; approve it, or "
                       "refuse it by revoking it.");
        }
        cluster->registration = v1::REGISTRATION_STATUS_REOPENED;
        const absl::Status put = writer.PutCluster(*cluster);
        return put.ok() ? KeepIdentity(writer, id) : put;
      });
}

absl::Status RevokeCluster(Store& store, std::string_view cluster_id) {
  return store.WriteAndWait(
      [id = std::string(cluster_id)](Writer& writer) -> absl::Status {
        auto cluster = writer.GetCluster(id);
        if (!cluster.ok()) {
          return ExplainMissing(cluster.status(), "cluster " + id);
        }
        cluster->registration = v1::REGISTRATION_STATUS_REVOKED;
        return writer.PutCluster(*cluster);
      });
}

}  // namespace mc::service
