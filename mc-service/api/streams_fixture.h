// ClusterService on a real server, without TLS: who calls is what the test
// says. For the tests of its streams.
#ifndef MC_SERVICE_API_STREAMS_FIXTURE_H_
#define MC_SERVICE_API_STREAMS_FIXTURE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/crypto/document.h"
#include "common/executor/executor.h"
#include "common/metrics/metrics.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/api/cluster_service.h"
#include "mc-service/domain/testing/held_store.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
using Reports = grpc::ClientReaderWriter<v1::StreamReportsRequest,
                                         v1::StreamReportsResponse>;
using Heartbeats = grpc::ClientReaderWriter<v1::StreamHeartbeatsRequest,
                                            v1::StreamHeartbeatsResponse>;

// Messages that are read ahead of their answers.
inline constexpr size_t kWindow = 8;
// Reports of a cluster that wait for the store.
inline constexpr size_t kShare = 12;

class StreamsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Seed(fake_, SeedLicense(clock_.Now()), {"c-1", "c-2"}).ok());
    StreamDeps streams;
    streams.identify =
        [](const grpc::AuthContext&) -> absl::StatusOr<PeerIdentity> {
      return PeerIdentity();
    };
    streams.check = [this](const PeerIdentity&, std::string_view,
                           std::string_view) -> absl::StatusOr<StreamCaller> {
      absl::MutexLock lock(&mutex_);
      if (!identity_.ok()) return identity_;
      if (clock_.Now() > not_after_) {
        return Error(absl::StatusCode::kPermissionDenied,
                     v1::ERROR_REASON_MUST_RECOVER, "expired");
      }
      return StreamCaller{.cluster_id = caller_,
                          .remote_ui_requested = remote_ui_,
                          .renewing_instance_id = renewing_,
                          .renewal_wanted = renewal_wanted_};
    };
    streams.executor = &executor_;
    streams.clock = &clock_;
    streams.registry = &registry_;
    streams.metrics = &rpc_metrics_;
    streams.exchanges = &exchanges_;
    streams.max_unanswered = kWindow;
    ClusterService::Options options;
    options.calls = &calls_;
    options.streams = streams;
    options.reports = &desk_;
    options.max_reports_per_cluster = kShare;
    options.heartbeats = {.presence = &presence_,
                          .interval = absl::Seconds(60)};
    service_ = std::make_unique<ClusterService>(std::move(options));
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(
        "127.0.0.1:0", grpc::experimental::LocalServerCredentials(LOCAL_TCP),
        &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    channel_ =
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                            grpc::experimental::LocalCredentials(LOCAL_TCP));
    stub_ = v1::ClusterService::NewStub(channel_);
  }

  void TearDown() override {
    store_.Release();
    registry_.Drain();
    server_->Shutdown(absl::ToChronoTime(RealClock().Now() + absl::Seconds(5)));
    executor_.Shutdown();
    fake_.Stop();
  }

  void SetIdentity(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    identity_ = std::move(status);
  }

  // Who opens the next streams.
  void SetCaller(const std::string& cluster_id) {
    absl::MutexLock lock(&mutex_);
    caller_ = cluster_id;
  }

  static v1::StreamReportsRequest Hello(const std::string& cluster = "c-1") {
    v1::StreamReportsRequest request;
    v1::Hello* hello = request.mutable_hello();
    hello->set_cluster_id(cluster);
    hello->set_agent_instance_id("agent-1");
    for (v1::Lane lane : {v1::LANE_BILLING, v1::LANE_EVENTS, v1::LANE_HEALTH}) {
      v1::LaneEpoch* epoch = hello->add_epochs();
      epoch->set_lane(lane);
      epoch->set_epoch(1);
    }
    return request;
  }

  v1::StreamReportsRequest Usage(uint64_t sequence, int64_t sessions = 120) {
    v1::StreamReportsRequest request;
    v1::ReportEnvelope* report = request.mutable_report();
    report->set_lane(v1::LANE_BILLING);
    report->set_epoch(1);
    report->set_sequence(sequence);
    *report->mutable_created_at() = ToProto(clock_.Now());
    v1::Consumption* consumption = report->mutable_consumption();
    consumption->set_cluster_id("c-1");
    *consumption->mutable_time_frame()->mutable_start() = ToProto(hour_);
    *consumption->mutable_time_frame()->mutable_end() =
        ToProto(hour_ + absl::Hours(1));
    v1::EnvironmentConsumption* e = consumption->add_environments();
    e->set_environment_id("env-1");
    e->set_rum_sessions(sessions);
    return request;
  }

  static v1::StreamHeartbeatsRequest Beat(const std::string& instance = "") {
    v1::StreamHeartbeatsRequest beat;
    beat.set_cluster_id("c-1");
    beat.set_node_id("node-1");
    beat.set_source_type(v1::SOURCE_TYPE_SERVER);
    beat.set_agent_instance_id(instance);
    return beat;
  }

  std::unique_ptr<Reports> OpenReports(grpc::ClientContext& context) {
    Bound(context);
    std::unique_ptr<Reports> stream = stub_->StreamReports(&context);
    v1::StreamReportsResponse response;
    EXPECT_TRUE(stream->Write(Hello()));
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_welcome()) << response.DebugString();
    return stream;
  }

  // Sends messages as they are, and returns the answers and the end.
  absl::Status Exchange(const std::vector<v1::StreamReportsRequest>& requests,
                        std::vector<v1::StreamReportsResponse>* answers) {
    grpc::ClientContext context;
    Bound(context);
    std::unique_ptr<Reports> stream = stub_->StreamReports(&context);
    for (const v1::StreamReportsRequest& request : requests) {
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    v1::StreamReportsResponse response;
    while (stream->Read(&response)) answers->push_back(response);
    return FromGrpc(stream->Finish());
  }

  static v1::ReportReceipt ReadReceipt(Reports& stream) {
    v1::StreamReportsResponse response;
    EXPECT_TRUE(stream.Read(&response));
    EXPECT_TRUE(response.has_receipt()) << response.DebugString();
    return response.receipt();
  }

  // A test that hangs fails in the end.
  static void Bound(grpc::ClientContext& context) {
    context.set_deadline(
        absl::ToChronoTime(RealClock().Now() + absl::Seconds(30)));
  }

  int64_t StoredSessions() {
    int64_t sessions = -1;
    EXPECT_TRUE(fake_
                    .Read([&](Reader& reader) -> absl::Status {
                      auto sums =
                          reader.SumUsage("license-1", "", absl::InfinitePast(),
                                          absl::InfiniteFuture());
                      if (!sums.ok()) return sums.status();
                      sessions = sums->rum_sessions;
                      return absl::OkStatus();
                    })
                    .ok());
    return sessions;
  }

  // 2026-11-21T10:00:00Z.
  const absl::Time hour_ = absl::FromUnixSeconds(1'795'255'200);
  SimulatedClock clock_{hour_};
  FakeStore fake_;
  HeldStore store_{&fake_};
  Executor executor_{2, 100};
  Metrics metrics_;
  RpcMetrics rpc_metrics_{&metrics_};
  ExchangeLog exchanges_{{.store = &store_}};
  Presence presence_{{.store = &store_, .on_clone = nullptr}};
  DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  ReportDesk desk_{{.store = &store_,
                    .signer = &signer_,
                    .clock = &clock_,
                    .on_conflict = nullptr}};
  Guard guard_{{}};
  CallRunner calls_{{.executor = &executor_,
                     .guard = &guard_,
                     .metrics = &rpc_metrics_,
                     .exchanges = &exchanges_,
                     .clock = &clock_}};
  StreamRegistry registry_{[this](std::string_view cluster_id) {
    return presence_.CloneSuspected(cluster_id, clock_.Now());
  }};
  absl::Mutex mutex_;
  absl::Status identity_ ABSL_GUARDED_BY(mutex_);
  std::string caller_ ABSL_GUARDED_BY(mutex_) = "c-1";
  bool remote_ui_ ABSL_GUARDED_BY(mutex_) = false;
  std::string renewing_ ABSL_GUARDED_BY(mutex_);
  bool renewal_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time not_after_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::unique_ptr<ClusterService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ClusterService::Stub> stub_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_STREAMS_FIXTURE_H_
