#include "cluster-agent/local/license_watch.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster-agent/local/local_server.h"
#include "cluster-agent/outbox/fixture.h"
#include "common/crypto/document.h"
#include "common/files/temp_dir.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "gtest/gtest.h"
#include "missioncontrol/v1/agent_service.grpc.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr size_t kStreams = 2;

class LicenseWatchTest : public testing::Test {
 protected:
  LicenseWatchTest() {
    outbox_.Open();
    description_ = *Description::Open(dir_.path());
    state_directory_ = std::make_unique<StateDirectory>(
        *StateDirectory::Open(dir_.File("state")));
    state_.directory = state_directory_.get();
    keeper_ = std::make_unique<LicenseKeeper>(
        LicenseKeeper::Options{.clock = &clock_,
                               .timers = &timers_,
                               .executor = &executor_,
                               .state = &state_,
                               .events = nullptr,
                               .boot_id = "boot"});
    watch_ = std::make_unique<LicenseWatch>(keeper_.get(), kStreams);
    server_ = *LocalServer::Start({.socket = LocalSocket::kProduct,
                                   .path = dir_.File("agent"),
                                   .group = {},
                                   .deps = {.outbox = &outbox_.outbox(),
                                            .description = description_.get(),
                                            .executor = &executor_,
                                            .clock = &clock_,
                                            .other_environments = {},
                                            .status = nullptr,
                                            .on_described = [] {},
                                            .license = watch_.get()}});
    // A window that does not grow: what a reader leaves unread is bounded.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stub_ = v1::AgentService::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("unix:", dir_.File("agent")),
        grpc::experimental::LocalCredentials(UDS), arguments));
  }
  ~LicenseWatchTest() override {
    watch_->End();
    server_ = nullptr;
    timers_.Stop();
    executor_.Shutdown();
  }

  void Reach(v1::LicenseStatus status) {
    v1::CheckLicenseResponse answer;
    v1::LicenseDocument& license = *answer.mutable_license();
    license.set_kind(v1::DOCUMENT_KIND_LICENSE);
    license.set_cluster_id(state_directory_->cluster_id());
    license.set_license_name(name_);
    license.set_model(v1::LICENSE_MODEL_CLASSIC);
    license.set_status(status);
    *answer.mutable_signed_license() = signer_.Sign(license);
    *answer.mutable_service_time() = mc::ToProto(clock_.Now());
    const absl::Status kept = keeper_->Answered(answer, keys_);
    EXPECT_TRUE(kept.ok()) << kept;
  }

  // A product that reads when it likes.
  struct Reader {
    explicit Reader(v1::AgentService::Stub& stub) {
      context.set_deadline(gpr_time_from_seconds(60, GPR_TIMESPAN));
      stream = stub.WatchLicenseState(&context, {});
    }
    v1::LicenseStanding Next() {
      v1::WatchLicenseStateResponse state;
      if (!stream->Read(&state)) return v1::LICENSE_STANDING_UNSPECIFIED;
      return state.answer().standing();
    }
    absl::Status End() { return FromGrpc(stream->Finish()); }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchLicenseStateResponse>> stream;
  };
  std::unique_ptr<Reader> Watch() { return std::make_unique<Reader>(*stub_); }

  std::string name_ = "production";
  TempDir dir_;
  OutboxFixture outbox_;
  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  std::unique_ptr<Description> description_;
  std::unique_ptr<StateDirectory> state_directory_;
  SharedState state_;
  const DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  KeyRing keys_{{signer_.document_key()}};
  Executor executor_{2, 100};
  TimerQueue timers_{&clock_};
  std::unique_ptr<LicenseKeeper> keeper_;
  std::unique_ptr<LicenseWatch> watch_;
  std::unique_ptr<LocalServer> server_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
};

TEST_F(LicenseWatchTest, TheStateIsTold) {
  v1::GetLicenseStateResponse state;
  grpc::ClientContext before;
  ASSERT_TRUE(stub_->GetLicenseState(&before, {}, &state).ok());
  EXPECT_EQ(state.answer().standing(), v1::LICENSE_STANDING_UNKNOWN);
  EXPECT_FALSE(state.has_license());
  Reach(v1::LICENSE_STATUS_ACTIVE);
  grpc::ClientContext after;
  ASSERT_TRUE(stub_->GetLicenseState(&after, {}, &state).ok());
  EXPECT_EQ(state.answer().standing(), v1::LICENSE_STANDING_ACTIVE);
  EXPECT_EQ(state.license().license_name(), "production");
}

TEST_F(LicenseWatchTest, AWatcherIsToldAtOnceAndAtEachChange) {
  const auto reader = Watch();
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_UNKNOWN);
  Reach(v1::LICENSE_STATUS_ACTIVE);
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_ACTIVE);
  Reach(v1::LICENSE_STATUS_ACTIVE);
  keeper_->NotAnswered();
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_GRACE);
  clock_.Advance(absl::Hours(14 * 24));
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_OVERAGE_DISALLOWED);
  Reach(v1::LICENSE_STATUS_SUSPENDED);
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_SUSPENDED);
}

TEST_F(LicenseWatchTest, ASlowReaderGetsTheLatest) {
  const auto reader = Watch();
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_UNKNOWN);
  // Together more than the buffers between the two hold.
  constexpr int kChanges = 100;
  name_ = std::string(20'000, 'x');
  for (int i = 0; i < kChanges; ++i) {
    Reach(v1::LICENSE_STATUS_ACTIVE);
    Reach(v1::LICENSE_STATUS_SUSPENDED);
  }
  Reach(v1::LICENSE_STATUS_REVOKED);
  v1::LicenseStanding last = v1::LICENSE_STANDING_UNSPECIFIED;
  int read = 0;
  while (last != v1::LICENSE_STANDING_REVOKED && read <= 2 * kChanges) {
    last = reader->Next();
    ++read;
  }
  EXPECT_EQ(last, v1::LICENSE_STANDING_REVOKED);
  EXPECT_LT(read, kChanges);
}

TEST_F(LicenseWatchTest, WatchersAreBounded) {
  auto first = Watch();
  EXPECT_EQ(first->Next(), v1::LICENSE_STANDING_UNKNOWN);
  const auto second = Watch();
  EXPECT_EQ(second->Next(), v1::LICENSE_STANDING_UNKNOWN);
  EXPECT_EQ(ReasonOf(Watch()->End()), v1::ERROR_REASON_OVERLOADED);
  // One that goes makes room; how soon is gRPC's affair.
  first->context.TryCancel();
  EXPECT_TRUE(absl::IsCancelled(first->End()));
  for (int i = 0; i < 60'000; ++i) {
    const auto third = Watch();
    if (third->Next() == v1::LICENSE_STANDING_UNKNOWN) return;
    EXPECT_EQ(ReasonOf(third->End()), v1::ERROR_REASON_OVERLOADED);
  }
  FAIL() << "no room was made";
}

TEST_F(LicenseWatchTest, TheAgentsEndEndsItsStreams) {
  const auto reader = Watch();
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_UNKNOWN);
  watch_->End();
  EXPECT_EQ(reader->Next(), v1::LICENSE_STANDING_UNSPECIFIED);
  EXPECT_EQ(ReasonOf(reader->End()), v1::ERROR_REASON_OVERLOADED);
  EXPECT_EQ(ReasonOf(Watch()->End()), v1::ERROR_REASON_OVERLOADED);
}

}  // namespace
}  // namespace mc::agent
