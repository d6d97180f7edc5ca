// A certificate's life: renewed, recovered, refused.
#include "cluster-agent/exchange/identity_keeper.h"

#include <atomic>
#include <string>

#include "absl/strings/match.h"
#include "cluster-agent/exchange/identity_fixture.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::HasSubstr;

grpc::Status Denied(v1::ErrorReason reason) {
  return ToGrpc(Error(absl::StatusCode::kPermissionDenied, reason, "no"));
}

TEST_F(IdentityKeeperTest, RenewsFromHalfOfTheLifeOn) {
  Start();
  Settle();
  clock_.Advance(kDay / 2 - absl::Minutes(1));
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_->counts().renewals, 0);
  clock_.Advance(absl::Hours(2));
  ASSERT_TRUE(Eventually([&] { return Row().succeeded() == 1; }));
  EXPECT_EQ(service_->counts().renewals, 1);
  EXPECT_EQ(service_->counts().last_instance_id, kInstance);
  EXPECT_EQ(process_->moves.load(), 1);
  EXPECT_TRUE(Call().ok());
  ASSERT_EQ(process_->events.WaitFor(1).size(), 1u);
  EXPECT_EQ(process_->events.events()[0].type(),
            v1::CLUSTER_EVENT_TYPE_CERTIFICATE_RENEWED);
  // The next start has the new identity.
  Start();
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_->counts().refused_certificates, 0);
}

TEST_F(IdentityKeeperTest, NinetyDaysOfRotationWithoutAFailedCall) {
  constexpr int kLifetimeDays = 5;
  Serve(kLifetimeDays * kDay);
  Start();
  for (absl::Duration age; age < 90 * kDay; age += absl::Hours(5)) {
    Settle();
    clock_.Advance(absl::Hours(5));
    const absl::Status answer = Call();
    ASSERT_TRUE(answer.ok()) << age << " " << answer;
  }
  Settle();
  const FakeIdentity::Counts counts = service_->counts();
  EXPECT_GE(counts.renewals, 90 / (0.6 * kLifetimeDays) - 2);
  EXPECT_LE(counts.renewals, 90 / (0.5 * kLifetimeDays) + 2);
  // A new key each time, and never the old one.
  EXPECT_EQ(counts.keys.size(), static_cast<size_t>(counts.renewals));
  EXPECT_EQ(counts.recoveries, 0);
  EXPECT_EQ(Row().failed(), 0);
}

// Cut off after each durable write, as by a kill: the next start has an
// identity that the service accepts, and ends the renewal.
TEST_F(IdentityKeeperTest, AKillAtEachWriteConverges) {
  for (int writes = 1; writes <= 8; ++writes) {
    std::atomic<int> left = writes;
    Start([&left](const std::string&) {
      return --left <= 0 ? absl::UnavailableError("killed") : absl::OkStatus();
    });
    clock_.Advance(kDay * 0.7);
    ASSERT_TRUE(Eventually([&] { return Row().failed() > 0; })) << writes;
    Start();
    // From its confirmation on the start itself has finished it.
    if (writes < 3) {
      ASSERT_TRUE(Until([&] { return Row().succeeded() > 0; })) << writes;
    }
    EXPECT_TRUE(Call().ok()) << writes;
    Settle();
    EXPECT_FALSE(process_->directory.LoadRenewal()->has_value());
    EXPECT_EQ(service_->counts().keys.size(), static_cast<size_t>(writes));
  }
  EXPECT_EQ(service_->counts().recoveries, 0);
}

// What the service did not hear, or did without being heard.
TEST_F(IdentityKeeperTest, LostRequestsAndAnswersConverge) {
  for (int lost = 1; lost <= 3; ++lost) {
    for (const bool answers : {true, false}) {
      Start();
      Settle();
      if (answers) {
        service_->LoseAnswers(lost);
      } else {
        service_->LoseRequests(lost);
      }
      clock_.Advance(kDay * 0.7);
      ASSERT_TRUE(Until([&] { return Row().succeeded() > 0; }))
          << lost << answers;
      EXPECT_TRUE(Call().ok()) << lost << answers;
    }
  }
  EXPECT_EQ(service_->counts().recoveries, 0);
}

// The service has seen the new certificate, but the agent died before it knew.
TEST_F(IdentityKeeperTest, AKillAfterTheServiceSawTheNewOneConverges) {
  Start();
  Settle();
  // The renewal's own answer comes; that of the proof is lost.
  std::atomic<int> saved = 0;
  Start([&](const std::string&) {
    if (++saved == 2) service_->LoseAnswers(1000);
    return absl::OkStatus();
  });
  clock_.Advance(kDay * 0.7);
  ASSERT_TRUE(Eventually([&] { return Row().failed() > 0; }));
  service_->LoseAnswers(0);
  Start();
  ASSERT_TRUE(Until([&] { return Row().succeeded() > 0; }));
  EXPECT_TRUE(Call().ok());
}

TEST_F(IdentityKeeperTest, AfterAHundredDaysOffItIsBackWithItsPassword) {
  clock_.Advance(100 * kDay);
  Start();
  process_->keeper->Noted(Call());
  ASSERT_TRUE(Until([&] { return Row().succeeded() > 0; }));
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_->counts().recoveries, 1);
  EXPECT_EQ(service_->counts().proofs, 1);
  EXPECT_EQ(Status().waiting_for(), "");
}

TEST_F(IdentityKeeperTest, BothPasswordsAreTried) {
  // A renewal was answered and its certificate never used.
  std::atomic<int> saved = 0;
  Start([&](const std::string&) {
    if (++saved == 2) service_->LoseRequests(1000);
    return absl::OkStatus();
  });
  clock_.Advance(kDay * 0.7);
  ASSERT_TRUE(Eventually([&] { return Row().failed() > 0; }));
  service_->LoseRequests(0);
  // A service that was restored knows the password before.
  service_->ForgetPending();
  clock_.Advance(100 * kDay);
  Start();
  process_->keeper->Noted(Call());
  ASSERT_TRUE(Until([&] { return Row().succeeded() > 0; }));
  EXPECT_EQ(service_->counts().refused_passwords, 1);
  EXPECT_EQ(service_->counts().recoveries, 1);
  EXPECT_TRUE(Call().ok());
}

TEST_F(IdentityKeeperTest, RefusedCredentialsSayWhatToDoAndAreAskedRarely) {
  clock_.Advance(100 * kDay);
  service_->ForgetPasswords();
  Start();
  process_->keeper->Noted(Call());
  ASSERT_TRUE(Until([&] { return service_->counts().refused_passwords > 0; }));
  // It said before that the certificate is good no more.
  ASSERT_TRUE(Eventually([&] {
    return absl::StrContains(Status().waiting_for(),
                             "re-open the registration");
  }));
  EXPECT_THAT(Status().waiting_for(), HasSubstr("cluster-agent register"));
  Settle();
  EXPECT_GE(Next() - clock_.Now(), absl::Minutes(10));
  const int asked = service_->counts().refused_passwords;
  for (int i = 0; i < 9; ++i) {
    clock_.Advance(absl::Minutes(1));
    process_->keeper->Noted(Call());
    process_->keeper->NotedUnreachable(Away());
  }
  EXPECT_EQ(service_->counts().refused_passwords, asked);
  clock_.Advance(absl::Minutes(20));
  EXPECT_TRUE(
      Eventually([&] { return service_->counts().refused_passwords > asked; }));
}

TEST_F(IdentityKeeperTest, ARevokedClusterStopsAndSaysSo) {
  Start();
  Settle();
  service_->Refuse(Denied(v1::ERROR_REASON_IDENTITY_REVOKED));
  process_->keeper->Noted(Call());
  EXPECT_EQ(ReasonOf(stopped()), v1::ERROR_REASON_IDENTITY_REVOKED);
  EXPECT_THAT(Status().waiting_for(), HasSubstr("revoked"));
  EXPECT_EQ(Status().registration_state(),
            v1::REGISTRATION_STATE_NOT_REGISTERED);
  // It asks rarely, and goes on when the answer is another one.
  clock_.Advance(absl::Minutes(9));
  Settle();
  EXPECT_EQ(service_->counts().recoveries, 0);
  service_->Refuse(grpc::Status::OK);
  clock_.Advance(absl::Minutes(7));
  ASSERT_TRUE(Eventually([&] { return stopped().ok(); }));
  EXPECT_TRUE(Until([&] { return Row().succeeded() > 0; }));
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(Status().waiting_for(), "");
}

TEST_F(IdentityKeeperTest, WhoMustReenrollSaysSo) {
  Start();
  Settle();
  service_->Refuse(Denied(v1::ERROR_REASON_MUST_REENROLL));
  process_->keeper->Noted(Call());
  EXPECT_EQ(ReasonOf(stopped()), v1::ERROR_REASON_MUST_REENROLL);
  EXPECT_THAT(Status().waiting_for(), HasSubstr("cluster-agent register"));
}

TEST_F(IdentityKeeperTest, AReplacedCertificateIsRecovered) {
  Start();
  Settle();
  process_->keeper->Noted(Error(absl::StatusCode::kPermissionDenied,
                                v1::ERROR_REASON_MUST_RECOVER, "replaced"));
  ASSERT_TRUE(Until([&] { return Row().succeeded() > 0; }));
  EXPECT_EQ(service_->counts().recoveries, 1);
  EXPECT_TRUE(Call().ok());
}

TEST_F(IdentityKeeperTest, ARefusedHandshakeAsksAtABoundedRate) {
  Start();
  Settle();
  // The service is away, and nothing is asked.
  process_->keeper->NotedUnreachable(Away());
  clock_.Advance(absl::Minutes(1));
  process_->keeper->NotedUnreachable(Away());
  ASSERT_TRUE(Eventually([&] { return process_->looks == 1; }));
  EXPECT_EQ(service_->counts().recoveries, 0);
  process_->handshake_refused = true;
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Minutes(2));
    process_->keeper->NotedUnreachable(Away());
    Settle();
  }
  EXPECT_TRUE(Eventually([&] { return service_->counts().recoveries == 1; }));
  EXPECT_TRUE(Eventually([&] { return Row().succeeded() == 1; }));
}

TEST_F(IdentityKeeperTest, TheServiceCanAskForARenewalAtOnce) {
  Start();
  Settle();
  process_->keeper->RenewNow();
  EXPECT_TRUE(Eventually([&] { return Row().succeeded() == 1; }));
  Settle();
  // Its directive comes again until it has seen the new certificate.
  process_->keeper->RenewNow();
  Settle();
  EXPECT_EQ(service_->counts().renewals, 1);
}

TEST_F(IdentityKeeperTest, NewRootsAreTriedBeforeTheyAreUsed) {
  Start();
  Settle();
  const auto before = process_->links.Get();
  service_->LoseRequests(1);
  process_->keeper->Reconnect();
  ASSERT_TRUE(Eventually([&] { return Row().failed() == 1; }));
  EXPECT_EQ(process_->links.Get(), before);
  EXPECT_TRUE(Until([&] { return process_->links.Get() != before; }));
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_->counts().renewals, 0);
}

}  // namespace
}  // namespace mc::agent
