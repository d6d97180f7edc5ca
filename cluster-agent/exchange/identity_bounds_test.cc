// What answers, clocks and outages can lead to at most.
#include <functional>
#include <string>

#include "cluster-agent/exchange/identity_fixture.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/tls/identity.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::HasSubstr;

// Signed anew, by nobody that is known.
std::string Changed(const std::string& certificate_der,
                    const std::function<void(X509*)>& change) {
  const openssl::Certificate certificate =
      *openssl::CertificateFromDer(certificate_der);
  change(certificate.get());
  X509_sign(certificate.get(), PrivateKey::GenerateP256().get(), EVP_sha256());
  return openssl::ToDer<i2d_X509>(certificate.get());
}

// All clusters lose a service that starts anew, and their connections come
// first; one that says that it is busy, or nothing, has refused nobody.
TEST_F(IdentityKeeperTest, TheHandshakeIsNotLookedAtWithoutNeed) {
  Start();
  Settle();
  process_->handshake_refused = true;
  for (int outage = 0; outage < 3; ++outage) {
    clock_.Advance(absl::Hours(1));
    process_->keeper->NotedUnreachable(Away());
    process_->keeper->NotedUnreachable(Away());
    process_->keeper->Noted(Call());
  }
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Minutes(2));
    process_->keeper->NotedUnreachable(
        absl::DeadlineExceededError("no answer"));
    process_->keeper->NotedUnreachable(Error(
        absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED, "busy"));
  }
  Settle();
  EXPECT_EQ(process_->looks.load(), 0);
  EXPECT_EQ(service_->counts().recoveries, 0);
}

TEST_F(IdentityKeeperTest, ARefusalIsForgottenWhereTheCertificateIsGood) {
  Start();
  Settle();
  service_->ForgetPasswords();
  process_->handshake_refused = true;
  process_->keeper->NotedUnreachable(Away());
  clock_.Advance(absl::Minutes(1));
  process_->keeper->NotedUnreachable(Away());
  ASSERT_TRUE(Eventually([&] { return Status().waiting_for() != ""; }));
  EXPECT_THAT(Status().waiting_for(), HasSubstr("re-open the registration"));
  Settle();
  process_->keeper->Noted(Call());
  EXPECT_EQ(Status().waiting_for(), "");
}

// Nothing of it is kept, the old certificate stays in use, and the service is
// not asked for another key each time.
TEST_F(IdentityKeeperTest, AForgedAnswerIsRefusedAndAskedForAgain) {
  const auto other = *CertificateAuthority::Create("other", clock_.Now() - kDay,
                                                   clock_.Now() + kDay);
  const auto issue = [&](const std::string& id, const std::string& spki) {
    IssueSpec spec;
    spec.spki_der = spki;
    spec.uri_sans = {ClusterSpiffeId("test.example", id)};
    spec.client_auth = true;
    spec.not_before = clock_.Now() - absl::Hours(1);
    spec.not_after = clock_.Now() + absl::Hours(1);
    return *other.Issue(spec);
  };
  const std::string cluster = Open().cluster_id();
  const std::string stranger = PrivateKey::GenerateP256().PublicSpkiDer();
  const FakeIdentity::Forge forgeries[] = {
      [](const std::string&) { return "garbage"; },
      [](const std::string& good) { return good.substr(0, good.size() / 2); },
      [&](const std::string&) { return issue(cluster, stranger); },
      [&](const std::string&) {
        return issue("0f0e0d0c-0b0a-4908-8706-050403020100", stranger);
      },
      [](const std::string& good) {
        return Changed(good, [](X509* certificate) {
          BASIC_CONSTRAINTS* ca = BASIC_CONSTRAINTS_new();
          ca->ca = 1;
          X509_add1_ext_i2d(certificate, NID_basic_constraints, ca, 1,
                            X509V3_ADD_REPLACE);
          BASIC_CONSTRAINTS_free(ca);
        });
      },
      [](const std::string& good) {
        return Changed(good, [](X509* certificate) {
          X509_gmtime_adj(X509_getm_notBefore(certificate), 60);
          X509_gmtime_adj(X509_getm_notAfter(certificate), -60);
        });
      },
  };
  Start();
  Settle();
  service_->AnswerWith(forgeries[0]);
  clock_.Advance(kDay * 0.7);
  int failed = 0;
  for (const FakeIdentity::Forge& forge : forgeries) {
    service_->AnswerWith(forge);
    ASSERT_TRUE(Until([&] { return Row().failed() > failed; }));
    failed = static_cast<int>(Row().failed());
    EXPECT_THAT(Row().last_error(), HasSubstr("ask your vendor"));
    EXPECT_TRUE(Call().ok());
    EXPECT_TRUE(process_->directory.LoadRenewal()
                    ->value()
                    .certificate_chain_pem()
                    .empty());
  }
  service_->AnswerWith({});
  EXPECT_TRUE(Until([&] { return Row().succeeded() > 0; }));
  EXPECT_EQ(service_->counts().keys.size(), 1u);
}

// However short they live, or where the dates make no sense to this machine.
TEST_F(IdentityKeeperTest, CertificatesOfSecondsDoNotSpin) {
  Serve(absl::Seconds(1));
  Start();
  for (int i = 0; i < 60; ++i) {
    clock_.Advance(absl::Seconds(1));
    Settle();
  }
  const FakeIdentity::Counts counts = service_->counts();
  EXPECT_GE(counts.renewals + counts.recoveries, 3);
  EXPECT_LE(counts.renewals + counts.recoveries, 13);
}

// What a restored service, or one that adopted another agent, says of it.
TEST_F(IdentityKeeperTest, AKeyThatIsRefusedForGoodIsGivenUp) {
  Start();
  Settle();
  service_->GiveUpNextKey();
  process_->keeper->Noted(Error(absl::StatusCode::kPermissionDenied,
                                v1::ERROR_REASON_MUST_RECOVER, "replaced"));
  ASSERT_TRUE(Until([&] { return Row().succeeded() > 0; }));
  EXPECT_EQ(service_->counts().refused_keys, 1);
  EXPECT_TRUE(Call().ok());
}

// The older key is lost at the moment at which the new one is used, and what
// is open with it learns that before the new one's answer is here.
TEST_F(IdentityKeeperTest, TheChosenOfTwoAgentsIsNotStoppedByItsOlderKey) {
  Start();
  Settle();
  service_->Hold(true);
  process_->keeper->RenewNow();
  // The proof has reached the service: from here on the older key is lost.
  ASSERT_TRUE(Eventually([&] { return service_->counts().proven == 1; }));
  std::atomic<bool> moved = false;
  const auto link = process_->links.Get();
  const absl::Status lost = Error(absl::StatusCode::kPermissionDenied,
                                  v1::ERROR_REASON_MUST_REENROLL, "lost");
  if (process_->links.TryElsewhere(lost, link, [&] { moved = true; })) {
    EXPECT_FALSE(moved);
  } else {
    process_->keeper->Noted(lost);
  }
  EXPECT_TRUE(stopped().ok());
  service_->Hold(false);
  ASSERT_TRUE(Eventually([&] { return Row().succeeded() == 1; }));
  EXPECT_TRUE(moved);
  // The same of what was open on it longer.
  moved = false;
  EXPECT_TRUE(process_->links.TryElsewhere(lost, link, [&] { moved = true; }));
  EXPECT_TRUE(moved);
  // On the link in use it is the truth.
  EXPECT_FALSE(
      process_->links.TryElsewhere(lost, process_->links.Get(), [] {}));
}

TEST_F(IdentityKeeperTest, AClockThatIsSetBackDoesNotPutTheRenewalOff) {
  Start();
  Settle();
  const auto look = [&] {
    clock_.Advance(absl::Hours(1));
    return Eventually([&] {
      return Next() > clock_.Now() && Next() <= clock_.Now() + absl::Hours(1);
    });
  };
  // A year ahead when the certificate is asked for.
  vendor_.SetBehind(365 * kDay);
  clock_.SetNow(clock_.Now() + 365 * kDay);
  ASSERT_TRUE(look());
  ASSERT_TRUE(Eventually([&] { return Row().succeeded() == 1; }));
  ASSERT_EQ(service_->counts().renewals, 1);
  vendor_.SetBehind(absl::ZeroDuration());
  clock_.SetNow(clock_.Now() - 365 * kDay);
  for (int i = 0; i < 16 && service_->counts().renewals == 1; ++i) {
    ASSERT_TRUE(look());
  }
  EXPECT_EQ(service_->counts().renewals, 2);
  EXPECT_EQ(service_->counts().recoveries, 0);
}

TEST_F(IdentityKeeperTest, AWishedConnectionWaitsForNoRenewal) {
  Start();
  Settle();
  service_->Hold(true);
  process_->keeper->Reconnect();
  ASSERT_TRUE(Eventually([&] { return service_->counts().proven == 1; }));
  // While it is busy with the first one.
  process_->keeper->Reconnect();
  service_->Hold(false);
  EXPECT_TRUE(Eventually([&] { return Row().succeeded() == 2; }));
  EXPECT_TRUE(Call().ok());
}

TEST_F(IdentityKeeperTest, ARefusalThatAsksForPatienceGetsIt) {
  Start();
  Settle();
  service_->Refuse(ToGrpc(WithRetryDelay(
      Error(absl::StatusCode::kFailedPrecondition,
            v1::ERROR_REASON_CLONE_SUSPECTED, "the other one first"),
      absl::Minutes(30))));
  process_->keeper->RenewNow();
  ASSERT_TRUE(Eventually([&] { return Row().failed() == 1; }));
  Settle();
  EXPECT_GE(Next() - clock_.Now(), absl::Minutes(30));
}

}  // namespace
}  // namespace mc::agent
