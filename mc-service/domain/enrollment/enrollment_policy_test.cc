#include "mc-service/domain/enrollment/enrollment_policy.h"

#include <thread>
#include <vector>

#include "common/time/proto_time.h"
#include "mc-service/domain/enrollment/fixture.h"

namespace mc::service {
namespace {

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

class EnrollmentPolicyTest : public EnrollmentTest {
 protected:
  // The key of a license with this policy becomes the one that sites use.
  void UsePolicy(v1::EnrollmentPolicy policy) {
    license_key_ = AddLicense("strict", [policy](License& license) {
      license.enrollment_policy = policy;
    });
  }

  void SetPolicy(v1::EnrollmentPolicy policy) {
    Write([&](Writer& writer) -> absl::Status {
      auto license = writer.GetLicense("lic-strict");
      if (!license.ok()) return license.status();
      license->enrollment_policy = policy;
      return writer.UpdateLicense(*license, clock_.Now());
    });
  }

  std::string AddToken(const std::string& id,
                       const std::string& license_id = "lic-strict") {
    const std::string text = GenerateEnrollmentToken();
    EnrollmentToken token;
    token.id = id;
    token.license_id = license_id;
    token.digest = EnrollmentTokenDigest(text);
    token.created_at = clock_.Now();
    token.expires_at = clock_.Now() + absl::Hours(24);
    Write([&](Writer& writer) { return writer.PutEnrollmentToken(token); });
    return text;
  }

  EnrollmentToken StoredToken(const std::string& id) {
    EnrollmentToken token;
    const absl::Status read = store_.Read([&](Reader& reader) {
      auto found = reader.GetEnrollmentToken(id);
      if (found.ok()) token = *std::move(found);
      return found.status();
    });
    EXPECT_TRUE(read.ok()) << read;
    return token;
  }

  v1::RegisterRequest With(const Site& site, const std::string& token) {
    v1::RegisterRequest request = site.Request(license_key_);
    request.set_enrollment_token(token);
    return request;
  }

  void ExpectTokenRefused(const v1::RegisterRequest& request) {
    ExpectRefused(request, kDenied, v1::ERROR_REASON_ENROLLMENT_TOKEN_REFUSED);
    if (request.enrollment_token().empty()) return;
    EXPECT_THAT(desk_.Register(request).status().ToString(),
                testing::Not(testing::HasSubstr(request.enrollment_token())));
  }

  // As an operator does it.
  void Approve(const Site& site) {
    SetRegistration(site, v1::REGISTRATION_STATUS_REGISTERED);
    directory_.Invalidate(site.cluster_id);
  }

  void ExpectOnlyPending(const v1::RegisterResponse& answer) {
    EXPECT_EQ(answer.status(), v1::REGISTRATION_STATUS_PENDING);
    v1::RegisterResponse rest = answer;
    rest.clear_status();
    EXPECT_EQ(*FromProto(rest.pacing().next_interval()), absl::Seconds(30));
    rest.clear_pacing();
    EXPECT_EQ(rest.ByteSizeLong(), 0u) << rest.ShortDebugString();
  }
};

TEST_F(EnrollmentPolicyTest, TokenLetsOneClusterIn) {
  UsePolicy(v1::ENROLLMENT_POLICY_TOKEN);
  const std::string token = AddToken("t1");
  const Site site;
  ExpectTokenRefused(With(site, ""));
  ExpectTokenRefused(With(site, "MCE-guessed"));
  ExpectTokenRefused(With(site, AddToken("t2", "lic-production")));
  EXPECT_EQ(CountClusters("lic-strict"), 0);

  const auto answer = desk_.Register(With(site, token));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status(), v1::REGISTRATION_STATUS_REGISTERED);
  const EnrollmentToken used = StoredToken("t1");
  EXPECT_EQ(used.used_at, clock_.Now());
  EXPECT_EQ(used.cluster_id, site.cluster_id);
  ExpectTokenRefused(With(Site(), token));
  EXPECT_EQ(CountClusters("lic-strict"), 1);
}

TEST_F(EnrollmentPolicyTest, ExpiredAndDeletedTokensAreRefused) {
  UsePolicy(v1::ENROLLMENT_POLICY_TOKEN);
  const std::string deleted = AddToken("t1");
  Write([&](Writer& writer) {
    EnrollmentToken token = StoredToken("t1");
    token.deleted = true;
    return writer.PutEnrollmentToken(token);
  });
  ExpectTokenRefused(With(Site(), deleted));
  const std::string token = AddToken("t2");
  clock_.Advance(absl::Hours(24) - absl::Microseconds(1));
  EXPECT_TRUE(desk_.Register(With(Site(), AddToken("t3"))).ok());
  clock_.Advance(absl::Microseconds(1));
  ExpectTokenRefused(With(Site(), token));
  EXPECT_FALSE(StoredToken("t2").used_at.has_value());
}

TEST_F(EnrollmentPolicyTest, RepeatWithTheSameKeysIsTheSameRegistration) {
  UsePolicy(v1::ENROLLMENT_POLICY_TOKEN);
  const std::string token = AddToken("t1");
  const Site site;
  ASSERT_TRUE(desk_.Register(With(site, token)).ok());
  const absl::Time used_at = *StoredToken("t1").used_at;
  clock_.Advance(absl::Hours(48));
  EXPECT_TRUE(desk_.Register(With(site, token)).ok())
      << "though the token has expired since";
  EXPECT_EQ(StoredToken("t1").used_at, used_at);
  ExpectTokenRefused(With(site, ""));

  Site other_keys;
  other_keys.cluster_id = site.cluster_id;
  ExpectRefused(With(other_keys, token), absl::StatusCode::kAlreadyExists,
                v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED);
  SetRegistration(site, v1::REGISTRATION_STATUS_REOPENED);
  ExpectTokenRefused(With(other_keys, token));
  EXPECT_TRUE(desk_.Register(With(other_keys, AddToken("t2"))).ok());
  EXPECT_EQ(CountClusters("lic-strict"), 1);
}

TEST_F(EnrollmentPolicyTest, RefusedRegistrationUsesNoToken) {
  license_key_ = AddLicense("strict", [](License& license) {
    license.enrollment_policy = v1::ENROLLMENT_POLICY_TOKEN;
    license.limits.set_clusters(0);
  });
  const std::string token = AddToken("t1");
  ExpectRefused(With(Site(), token), kPrecondition,
                v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT);
  EXPECT_FALSE(StoredToken("t1").used_at.has_value());
}

TEST_F(EnrollmentPolicyTest, OfTwoAtTheSameMomentExactlyOneGetsTheToken) {
  UsePolicy(v1::ENROLLMENT_POLICY_TOKEN);
  const std::string token = AddToken("t1");
  constexpr int kRivals = 8;
  const Site sites[kRivals];
  absl::Status outcomes[kRivals];
  std::vector<std::thread> threads;
  for (int i = 0; i < kRivals; ++i) {
    threads.emplace_back([&, i] {
      outcomes[i] = desk_.Register(With(sites[i], token)).status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  int winners = 0;
  for (const absl::Status& outcome : outcomes) {
    if (outcome.ok()) {
      ++winners;
    } else {
      EXPECT_EQ(ReasonOf(outcome), v1::ERROR_REASON_ENROLLMENT_TOKEN_REFUSED)
          << outcome;
    }
  }
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(CountClusters("lic-strict"), 1);
}

TEST_F(EnrollmentPolicyTest, ClusterWaitsUntilItIsApproved) {
  UsePolicy(v1::ENROLLMENT_POLICY_APPROVE);
  const Site site;
  const absl::Time asked_at = clock_.Now();
  ExpectOnlyPending(Register(site));
  clock_.Advance(absl::Minutes(1));
  ExpectOnlyPending(Register(site));
  const Cluster row = Stored(site.cluster_id);
  EXPECT_EQ(row.registration, v1::REGISTRATION_STATUS_PENDING);
  EXPECT_EQ(row.registered_at, asked_at);
  EXPECT_EQ(row.password_digest, "");
  EXPECT_EQ(row.certificate_serial, "");
  EXPECT_EQ(ReasonOf(directory_.CheckRegistered(site.cluster_id)),
            v1::ERROR_REASON_REGISTRATION_PENDING);
  EXPECT_EQ(CountClusters("lic-strict"), 0);

  Approve(site);
  const v1::RegisterResponse answer = Register(site);
  EXPECT_EQ(answer.status(), v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_FALSE(answer.cluster_certificate().empty());
  EXPECT_TRUE(directory_.CheckRegistered(site.cluster_id).ok());
}

TEST_F(EnrollmentPolicyTest, OtherKeysCannotTakeTheWaitingOnesPlace) {
  UsePolicy(v1::ENROLLMENT_POLICY_APPROVE);
  const Site site;
  Register(site);
  Site other;
  other.cluster_id = site.cluster_id;
  for (int i = 0; i < 2; ++i) {
    ExpectRefused(other.Request(license_key_), absl::StatusCode::kAlreadyExists,
                  v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED);
    Approve(site);
  }
  EXPECT_EQ(Register(site).status(), v1::REGISTRATION_STATUS_REGISTERED);
}

TEST_F(EnrollmentPolicyTest, RefusedClusterIsToldSo) {
  UsePolicy(v1::ENROLLMENT_POLICY_APPROVE);
  const Site site;
  Register(site);
  SetRegistration(site, v1::REGISTRATION_STATUS_REVOKED);
  ExpectRefused(site.Request(license_key_), kDenied,
                v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(EnrollmentPolicyTest, ThoseThatWaitAreBounded) {
  UsePolicy(v1::ENROLLMENT_POLICY_APPROVE);
  const Site first;
  Register(first);
  Write([&](Writer& writer) {
    Cluster cluster = Stored(first.cluster_id);
    absl::Status done;
    for (int i = 1; i < kMaxPendingClusters; ++i) {
      cluster.id = RandomUuid();
      done.Update(writer.PutCluster(cluster));
    }
    return done;
  });
  ExpectRefused(Site().Request(license_key_), kPrecondition,
                v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT);
  ExpectOnlyPending(Register(first));
  SetRegistration(first, v1::REGISTRATION_STATUS_REVOKED);
  ExpectOnlyPending(Register(Site()));
}

TEST_F(EnrollmentPolicyTest, PolicyThatChangesCountsForThoseThatWait) {
  UsePolicy(v1::ENROLLMENT_POLICY_APPROVE);
  const Site site;
  Register(site);
  SetPolicy(v1::ENROLLMENT_POLICY_TOKEN);
  ExpectTokenRefused(With(site, ""));
  SetPolicy(v1::ENROLLMENT_POLICY_AUTO);
  EXPECT_EQ(Register(site).status(), v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_EQ(CountClusters("lic-strict"), 1);
}

TEST_F(EnrollmentPolicyTest, ReopeningIsAnApproval) {
  UsePolicy(v1::ENROLLMENT_POLICY_AUTO);
  const Site site;
  Register(site);
  SetPolicy(v1::ENROLLMENT_POLICY_APPROVE);
  EXPECT_EQ(Register(site).status(), v1::REGISTRATION_STATUS_REGISTERED)
      << "what is registered stays registered";
  SetRegistration(site, v1::REGISTRATION_STATUS_REOPENED);
  Site other;
  other.cluster_id = site.cluster_id;
  EXPECT_EQ(Register(other).status(), v1::REGISTRATION_STATUS_REGISTERED);
}

}  // namespace
}  // namespace mc::service
