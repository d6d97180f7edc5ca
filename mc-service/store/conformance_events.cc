// The clusters' events.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "mc-service/store/conformance.h"
#include "tests/support/message_filler.h"

namespace mc::service {
namespace {

using testing::Difference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MessageFiller;

StoredEvent MakeEvent(const std::string& cluster_id, const std::string& id,
                      v1::ClusterEventType type, v1::Severity severity) {
  StoredEvent stored;
  stored.cluster_id = cluster_id;
  stored.received_at = absl::FromUnixSeconds(1'777'000'000);
  stored.event.set_event_id(id);
  stored.event.set_type(type);
  stored.event.set_severity(severity);
  return stored;
}

constexpr auto kStarted = v1::CLUSTER_EVENT_TYPE_NODE_STARTED;
constexpr auto kLost = v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST;

}  // namespace

TEST_P(StoreConformance, EveryFieldOfEveryKindOfEventComesBack) {
  AddFleet();
  MessageFiller filler;
  const int kinds =
      v1::ClusterEvent::descriptor()->FindOneofByName("details")->field_count();
  for (int i = 0; i < kinds; ++i) {
    StoredEvent stored;
    stored.cluster_id = "c1";
    stored.received_at = At(i);
    filler.Fill(stored.event);
    WriteOk([&](Writer& w) { return w.InsertEvent(stored); });
    const auto listed =
        Read([](Reader& r) { return r.ListEvents({}, {.limit = 1}); });
    ASSERT_TRUE(listed.ok()) << listed.status();
    ASSERT_EQ(listed->items.size(), 1u);
    EXPECT_EQ(listed->items[0].cluster_id, "c1");
    EXPECT_EQ(listed->items[0].received_at, At(i));
    EXPECT_EQ(Difference(stored.event, listed->items[0].event), "");
  }
}

TEST_P(StoreConformance, AnEventIsStoredOnceForItsCluster) {
  AddFleet();
  const auto event = MakeEvent("c1", "e", kStarted, v1::SEVERITY_INFO);
  WriteOk([&](Writer& w) { return w.InsertEvent(event); });
  auto other = MakeEvent("c1", "e", kLost, v1::SEVERITY_SEVERE);
  EXPECT_EQ(Write([&](Writer& w) { return w.InsertEvent(other); }).code(),
            absl::StatusCode::kAlreadyExists);
  // The transaction goes on after it.
  WriteOk([&](Writer& w) {
    w.InsertEvent(other).IgnoreError();
    other.cluster_id = "c2";
    return w.InsertEvent(other);
  });
  EXPECT_EQ(
      Write([](Writer& w) {
        return w.InsertEvent(MakeEvent("c9", "e", kStarted, v1::SEVERITY_INFO));
      }).code(),
      absl::StatusCode::kNotFound);
  const auto listed = Read([](Reader& r) { return r.ListEvents({}, {}); });
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->items.size(), 2u);
  EXPECT_EQ(listed->items[1].event.type(), kStarted);
}

TEST_P(StoreConformance, EventsAreFilteredAndNewestFirst) {
  AddFleet();
  int count = 0;
  const auto add = [&](const std::string& cluster, v1::ClusterEventType type,
                       v1::Severity severity) {
    WriteOk([&](Writer& w) {
      return w.InsertEvent(
          MakeEvent(cluster, absl::StrCat("e", ++count), type, severity));
    });
  };
  add("c1", kStarted, v1::SEVERITY_INFO);
  add("c1", kLost, v1::SEVERITY_WARNING);
  add("c2", kStarted, v1::SEVERITY_SEVERE);
  add("c1", kStarted, v1::SEVERITY_SEVERE);
  add("c1", kStarted, v1::SEVERITY_INFO);
  const auto name = [](const StoredEvent& row) { return row.event.event_id(); };
  const auto walk = [&](const EventFilter& filter) {
    return Walk(
        [&](Reader& r, const Page& page) { return r.ListEvents(filter, page); },
        name, [] {});
  };
  EXPECT_THAT(walk({}), ElementsAre("e5", "e4", "e3", "e2", "e1"));
  EXPECT_THAT(walk({.cluster_id = "c1"}), ElementsAre("e5", "e4", "e2", "e1"));
  EXPECT_THAT(walk({.type = kStarted}), ElementsAre("e5", "e4", "e3", "e1"));
  EXPECT_THAT(walk({.severity = v1::SEVERITY_WARNING}),
              ElementsAre("e4", "e3", "e2"));
  EXPECT_THAT(walk({.cluster_id = "c1",
                    .type = kStarted,
                    .severity = v1::SEVERITY_SEVERE}),
              ElementsAre("e4"));
  EXPECT_THAT(walk({.cluster_id = "c9"}), IsEmpty());
  // A page goes on where it was, whatever comes meanwhile.
  EXPECT_THAT(
      Walk([](Reader& r, const Page& page) { return r.ListEvents({}, page); },
           name, [&] { add("c1", kLost, v1::SEVERITY_INFO); }),
      ElementsAre("e5", "e4", "e3", "e2", "e1"));
}

TEST_P(StoreConformance, DroppedEventsAreKeptOnceForEachRange) {
  AddFleet();
  const auto put = [&](const std::string& cluster, uint64_t first,
                       uint64_t last) {
    return Write([&](Writer& w) {
      return w.PutDroppedEvents({cluster, 7, first, last, At(1)});
    });
  };
  EXPECT_TRUE(put("c1", 1, 4).ok());
  EXPECT_TRUE(put("c1", 1, 5).ok());
  EXPECT_TRUE(put("c1", 9, 9).ok());
  EXPECT_TRUE(put("c2", 1, 1).ok());
  EXPECT_EQ(put("c9", 1, 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(put("c1", 1, uint64_t{1} << 63).code(),
            absl::StatusCode::kInvalidArgument);
  const auto name = [](const DroppedEvents& row) {
    return absl::StrCat(row.cluster_id, " ", row.epoch, " ", row.first_sequence,
                        "-", row.last_sequence);
  };
  EXPECT_THAT(
      Walk([](Reader& r,
              const Page& page) { return r.ListDroppedEvents("c1", page); },
           name, [] {}),
      ElementsAre("c1 7 1-5", "c1 7 9-9"));
  EXPECT_EQ(
      Read([](Reader& r) { return r.ListDroppedEvents("", {}); })->items.size(),
      3u);
}

}  // namespace mc::service
