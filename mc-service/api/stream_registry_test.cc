#include "mc-service/api/stream_registry.h"

#include <gtest/gtest.h>

#include "common/status/status.h"
#include "missioncontrol/v1/errors.pb.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;

struct Stream {
  absl::Status ended;
  StreamRegistry::End End() {
    return [this](const absl::Status& status) { ended = status; };
  }
};

TEST(StreamRegistry, NewerHeartbeatStreamEndsTheOlderOfItsCluster) {
  StreamRegistry registry;
  Stream older, newer, other, reports;
  ASSERT_TRUE(registry.Add(StreamKind::kReports, "c-1", reports.End()).ok());
  ASSERT_TRUE(registry.Add(StreamKind::kHeartbeats, "c-1", older.End()).ok());
  ASSERT_TRUE(registry.Add(StreamKind::kHeartbeats, "c-2", other.End()).ok());
  ASSERT_TRUE(registry.Add(StreamKind::kHeartbeats, "c-1", newer.End()).ok());
  EXPECT_TRUE(absl::IsAborted(older.ended));
  EXPECT_EQ(ReasonOf(older.ended), v1::ERROR_REASON_SUPERSEDED);
  EXPECT_TRUE(newer.ended.ok());
  EXPECT_TRUE(other.ended.ok());
  EXPECT_TRUE(reports.ended.ok());
}

TEST(StreamRegistry, DrainEndsAllAndTakesNoneAfterwards) {
  StreamRegistry registry;
  Stream first, second, late;
  ASSERT_TRUE(registry.Add(StreamKind::kReports, "c-1", first.End()).ok());
  ASSERT_TRUE(registry.Add(StreamKind::kWatch, "alice", second.End()).ok());
  registry.Drain();
  EXPECT_EQ(ReasonOf(first.ended), v1::ERROR_REASON_OVERLOADED);
  EXPECT_TRUE(absl::IsUnavailable(second.ended));
  EXPECT_NE(RetryDelayOf(first.ended), RetryDelayOf(second.ended))
      << "they come back one after the other";
  EXPECT_TRUE(absl::IsUnavailable(
      registry.Add(StreamKind::kReports, "c-1", late.End()).status()));
}

TEST(StreamRegistry, EndsTheStreamsOfOneOwner) {
  StreamRegistry registry;
  Stream first, second, other;
  ASSERT_TRUE(registry.Add(StreamKind::kReports, "c-1", first.End()).ok());
  ASSERT_TRUE(registry.Add(StreamKind::kReports, "c-1", second.End()).ok());
  ASSERT_TRUE(registry.Add(StreamKind::kReports, "c-2", other.End()).ok());
  registry.EndStreamsOf("c-1", absl::PermissionDeniedError("revoked"));
  EXPECT_TRUE(absl::IsPermissionDenied(first.ended));
  EXPECT_TRUE(absl::IsPermissionDenied(second.ended));
  EXPECT_TRUE(other.ended.ok());
}

TEST(StreamRegistry, OwnerHasAsManyStreamsOpenAsItMay) {
  StreamRegistry registry;
  Stream first, second, third;
  const auto add = [&registry](std::string_view owner, Stream& stream) {
    return registry.Add(StreamKind::kReports, owner, stream.End(), nullptr, 2);
  };
  const auto id = add("c-1", first);
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(add("c-1", second).ok());
  const absl::Status refused = add("c-1", third).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_RATE_LIMITED);
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
  EXPECT_TRUE(add("c-2", third).ok());
  EXPECT_TRUE(
      registry.Add(StreamKind::kWatch, "c-1", third.End(), nullptr, 2).ok());
  registry.Remove(*id);
  EXPECT_TRUE(add("c-1", third).ok());
}

TEST(StreamRegistry, RemovedStreamsAreForgotten) {
  StreamRegistry registry;
  Stream stream;
  const auto id = registry.Add(StreamKind::kReports, "c-1", stream.End());
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(registry.Count(StreamKind::kReports), 1u);
  EXPECT_EQ(registry.Count(StreamKind::kHeartbeats), 0u);
  registry.Remove(*id);
  registry.Remove(*id);
  EXPECT_EQ(registry.Count(StreamKind::kReports), 0u);
  registry.Drain();
  EXPECT_TRUE(stream.ended.ok());
}

}  // namespace
}  // namespace mc::service
