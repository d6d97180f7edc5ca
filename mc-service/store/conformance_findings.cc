// Findings and gaps.
#include <gmock/gmock.h>

#include "mc-service/store/conformance.h"

namespace mc::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kNotFound = absl::StatusCode::kNotFound;

// `seconds` after some moment.
absl::Time Later(int64_t seconds) {
  return absl::FromUnixSeconds(1'777'888'800 + seconds);
}

Sighting MakeSighting(const std::string& cluster_id, v1::FindingKind kind,
                      const std::string& subject, int64_t at) {
  Sighting sighting;
  sighting.key = {cluster_id, kind, subject};
  sighting.message = "about " + subject;
  sighting.at = Later(at);
  return sighting;
}

void Raise(Store& store, const Sighting& sighting) {
  const absl::Status raised =
      store.WriteAndWait([&](Writer& w) { return w.RaiseFinding(sighting); });
  EXPECT_TRUE(raised.ok()) << raised;
}

std::vector<StoredFinding> List(Store& store, const FindingFilter& filter) {
  std::vector<StoredFinding> findings;
  const absl::Status read = store.Read([&](Reader& r) -> absl::Status {
    auto listed = r.ListFindings(filter, {});
    if (listed.ok()) findings = std::move(listed->items);
    return listed.status();
  });
  EXPECT_TRUE(read.ok()) << read;
  return findings;
}

// Opened at `first`.
SequenceGap MakeGap(const std::string& cluster_id, uint64_t first,
                    uint64_t last, TimeSpan time_frame) {
  SequenceGap gap;
  gap.cluster_id = cluster_id;
  gap.epoch = 7;
  gap.first = first;
  gap.last = last;
  gap.origin = first;
  gap.opened_at = Later(static_cast<int64_t>(first));
  gap.time_frame = time_frame;
  return gap;
}

void Put(Store& store, const SequenceGap& gap) {
  const absl::Status put =
      store.WriteAndWait([&](Writer& w) { return w.PutGap(gap); });
  EXPECT_TRUE(put.ok()) << put;
}

// `first` of each.
std::vector<uint64_t> Firsts(Store& store, const GapFilter& filter) {
  std::vector<uint64_t> firsts;
  const absl::Status read = store.Read([&](Reader& r) -> absl::Status {
    const auto gaps = r.OpenGaps(filter, {});
    if (!gaps.ok()) return gaps.status();
    for (const SequenceGap& gap : gaps->items) firsts.push_back(gap.first);
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read;
  return firsts;
}

}  // namespace

TEST_P(StoreConformance, FindingThatIsSeenAgainIsCounted) {
  AddFleet();
  Sighting first = MakeSighting("c1", v1::FINDING_KIND_REPORT_CONFLICT, "a", 5);
  first.time_frame = TimeSpan{Later(0), Later(3600)};
  Raise(*store_, first);
  Sighting second = first;
  second.severity = v1::SEVERITY_SEVERE;
  second.message = "again";
  second.time_frame = TimeSpan{Later(60), absl::InfiniteFuture()};
  second.at = Later(9);
  Raise(*store_, second);
  const auto findings = List(*store_, {});
  ASSERT_EQ(findings.size(), 1u);
  const StoredFinding& finding = findings[0];
  EXPECT_FALSE(finding.id.empty());
  EXPECT_EQ(finding.last.key.cluster_id, "c1");
  EXPECT_EQ(finding.last.key.kind, v1::FINDING_KIND_REPORT_CONFLICT);
  EXPECT_EQ(finding.last.key.subject, "a");
  EXPECT_EQ(finding.last.severity, v1::SEVERITY_SEVERE);
  EXPECT_EQ(finding.last.message, "again");
  EXPECT_EQ(finding.last.time_frame, second.time_frame);
  EXPECT_EQ(finding.first_at, Later(5));
  EXPECT_EQ(finding.last.at, Later(9));
  EXPECT_EQ(finding.count, 2);
  EXPECT_EQ(finding.closed_at, std::nullopt);
}

TEST_P(StoreConformance, FindingsDifferByClusterKindAndSubject) {
  AddFleet();
  Raise(*store_, MakeSighting("c1", v1::FINDING_KIND_REPORT_CONFLICT, "a", 1));
  Raise(*store_, MakeSighting("c2", v1::FINDING_KIND_REPORT_CONFLICT, "a", 1));
  Raise(*store_, MakeSighting("c1", v1::FINDING_KIND_SEQUENCE_GAP, "a", 1));
  Raise(*store_, MakeSighting("c1", v1::FINDING_KIND_REPORT_CONFLICT, "b", 1));
  EXPECT_EQ(List(*store_, {}).size(), 4u);
  EXPECT_EQ(List(*store_, {.cluster_id = "c1"}).size(), 3u);
  EXPECT_EQ(List(*store_, {.kind = v1::FINDING_KIND_SEQUENCE_GAP}).size(), 1u);
  EXPECT_THAT(List(*store_, {.cluster_id = "c9"}), IsEmpty());
  EXPECT_EQ(List(*store_, {})[0].last.time_frame, std::nullopt);
  EXPECT_EQ(Write([](Writer& w) {
              return w.RaiseFinding(
                  MakeSighting("c9", v1::FINDING_KIND_SEQUENCE_GAP, "a", 1));
            }).code(),
            kNotFound);
}

TEST_P(StoreConformance, ClosedFindingThatComesBackIsAnother) {
  AddFleet();
  const Sighting sighting =
      MakeSighting("c1", v1::FINDING_KIND_SEQUENCE_GAP, "a", 1);
  const auto close = [&](int64_t at) {
    WriteOk([&](Writer& w) { return w.CloseFinding(sighting.key, Later(at)); });
  };
  close(1);  // There is none.
  Raise(*store_, sighting);
  close(2);
  close(3);  // It was closed before.
  EXPECT_THAT(List(*store_, {}), IsEmpty());
  Raise(*store_, sighting);
  const auto findings = List(*store_, {.include_closed = true});
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].closed_at, std::nullopt);
  EXPECT_EQ(findings[0].count, 1);
  EXPECT_EQ(findings[1].closed_at, Later(2));
  EXPECT_NE(findings[0].id, findings[1].id);
}

TEST_P(StoreConformance, PagesOfFindingsAreNewestFirst) {
  AddFleet();
  int count = 0;
  const auto add = [&] {
    ++count;
    Raise(*store_, MakeSighting(count % 2 == 0 ? "c1" : "c2",
                                v1::FINDING_KIND_USAGE_OVERLAP,
                                std::to_string(count), 1));
  };
  for (int i = 0; i < 5; ++i) add();
  const auto name = [](const StoredFinding& finding) {
    return finding.last.key.subject;
  };
  EXPECT_THAT(
      Walk([](Reader& r, const Page& page) { return r.ListFindings({}, page); },
           name, add),
      ElementsAre("5", "4", "3", "2", "1"));
  EXPECT_THAT(Walk(
                  [](Reader& r, const Page& page) {
                    return r.ListFindings({.cluster_id = "c1"}, page);
                  },
                  name, [] {}),
              ElementsAre("6", "4", "2"));
}

TEST_P(StoreConformance, GapIsFoundByEachOfItsSequences) {
  AddFleet();
  SequenceGap gap = MakeGap("c1", 3, 5, {Later(0), Later(60)});
  gap.origin = 2;
  Put(*store_, gap);
  Put(*store_, MakeGap("c1", 9, 9, {}));
  const auto find = [&](const std::string& cluster, uint64_t epoch,
                        uint64_t sequence) {
    return Read([&](Reader& r) { return r.FindGap(cluster, epoch, sequence); });
  };
  for (uint64_t sequence : {3, 4, 5}) {
    const auto found = find("c1", 7, sequence);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->cluster_id, "c1");
    EXPECT_EQ(found->epoch, 7u);
    EXPECT_EQ(found->first, 3u);
    EXPECT_EQ(found->last, 5u);
    EXPECT_EQ(found->origin, 2u);
    EXPECT_EQ(found->opened_at, gap.opened_at);
    EXPECT_EQ(found->time_frame, gap.time_frame);
    EXPECT_FALSE(found->raised);
  }
  const auto open = find("c1", 7, 9);
  ASSERT_TRUE(open.ok()) << open.status();
  EXPECT_EQ(open->time_frame, TimeSpan());
  for (uint64_t sequence : {2, 6, 8, 10}) {
    EXPECT_EQ(find("c1", 7, sequence).status().code(), kNotFound);
  }
  EXPECT_EQ(find("c1", 8, 4).status().code(), kNotFound);
  EXPECT_EQ(find("c2", 7, 4).status().code(), kNotFound);
}

TEST_P(StoreConformance, GapIsReplacedAndRemovedByItsFirstSequence) {
  AddFleet();
  SequenceGap gap = MakeGap("c1", 3, 5, {});
  Put(*store_, gap);
  gap.last = 3;
  gap.raised = true;
  Put(*store_, gap);
  SequenceGap rest = MakeGap("c1", 5, 5, {});
  rest.origin = 3;
  Put(*store_, rest);
  const auto count = [&](uint64_t origin) {
    return Read([&](Reader& r) { return r.CountGaps("c1", 7, origin); });
  };
  EXPECT_EQ(count(3).value_or(-1), 2);
  EXPECT_EQ(count(5).value_or(-1), 0);
  const auto read = Read([](Reader& r) { return r.FindGap("c1", 7, 3); });
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->raised);
  WriteOk([](Writer& w) { return w.RemoveGap("c1", 7, 3); });
  WriteOk([](Writer& w) { return w.RemoveGap("c1", 7, 4); });
  EXPECT_THAT(Firsts(*store_, {}), ElementsAre(5));
  EXPECT_EQ(count(3).value_or(-1), 1);
}

TEST_P(StoreConformance, GapNeedsItsClusterAndARange) {
  AddFleet();
  const auto put = [&](const SequenceGap& gap) {
    return Write([&](Writer& w) { return w.PutGap(gap); }).code();
  };
  EXPECT_EQ(put(MakeGap("c9", 3, 5, {})), kNotFound);
  EXPECT_EQ(put(MakeGap("c1", 0, 5, {})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(put(MakeGap("c1", 3, 2, {})), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, GapsAreListedByClusterLicenseAndTime) {
  AddFleet();
  Put(*store_, MakeGap("c1", 1, 1, {Later(0), Later(10)}));
  Put(*store_, MakeGap("c2", 2, 2, {Later(10), Later(20)}));
  Put(*store_, MakeGap("c3", 3, 3, {absl::InfinitePast(), Later(5)}));
  SequenceGap raised = MakeGap("c3", 4, 4, {Later(15), absl::InfiniteFuture()});
  raised.raised = true;
  Put(*store_, raised);
  EXPECT_THAT(Firsts(*store_, {}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Firsts(*store_, {.cluster_id = "c3"}), ElementsAre(3, 4));
  EXPECT_THAT(Firsts(*store_, {.license_id = "l1"}), ElementsAre(1, 2));
  EXPECT_THAT(Firsts(*store_, {.license_id = "l9"}), IsEmpty());
  EXPECT_THAT(Firsts(*store_, {.from = Later(10)}), ElementsAre(2, 4));
  EXPECT_THAT(Firsts(*store_, {.to = Later(10)}), ElementsAre(1, 3));
  EXPECT_THAT(Firsts(*store_, {.from = Later(5), .to = Later(11)}),
              ElementsAre(1, 2));
  // Opened at 1, 2, 3 and 4.
  EXPECT_THAT(Firsts(*store_, {.unraised_before = Later(3)}),
              ElementsAre(1, 2));
  EXPECT_THAT(Firsts(*store_, {.unraised_before = Later(9)}),
              ElementsAre(1, 2, 3));
  const auto name = [](const SequenceGap& gap) {
    return std::to_string(gap.first);
  };
  EXPECT_THAT(
      Walk([](Reader& r, const Page& page) { return r.OpenGaps({}, page); },
           name, [] {}),
      ElementsAre("1", "2", "3", "4"));
}

TEST_P(StoreConformance, TimeFrameOfAReportIsFoundByItsKey) {
  AddFleet();
  WriteOk([](Writer& w) {
    auto open = MakeConsumption("c1", "l1", 2, Later(0), "e");
    open.consumption.mutable_time_frame()->clear_end();
    absl::Status done =
        w.InsertConsumption(MakeConsumption("c1", "l1", 1, Later(0), "e"));
    done.Update(w.InsertConsumption(open));
    return done;
  });
  const auto find = [&](const std::string& cluster, uint64_t epoch,
                        uint64_t sequence) {
    return Read([&](Reader& r) {
      return r.ConsumptionTimeFrame(cluster, epoch, sequence);
    });
  };
  EXPECT_EQ(find("c1", 7, 1).value_or(TimeSpan()),
            (TimeSpan{Later(0), Later(600)}));
  EXPECT_EQ(find("c1", 7, 2).value_or(TimeSpan()),
            (TimeSpan{Later(0), absl::InfiniteFuture()}));
  EXPECT_EQ(find("c1", 7, 3).status().code(), kNotFound);
  EXPECT_EQ(find("c1", 8, 1).status().code(), kNotFound);
  EXPECT_EQ(find("c2", 7, 1).status().code(), kNotFound);
}

}  // namespace mc::service
