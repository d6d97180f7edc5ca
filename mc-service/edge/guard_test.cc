#include "mc-service/edge/guard.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/status/status.h"

namespace mc::service {
namespace {

constexpr std::string_view kClusterCall =
    "/missioncontrol.v1.ClusterService/CheckLicense";
constexpr std::string_view kOperatorCall =
    "/missioncontrol.v1.FleetService/RevokeCluster";

class GuardTest : public testing::Test {
 protected:
  GuardTest() {
    cluster_.id = "c-1";
    cluster_.tls_key_digest = "current";
    identity_.trust_domain = "test.example";
    identity_.kind = "cluster";
    identity_.id = "c-1";
    identity_.spki_sha256 = "current";
    identity_.not_after = clock_.Now() + absl::Hours(1);
  }

  absl::StatusOr<Caller> Check(std::string_view method = kClusterCall) {
    return guard_.Check(identity_, "ipv4:192.0.2.1:5", method);
  }
  void ExpectRefused(absl::StatusCode code, v1::ErrorReason reason,
                     std::string_view method = kClusterCall) {
    const absl::Status status = Check(method).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), reason) << status;
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  Cluster cluster_;
  absl::Status registered_;
  absl::Status admitted_;
  int admissions_ = 0;
  Role role_ = Role::kAdmin;
  PeerIdentity identity_;
  const Guard guard_{{.trust_domain = "test.example",
                      .find_cluster = [this](std::string_view)
                          -> absl::StatusOr<std::shared_ptr<const Cluster>> {
                        if (!registered_.ok()) return registered_;
                        return std::make_shared<const Cluster>(cluster_);
                      },
                      .admit_key =
                          [this](const PeerIdentity&) {
                            ++admissions_;
                            return admitted_;
                          },
                      .find_operator = [this](std::string_view name)
                          -> absl::StatusOr<Operator> {
                        Operator op;
                        op.name = std::string(name);
                        op.role = role_;
                        return op;
                      },
                      .clock = &clock_}};
};

TEST_F(GuardTest, CurrentKeyIsGoodWithoutFurtherQuestions) {
  const auto caller = Check();
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->kind, Caller::Kind::kCluster);
  EXPECT_EQ(caller->id, "c-1");
  EXPECT_EQ(caller->tls_key_digest, "current");
  EXPECT_EQ(caller->peer, "ipv4:192.0.2.1:5");
  EXPECT_EQ(admissions_, 0);
}

TEST_F(GuardTest, AnotherKeyIsJudgedByTheRegistration) {
  identity_.spki_sha256 = "next";
  EXPECT_TRUE(Check().ok());
  EXPECT_EQ(admissions_, 1);
  admitted_ = Error(absl::StatusCode::kPermissionDenied,
                    v1::ERROR_REASON_MUST_REENROLL, "lost");
  ExpectRefused(absl::StatusCode::kPermissionDenied,
                v1::ERROR_REASON_MUST_REENROLL);
}

TEST_F(GuardTest, RevokedClusterIsRefusedWhateverItsKey) {
  registered_ = Error(absl::StatusCode::kPermissionDenied,
                      v1::ERROR_REASON_IDENTITY_REVOKED, "revoked");
  for (const char* key : {"current", "next"}) {
    identity_.spki_sha256 = key;
    ExpectRefused(absl::StatusCode::kPermissionDenied,
                  v1::ERROR_REASON_IDENTITY_REVOKED);
  }
  EXPECT_EQ(admissions_, 0);
}

TEST_F(GuardTest, ExpiredClusterIsToldToRecoverAndAnOperatorIsNot) {
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(Check().ok()) << "the last second is valid";
  clock_.Advance(absl::Seconds(1));
  ExpectRefused(absl::StatusCode::kPermissionDenied,
                v1::ERROR_REASON_MUST_RECOVER);
  identity_.kind = "operator";
  ExpectRefused(absl::StatusCode::kUnauthenticated,
                v1::ERROR_REASON_IDENTITY_MISSING, kOperatorCall);
}

TEST_F(GuardTest, CertificateOfAnotherKindOrDomainIsNoIdentity) {
  for (const char* kind : {"operator", "node", ""}) {
    identity_.kind = kind;
    ExpectRefused(absl::StatusCode::kUnauthenticated,
                  v1::ERROR_REASON_IDENTITY_MISSING);
  }
  identity_.kind = "cluster";
  ExpectRefused(absl::StatusCode::kUnauthenticated,
                v1::ERROR_REASON_IDENTITY_MISSING, kOperatorCall);
  identity_.trust_domain = "other.example";
  ExpectRefused(absl::StatusCode::kUnauthenticated,
                v1::ERROR_REASON_IDENTITY_MISSING);
}

TEST_F(GuardTest, RoleMustSufficeAndTheMethodMustBeNamed) {
  identity_.kind = "operator";
  EXPECT_TRUE(Check(kOperatorCall).ok());
  role_ = Role::kOperator;
  ExpectRefused(absl::StatusCode::kPermissionDenied,
                v1::ERROR_REASON_ROLE_NOT_SUFFICIENT, kOperatorCall);
  ExpectRefused(absl::StatusCode::kPermissionDenied,
                v1::ERROR_REASON_METHOD_NOT_ALLOWED,
                "/missioncontrol.v1.FleetService/Nothing");
}

}  // namespace
}  // namespace mc::service
