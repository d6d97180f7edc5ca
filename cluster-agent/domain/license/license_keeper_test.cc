#include "cluster-agent/domain/license/license_keeper.h"

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/document.h"
#include "common/files/temp_dir.h"
#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kDay = absl::Hours(24);
constexpr absl::Duration kSecond = absl::Seconds(1);
const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

class Events : public EventSink {
 public:
  void Raise(v1::ClusterEvent event) override {
    absl::MutexLock lock(&mutex_);
    types_.push_back(event.type());
  }
  std::vector<v1::ClusterEventType> Take() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(types_, {});
  }

 private:
  absl::Mutex mutex_;
  std::vector<v1::ClusterEventType> types_ ABSL_GUARDED_BY(mutex_);
};

// A machine that boots and whose agent starts, again and again, with the real
// files.
class KeeperTest : public testing::Test {
 protected:
  KeeperTest() { Boot("boot-1", kNow); }
  ~KeeperTest() override { End(); }

  // Another boot: the time since boot begins anew.
  void Boot(const std::string& boot_id, absl::Time wall_clock) {
    End();
    clock_ = std::make_unique<SimulatedClock>(wall_clock);
    boot_id_ = boot_id;
    Start();
  }
  // The agent starts again.
  void Restart() {
    End();
    Start();
  }
  void Start() {
    auto directory = StateDirectory::Open(dir_.File("state"));
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = std::make_unique<StateDirectory>(*std::move(directory));
    state_.directory = directory_.get();
    timers_ = std::make_unique<TimerQueue>(clock_.get());
    executor_ = std::make_unique<Executor>(1, 100);
    keeper_ = std::make_unique<LicenseKeeper>(
        LicenseKeeper::Options{.clock = clock_.get(),
                               .timers = timers_.get(),
                               .executor = executor_.get(),
                               .state = &state_,
                               .events = &events_,
                               .boot_id = boot_id_});
    watcher_ = std::make_shared<LicenseKeeper::Watcher>([this] { ++changes_; });
    keeper_->Load(keys_.keys());
    keeper_->Watch(watcher_);
  }
  // As by SIGKILL: nothing is noted.
  void End() {
    if (timers_ == nullptr) return;
    timers_->Stop();
    executor_->Shutdown();
    keeper_ = nullptr;
    timers_ = nullptr;
    directory_ = nullptr;
  }

  v1::LicenseDocument Document(v1::LicenseModel model) {
    v1::LicenseDocument license;
    license.set_kind(v1::DOCUMENT_KIND_LICENSE);
    license.set_cluster_id(directory_->cluster_id());
    license.set_status(v1::LICENSE_STATUS_ACTIVE);
    license.set_model(model);
    license.mutable_limits()->set_overage(v1::OVERAGE_RULE_ALLOWED);
    return license;
  }
  // The service's clock is an hour ahead of the machine's first one.
  v1::CheckLicenseResponse Answer(const v1::LicenseDocument& license,
                                  const DocumentSigner& signer) const {
    v1::CheckLicenseResponse answer;
    *answer.mutable_license() = license;
    *answer.mutable_signed_license() = signer.Sign(license);
    *answer.mutable_service_time() = mc::ToProto(there_);
    return answer;
  }
  absl::Status Reach(const v1::LicenseDocument& license) {
    return keeper_->Answered(Answer(license, signer_), keys_);
  }
  // Time passes at both ends, and what became due has run.
  void Advance(absl::Duration duration) {
    clock_->Advance(duration);
    there_ += duration;
    Drain();
  }
  // Until what was queued before has run.
  void Drain() {
    absl::Notification done;
    timers_->ScheduleAfter(absl::ZeroDuration(), [&] {
      if (!executor_->TryRun([&done] { done.Notify(); })) done.Notify();
    });
    done.WaitForNotification();
  }
  v1::LicenseStanding Standing() { return keeper_->Get().answer.standing(); }

  TempDir dir_;
  Events events_;
  std::atomic<int> changes_ = 0;
  DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  KeyRing keys_{{signer_.document_key()}};
  absl::Time there_ = kNow + absl::Hours(1);
  std::unique_ptr<SimulatedClock> clock_;
  std::string boot_id_;
  std::unique_ptr<StateDirectory> directory_;
  SharedState state_;
  std::unique_ptr<TimerQueue> timers_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<LicenseKeeper> keeper_;
  std::shared_ptr<LicenseKeeper::Watcher> watcher_;
};

TEST_F(KeeperTest, BeforeTheFirstLicenseNothingIsDenied) {
  keeper_->NotAnswered();
  const LicenseState state = keeper_->Get();
  EXPECT_FALSE(state.license.has_value());
  EXPECT_EQ(state.answer.standing(), v1::LICENSE_STANDING_UNKNOWN);
  EXPECT_TRUE(state.answer.monitoring_allowed());
}

TEST_F(KeeperTest, AnOutageIsGraceUntilTheServiceIsBack) {
  const auto license = Document(v1::LICENSE_MODEL_CLASSIC);
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_ACTIVE);
  EXPECT_EQ(changes_, 1);
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_EQ(changes_, 1) << "another check is no change";
  Advance(absl::Minutes(5));
  keeper_->NotAnswered();
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_GRACE);
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(*FromProto(keeper_->Get().answer.until()),
            kNow + absl::Hours(1) + 14 * kDay)
      << "by the service's clock";
  keeper_->NotAnswered();
  EXPECT_EQ(changes_, 2);
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_ACTIVE);
  EXPECT_EQ(changes_, 3);
  EXPECT_THAT(events_.Take(), IsEmpty());
}

TEST_F(KeeperTest, ADeadlineActsByItselfAndIsTold) {
  ASSERT_TRUE(Reach(Document(v1::LICENSE_MODEL_TRIAL)).ok());
  keeper_->NotAnswered();
  const int before = changes_;
  Advance(7 * kDay - kSecond);
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_GRACE);
  EXPECT_EQ(changes_, before);
  Advance(kSecond);
  EXPECT_EQ(changes_, before + 1);
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_OVERAGE_DISALLOWED);
  EXPECT_THAT(events_.Take(),
              ElementsAre(v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE));
}

TEST_F(KeeperTest, TheVendorsNoActsAtOnceAndStays) {
  auto license = Document(v1::LICENSE_MODEL_SUBSCRIPTION);
  ASSERT_TRUE(Reach(license).ok());
  for (const auto& [status, standing, event] : {
           std::tuple(v1::LICENSE_STATUS_SUSPENDED,
                      v1::LICENSE_STANDING_SUSPENDED,
                      v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE),
           std::tuple(v1::LICENSE_STATUS_EXPIRED, v1::LICENSE_STANDING_EXPIRED,
                      v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRED),
           std::tuple(v1::LICENSE_STATUS_REVOKED, v1::LICENSE_STANDING_REVOKED,
                      v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE),
       }) {
    license.set_status(status);
    const int before = changes_;
    ASSERT_TRUE(Reach(license).ok());
    EXPECT_EQ(changes_, before + 1);
    EXPECT_EQ(Standing(), standing);
    EXPECT_FALSE(keeper_->Get().answer.monitoring_allowed());
    EXPECT_THAT(events_.Take(), ElementsAre(event));
    // Neither outage nor clock nor restart nor reboot revives it.
    keeper_->NotAnswered();
    clock_->SetNow(clock_->Now() - 365 * kDay);
    EXPECT_EQ(Standing(), standing);
    Restart();
    EXPECT_EQ(Standing(), standing);
    Boot(std::string("after-") + v1::LicenseStatus_Name(status), kNow);
    EXPECT_EQ(Standing(), standing);
    EXPECT_THAT(events_.Take(), IsEmpty()) << "told once";
  }
  license.set_status(v1::LICENSE_STATUS_ACTIVE);
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_ACTIVE);
}

TEST_F(KeeperTest, WhatIsNotBelievedChangesNothing) {
  auto license = Document(v1::LICENSE_MODEL_CLASSIC);
  ASSERT_TRUE(Reach(license).ok());
  license.set_status(v1::LICENSE_STATUS_REVOKED);
  const DocumentSigner stranger{PrivateKey::GenerateEd25519()};
  EXPECT_TRUE(absl::IsUnauthenticated(
      keeper_->Answered(Answer(license, stranger), keys_)));
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_GRACE);
}

struct ModelCase {
  v1::LicenseModel model;
  // Of overage; infinite: never disallowed.
  absl::Duration grace;
};

class ThirtyFiveDays : public KeeperTest,
                       public testing::WithParamInterface<ModelCase> {};

// The agent restarts twice on each day, and the machine on every fifth.
TEST_P(ThirtyFiveDays, OfOutageKeepTheStandingRightToTheSecond) {
  const auto license = Document(GetParam().model);
  const absl::Duration grace = GetParam().grace;
  const v1::LicenseStanding within = grace == absl::InfiniteDuration()
                                         ? v1::LICENSE_STANDING_ACTIVE
                                         : v1::LICENSE_STANDING_GRACE;
  ASSERT_TRUE(Reach(license).ok());
  absl::Duration offline;
  const auto advance_to = [&](absl::Duration to) {
    Advance(to - offline);
    offline = to;
  };
  const auto expect_right = [&](const char* when) {
    EXPECT_EQ(Standing(), offline < grace
                              ? within
                              : v1::LICENSE_STANDING_OVERAGE_DISALLOWED)
        << when << " " << offline;
    EXPECT_TRUE(keeper_->Get().answer.monitoring_allowed());
    EXPECT_EQ(*FromProto(keeper_->Get().answer.offline()), offline);
  };
  for (int day = 1; day <= 35; ++day) {
    keeper_->NotAnswered();
    advance_to(day * kDay - absl::Hours(12));
    if (day % 5 == 0) {
      Boot("boot-" + std::to_string(day), clock_->Now());
    } else {
      Restart();
    }
    keeper_->NotAnswered();
    expect_right("after a restart");
    advance_to(day * kDay - kSecond);
    expect_right("before");
    advance_to(day * kDay);
    expect_right("at");
    advance_to(day * kDay + kSecond);
    expect_right("after");
  }
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_ACTIVE);
  EXPECT_EQ(keeper_->Get().answer.offline().seconds(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Models, ThirtyFiveDays,
    testing::Values(ModelCase{v1::LICENSE_MODEL_CLASSIC, 14 * kDay},
                    ModelCase{v1::LICENSE_MODEL_TRIAL, 7 * kDay},
                    ModelCase{v1::LICENSE_MODEL_SUBSCRIPTION,
                              absl::InfiniteDuration()}));

TEST_F(KeeperTest, AYearAheadAndBackChangesNothingWithinABoot) {
  auto license = Document(v1::LICENSE_MODEL_CLASSIC);
  *license.mutable_ends_at() = mc::ToProto(there_ + 60 * kDay);
  ASSERT_TRUE(Reach(license).ok());
  keeper_->NotAnswered();
  const int before = changes_;
  for (int step = 0; step < 12; ++step) {
    clock_->SetNow(clock_->Now() + 30 * kDay);
    Restart();
    keeper_->NotAnswered();
    EXPECT_EQ(Standing(), v1::LICENSE_STANDING_GRACE);
  }
  for (int step = 0; step < 24; ++step) {
    clock_->SetNow(clock_->Now() - 30 * kDay);
    Restart();
    keeper_->NotAnswered();
    EXPECT_EQ(Standing(), v1::LICENSE_STANDING_GRACE);
  }
  // A restart and the attempt after it show nothing new but the outage.
  EXPECT_LE(changes_, before + 36);
  EXPECT_THAT(events_.Take(), IsEmpty());
}

TEST_F(KeeperTest, AYearAheadOverARebootLocksNobodyOut) {
  auto license = Document(v1::LICENSE_MODEL_CLASSIC);
  *license.mutable_ends_at() = mc::ToProto(there_ + 60 * kDay);
  ASSERT_TRUE(Reach(license).ok());
  Boot("boot-2", kNow + 365 * kDay);
  keeper_->NotAnswered();
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_OVERAGE_DISALLOWED);
  EXPECT_TRUE(keeper_->Get().answer.monitoring_allowed());
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_ACTIVE);
  Boot("boot-3", kNow - 365 * kDay);
  keeper_->NotAnswered();
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_GRACE);
}

TEST_F(KeeperTest, TheEndDateIsPassedInABootAndStaysPassedOverARestart) {
  auto license = Document(v1::LICENSE_MODEL_SUBSCRIPTION);
  *license.mutable_ends_at() = mc::ToProto(there_ + kDay);
  ASSERT_TRUE(Reach(license).ok());
  events_.Take();
  Advance(kDay - kSecond);
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_ACTIVE);
  Advance(kSecond);
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_EXPIRED);
  EXPECT_THAT(events_.Take(),
              ElementsAre(v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRED));
  clock_->SetNow(kNow - 365 * kDay);
  Restart();
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_EXPIRED);
  EXPECT_THAT(events_.Take(), IsEmpty());
  Boot("boot-2", kNow - 365 * kDay);
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_OVERAGE_DISALLOWED)
      << "the worst after a reboot without contact, and no better";
}

TEST_F(KeeperTest, AnEndDateThatPassedWhileTheAgentWasDownIsTold) {
  auto license = Document(v1::LICENSE_MODEL_CLASSIC);
  *license.mutable_ends_at() = mc::ToProto(there_ + 3 * kDay);
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_THAT(events_.Take(),
              ElementsAre(v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRING));
  End();
  clock_->Advance(5 * kDay);
  Start();
  EXPECT_THAT(events_.Take(),
              ElementsAre(v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRED));
}

TEST_F(KeeperTest, ADamagedContactFileStopsNothing) {
  const auto license = Document(v1::LICENSE_MODEL_CLASSIC);
  ASSERT_TRUE(Reach(license).ok());
  const std::string file = directory_->FilePath(state_files::kContact);
  End();
  std::ofstream(file, std::ios::trunc) << "{";
  clock_->Advance(kDay);
  Start();
  EXPECT_EQ(keeper_->Get().answer.offline().seconds(), 24 * 3600)
      << "since the license was verified";
  keeper_->NotAnswered();
  EXPECT_EQ(Standing(), v1::LICENSE_STANDING_GRACE);
  ASSERT_TRUE(Reach(license).ok());
  EXPECT_TRUE(directory_->LoadContact().ok());
}

class KeyRotation : public KeeperTest {
 protected:
  KeyRotation() {
    const auto authority =
        CertificateAuthority::Create("test", kNow - kDay, kNow + 3650 * kDay);
    IssueSpec spec;
    spec.spki_der = directory_->tls_key().PublicSpkiDer();
    spec.client_auth = true;
    spec.not_before = kNow - kDay;
    spec.not_after = kNow + kDay;
    config::AgentRegistration registration;
    registration.set_user_name("cluster");
    registration.set_password("secret");
    registration.set_trust_domain("test.example");
    *registration.add_document_keys() = signer_.document_key();
    *registration.mutable_registered_at() = mc::ToProto(kNow);
    const absl::Status saved = directory_->SaveRegistration(
        registration, *CertificateDerToPem(*authority->Issue(spec)));
    EXPECT_TRUE(saved.ok()) << saved;
    v1::KeySuccessionDocument document;
    document.set_kind(v1::DOCUMENT_KIND_KEY_SUCCESSION);
    *document.mutable_successor() = next_.document_key();
    succession_ = signer_.Sign(document);
  }
  DocumentKeys Kept() {
    const auto registration = directory_->LoadRegistration();
    return {(*registration)->document_keys().begin(),
            (*registration)->document_keys().end()};
  }
  const DocumentSigner next_{PrivateKey::GenerateEd25519()};
  v1::SignedDocument succession_;
};

TEST_F(KeyRotation, ANewKeyIsKeptBeforeTheLicenseThatItSigned) {
  const auto license = Document(v1::LICENSE_MODEL_CLASSIC);
  v1::CheckLicenseResponse answer = Answer(license, next_);
  EXPECT_FALSE(keeper_->Answered(answer, keys_).ok()) << "nobody vouches";
  *answer.add_key_successions() = succession_;
  const absl::Status status = keeper_->Answered(answer, keys_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Kept().size(), 2u);
  EXPECT_EQ(Kept()[1].key_id(), next_.key_id());
  // The next start knows both, and believes the license that it has kept.
  keys_.Set(Kept());
  Restart();
  EXPECT_TRUE(keeper_->Get().license.has_value());
  ASSERT_TRUE(keeper_->Answered(answer, keys_).ok());
  EXPECT_EQ(Kept().size(), 2u);
}

TEST_F(KeyRotation, AForgedSuccessionIsNotKept) {
  v1::CheckLicenseResponse answer =
      Answer(Document(v1::LICENSE_MODEL_CLASSIC), next_);
  succession_.mutable_document()->back() ^= 1;
  *answer.add_key_successions() = succession_;
  EXPECT_TRUE(absl::IsUnauthenticated(keeper_->Answered(answer, keys_)));
  EXPECT_EQ(Kept().size(), 1u);
  EXPECT_EQ(keys_.keys().size(), 1u);
}

}  // namespace
}  // namespace mc::agent
