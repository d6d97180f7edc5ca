#include "cluster-agent/node/membership.h"

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/exchange/eventually.h"
#include "cluster-agent/node/fake_master.h"
#include "cluster-agent/node/join.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/files/temp_dir.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::HasSubstr;

constexpr absl::Duration kInterval = absl::Minutes(1);
// The servers' TLS goes by the real clock, and certificates are issued an hour
// back: a test may be ahead by less than that.
constexpr absl::Duration kLifetime = absl::Minutes(100);

grpc::Status Refused(absl::StatusCode code, v1::ErrorReason reason) {
  return ToGrpc(Error(code, reason, "as the test says"));
}

class MembershipTest : public testing::Test {
 protected:
  // What TLS does goes by the real clock; the rest by this one.
  MembershipTest() : clock_(RealClock().Now()) {
    values_.set_state_directory(dir_.File("state"));
    values_.mutable_node()->set_join_address(master_.join_address());
    *values_.mutable_schedule()->mutable_backoff_initial() =
        mc::ToProto(absl::Seconds(1));
    *values_.mutable_schedule()->mutable_backoff_max() =
        mc::ToProto(absl::Minutes(5));
    OpenState();
  }
  ~MembershipTest() override { Stop(); }

  void OpenState() {
    auto opened = OpenNodeState(values_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    state_.emplace(*std::move(opened));
    shared_.directory = &*state_;
  }
  absl::Status Join(const std::string& token) {
    InFlight in_flight;
    return JoinSite({.address = master_.join_address(),
                     .token = token,
                     .agent_version = "1.0.0",
                     .state = &shared_,
                     .in_flight = &in_flight,
                     .clock = &clock_});
  }
  void Start(JoinTokenSource token = {}) {
    timers_ = std::make_unique<TimerQueue>(&clock_);
    executor_ = std::make_unique<Executor>(2, 100);
    membership_ = std::make_unique<Membership>(Membership::Options{
        .values = &values_,
        .clock = &clock_,
        .timers = timers_.get(),
        .executor = executor_.get(),
        .state = &shared_,
        .token = std::move(token),
        .agent_version = "1.0.0",
        .agent_instance_id = "instance",
        .report =
            [this] {
              v1::NodeReport report;
              report.mutable_node()->set_node_id(state_->node_id());
              return report;
            },
        .on_failed =
            [this](const absl::Status& failure) {
              absl::MutexLock lock(&mutex_);
              failure_ = failure;
            },
        .draw = [] { return 0.5; }});
    membership_->Start();
  }
  void Stop() {
    if (membership_ == nullptr) return;
    membership_->Stop();
    timers_->Stop();
    executor_->Shutdown();
    membership_ = nullptr;
  }
  void Restart() {
    Stop();
    state_.reset();
    OpenState();
    Start();
  }
  v1::GetStatusResponse Status() const {
    v1::GetStatusResponse status;
    membership_->Fill(status);
    return status;
  }
  // So many reports have their receipts: nothing is under way that a jump of
  // the clock would make late.
  bool Reported(int64_t count) const {
    return Eventually(
        [&] { return Status().exchanges(1).succeeded() == count; });
  }
  bool Connected() const {
    return Status().connection_state() == v1::CONNECTION_STATE_CONNECTED;
  }
  std::optional<absl::Status> Failure() {
    absl::MutexLock lock(&mutex_);
    return failure_;
  }
  // Time passes until it is so; slowly enough for what takes real time.
  bool Passing(absl::FunctionRef<bool()> condition) {
    return Eventually([&] {
      if (condition()) return true;
      clock_.Advance(absl::Milliseconds(50));
      return false;
    });
  }
  bool WaitsFor(const std::string& text) {
    return Eventually(
        [&] { return absl::StrContains(Status().waiting_for(), text); });
  }
  std::string SerialInUse() {
    absl::MutexLock lock(&shared_.mutex);
    return ParseCertificatePem(state_->values().current().certificate_pem())
        ->serial_hex;
  }

  TempDir dir_;
  SimulatedClock clock_;
  FakeMaster master_{&clock_};
  config::AgentConfig values_;
  std::optional<NodeState> state_;
  SharedNodeState shared_;
  absl::Mutex mutex_;
  std::optional<absl::Status> failure_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<TimerQueue> timers_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Membership> membership_;
};

TEST_F(MembershipTest, ANodeThatJoinedReportsAtOnceAndThenAtTheInterval) {
  ASSERT_TRUE(Join(master_.token()).ok());
  EXPECT_EQ(state_->values().cluster_id(), master_.cluster_id());
  EXPECT_EQ(state_->values().master_address(), master_.node_address());
  Start();
  ASSERT_TRUE(Eventually([&] { return master_.Reports().size() == 1; }));
  EXPECT_EQ(master_.Reports()[0].node().node_id(), state_->node_id());
  EXPECT_FALSE(master_.Greetings()[0].hello.has_last_master_contact_age());
  ASSERT_TRUE(Reported(1));
  EXPECT_TRUE(Connected());
  clock_.Advance(kInterval * 0.9);
  EXPECT_EQ(master_.Reports().size(), 1u);
  clock_.Advance(kInterval * 0.1);
  EXPECT_TRUE(Eventually([&] { return master_.Reports().size() == 2; }));
  EXPECT_EQ(Status().mastership_state(), v1::MASTERSHIP_STATE_NODE);
  EXPECT_EQ(Status().waiting_for(), "");
}

TEST_F(MembershipTest, WhatIsNewIsReportedAtOnce) {
  ASSERT_TRUE(Join(master_.token()).ok());
  Start();
  ASSERT_TRUE(Reported(1));
  membership_->ReportNow();
  EXPECT_TRUE(Eventually([&] { return master_.Reports().size() == 2; }));
}

TEST_F(MembershipTest, ASiteThatTheTokenDoesNotNameGetsNothing) {
  const FakeMaster other(&clock_);
  const absl::Status refused = Join(other.token());
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("nothing was sent"));
  EXPECT_THAT(std::string(refused.message()),
              testing::Not(HasSubstr(ParseJoinToken(other.token())->secret)));
  EXPECT_TRUE(master_.Joins().empty());
  EXPECT_FALSE(state_->joined());
}

TEST_F(MembershipTest, ARefusedTokenIsToldAndTheSameRequestComesAgain) {
  FakeMaster::Script script;
  script.join = Refused(absl::StatusCode::kPermissionDenied,
                        v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
  master_.Set(script);
  const absl::Status refused = Join(master_.token());
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("node token create"));
  master_.Set({});
  ASSERT_TRUE(Join(master_.token()).ok());
  ASSERT_EQ(master_.Joins().size(), 2u);
  EXPECT_EQ(master_.Joins()[0].SerializeAsString(),
            master_.Joins()[1].SerializeAsString());
  // Once more is with a fresh key.
  ASSERT_TRUE(Join(master_.token()).ok());
  EXPECT_NE(master_.Joins()[1].certificate_signing_request(),
            master_.Joins()[2].certificate_signing_request());
  EXPECT_EQ(master_.Joins()[1].node_id(), master_.Joins()[2].node_id());
}

TEST_F(MembershipTest, ItJoinsByItselfWithAConfiguredToken) {
  FakeMaster::Script script;
  script.join = grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet");
  master_.Set(script);
  Start({.environment = master_.token(), .file = ""});
  ASSERT_TRUE(WaitsFor("not yet"));
  EXPECT_EQ(Status().connection_state(), v1::CONNECTION_STATE_ENROLLING);
  master_.Set({});
  ASSERT_TRUE(Passing([&] { return Connected(); }));
  EXPECT_FALSE(Failure().has_value());
}

TEST_F(MembershipTest, WithoutATokenItCannotGoOnAndSaysWhatToDo) {
  Start();
  ASSERT_TRUE(Eventually([&] { return Failure().has_value(); }));
  EXPECT_THAT(std::string(Failure()->message()), HasSubstr("node join"));
  EXPECT_EQ(Failure()->code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(MembershipTest, AMasterThatIsLostIsFoundAgain) {
  ASSERT_TRUE(Join(master_.token()).ok());
  Start();
  ASSERT_TRUE(Reported(1));
  FakeMaster::Script script;
  script.end_at_hello = script.end_at_report =
      grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopped");
  master_.Set(script);
  ASSERT_TRUE(Passing([&] { return master_.Greetings().size() >= 3; }));
  EXPECT_TRUE(WaitsFor("does not answer"));
  master_.Set({});
  ASSERT_TRUE(Passing([&] { return Connected(); }));
  const v1::NodeHello hello = master_.Greetings().back().hello;
  EXPECT_EQ(hello.last_master_instance_id(), "master-instance");
  EXPECT_GT(*FromProto(hello.last_master_contact_age()), absl::ZeroDuration());
}

TEST_F(MembershipTest, AMasterThatStopsAnsweringIsGivenUp) {
  ASSERT_TRUE(Join(master_.token()).ok());
  FakeMaster::Script script;
  script.answer_hello = false;
  master_.Set(script);
  Start();
  ASSERT_TRUE(Passing([&] { return master_.Greetings().size() == 2; }));
  script.answer_hello = true;
  script.answer_reports = false;
  master_.Set(script);
  ASSERT_TRUE(Passing([&] { return master_.Reports().size() == 1; }));
  const size_t greetings = master_.Greetings().size();
  ASSERT_TRUE(Passing([&] { return master_.Greetings().size() > greetings; }));
}

TEST_F(MembershipTest, WhoIsSupersededDoesNotFight) {
  ASSERT_TRUE(Join(master_.token()).ok());
  FakeMaster::Script script;
  script.end_at_report =
      Refused(absl::StatusCode::kAborted, v1::ERROR_REASON_SUPERSEDED);
  master_.Set(script);
  Start();
  ASSERT_TRUE(Eventually([&] { return Status().exchanges(1).failed() == 1; }));
  EXPECT_GT(*FromProto(Status().exchanges(1).next_attempt_at()) - clock_.Now(),
            absl::Seconds(25));
}

TEST_F(MembershipTest, WhoIsNotMasterIsAskedAgainSoon) {
  ASSERT_TRUE(Join(master_.token()).ok());
  FakeMaster::Script script;
  script.end_at_hello = Refused(absl::StatusCode::kFailedPrecondition,
                                v1::ERROR_REASON_NOT_MASTER);
  master_.Set(script);
  Start();
  ASSERT_TRUE(Eventually([&] { return Status().exchanges(1).failed() == 1; }));
  EXPECT_LE(*FromProto(Status().exchanges(1).next_attempt_at()) - clock_.Now(),
            absl::Seconds(1));
}

TEST_F(MembershipTest, WhoWasRemovedEndsWithItsReason) {
  ASSERT_TRUE(Join(master_.token()).ok());
  FakeMaster::Script script;
  script.end_at_hello = Refused(absl::StatusCode::kPermissionDenied,
                                v1::ERROR_REASON_NODE_REMOVED);
  master_.Set(script);
  Start();
  ASSERT_TRUE(Passing([&] { return Failure().has_value(); }));
  EXPECT_EQ(ReasonOf(*Failure()), v1::ERROR_REASON_NODE_REMOVED);
  EXPECT_EQ(master_.Greetings().size(), 1u);
}

TEST_F(MembershipTest, WhoWasRemovedJoinsAgainWithATokenThatIsGood) {
  ASSERT_TRUE(Join(master_.token()).ok());
  const std::string removed = SerialInUse();
  FakeMaster::Script script;
  script.refused_serial = removed;
  script.refuse_with = Refused(absl::StatusCode::kPermissionDenied,
                               v1::ERROR_REASON_NODE_REMOVED);
  master_.Set(script);
  Start({.environment = master_.token(), .file = ""});
  ASSERT_TRUE(Passing([&] { return Connected(); }));
  EXPECT_NE(SerialInUse(), removed);
  EXPECT_FALSE(Failure().has_value());
}

TEST_F(MembershipTest, WhoWasRemovedAndWhoseTokenIsRefusedEnds) {
  ASSERT_TRUE(Join(master_.token()).ok());
  FakeMaster::Script script;
  script.join = Refused(absl::StatusCode::kPermissionDenied,
                        v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
  script.end_at_hello = Refused(absl::StatusCode::kPermissionDenied,
                                v1::ERROR_REASON_NODE_REMOVED);
  master_.Set(script);
  Start({.environment = master_.token(), .file = ""});
  ASSERT_TRUE(Passing([&] { return Failure().has_value(); }));
  EXPECT_EQ(ReasonOf(*Failure()), v1::ERROR_REASON_NODE_REMOVED);
}

TEST_F(MembershipTest, FromHalfOfItsLifetimeOnTheCertificateIsRenewed) {
  FakeMaster::Script script;
  script.lifetime = kLifetime;
  master_.Set(script);
  ASSERT_TRUE(Join(master_.token()).ok());
  const std::string first = SerialInUse();
  Start();
  ASSERT_TRUE(Reported(1));
  clock_.Advance(kLifetime * 0.5);
  ASSERT_TRUE(Reported(2));
  EXPECT_TRUE(master_.Renewals().empty());
  // With what the test draws as the spread.
  clock_.Advance(kLifetime * 0.05);
  ASSERT_TRUE(Eventually([&] { return SerialInUse() != first; }));
  EXPECT_TRUE(Connected());
  EXPECT_EQ(master_.Renewals().size(), 1u);
  EXPECT_EQ(master_.Greetings().back().serial_hex, SerialInUse());
  EXPECT_FALSE(state_->values().has_next());
}

TEST_F(MembershipTest, ARenewalThatWasCutOffGoesOnWithTheSameKey) {
  FakeMaster::Script script;
  script.renew = grpc::Status(grpc::StatusCode::UNAVAILABLE, "lost");
  script.lifetime = kLifetime;
  master_.Set(script);
  ASSERT_TRUE(Join(master_.token()).ok());
  Start();
  ASSERT_TRUE(Eventually([&] { return Connected(); }));
  clock_.Advance(absl::Minutes(70));
  ASSERT_TRUE(Passing([&] { return Status().exchanges(2).failed() == 1; }));
  script.renew = grpc::Status::OK;
  master_.Set(script);
  Restart();
  // Right after the start, for half of the lifetime has passed.
  ASSERT_TRUE(Passing([&] { return Status().exchanges(2).succeeded() == 1; }));
  const auto renewals = master_.Renewals();
  EXPECT_EQ(renewals.front().certificate_signing_request(),
            renewals.back().certificate_signing_request());
}

TEST_F(MembershipTest, ANextCertificateThatIsNotTakenLeavesTheOldOne) {
  ASSERT_TRUE(Join(master_.token()).ok());
  const std::string old = SerialInUse();
  const std::string request = state_->DrawNext()->request_der();
  const CertificateAuthority& ca = master_.ca();
  IssueSpec spec;
  spec.spki_der = ParseCsrDer(request)->spki_der;
  spec.uri_sans = {absl::StrCat("spiffe://", master_.cluster_id(), "/node/",
                                state_->node_id())};
  spec.client_auth = true;
  spec.not_before = clock_.Now();
  spec.not_after = clock_.Now() + absl::Hours(100);
  const std::string next = *ca.Issue(spec);
  ASSERT_TRUE(state_->KeepNext(next, clock_.Now()).ok());
  FakeMaster::Script script;
  script.refused_serial = ParseCertificateDer(next)->serial_hex;
  script.refuse_with = grpc::Status(grpc::StatusCode::UNAVAILABLE, "no");
  master_.Set(script);
  Start();
  ASSERT_TRUE(Passing([&] { return Connected(); }));
  EXPECT_EQ(master_.Greetings().front().serial_hex, script.refused_serial);
  EXPECT_EQ(master_.Greetings().back().serial_hex, old);
  EXPECT_FALSE(state_->values().has_next());
}

TEST_F(MembershipTest, AnExpiredCertificateIsToldOrReplaced) {
  ASSERT_TRUE(Join(master_.token()).ok());
  const std::string old = SerialInUse();
  // The node was off for long.
  clock_.Advance(absl::Hours(169));
  Start();
  ASSERT_TRUE(Eventually([&] { return Failure().has_value(); }));
  EXPECT_THAT(std::string(Failure()->message()), HasSubstr("expired at"));
  Stop();
  EXPECT_TRUE(master_.Greetings().empty());
  Start({.environment = master_.token(), .file = ""});
  ASSERT_TRUE(Eventually([&] { return master_.Joins().size() == 2; }));
  ASSERT_TRUE(Eventually([&] { return SerialInUse() != old; }));
}

TEST_F(MembershipTest, TheAddressIsWhatTheMasterTold) {
  EXPECT_EQ(NodeAddress(":8451", "master.example:8450"), "master.example:8451");
  EXPECT_EQ(NodeAddress(":8451", "[::1]:8450"), "[::1]:8451");
  EXPECT_EQ(NodeAddress("other:1", "master.example:8450"), "other:1");
}

}  // namespace
}  // namespace mc::agent
