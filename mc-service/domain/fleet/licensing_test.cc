#include "mc-service/domain/fleet/licensing.h"

#include <gtest/gtest.h>

#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1777888800);

v1::CreateLicenseRequest Request(const std::string& account_id) {
  v1::CreateLicenseRequest request;
  request.set_account_id(account_id);
  request.set_name("production");
  request.set_model(v1::LICENSE_MODEL_CLASSIC);
  return request;
}

class LicensingTest : public ::testing::Test {
 protected:
  License Stored(const std::string& id) {
    License license;
    EXPECT_TRUE(store_
                    .Read([&](Reader& reader) -> absl::Status {
                      auto found = reader.GetLicense(id);
                      if (found.ok()) license = *found;
                      return found.status();
                    })
                    .ok());
    return license;
  }

  FakeStore store_;
};

TEST_F(LicensingTest, AnAccountsNameIsItsOwn) {
  ASSERT_TRUE(CreateAccount(store_, "Example", kNow).ok());
  EXPECT_EQ(ReasonOf(CreateAccount(store_, "Example", kNow).status()),
            v1::ERROR_REASON_ALREADY_PRESENT);
  for (const std::string& bad :
       {std::string(), std::string(129, 'x'), std::string("a\nb")}) {
    EXPECT_EQ(ReasonOf(CreateAccount(store_, bad, kNow).status()),
              v1::ERROR_REASON_INVALID_FIELD);
  }
}

TEST_F(LicensingTest, TheKeyIsReturnedOnceAndKeptAsDigest) {
  const auto account = CreateAccount(store_, "Example", kNow);
  const auto made = CreateLicense(store_, Request(account->id), kNow);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(CheckLicenseKey(made->key).ok());
  const License stored = Stored(made->license.id);
  EXPECT_EQ(stored.key_digest, LicenseKeyDigest(made->key));
  EXPECT_EQ(MaskedFromLastGroup(stored.key_hint), MaskLicenseKey(made->key));
  EXPECT_EQ(stored.limits.reset(), v1::QUOTA_RESET_MONTHLY);
}

TEST_F(LicensingTest, ALicenseNeedsItsAccountAndANameOfItsOwn) {
  EXPECT_EQ(ReasonOf(CreateLicense(store_, Request("none"), kNow).status()),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
  const auto account = CreateAccount(store_, "Example", kNow);
  ASSERT_TRUE(CreateLicense(store_, Request(account->id), kNow).ok());
  EXPECT_EQ(
      ReasonOf(CreateLicense(store_, Request(account->id), kNow).status()),
      v1::ERROR_REASON_ALREADY_PRESENT);
}

TEST_F(LicensingTest, WhatMakesNoSenseIsRefusedByField) {
  const auto refused = [](const v1::CreateLicenseRequest& request) {
    const auto info = ErrorInfoOf(DescribeLicense(request, kNow).status());
    return info ? info->metadata().at("field") : std::string("accepted");
  };
  v1::CreateLicenseRequest request = Request("a");
  request.set_model(v1::LICENSE_MODEL_UNSPECIFIED);
  EXPECT_EQ(refused(request), "model");
  request = Request("a");
  *request.mutable_ends_at() = ToProto(kNow);
  EXPECT_EQ(refused(request), "ends_at");
  request = Request("a");
  request.mutable_limits()->set_rum_sessions(-1);
  EXPECT_EQ(refused(request), "limits.rum_sessions");
  request = Request("a");
  request.mutable_limits()->add_meters()->set_meter_id("m");
  request.mutable_limits()->add_meters()->set_meter_id("m");
  EXPECT_EQ(refused(request), "limits.meters");
  request = Request("a");
  request.add_entitlements()->set_name("feature");
  EXPECT_EQ(refused(request), "entitlements");
  request = Request("a");
  request.set_enrollment_policy(static_cast<v1::EnrollmentPolicy>(99));
  EXPECT_EQ(refused(request), "enrollment_policy");
}

TEST_F(LicensingTest, EnrollmentPolicyIsAutoUnlessSaidAndCanChange) {
  const auto account = CreateAccount(store_, "Example", kNow);
  auto request = Request(account->id);
  EXPECT_EQ(DescribeLicense(request, kNow)->license.enrollment_policy,
            v1::ENROLLMENT_POLICY_AUTO);
  request.set_enrollment_policy(v1::ENROLLMENT_POLICY_TOKEN);
  const auto made = CreateLicense(store_, request, kNow);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Stored(made->license.id).enrollment_policy,
            v1::ENROLLMENT_POLICY_TOKEN);
  v1::UpdateLicenseRequest update;
  update.set_license_id(made->license.id);
  ASSERT_TRUE(UpdateLicense(store_, update, kNow).ok());
  EXPECT_EQ(Stored(made->license.id).enrollment_policy,
            v1::ENROLLMENT_POLICY_TOKEN)
      << "unspecified: as it is";
  update.set_enrollment_policy(v1::ENROLLMENT_POLICY_APPROVE);
  ASSERT_TRUE(UpdateLicense(store_, update, kNow).ok());
  EXPECT_EQ(Stored(made->license.id).enrollment_policy,
            v1::ENROLLMENT_POLICY_APPROVE);
}

TEST_F(LicensingTest, SuspendedComesBackAndRevokedDoesNot) {
  const auto account = CreateAccount(store_, "Example", kNow);
  const auto made = CreateLicense(store_, Request(account->id), kNow);
  const std::string& id = made->license.id;
  for (const v1::LicenseState state :
       {v1::LICENSE_STATE_SUSPENDED, v1::LICENSE_STATE_SUSPENDED,
        v1::LICENSE_STATE_VALID, v1::LICENSE_STATE_REVOKED,
        v1::LICENSE_STATE_REVOKED}) {
    ASSERT_TRUE(ChangeLicenseState(store_, id, state).ok());
    EXPECT_EQ(Stored(id).state, state);
  }
  EXPECT_EQ(ReasonOf(ChangeLicenseState(store_, id, v1::LICENSE_STATE_VALID)),
            v1::ERROR_REASON_LICENSE_REVOKED);
  EXPECT_EQ(ReasonOf(ChangeLicenseState(store_, "x", v1::LICENSE_STATE_VALID)),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
}

TEST_F(LicensingTest, ARevokedClusterIsNotReopened) {
  const auto account = CreateAccount(store_, "Example", kNow);
  const auto made = CreateLicense(store_, Request(account->id), kNow);
  Cluster cluster;
  cluster.id = "cluster";
  cluster.license_id = made->license.id;
  cluster.registered_at = kNow;
  cluster.certificate_not_after = kNow;
  ASSERT_TRUE(store_
                  .WriteAndWait([&](Writer& writer) {
                    return writer.PutCluster(cluster);
                  })
                  .ok());
  EXPECT_TRUE(ReopenRegistration(store_, "cluster").ok());
  EXPECT_TRUE(RevokeCluster(store_, "cluster").ok());
  EXPECT_TRUE(RevokeCluster(store_, "cluster").ok());
  EXPECT_EQ(ReasonOf(ReopenRegistration(store_, "cluster")),
            v1::ERROR_REASON_IDENTITY_REVOKED);
  EXPECT_EQ(ReasonOf(RevokeCluster(store_, "other")),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
}

TEST_F(LicensingTest, UpdateChangesWhatIsGivenAndKeepsTheRest) {
  const auto account = CreateAccount(store_, "Example", kNow);
  v1::CreateLicenseRequest create = Request(account->id);
  create.mutable_limits()->set_rum_sessions(100);
  create.mutable_limits()->set_reset(v1::QUOTA_RESET_ANNUAL);
  create.add_entitlements()->set_name("feature");
  create.mutable_entitlements(0)->set_enabled(true);
  const License made = CreateLicense(store_, create, kNow)->license;
  v1::UpdateLicenseRequest request;
  request.set_license_id(made.id);
  ASSERT_TRUE(UpdateLicense(store_, request, kNow).ok());
  EXPECT_EQ(Stored(made.id).limits.rum_sessions(), 100);

  request.mutable_limits()->set_synthetic_executions(7);
  *request.mutable_ends_at() = ToProto(kNow + absl::Hours(1));
  *request.mutable_grace_period() = ToProto(absl::Hours(2));
  request.set_model(v1::LICENSE_MODEL_SUBSCRIPTION);
  // Twice is as good as once.
  for (int i = 1; i <= 2; ++i) {
    const auto changed = UpdateLicense(store_, request, kNow + absl::Hours(i));
    ASSERT_TRUE(changed.ok()) << changed.status();
    const License stored = Stored(made.id);
    EXPECT_FALSE(stored.limits.has_rum_sessions()) << "all limits or none";
    EXPECT_EQ(stored.limits.synthetic_executions(), 7);
    EXPECT_EQ(stored.limits.reset(), v1::QUOTA_RESET_ANNUAL);
    EXPECT_EQ(stored.ends_at, kNow + absl::Hours(1));
    EXPECT_EQ(stored.grace_period, absl::Hours(2));
    EXPECT_EQ(stored.model, v1::LICENSE_MODEL_SUBSCRIPTION);
    EXPECT_EQ(stored.entitlements.size(), 1u);
    EXPECT_EQ(stored.name, "production");
  }
  EXPECT_TRUE(store_
                  .Read([&](Reader& reader) {
                    const auto terms = reader.ListLicenseTerms(made.id);
                    EXPECT_EQ(terms->size(), 2u);
                    EXPECT_EQ(terms->back().from, kNow + absl::Hours(1));
                    return terms.status();
                  })
                  .ok());

  request.clear_ends_at();
  request.set_no_end(true);
  request.set_replace_entitlements(true);
  ASSERT_TRUE(UpdateLicense(store_, request, kNow).ok());
  EXPECT_EQ(Stored(made.id).ends_at, absl::InfiniteFuture());
  EXPECT_TRUE(Stored(made.id).entitlements.empty());
}

TEST_F(LicensingTest, UpdateThatCannotBeIsRefused) {
  const auto account = CreateAccount(store_, "Example", kNow);
  const License made =
      CreateLicense(store_, Request(account->id), kNow)->license;
  v1::UpdateLicenseRequest valid;
  valid.set_license_id(made.id);
  const auto reason = [&](const v1::UpdateLicenseRequest& request) {
    return ReasonOf(UpdateLicense(store_, request, kNow).status());
  };
  v1::UpdateLicenseRequest request = valid;
  request.mutable_limits()->set_rum_sessions(-1);
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD);
  request = valid;
  *request.mutable_ends_at() = ToProto(kNow);
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD);
  *request.mutable_ends_at() = ToProto(kNow + absl::Hours(1));
  request.set_no_end(true);
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD);
  request = valid;
  request.add_entitlements()->set_name("feature");
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD);
  request = valid;
  request.set_model(static_cast<v1::LicenseModel>(77));
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD);
  request = valid;
  request.set_license_id("nowhere");
  EXPECT_EQ(reason(request), v1::ERROR_REASON_UNKNOWN_RESOURCE);
  ASSERT_TRUE(
      ChangeLicenseState(store_, made.id, v1::LICENSE_STATE_REVOKED).ok());
  EXPECT_EQ(reason(valid), v1::ERROR_REASON_LICENSE_REVOKED);
}

}  // namespace
}  // namespace mc::service
