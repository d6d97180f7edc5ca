#include "cluster-agent/exchange/identity_keeper.h"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "cluster-agent/domain/events/recording_sink.h"
#include "cluster-agent/exchange/eventually.h"
#include "cluster-agent/exchange/fake_identity.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"
#include "common/files/temp_dir.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/tls/identity.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::HasSubstr;

constexpr absl::Duration kDay = absl::Hours(24);
constexpr char kInstance[] = "instance-1";

grpc::Status Denied(v1::ErrorReason reason) {
  return ToGrpc(Error(absl::StatusCode::kPermissionDenied, reason, "no"));
}

// Signed anew, by nobody that is known.
std::string Changed(const std::string& certificate_der,
                    const std::function<void(X509*)>& change) {
  const openssl::Certificate certificate =
      *openssl::CertificateFromDer(certificate_der);
  change(certificate.get());
  X509_sign(certificate.get(), PrivateKey::GenerateP256().get(), EVP_sha256());
  return openssl::ToDer<i2d_X509>(certificate.get());
}

// Right, whatever this machine's clock says.
class VendorClock : public Clock {
 public:
  explicit VendorClock(const SimulatedClock* machine) : machine_(machine) {}
  void SetBehind(absl::Duration behind) {
    behind_s_ = absl::ToInt64Seconds(behind);
  }
  absl::Time Now() const override {
    return machine_->Now() - absl::Seconds(behind_s_.load());
  }
  absl::Duration SinceBoot() const override { return machine_->SinceBoot(); }
  absl::Duration LongestWait() const override {
    return machine_->LongestWait();
  }
  bool WaitUntil(absl::Mutex&, const absl::Condition&, absl::Time) override {
    std::abort();
  }

 private:
  const SimulatedClock* const machine_;
  std::atomic<int64_t> behind_s_ = 0;
};

// What of one process dies with it.
struct Process {
  Process(SimulatedClock* clock, FakeIdentity* service, StateDirectory opened)
      : directory(std::move(opened)), timers(clock), board(clock) {
    state.directory = &directory;
    enrollment = std::make_unique<Enrollment>(
        Enrollment::Options{.channel = service->enrollment(),
                            .in_flight = &in_flight,
                            .executor = &executor,
                            .license_key = "",
                            .agent_version = ""});
    const auto connect = [service](const std::string& chain,
                                   const std::string& key)
        -> absl::StatusOr<std::shared_ptr<ClusterLink>> {
      return std::make_shared<ClusterLink>(service->cluster(chain, key));
    };
    links.Set(*connect(**directory.LoadCertificateChain(),
                       directory.tls_key().ToPem()));
    keeper = std::make_unique<IdentityKeeper>(IdentityKeeper::Options{
        .clock = clock,
        .timers = &timers,
        .executor = &executor,
        .in_flight = &in_flight,
        .state = &state,
        .board = &board,
        .events = &events,
        .links = &links,
        .enrollment = enrollment.get(),
        .agent_instance_id = kInstance,
        .backoff = {.initial = absl::Seconds(1), .max = absl::Seconds(60)},
        .draw = [] { return 0.5; },
        .connect = connect,
        .handshake_refused =
            [this](const std::string&, const std::string&) {
              ++looks;
              return handshake_refused.load();
            },
        .on_moved = [this] { ++moves; },
        .on_stopped =
            [this](const absl::Status& why) {
              absl::MutexLock lock(&mutex);
              stopped = why;
            }});
  }
  ~Process() {
    in_flight.CancelAndWait();
    timers.Stop();
    executor.Shutdown();
  }

  StateDirectory directory;
  SharedState state;
  RecordingSink events;
  InFlight in_flight;
  Executor executor{2, 100};
  TimerQueue timers;
  StatusBoard board;
  CurrentLink links;
  std::unique_ptr<Enrollment> enrollment;
  std::atomic<int> moves = 0;
  std::atomic<int> looks = 0;
  std::atomic<bool> handshake_refused = false;
  absl::Mutex mutex;
  absl::Status stopped ABSL_GUARDED_BY(mutex);
  std::unique_ptr<IdentityKeeper> keeper;
};

class IdentityKeeperTest : public testing::Test {
 protected:
  IdentityKeeperTest() { Serve(kDay); }

  // A service that has registered the cluster.
  void Serve(absl::Duration lifetime, const Clock* clock = nullptr) {
    StateDirectory state = Open();
    service_ = std::make_unique<FakeIdentity>(
        state.cluster_id(), clock == nullptr ? &clock_ : clock, lifetime);
    const auto registered = service_->Register(state.tls_key().PublicSpkiDer());
    EXPECT_TRUE(
        state.SaveRegistration(registered.registration, registered.chain_pem)
            .ok());
  }

  StateDirectory Open(
      std::function<absl::Status(const std::string&)> on_renewal = {}) {
    auto state = StateDirectory::Open(StateDirectory::Options{
        .path = dir_.File("state"), .on_renewal = std::move(on_renewal)});
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }
  void Start(std::function<absl::Status(const std::string&)> on_renewal = {}) {
    process_.reset();
    process_ = std::make_unique<Process>(&clock_, service_.get(),
                                         Open(std::move(on_renewal)));
    process_->keeper->Start();
  }

  v1::GetStatusResponse Status() {
    v1::GetStatusResponse status;
    process_->board.Registered();
    process_->board.Reached();
    process_->board.Fill(status);
    return status;
  }
  v1::ExchangeStatus Row() {
    return Status().exchanges(static_cast<int>(Exchange::kCertificate));
  }
  absl::Time Next() {
    return FromProto(Row().next_attempt_at()).value_or(absl::InfinitePast());
  }
  // Until nothing is due any more.
  void Settle() {
    EXPECT_TRUE(Eventually([&] { return Next() > clock_.Now(); }));
  }
  // Time passes until the keeper has done `done` times what it does.
  bool Until(const std::function<bool()>& done) {
    return Eventually([&] {
      clock_.Advance(absl::Seconds(1));
      return done();
    });
  }
  // As every exchange does it.
  absl::Status Call() {
    absl::Status result;
    absl::Notification answered;
    using Async = v1::ClusterService::StubInterface::async_interface;
    CallCluster<v1::CheckLicenseRequest, v1::CheckLicenseResponse>(
        &process_->links, &process_->in_flight, &process_->executor,
        &Async::CheckLicense, {}, absl::Seconds(20),
        [&](const absl::StatusOr<v1::CheckLicenseResponse>& answer) {
          result = answer.status();
          answered.Notify();
        });
    answered.WaitForNotification();
    return result;
  }
  absl::Status stopped() {
    absl::MutexLock lock(&process_->mutex);
    return process_->stopped;
  }
  static absl::Status Away() { return absl::UnavailableError("away"); }

  TempDir dir_;
  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  std::unique_ptr<FakeIdentity> service_;
  std::unique_ptr<Process> process_;
};

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
  VendorClock vendor(&clock_);
  Serve(kDay, &vendor);
  Start();
  Settle();
  const auto look = [&] {
    clock_.Advance(absl::Hours(1));
    return Eventually([&] {
      return Next() > clock_.Now() && Next() <= clock_.Now() + absl::Hours(1);
    });
  };
  // A year ahead when the certificate is asked for.
  vendor.SetBehind(365 * kDay);
  clock_.SetNow(clock_.Now() + 365 * kDay);
  ASSERT_TRUE(look());
  ASSERT_EQ(service_->counts().renewals, 1);
  vendor.SetBehind(absl::ZeroDuration());
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
