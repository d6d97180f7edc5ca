#include "mc-service/api/reports_stream.h"

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/crypto/digest.h"
#include "common/rpc/byte_buffer.h"
#include "mc-service/api/streams_fixture.h"

namespace mc::service {
namespace {

TEST_F(StreamsTest, FirstMessageIsHelloAndOnlyTheFirst) {
  std::vector<v1::StreamReportsResponse> answers;
  absl::Status status = Exchange({Usage(1)}, &answers);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_HELLO_EXPECTED);
  EXPECT_TRUE(answers.empty());
  status = Exchange({Hello(), Hello()}, &answers);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_HELLO_EXPECTED);
  EXPECT_EQ(StoredSessions(), 0);
}

TEST_F(StreamsTest, EachReportIsAnsweredThenTheCallEndsWell) {
  std::vector<v1::StreamReportsResponse> answers;
  std::vector<v1::StreamReportsRequest> requests = {Hello()};
  for (int i = 1; i <= 50; ++i) requests.push_back(Usage(i, 1));
  ASSERT_TRUE(Exchange(requests, &answers).ok());
  ASSERT_EQ(answers.size(), 51u);
  EXPECT_TRUE(answers[0].has_welcome());
  for (int i = 1; i <= 50; ++i) {
    EXPECT_TRUE(answers[i].receipt().has_consumption())
        << answers[i].DebugString();
  }
  EXPECT_EQ(StoredSessions(), 50);
}

TEST_F(StreamsTest, ReceiptComesOnlyAfterTheCommit) {
  grpc::ClientContext context;
  std::unique_ptr<Reports> stream = OpenReports(context);
  store_.Hold();
  ASSERT_TRUE(stream->Write(Usage(1)));
  store_.WaitForHeld(1);
  // This one is answered without the store, for it has no event: it overtakes
  // the first.
  v1::StreamReportsRequest events;
  events.mutable_report()->set_lane(v1::LANE_EVENTS);
  events.mutable_report()->set_epoch(1);
  events.mutable_report()->set_sequence(9);
  *events.mutable_report()->mutable_created_at() = ToProto(clock_.Now());
  events.mutable_report()->mutable_cluster_events()->set_cluster_id("c-1");
  ASSERT_TRUE(stream->Write(events));
  const v1::ReportReceipt overtaking = ReadReceipt(*stream);
  EXPECT_EQ(overtaking.sequence(), 9u);
  EXPECT_EQ(overtaking.rejection().reason(), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(StoredSessions(), 0);
  store_.Release();
  const v1::ReportReceipt receipt = ReadReceipt(*stream);
  EXPECT_TRUE(receipt.has_consumption());
  EXPECT_EQ(StoredSessions(), 120);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(StreamsTest, RepeatGetsItsReceiptAndOtherContentAConflict) {
  std::vector<v1::StreamReportsResponse> first;
  ASSERT_TRUE(Exchange({Hello(), Usage(1)}, &first).ok());
  std::vector<v1::StreamReportsResponse> second;
  ASSERT_TRUE(Exchange({Hello(), Usage(1), Usage(1, 999)}, &second).ok());
  ASSERT_EQ(second.size(), 3u);
  EXPECT_EQ(second[0].welcome().marks(0).highest_accepted_sequence(), 1u);
  EXPECT_EQ(second[1].SerializeAsString(), first[1].SerializeAsString());
  EXPECT_EQ(second[2].receipt().rejection().reason(),
            v1::ERROR_REASON_REPORT_CONFLICT);
  EXPECT_EQ(StoredSessions(), 120);
}

TEST_F(StreamsTest, DigestCoversTheBytesAsTheyCame) {
  std::vector<v1::StreamReportsResponse> answers;
  ASSERT_TRUE(Exchange({Hello(), Usage(1)}, &answers).ok());
  v1::ConsumptionReceiptDocument document;
  ASSERT_TRUE(document.ParseFromString(
      answers[1].receipt().signed_receipt().document()));
  EXPECT_EQ(document.report_sha256(), Sha256(Usage(1).SerializeAsString()));
}

TEST_F(StreamsTest, OtherEpochThanHellosIsRejected) {
  v1::StreamReportsRequest report = Usage(1);
  report.mutable_report()->set_epoch(2);
  std::vector<v1::StreamReportsResponse> answers;
  ASSERT_TRUE(Exchange({Hello(), report}, &answers).ok());
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].receipt().rejection().reason(),
            v1::ERROR_REASON_EPOCH_MISMATCH);
  EXPECT_FALSE(answers[1].receipt().rejection().resendable());
}

TEST_F(StreamsTest, MessageForAnotherClusterEndsTheCall) {
  std::vector<v1::StreamReportsResponse> answers;
  v1::StreamReportsRequest hello = Hello();
  hello.mutable_hello()->set_cluster_id("c-2");
  absl::Status status = Exchange({hello}, &answers);
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_IDENTITY_MISMATCH);
  v1::StreamReportsRequest report = Usage(1);
  report.mutable_report()->mutable_consumption()->set_cluster_id("c-2");
  status = Exchange({Hello(), report}, &answers);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_IDENTITY_MISMATCH);
  EXPECT_EQ(StoredSessions(), 0);
}

// Sends bytes after a proper Hello and returns the answers after Welcome.
class RawStreamsTest : public StreamsTest {
 protected:
  absl::Status Send(const std::string& bytes,
                    std::vector<v1::StreamReportsResponse>* answers) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    Bound(context);
    grpc::CompletionQueue queue;
    auto stream =
        stub.PrepareCall(&context, std::string(kStreamReports), &queue);
    stream->StartCall(nullptr);
    EXPECT_TRUE(Next(queue));
    for (const std::string& message : {Hello().SerializeAsString(), bytes}) {
      grpc::Slice slice(message);
      stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
      if (!Next(queue)) break;
    }
    stream->WritesDone(nullptr);
    (void)Next(queue);
    for (;;) {
      grpc::ByteBuffer buffer;
      stream->Read(&buffer, nullptr);
      if (!Next(queue)) break;
      WithBytes(buffer, [&](std::string_view answer) {
        v1::StreamReportsResponse response;
        EXPECT_TRUE(response.ParseFromArray(answer.data(), answer.size()));
        if (response.has_receipt()) answers->push_back(response);
      });
    }
    grpc::Status status;
    stream->Finish(&status, nullptr);
    EXPECT_TRUE(Next(queue));
    queue.Shutdown();
    while (Next(queue)) {
    }
    return FromGrpc(status);
  }

 private:
  static bool Next(grpc::CompletionQueue& queue) {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  }
};

TEST_F(RawStreamsTest, MalformedReportWithReadableKeyIsRejected) {
  std::string bytes = Usage(5).SerializeAsString();
  bytes.replace(bytes.find("env-1"), 5, "env\xff\xfe");
  std::vector<v1::StreamReportsResponse> answers;
  ASSERT_TRUE(Send(bytes, &answers).ok());
  ASSERT_EQ(answers.size(), 1u);
  const v1::ReportReceipt& receipt = answers[0].receipt();
  EXPECT_EQ(receipt.lane(), v1::LANE_BILLING);
  EXPECT_EQ(receipt.epoch(), 1u);
  EXPECT_EQ(receipt.sequence(), 5u);
  EXPECT_EQ(receipt.rejection().reason(), v1::ERROR_REASON_MALFORMED_MESSAGE);
  EXPECT_FALSE(receipt.rejection().resendable());
  EXPECT_EQ(StoredSessions(), 0);
}

TEST_F(RawStreamsTest, BytesWithoutAKeyEndTheCall) {
  std::vector<v1::StreamReportsResponse> answers;
  const absl::Status status = Send("\xff\xff\xff\xff", &answers);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_MALFORMED_MESSAGE);
  EXPECT_TRUE(answers.empty());
}

TEST_F(StreamsTest, NoMoreIsReadThanMayBeUnanswered) {
  grpc::ClientContext context;
  std::unique_ptr<Reports> stream = OpenReports(context);
  store_.Hold();
  for (size_t i = 1; i <= kWindow; ++i) ASSERT_TRUE(stream->Write(Usage(i)));
  store_.WaitForHeld(kWindow);
  // The next ones stay in the transport: another stream passes them by.
  for (size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(stream->Write(Usage(kWindow + i)));
  }
  grpc::ClientContext other_context;
  std::unique_ptr<Reports> other = OpenReports(other_context);
  ASSERT_TRUE(other->Write(Usage(100)));
  store_.WaitForHeld(kWindow + 1);
  EXPECT_EQ(store_.held(), kWindow + 1);
  store_.Release();
  for (size_t i = 1; i <= kWindow + 3; ++i) {
    EXPECT_TRUE(ReadReceipt(*stream).has_consumption());
  }
  EXPECT_TRUE(ReadReceipt(*other).has_consumption());
}

TEST_F(StreamsTest, GreedyClusterHasItsShareOverAllStreamsAndNoMore) {
  grpc::ClientContext contexts[3];
  std::unique_ptr<Reports> greedy[2] = {OpenReports(contexts[0]),
                                        OpenReports(contexts[1])};
  store_.Hold();
  for (uint64_t i = 0; i < 2 * kWindow; ++i) {
    ASSERT_TRUE(greedy[i % 2]->Write(Usage(i + 1)));
  }
  store_.WaitForHeld(kShare);
  SetCaller("c-2");
  Bound(contexts[2]);
  std::unique_ptr<Reports> modest = stub_->StreamReports(&contexts[2]);
  v1::StreamReportsResponse response;
  ASSERT_TRUE(modest->Write(Hello("c-2")));
  ASSERT_TRUE(modest->Read(&response));
  v1::StreamReportsRequest usage = Usage(1);
  usage.mutable_report()->mutable_consumption()->set_cluster_id("c-2");
  ASSERT_TRUE(modest->Write(usage));
  store_.WaitForHeld(kShare + 1);
  EXPECT_EQ(store_.held(), kShare + 1);
  store_.Release();
  EXPECT_TRUE(ReadReceipt(*modest).has_consumption());
  for (uint64_t i = 0; i < 2 * kWindow; ++i) {
    EXPECT_TRUE(ReadReceipt(*greedy[i % 2]).has_consumption());
  }
  EXPECT_EQ(StoredSessions(), (2 * kWindow + 1) * 120);
}

TEST_F(StreamsTest, PeerThatTakesNoReceiptsIsCut) {
  grpc::ClientContext context;
  Bound(context);
  std::unique_ptr<Reports> stream = stub_->StreamReports(&context);
  ASSERT_TRUE(stream->Write(Hello()));
  // Sends as long as it is read from, and reads nothing itself.
  std::thread sender([&] {
    while (stream->Write(Usage(1))) {
    }
  });
  // The clock stands still but for this: it is cut once a write has been under
  // way since an earlier tick.
  while (registry_.Count(StreamKind::kReports) == 0) std::this_thread::yield();
  while (registry_.Count(StreamKind::kReports) > 0) {
    clock_.Advance(absl::Minutes(1));
    registry_.TickAll();
    std::this_thread::yield();
  }
  // The end comes behind what was sent before it.
  v1::StreamReportsResponse response;
  while (stream->Read(&response)) {
  }
  sender.join();
  // Whether gRPC sees the reset or the failed write first.
  EXPECT_THAT(stream->Finish().error_code(),
              testing::AnyOf(grpc::StatusCode::CANCELLED,
                             grpc::StatusCode::UNAVAILABLE));
}

TEST_F(StreamsTest, PeerThatVanishesLeavesNothingBehind) {
  {
    grpc::ClientContext context;
    std::unique_ptr<Reports> stream = OpenReports(context);
    store_.Hold();
    ASSERT_TRUE(stream->Write(Usage(1)));
    store_.WaitForHeld(1);
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
  store_.Release();
  // Recorded, though nobody was there for the receipt: the repeat gets it.
  std::vector<v1::StreamReportsResponse> answers;
  ASSERT_TRUE(Exchange({Hello(), Usage(1)}, &answers).ok());
  EXPECT_TRUE(answers[1].receipt().has_consumption());
  EXPECT_EQ(StoredSessions(), 120);
}

TEST_F(StreamsTest, CallerThatIsRefusedGetsTheReason) {
  SetIdentity(Error(absl::StatusCode::kPermissionDenied,
                    v1::ERROR_REASON_IDENTITY_REVOKED, "revoked"));
  std::vector<v1::StreamReportsResponse> answers;
  const absl::Status status = Exchange({Hello()}, &answers);
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(StreamsTest, WatchersSeeReceiptsAndBeats) {
  auto watch = exchanges_.Subscribe("c-1", [] {});
  ASSERT_TRUE(watch.ok());
  std::vector<v1::StreamReportsResponse> answers;
  ASSERT_TRUE(Exchange({Hello(), Usage(1)}, &answers).ok());
  const auto record = (*watch)->Next();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->record().exchange(), v1::EXCHANGE_CONSUMPTION);
  EXPECT_EQ(record->record().result(), "OK");
  EXPECT_EQ(record->record().summary(),
            "2026-11-21T10:00Z/1h, 1 environment, 0 hosts, 120 sessions");
}

}  // namespace
}  // namespace mc::service
