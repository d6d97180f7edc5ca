#include "mc-service/api/heartbeats_stream.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "mc-service/api/streams_fixture.h"

namespace mc::service {
namespace {

TEST_F(StreamsTest, BeatsAreAnsweredAndCounted) {
  grpc::ClientContext context;
  Bound(context);
  std::unique_ptr<Heartbeats> stream = stub_->StreamHeartbeats(&context);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Write(Beat()));
    v1::StreamHeartbeatsResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_FALSE(response.remote_ui_requested());
    EXPECT_EQ(response.websocket_urls_size(), 0);
    EXPECT_EQ(response.pacing().next_interval().seconds(), 60);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  absl::Notification flushed;
  presence_.Flush(clock_.Now(), [&](absl::Status) { flushed.Notify(); });
  flushed.WaitForNotification();
  ASSERT_TRUE(fake_
                  .Read([](Reader& reader) -> absl::Status {
                    auto nodes = reader.ListPresence("c-1");
                    if (!nodes.ok()) return nodes.status();
                    EXPECT_EQ(nodes->size(), 1u);
                    EXPECT_EQ(nodes->at(0).heartbeats, 3);
                    return absl::OkStatus();
                  })
                  .ok());
}

TEST_F(StreamsTest, BeatsBeyondTheirShareWaitForTheNextTick) {
  const int64_t share = HeartbeatDeps().max_per_tick;
  grpc::ClientContext context;
  Bound(context);
  std::unique_ptr<Heartbeats> stream = stub_->StreamHeartbeats(&context);
  v1::StreamHeartbeatsResponse response;
  for (int64_t i = 0; i < share; ++i) {
    ASSERT_TRUE(stream->Write(Beat()));
    ASSERT_TRUE(stream->Read(&response));
  }
  ASSERT_TRUE(stream->Write(Beat()));
  absl::Notification answered;
  std::thread reader([&] {
    EXPECT_TRUE(stream->Read(&response));
    answered.Notify();
  });
  EXPECT_FALSE(
      answered.WaitForNotificationWithTimeout(absl::Milliseconds(100)));
  registry_.TickAll();
  reader.join();
}

TEST_F(StreamsTest, BeatThatIsNotValidEndsTheCall) {
  const struct {
    std::string name;
    v1::ErrorReason reason;
    std::function<void(v1::StreamHeartbeatsRequest&)> spoil;
  } cases[] = {
      {"no node", v1::ERROR_REASON_INVALID_FIELD,
       [](auto& beat) { beat.clear_node_id(); }},
      {"bad node", v1::ERROR_REASON_INVALID_FIELD,
       [](auto& beat) { beat.set_node_id("a b"); }},
      {"no source", v1::ERROR_REASON_INVALID_FIELD,
       [](auto& beat) { beat.clear_source_type(); }},
      {"no cluster", v1::ERROR_REASON_INVALID_FIELD,
       [](auto& beat) { beat.clear_cluster_id(); }},
      {"another cluster", v1::ERROR_REASON_IDENTITY_MISMATCH,
       [](auto& beat) { beat.set_cluster_id("c-2"); }},
  };
  for (const auto& c : cases) {
    grpc::ClientContext context;
    Bound(context);
    std::unique_ptr<Heartbeats> stream = stub_->StreamHeartbeats(&context);
    v1::StreamHeartbeatsRequest beat = Beat();
    c.spoil(beat);
    stream->Write(beat);
    v1::StreamHeartbeatsResponse response;
    EXPECT_FALSE(stream->Read(&response)) << c.name;
    EXPECT_EQ(ReasonOf(FromGrpc(stream->Finish())), c.reason) << c.name;
  }
}

TEST_F(StreamsTest, NewerHeartbeatStreamSupersedesTheOlder) {
  grpc::ClientContext older_context, newer_context;
  Bound(older_context);
  Bound(newer_context);
  v1::StreamHeartbeatsResponse response;
  std::unique_ptr<Heartbeats> older = stub_->StreamHeartbeats(&older_context);
  ASSERT_TRUE(older->Write(Beat()));
  ASSERT_TRUE(older->Read(&response));
  std::unique_ptr<Heartbeats> newer = stub_->StreamHeartbeats(&newer_context);
  ASSERT_TRUE(newer->Write(Beat()));
  ASSERT_TRUE(newer->Read(&response));
  EXPECT_FALSE(older->Read(&response));
  const absl::Status status = FromGrpc(older->Finish());
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_SUPERSEDED);
  ASSERT_TRUE(newer->Write(Beat()));
  EXPECT_TRUE(newer->Read(&response));
}

TEST_F(StreamsTest, AgentsThatTakeTurnsAreToldThatOneIsAClone) {
  std::vector<v1::ErrorReason> ends;
  std::unique_ptr<grpc::ClientContext> contexts[5];
  std::unique_ptr<Heartbeats> last;
  v1::StreamHeartbeatsResponse response;
  for (int i = 0; i < 5; ++i) {
    contexts[i] = std::make_unique<grpc::ClientContext>();
    Bound(*contexts[i]);
    auto stream = stub_->StreamHeartbeats(contexts[i].get());
    ASSERT_TRUE(stream->Write(Beat(i % 2 == 0 ? "agent-1" : "agent-2")));
    ASSERT_TRUE(stream->Read(&response));
    if (last != nullptr) {
      EXPECT_FALSE(last->Read(&response));
      const absl::Status end = FromGrpc(last->Finish());
      EXPECT_TRUE(absl::IsAborted(end));
      ends.push_back(ReasonOf(end));
    }
    last = std::move(stream);
  }
  last->WritesDone();
  EXPECT_TRUE(last->Finish().ok());
  // The first coming back is what tells them from a restart.
  EXPECT_EQ(ends, (std::vector<v1::ErrorReason>{
                      v1::ERROR_REASON_SUPERSEDED, v1::ERROR_REASON_SUPERSEDED,
                      v1::ERROR_REASON_CLONE_SUSPECTED,
                      v1::ERROR_REASON_CLONE_SUSPECTED}));
}

TEST_F(StreamsTest, RevokedIdentityEndsTheOpenStream) {
  grpc::ClientContext context;
  Bound(context);
  std::unique_ptr<Heartbeats> stream = stub_->StreamHeartbeats(&context);
  v1::StreamHeartbeatsResponse response;
  ASSERT_TRUE(stream->Write(Beat()));
  ASSERT_TRUE(stream->Read(&response));
  SetIdentity(absl::UnavailableError("the store is away"));
  clock_.Advance(absl::Seconds(31));
  ASSERT_TRUE(stream->Write(Beat()));
  ASSERT_TRUE(stream->Read(&response)) << "that says nothing against it";
  SetIdentity(Error(absl::StatusCode::kPermissionDenied,
                    v1::ERROR_REASON_IDENTITY_REVOKED, "revoked"));
  clock_.Advance(absl::Seconds(31));
  while (stream->Write(Beat()) && stream->Read(&response)) {
  }
  EXPECT_EQ(ReasonOf(FromGrpc(stream->Finish())),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

// Both kinds, for a minute, without a word of the peer.
TEST_F(StreamsTest, SilentStreamsOfAnEndedIdentityEndWithinAMinute) {
  for (const bool expired : {true, false}) {
    {
      absl::MutexLock lock(&mutex_);
      identity_ = absl::OkStatus();
      not_after_ = absl::InfiniteFuture();
    }
    grpc::ClientContext reports_context, beats_context;
    Bound(beats_context);
    std::unique_ptr<Reports> reports = OpenReports(reports_context);
    std::unique_ptr<Heartbeats> beats = stub_->StreamHeartbeats(&beats_context);
    v1::StreamHeartbeatsResponse beat_answer;
    ASSERT_TRUE(beats->Write(Beat()));
    ASSERT_TRUE(beats->Read(&beat_answer));
    if (expired) {
      absl::MutexLock lock(&mutex_);
      not_after_ = clock_.Now();
    } else {
      absl::MutexLock lock(&mutex_);
      identity_ = Error(absl::StatusCode::kPermissionDenied,
                        v1::ERROR_REASON_IDENTITY_REVOKED, "revoked");
    }
    for (int i = 0; i < 12; ++i) {
      clock_.Advance(absl::Seconds(5));
      registry_.TickAll();
    }
    v1::StreamReportsResponse answer;
    EXPECT_FALSE(reports->Read(&answer));
    EXPECT_FALSE(beats->Read(&beat_answer));
    for (const absl::Status& status :
         {FromGrpc(reports->Finish()), FromGrpc(beats->Finish())}) {
      EXPECT_TRUE(absl::IsPermissionDenied(status));
      EXPECT_EQ(ReasonOf(status), expired ? v1::ERROR_REASON_MUST_RECOVER
                                          : v1::ERROR_REASON_IDENTITY_REVOKED);
    }
  }
}

TEST_F(StreamsTest, ClockThatIsSetBackKeepsNobodyIn) {
  grpc::ClientContext context;
  Bound(context);
  std::unique_ptr<Heartbeats> stream = stub_->StreamHeartbeats(&context);
  v1::StreamHeartbeatsResponse response;
  ASSERT_TRUE(stream->Write(Beat()));
  ASSERT_TRUE(stream->Read(&response));
  SetIdentity(Error(absl::StatusCode::kPermissionDenied,
                    v1::ERROR_REASON_IDENTITY_REVOKED, "revoked"));
  clock_.SetNow(clock_.Now() - absl::Hours(1));
  clock_.Advance(absl::Seconds(30));
  registry_.TickAll();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(FromGrpc(stream->Finish())),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(StreamsTest, AdoptedAgentIsAskedToRenewWithoutABeat) {
  grpc::ClientContext context;
  Bound(context);
  std::unique_ptr<Heartbeats> stream = stub_->StreamHeartbeats(&context);
  v1::StreamHeartbeatsResponse response;
  ASSERT_TRUE(stream->Write(Beat("agent-1")));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.directives_size(), 0);
  {
    absl::MutexLock lock(&mutex_);
    renewing_ = "agent-1";
  }
  clock_.Advance(absl::Seconds(30));
  registry_.TickAll();
  for (const bool unasked : {true, false}) {
    if (!unasked) {
      ASSERT_TRUE(stream->Write(Beat("agent-1")));
    }
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.directives_size(), 1) << unasked;
    EXPECT_EQ(response.directives(0)
                  .certificate_renewal_requested()
                  .agent_instance_id(),
              "agent-1");
  }
  // One whose password is not known is asked whoever it is.
  {
    absl::MutexLock lock(&mutex_);
    renewing_.clear();
    renewal_wanted_ = true;
  }
  clock_.Advance(absl::Seconds(30));
  registry_.TickAll();
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.directives_size(), 0);
  ASSERT_TRUE(stream->Write(Beat("agent-1")));
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.directives_size(), 1);
}

TEST_F(StreamsTest, DrainTellsBothStreamsToReconnect) {
  grpc::ClientContext reports_context, beats_context;
  Bound(beats_context);
  std::unique_ptr<Reports> reports = OpenReports(reports_context);
  std::unique_ptr<Heartbeats> beats = stub_->StreamHeartbeats(&beats_context);
  v1::StreamHeartbeatsResponse beat_answer;
  ASSERT_TRUE(beats->Write(Beat()));
  ASSERT_TRUE(beats->Read(&beat_answer));
  EXPECT_EQ(registry_.Count(StreamKind::kReports), 1u);
  EXPECT_EQ(registry_.Count(StreamKind::kHeartbeats), 1u);
  registry_.Drain();
  v1::StreamReportsResponse answer;
  EXPECT_FALSE(reports->Read(&answer));
  EXPECT_FALSE(beats->Read(&beat_answer));
  for (const absl::Status& status :
       {FromGrpc(reports->Finish()), FromGrpc(beats->Finish())}) {
    EXPECT_TRUE(absl::IsUnavailable(status));
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_OVERLOADED);
  }
}

TEST_F(StreamsTest, UploadIsNotSupportedYet) {
  grpc::ClientContext context;
  Bound(context);
  v1::UploadDiagnosticsResponse response;
  auto upload = stub_->UploadDiagnostics(&context, &response);
  const absl::Status status = FromGrpc(upload->Finish());
  EXPECT_TRUE(absl::IsUnimplemented(status));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NOT_SUPPORTED_YET);
}

}  // namespace
}  // namespace mc::service
