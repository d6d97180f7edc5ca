#include "mc-service/domain/presence/presence.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "mc-service/domain/testing/held_store.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

class PresenceTest : public testing::Test {
 protected:
  PresenceTest() {
    EXPECT_TRUE(Seed(fake_, SeedLicense(now_), {"c-1", "c-2"}).ok());
  }

  absl::Status Beat(const std::string& cluster, const std::string& node) {
    return presence_.Beat(cluster, node, v1::SOURCE_TYPE_SERVER,
                          now_ += absl::Seconds(1));
  }

  absl::Status Flush() {
    absl::Status status;
    absl::Notification flushed;
    presence_.Flush(now_, [&](absl::Status s) {
      status = std::move(s);
      flushed.Notify();
    });
    flushed.WaitForNotification();
    return status;
  }

  std::vector<NodePresence> Stored(const std::string& cluster) {
    std::vector<NodePresence> nodes;
    EXPECT_TRUE(store_
                    .Read([&](Reader& reader) -> absl::Status {
                      auto rows = reader.ListPresence(cluster);
                      if (!rows.ok()) return rows.status();
                      nodes = *rows;
                      return absl::OkStatus();
                    })
                    .ok());
    return nodes;
  }

  absl::Time CloneSuspectedAt(const std::string& cluster) {
    absl::Time at;
    EXPECT_TRUE(store_
                    .Read([&](Reader& reader) -> absl::Status {
                      auto overview = reader.GetClusterOverview(cluster);
                      if (!overview.ok()) return overview.status();
                      at = overview->clone_suspected_at;
                      return absl::OkStatus();
                    })
                    .ok());
    return at;
  }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::vector<std::string> clones_;
  FakeStore fake_;
  HeldStore store_{&fake_};
  Presence presence_{
      {.store = &store_,
       .max_nodes_per_cluster = 3,
       .forget_after = absl::Hours(1),
       .clone_window = absl::Minutes(3),
       .on_clone = [this](std::string_view cluster, std::string_view instance,
                          std::string_view other) {
         clones_.push_back(std::string(cluster) + " " + std::string(instance) +
                           " " + std::string(other));
       }}};
};

TEST_F(PresenceTest, ClonesAreToldOnceAndTheirTimeIsWritten) {
  ASSERT_TRUE(Beat("c-1", "n-1").ok());
  presence_.Speaks("c-1", "a", now_);
  presence_.Speaks("c-2", "a", now_);
  presence_.Speaks("c-1", "b", now_);
  EXPECT_FALSE(presence_.CloneSuspected("c-1", now_));
  presence_.Speaks("c-1", "a", now_);
  presence_.Speaks("c-1", "b", now_ + absl::Seconds(1));
  EXPECT_EQ(clones_, std::vector<std::string>{"c-1 a b"});
  EXPECT_TRUE(presence_.CloneSuspected("c-1", now_));
  EXPECT_FALSE(presence_.CloneSuspected("c-2", now_));
  store_.FailCommits(absl::UnavailableError("disk full"));
  EXPECT_FALSE(Flush().ok());
  store_.FailCommits(absl::OkStatus());
  ASSERT_TRUE(Flush().ok());
  EXPECT_EQ(CloneSuspectedAt("c-1"), now_ + absl::Seconds(1));
  EXPECT_EQ(CloneSuspectedAt("c-2"), absl::InfinitePast());
  EXPECT_EQ(Stored("c-1").at(0).agent_instance_id, "b");
}

TEST_F(PresenceTest, BeatsAreWrittenByFlushAndAdded) {
  ASSERT_TRUE(Beat("c-1", "n-1").ok());
  ASSERT_TRUE(Beat("c-1", "n-1").ok());
  EXPECT_TRUE(Stored("c-1").empty());
  ASSERT_TRUE(Flush().ok());
  ASSERT_TRUE(Beat("c-1", "n-1").ok());
  ASSERT_TRUE(Flush().ok());
  const std::vector<NodePresence> nodes = Stored("c-1");
  ASSERT_EQ(nodes.size(), 1u);
  EXPECT_EQ(nodes[0].heartbeats, 3);
  EXPECT_EQ(nodes[0].last_heartbeat_at, now_);
  EXPECT_TRUE(Stored("c-2").empty());
}

TEST_F(PresenceTest, FailedFlushKeepsTheCounts) {
  ASSERT_TRUE(Beat("c-1", "n-1").ok());
  store_.FailCommits(absl::UnavailableError("disk full"));
  EXPECT_FALSE(Flush().ok());
  store_.FailCommits(absl::OkStatus());
  store_.Refuse(true);
  EXPECT_FALSE(Flush().ok());
  store_.Refuse(false);
  ASSERT_TRUE(Beat("c-1", "n-1").ok());
  ASSERT_TRUE(Flush().ok());
  const std::vector<NodePresence> nodes = Stored("c-1");
  ASSERT_EQ(nodes.size(), 1u);
  EXPECT_EQ(nodes[0].heartbeats, 2);
}

TEST_F(PresenceTest, NodesOfAClusterAreBoundedAndSilentOnesMakeRoom) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Beat("c-1", absl::StrCat("n-", i)).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(Beat("c-1", "n-new")));
  EXPECT_TRUE(Beat("c-1", "n-0").ok()) << "known nodes go on";
  EXPECT_TRUE(Beat("c-2", "n-new").ok()) << "other clusters go on";
  ASSERT_TRUE(Flush().ok());
  now_ += absl::Hours(2);
  ASSERT_TRUE(Flush().ok());
  EXPECT_TRUE(Beat("c-1", "n-new").ok());
}

TEST_F(PresenceTest, SourceTypesOfOneIdAreApart) {
  ASSERT_TRUE(Beat("c-1", "n-1").ok());
  ASSERT_TRUE(
      presence_.Beat("c-1", "n-1", v1::SOURCE_TYPE_ACTIVE_GATE, now_).ok());
  ASSERT_TRUE(Flush().ok());
  EXPECT_EQ(Stored("c-1").size(), 2u);
}

}  // namespace
}  // namespace mc::service
