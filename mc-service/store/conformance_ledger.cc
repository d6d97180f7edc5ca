// What a store promises about the ledger's rows.
#include <gmock/gmock.h>

#include "mc-service/store/conformance.h"

namespace mc::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kNotFound = absl::StatusCode::kNotFound;

void WriteOk(Store& store, std::function<absl::Status(Writer&)> work) {
  const absl::Status written = store.WriteAndWait(std::move(work));
  EXPECT_TRUE(written.ok()) << written;
}

LedgerEntry Entry(const std::string& cluster, const std::string& license,
                  const UsageIdentity& identity, int64_t start_s,
                  int64_t quantity) {
  LedgerEntry entry;
  entry.license_id = license;
  entry.cluster_id = cluster;
  entry.identity = identity;
  entry.start = StoreConformance::At(start_s) + absl::Nanoseconds(1);
  entry.end = StoreConformance::At(start_s + 600);
  entry.quantity = quantity;
  entry.epoch = (uint64_t{1} << 63) | 5;
  entry.sequence = 9;
  entry.accepted_at =
      StoreConformance::At(start_s + 601) + absl::Microseconds(7);
  return entry;
}

void Put(Store& store, const LedgerEntry& entry) {
  WriteOk(store, [&](Writer& w) { return w.PutLedgerEntry(entry); });
}

UsageTotal Total(const std::string& cluster, const std::string& environment,
                 v1::Meter meter, int64_t quantity) {
  UsageTotal total;
  total.license_id = cluster == "c3" ? "l2" : "l1";
  total.cluster_id = cluster;
  total.environment_id = environment;
  total.meter = meter;
  total.period_start = StoreConformance::At(0);
  total.period_end = StoreConformance::At(86400);
  total.quantity = quantity;
  return total;
}

void AddUsage(Store& store, const UsageTotal& total) {
  WriteOk(store, [&](Writer& w) { return w.AddUsage(total); });
}

void AddUnits(Store& store, const std::string& license,
              const std::string& cluster, const std::string& environment,
              int64_t hour, int64_t units) {
  WriteOk(store, [&](Writer& w) {
    return w.AddHostUnits(license, cluster, environment,
                          {StoreConformance::At(hour * 3600), units});
  });
}

// Hours and units.
using Hour = std::pair<int64_t, int64_t>;
std::vector<Hour> Hours(const std::vector<HostUnitHour>& rows) {
  std::vector<Hour> hours;
  for (const HostUnitHour& row : rows) {
    hours.emplace_back(absl::ToInt64Hours(row.hour - StoreConformance::At(0)),
                       row.host_units_milli);
  }
  return hours;
}

const UsageIdentity kSessions = {"e1", v1::METER_RUM_SESSIONS};
const UsageIdentity kStorage = {"e1", v1::METER_GENERIC, "storage", "GiB"};
const UsageIdentity kHost = {"e2", v1::METER_HOST_UNIT_HOURS_MILLI, "", "",
                             "h1"};

}  // namespace

TEST_P(StoreConformance, EntryComesBackAsItWasAndKnowsItsAccount) {
  AddFleet();
  LedgerEntry entry = Entry("c1", "l1", kStorage, 0, 12);
  entry.parts = {{3, 12}, {(uint64_t{1} << 63) | 5, 7}};
  Put(*store_, entry);
  const auto read = Read([&](Reader& r) {
    return r.GetLedgerEntry("c1", kStorage, entry.start, entry.end);
  });
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->account_id, "a1");
  EXPECT_EQ(read->license_id, "l1");
  EXPECT_EQ(read->cluster_id, "c1");
  EXPECT_EQ(read->identity, kStorage);
  EXPECT_EQ(read->start, entry.start);
  EXPECT_EQ(read->end, entry.end);
  EXPECT_EQ(read->quantity, 12);
  EXPECT_EQ(read->epoch, entry.epoch);
  EXPECT_EQ(read->sequence, 9u);
  EXPECT_EQ(read->accepted_at, entry.accepted_at);
  EXPECT_THAT(read->parts, ::testing::UnorderedElementsAreArray(entry.parts));
}

TEST_P(StoreConformance, IdentityIsUniqueAndKeepsItsLicenseAndPlace) {
  AddFleet();
  Put(*store_, Entry("c1", "l1", kSessions, 0, 1));
  Put(*store_, Entry("c1", "l1", kStorage, 0, 2));
  LedgerEntry again = Entry("c1", "l2", kSessions, 0, 5);
  again.sequence = 10;
  Put(*store_, again);
  const auto rows = Read([](Reader& r) { return r.ListLedgerEntries({}, {}); });
  ASSERT_EQ(rows->items.size(), 2u);
  EXPECT_EQ(rows->items[0].identity, kSessions);
  EXPECT_EQ(rows->items[0].quantity, 5);
  EXPECT_EQ(rows->items[0].sequence, 10u);
  EXPECT_EQ(rows->items[0].license_id, "l1");
  EXPECT_EQ(rows->items[0].account_id, "a1");
}

TEST_P(StoreConformance, EntriesAreListedByWhatTheFilterSays) {
  AddFleet();
  Put(*store_, Entry("c1", "l1", kSessions, 0, 1));
  Put(*store_, Entry("c2", "l1", kHost, 0, 2));
  Put(*store_, Entry("c3", "l2", kSessions, 0, 3));
  Put(*store_, Entry("c1", "l1", kSessions, 3600, 4));
  const auto list = [&](const LedgerFilter& filter) {
    std::vector<int64_t> quantities;
    for (Page page{.limit = 1};;) {
      const auto rows =
          Read([&](Reader& r) { return r.ListLedgerEntries(filter, page); });
      EXPECT_TRUE(rows.ok()) << rows.status();
      for (const auto& row : rows->items) quantities.push_back(row.quantity);
      if (!rows->next) return quantities;
      page.after = *rows->next;
    }
  };
  EXPECT_THAT(list({}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(list({.account_id = "a1"}), ElementsAre(1, 2, 4));
  EXPECT_THAT(list({.license_id = "l2"}), ElementsAre(3));
  EXPECT_THAT(list({.cluster_id = "c1"}), ElementsAre(1, 4));
  EXPECT_THAT(list({.environment_id = "e2"}), ElementsAre(2));
  EXPECT_THAT(list({.from = At(60)}), ElementsAre(4));
  EXPECT_THAT(list({.to = At(60)}), ElementsAre(1, 2, 3));
  EXPECT_THAT(list({.account_id = "a9"}), IsEmpty());
}

TEST_P(StoreConformance, EntriesOfAnHourAreOfItsClusterAndHour) {
  AddFleet();
  Put(*store_, Entry("c1", "l1", kSessions, 0, 1));
  Put(*store_, Entry("c1", "l1", kSessions, 3000, 2));
  Put(*store_, Entry("c1", "l1", kSessions, 3600, 4));
  Put(*store_, Entry("c2", "l1", kSessions, 0, 8));
  int64_t sum = 0;
  const auto entries =
      Read([](Reader& r) { return r.LedgerEntriesOfHour("c1", At(0)); });
  for (const auto& entry : *entries) sum += entry.quantity;
  EXPECT_EQ(sum, 3);
  EXPECT_EQ(Read([](Reader& r) { return r.LedgerEntriesOfHour("c9", At(0)); })
                .status()
                .code(),
            kNotFound);
}

TEST_P(StoreConformance, EntryOfNoClusterOrLicenseOrLessThanNothingIsRefused) {
  AddFleet();
  const auto put = [&](const LedgerEntry& entry) {
    return Write([&](Writer& w) { return w.PutLedgerEntry(entry); }).code();
  };
  EXPECT_EQ(put(Entry("c9", "l1", kSessions, 0, 1)), kNotFound);
  EXPECT_EQ(put(Entry("c1", "l9", kSessions, 0, 1)), kNotFound);
  EXPECT_EQ(put(Entry("c1", "l1", kSessions, 0, -1)),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, FramesCountTheirReportsByEpoch) {
  AddFleet();
  const auto add = [&](const std::string& cluster, int64_t start,
                       uint64_t epoch) {
    WriteOk([&](Writer& w) {
      return w.AddReportedFrame(cluster,
                                {At(start), At(start + 300), epoch, 1});
    });
  };
  add("c1", 300, 2);
  add("c1", 300, 2);
  add("c1", 300, 1);
  add("c1", 0, 2);
  add("c1", 3600, 2);
  add("c2", 0, 2);
  const auto frames =
      Read([](Reader& r) { return r.FramesOfHour("c1", At(0)); });
  ASSERT_EQ(frames->size(), 3u);
  EXPECT_EQ((*frames)[0].start, At(0));
  EXPECT_EQ((*frames)[0].end, At(300));
  EXPECT_EQ((*frames)[1].epoch, 1u);
  EXPECT_EQ((*frames)[1].reports, 1);
  EXPECT_EQ((*frames)[2].epoch, 2u);
  EXPECT_EQ((*frames)[2].reports, 2);
  const auto next = [&](absl::Time from) {
    return *Read([&](Reader& r) { return r.NextLedgerTime("c1", from); });
  };
  EXPECT_EQ(next(absl::InfinitePast()), At(0));
  EXPECT_EQ(next(At(1)), At(300));
  EXPECT_EQ(next(At(301)), At(3600));
  EXPECT_EQ(next(At(3601)), std::nullopt);
  Put(*store_, Entry("c1", "l1", kSessions, 7200, 1));
  EXPECT_EQ(next(At(3601)), At(7200) + absl::Nanoseconds(1));
}

TEST_P(StoreConformance, ReportsOfAnHourComeInTheirOrder) {
  AddFleet();
  const auto add = [&](const std::string& cluster, uint64_t sequence,
                       int64_t start) {
    const auto stored =
        MakeConsumption(cluster, "l1", sequence, At(start), "e1");
    WriteOk([&](Writer& w) { return w.InsertConsumption(stored); });
  };
  add("c1", 3, 0);
  add("c1", 1, 1800);
  add("c1", 2, 3600);
  add("c2", 4, 0);
  add("c1", 5, 600);
  EXPECT_THAT(
      Walk([](Reader& r,
              const Page& page) { return r.ReportsOfHour("c1", At(0), page); },
           [](const StoredConsumption& row) {
             return std::to_string(row.key.sequence);
           },
           [] {}),
      ElementsAre("3", "1", "5"));
}

TEST_P(StoreConformance, HostHourIsReplaced) {
  AddFleet();
  HostHour hour = {"l1", "c1", "e1", "h1", At(0), absl::Minutes(4), 250};
  const auto put = [&] {
    return Write([&](Writer& w) { return w.PutHostHour(hour); });
  };
  const auto get = [&] {
    return Read(
        [](Reader& r) { return r.GetHostHour("c1", "e1", "h1", At(0)); });
  };
  EXPECT_EQ(get().status().code(), kNotFound);
  EXPECT_TRUE(put().ok());
  hour.monitored = absl::Minutes(5) + absl::Nanoseconds(1);
  hour.host_units_milli = 500;
  EXPECT_TRUE(put().ok());
  EXPECT_EQ(get()->license_id, "l1");
  EXPECT_EQ(get()->monitored, hour.monitored);
  EXPECT_EQ(get()->host_units_milli, 500);
  hour.cluster_id = "c9";
  EXPECT_EQ(put().code(), kNotFound);
  hour.cluster_id = "c1";
  hour.license_id = "l9";
  EXPECT_EQ(put().code(), kNotFound);
}

TEST_P(StoreConformance, TotalsAreAddedForTheClusterAndTheLicense) {
  AddFleet();
  AddUsage(*store_, Total("c1", "e1", v1::METER_RUM_SESSIONS, 10));
  AddUsage(*store_, Total("c1", "e1", v1::METER_RUM_SESSIONS, 5));
  AddUsage(*store_, Total("c1", "e2", v1::METER_RUM_SESSIONS, 1));
  AddUsage(*store_, Total("c2", "e1", v1::METER_RUM_SESSIONS, 100));
  AddUsage(*store_, Total("c2", "e1", v1::METER_RUM_SESSIONS, -40));
  AddUsage(*store_, Total("c3", "e1", v1::METER_RUM_SESSIONS, 1000));
  AddUsage(*store_, Total("c1", "e1", v1::METER_PROBLEMS, 3));
  const auto mine =
      Read([](Reader& r) { return r.UsageTotals("l1", At(0), "c1", "e1"); });
  ASSERT_EQ(mine->size(), 2u);
  EXPECT_EQ((*mine)[0].meter, v1::METER_RUM_SESSIONS);
  EXPECT_EQ((*mine)[0].quantity, 15);
  EXPECT_EQ((*mine)[0].account_id, "a1");
  EXPECT_EQ((*mine)[0].period_end, At(86400));
  EXPECT_EQ((*mine)[1].quantity, 3);
  EXPECT_EQ(Read([](Reader& r) {
              return r.UsageTotals("l1", At(0), "c1", "");
            })->size(),
            3u);
  for (const bool summed : {false, true}) {
    const auto all = Read([&](Reader& r) {
      return summed ? r.SumUsageTotals("l1", At(0))
                    : r.LicenseTotals("l1", At(0));
    });
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ((*all)[0].quantity, 76);
    EXPECT_EQ((*all)[0].period_start, At(0));
    EXPECT_EQ((*all)[1].quantity, 3);
  }
  EXPECT_THAT(*Read([](Reader& r) { return r.LicenseTotals("l1", At(1)); }),
              IsEmpty());
  EXPECT_THAT(*Read([](Reader& r) { return r.LicensePeriods("l1"); }),
              ElementsAre(At(0)));
  // A total is never less than nothing.
  EXPECT_EQ(Write([](Writer& w) {
              return w.AddUsage(Total("c1", "e2", v1::METER_RUM_SESSIONS, -2));
            }).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, TotalsAreListedNewestFirst) {
  AddFleet();
  AddUsage(*store_, Total("c1", "e1", v1::METER_RUM_SESSIONS, 1));
  AddUsage(*store_, Total("c2", "e2", v1::METER_RUM_SESSIONS, 2));
  UsageTotal later = Total("c1", "e1", v1::METER_RUM_SESSIONS, 3);
  later.period_start = At(86400);
  later.period_end = At(2 * 86400);
  AddUsage(*store_, later);
  AddUsage(*store_, Total("c3", "e1", v1::METER_RUM_SESSIONS, 4));
  const auto list = [&](const LedgerFilter& filter) {
    return Walk(
        [&](Reader& r, const Page& page) {
          return r.ListUsageTotals(filter, page);
        },
        [](const UsageTotal& row) { return std::to_string(row.quantity); },
        [] {});
  };
  EXPECT_THAT(list({}), ElementsAre("4", "3", "2", "1"));
  EXPECT_THAT(list({.account_id = "a1"}), ElementsAre("3", "2", "1"));
  EXPECT_THAT(list({.license_id = "l2"}), ElementsAre("4"));
  EXPECT_THAT(list({.cluster_id = "c1"}), ElementsAre("3", "1"));
  EXPECT_THAT(list({.environment_id = "e2"}), ElementsAre("2"));
  EXPECT_THAT(list({.from = At(86400)}), ElementsAre("3"));
  EXPECT_THAT(list({.to = At(86400)}), ElementsAre("4", "2", "1"));
}

TEST_P(StoreConformance, PeriodsCanBeCut) {
  AddFleet();
  AddUsage(*store_, Total("c1", "e1", v1::METER_RUM_SESSIONS, 1));
  AddUsage(*store_, Total("c3", "e1", v1::METER_RUM_SESSIONS, 1));
  const auto cut = [&](int64_t at) {
    WriteOk([&](Writer& w) { return w.EndPeriods("l1", At(at)); });
  };
  const auto end = [&](const std::string& license) {
    return Read([&](Reader& r) { return r.LicenseTotals(license, At(0)); })
        ->front()
        .period_end;
  };
  cut(3600);
  EXPECT_EQ(end("l1"), At(3600));
  EXPECT_EQ(end("l2"), At(86400));
  cut(7200);
  cut(0);
  EXPECT_EQ(end("l1"), At(3600));
  EXPECT_EQ(
      Read([](Reader& r) { return r.UsageTotals("l1", At(0), "c1", "e1"); })
          ->front()
          .period_end,
      At(3600));
}

TEST_P(StoreConformance, SumsOfEntriesAreTheTotalsThatShouldBe) {
  AddFleet();
  Put(*store_, Entry("c1", "l1", kSessions, 0, 1));
  Put(*store_, Entry("c1", "l1", kSessions, 3600, 2));
  Put(*store_, Entry("c1", "l1", kSessions, 86400, 4));
  Put(*store_, Entry("c1", "l1", kStorage, 0, 8));
  Put(*store_, Entry("c1", "l1", kHost, 0, 0));
  Put(*store_, Entry("c2", "l1", kSessions, 0, 16));
  Put(*store_, Entry("c1", "l2", kSessions, 7200, 32));
  const auto sums = Read([](Reader& r) {
    return r.SumLedgerEntries("l1", "c1", At(0), At(86400));
  });
  ASSERT_EQ(sums->size(), 2u);
  EXPECT_EQ((*sums)[0].meter, v1::METER_RUM_SESSIONS);
  EXPECT_EQ((*sums)[0].quantity, 3);
  EXPECT_EQ((*sums)[0].cluster_id, "c1");
  EXPECT_EQ((*sums)[1].meter_id, "storage");
  EXPECT_EQ((*sums)[1].unit, "GiB");
  EXPECT_EQ((*sums)[1].quantity, 8);
}

TEST_P(StoreConformance, HostUnitsAreSummedByHour) {
  AddFleet();
  AddUnits(*store_, "l1", "c1", "e1", 1, 250);
  AddUnits(*store_, "l1", "c1", "e1", 1, 250);
  AddUnits(*store_, "l1", "c1", "e2", 1, 100);
  AddUnits(*store_, "l1", "c2", "e1", 1, 1000);
  AddUnits(*store_, "l2", "c3", "e1", 1, 7000);
  AddUnits(*store_, "l1", "c1", "e1", 4, 25);
  AddUnits(*store_, "l1", "c1", "e1", 3, 10);
  AddUnits(*store_, "l1", "c1", "e1", 4, -25);
  for (const bool summed : {false, true}) {
    const auto hours = [&](int64_t from, int64_t to) {
      return Hours(*Read([&](Reader& r) {
        return summed
                   ? r.SumEnvironmentHours("l1", At(from * 3600), At(to * 3600))
                   : r.LicenseHours("l1", At(from * 3600), At(to * 3600));
      }));
    };
    EXPECT_THAT(hours(0, 9), ElementsAre(Hour{1, 1600}, Hour{3, 10}));
    EXPECT_THAT(hours(3, 4), ElementsAre(Hour{3, 10}));
    EXPECT_THAT(hours(4, 9), IsEmpty());
  }
  const auto last = [&](int64_t to) {
    return *Read([&](Reader& r) {
      return r.LastLicenseHour("l1", At(0), At(to * 3600));
    });
  };
  EXPECT_EQ(last(9)->hour, At(3 * 3600));
  EXPECT_EQ(last(3)->host_units_milli, 1600);
  EXPECT_FALSE(last(1).has_value());
  const auto mine = *Read([](Reader& r) {
    return r.LastEnvironmentHour("l1", "c1", "e1", At(0), At(3 * 3600));
  });
  EXPECT_EQ(mine->host_units_milli, 500);
  EXPECT_FALSE(Read([](Reader& r) {
                 return r.LastEnvironmentHour("l2", "c1", "e1", At(0),
                                              At(9 * 3600));
               })->has_value());
  const auto environments =
      *Read([](Reader& r) { return r.EnvironmentHours("c1", At(3600)); });
  ASSERT_EQ(environments.size(), 2u);
  EXPECT_EQ(environments[0].environment_id, "e1");
  EXPECT_EQ(environments[0].license_id, "l1");
  EXPECT_EQ(environments[0].host_units_milli, 500);
  EXPECT_EQ(environments[1].host_units_milli, 100);
  EXPECT_EQ(Write([](Writer& w) {
              return w.AddHostUnits("l1", "c9", "e1", {At(0), 1});
            }).code(),
            kNotFound);
}

TEST_P(StoreConformance, OverageStandsBesideTheHostUnitHours) {
  AddFleet();
  const auto add = [&](int64_t overage) {
    return Write([&](Writer& w) {
      return w.AddHostUnitOverage("l1", At(0), At(86400), overage);
    });
  };
  EXPECT_TRUE(add(500).ok());
  AddUsage(*store_, Total("c1", "e1", v1::METER_HOST_UNIT_HOURS_MILLI, 3000));
  EXPECT_TRUE(add(-200).ok());
  const auto totals =
      *Read([](Reader& r) { return r.LicenseTotals("l1", At(0)); });
  ASSERT_EQ(totals.size(), 1u);
  EXPECT_EQ(totals[0].quantity, 3000);
  EXPECT_EQ(totals[0].overage, 300);
  EXPECT_EQ(add(-301).code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, LicenseHasItsTermsOverTime) {
  AddFleet();
  License license = *Read([](Reader& r) { return r.GetLicense("l1"); });
  const auto terms = [&] {
    return *Read([](Reader& r) { return r.ListLicenseTerms("l1"); });
  };
  ASSERT_EQ(terms().size(), 1u);
  EXPECT_EQ(terms()[0].from, license.created_at);
  EXPECT_EQ(terms()[0].model, v1::LICENSE_MODEL_CLASSIC);
  const auto update = [&](absl::Time at) {
    WriteOk([&](Writer& w) { return w.UpdateLicense(license, at); });
  };
  license.ends_at = At(99);
  license.grace_period = absl::Hours(3);
  license.entitlements.emplace_back().set_name("feature");
  license.entitlements.back().set_enabled(true);
  update(At(50));
  EXPECT_EQ(terms().size(), 1u) << "other limits alone are new terms";
  license.limits.set_host_units_milli(4000);
  license.limits.set_reset(v1::QUOTA_RESET_ANNUAL);
  v1::MeterLimit& meter = *license.limits.add_meters();
  meter.set_meter_id("storage");
  meter.set_quantity(7);
  update(At(60));
  update(At(70));
  license.model = v1::LICENSE_MODEL_SUBSCRIPTION;
  // The clock was set back.
  update(At(10));
  ASSERT_EQ(terms().size(), 3u);
  EXPECT_EQ(terms()[1].from, At(60));
  EXPECT_EQ(terms()[1].limits.host_units_milli(), 4000);
  EXPECT_EQ(terms()[1].limits.meters(0).quantity(), 7);
  EXPECT_EQ(terms()[1].model, v1::LICENSE_MODEL_CLASSIC);
  EXPECT_EQ(terms()[2].from, At(60) + absl::Microseconds(1));
  EXPECT_EQ(terms()[2].model, v1::LICENSE_MODEL_SUBSCRIPTION);
  const License now = *Read([](Reader& r) { return r.GetLicense("l1"); });
  EXPECT_EQ(now.ends_at, At(99));
  EXPECT_EQ(now.grace_period, absl::Hours(3));
  EXPECT_EQ(now.model, v1::LICENSE_MODEL_SUBSCRIPTION);
  EXPECT_EQ(now.entitlements.size(), 1u);
  EXPECT_EQ(now.limits.host_units_milli(), 4000);
  EXPECT_EQ(now.limits.meters_size(), 1);
  EXPECT_EQ(now.name, license.name);
  license.id = "l9";
  EXPECT_EQ(
      Write([&](Writer& w) { return w.UpdateLicense(license, At(80)); }).code(),
      kNotFound);
}

TEST_P(StoreConformance, NewStoreHasNoBacklog) {
  AddFleet();
  WriteOk([](Writer& w) {
    return w.InsertConsumption(MakeConsumption("c1", "l1", 1, At(0), "e1"));
  });
  EXPECT_THAT(*Read([](Reader& r) { return r.UnenteredReports(10); }),
              IsEmpty());
}

}  // namespace mc::service
