// Retention and erasure.
#include "mc-service/store/conformance.h"

namespace mc::service {

TEST_P(StoreConformance, OldConsumptionIsPrunedInPiecesAndTheRestStays) {
  AddFleet();
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) {
    WriteOk([&](Writer& w) {
      StoredConsumption stored =
          MakeConsumption("c1", "l1", sequence, At(0), "env");
      stored.accepted_at = At(static_cast<int64_t>(sequence));
      absl::Status done = w.InsertConsumption(stored);
      done.Update(w.InsertReport({.key = stored.key,
                                  .digest = "digest",
                                  .receipt = "receipt",
                                  .accepted_at = stored.accepted_at}));
      return done;
    });
  }
  std::vector<int64_t> deleted;
  do {
    WriteOk([&](Writer& w) {
      const auto rows = w.Prune(Prunable::kConsumptionReports, At(4), 2);
      if (rows.ok()) deleted.push_back(*rows);
      return rows.status();
    });
  } while (deleted.back() > 0);
  EXPECT_EQ(deleted, (std::vector<int64_t>{2, 1, 0}));
  const auto left = Read([](Reader& r) { return r.ListConsumption({}, {}); });
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->items.size(), 2u);
  // What tells a repeat is there for good.
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) {
    EXPECT_TRUE(Read([&](Reader& r) {
                  return r.FindReport({"c1", v1::LANE_BILLING,
                                       left->items[0].key.epoch, sequence});
                }).ok())
        << sequence;
  }
}

TEST_P(StoreConformance, OldEventsAndClosedFindingsArePruned) {
  AddFleet();
  WriteOk([](Writer& w) {
    absl::Status done;
    for (int i = 1; i <= 3; ++i) {
      StoredEvent stored;
      stored.cluster_id = "c1";
      stored.received_at = At(i);
      stored.event.set_event_id(std::to_string(i));
      done.Update(w.InsertEvent(stored));
      Sighting sighting;
      sighting.key = {"c1", v1::FINDING_KIND_SEQUENCE_GAP, std::to_string(i)};
      sighting.at = At(i);
      done.Update(w.RaiseFinding(sighting));
      // The last one still holds.
      if (i < 3) done.Update(w.CloseFinding(sighting.key, At(i)));
    }
    return done;
  });
  for (const auto& [what, expected] :
       {std::pair(Prunable::kEvents, 2),
        std::pair(Prunable::kClosedFindings, 2)}) {
    WriteOk([&, &what = what, &expected = expected](Writer& w) {
      const auto rows = w.Prune(what, At(3), 10);
      EXPECT_EQ(rows.value_or(-1), expected);
      return rows.status();
    });
  }
  EXPECT_EQ(Read([](Reader& r) { return r.ListEvents({}, {}); })->items.size(),
            1u);
  FindingFilter all;
  all.include_closed = true;
  EXPECT_EQ(
      Read([&](Reader& r) { return r.ListFindings(all, {}); })->items.size(),
      1u);
}

TEST_P(StoreConformance, ExpiredEnrollmentTokensArePruned) {
  AddFleet();
  WriteOk([](Writer& w) {
    absl::Status done;
    for (int i = 1; i <= 4; ++i) {
      EnrollmentToken token{.id = std::to_string(i),
                            .license_id = "l1",
                            .digest = "digest " + std::to_string(i),
                            .created_at = At(0),
                            .expires_at = At(i)};
      if (i == 1) token.used_at = At(0);
      token.deleted = i == 2;
      done.Update(w.PutEnrollmentToken(token));
    }
    return done;
  });
  for (const int expected : {2, 1, 0}) {
    WriteOk([&](Writer& w) {
      const auto rows = w.Prune(Prunable::kEnrollmentTokens, At(4), 2);
      EXPECT_EQ(rows.value_or(-1), expected);
      return rows.status();
    });
  }
  const auto left =
      Read([](Reader& r) { return r.ListEnrollmentTokens("l1", {}); });
  ASSERT_EQ(left->items.size(), 1u);
  EXPECT_EQ(left->items[0].id, "4");
}

TEST_P(StoreConformance, PruningWhatIsNotThereDoesNothing) {
  for (const Prunable what :
       {Prunable::kConsumptionReports, Prunable::kEvents,
        Prunable::kClosedFindings, Prunable::kEnrollmentTokens}) {
    WriteOk([&](Writer& w) {
      const auto rows = w.Prune(what, absl::InfiniteFuture(), 10);
      EXPECT_EQ(rows.value_or(0), 0);
      return rows.status();
    });
  }
}

TEST_P(StoreConformance, AnErasedAccountLeavesNothingButItsClustersIds) {
  AddFleet();
  for (const std::string cluster : {"c1", "c3"}) {
    const std::string license = cluster == "c1" ? "l1" : "l2";
    WriteOk([&](Writer& w) {
      const StoredConsumption stored =
          MakeConsumption(cluster, license, 1, At(0), "env");
      absl::Status done = w.InsertConsumption(stored);
      done.Update(w.InsertReport({.key = stored.key,
                                  .digest = "digest",
                                  .receipt = "receipt",
                                  .accepted_at = At(1)}));
      done.Update(w.InsertHealth(
          MakeHealth(cluster, 1, v1::HEALTH_STATUS_HEALTHY), 10));
      done.Update(w.AddPresence({.cluster_id = cluster,
                                 .node_id = "n",
                                 .source_type = v1::SOURCE_TYPE_SERVER,
                                 .last_heartbeat_at = At(2),
                                 .heartbeats = 1}));
      done.Update(w.AddExchangeCount(
          {cluster, v1::EXCHANGE_LICENSE, 1, 0, At(1), "OK"}));
      return done;
    });
  }
  WriteOk([](Writer& w) { return w.BeginErasure("a1"); });
  EXPECT_EQ(Read([](Reader& r) { return r.GetCluster("c1"); })->registration,
            v1::REGISTRATION_STATUS_REVOKED);
  EXPECT_EQ(Read([](Reader& r) { return r.GetCluster("c3"); })->registration,
            v1::REGISTRATION_STATUS_REGISTERED);
  ErasedRows erased;
  bool finished = false;
  while (!finished) {
    WriteOk([&](Writer& w) {
      const auto done = w.EraseSome("a1", 2, erased);
      if (done.ok()) finished = *done;
      return done.status();
    });
  }
  EXPECT_EQ(erased.licenses, 1);
  EXPECT_EQ(erased.clusters, 2);
  EXPECT_EQ(erased.reports, 1);
  EXPECT_TRUE(absl::IsNotFound(
      Read([](Reader& r) { return r.GetAccount("a1"); }).status()));
  EXPECT_TRUE(absl::IsNotFound(
      Read([](Reader& r) { return r.GetLicense("l1"); }).status()));
  EXPECT_TRUE(absl::IsNotFound(
      Read([](Reader& r) { return r.GetCluster("c1"); }).status()));
  EXPECT_TRUE(*Read([](Reader& r) { return r.IsErased("c1"); }));
  EXPECT_TRUE(*Read([](Reader& r) { return r.IsErased("c2"); }));
  // Others' rows are as they were.
  EXPECT_FALSE(*Read([](Reader& r) { return r.IsErased("c3"); }));
  EXPECT_EQ(
      Read([](Reader& r) { return r.ListConsumption({}, {}); })->items.size(),
      1u);
  EXPECT_EQ(Read([](Reader& r) { return r.ListPresence("c3"); })->size(), 1u);
  EXPECT_TRUE(Read([](Reader& r) { return r.LatestHealth("c3"); }).ok());
  // Counts that were in memory meanwhile are not written.
  WriteOk([](Writer& w) {
    return w.AddExchangeCount(
        {"c1", v1::EXCHANGE_LICENSE, 1, 0, At(9), "late"});
  });
  EXPECT_EQ(Read([](Reader& r) {
              return r.ListExchangeCounts("c1", {});
            })->items.size(),
            0u);
  EXPECT_TRUE(Read([](Reader& r) { return r.Upkeep(); })->scrub_pending);
  const absl::Status scrubbed = store_->Scrub();
  EXPECT_TRUE(scrubbed.ok()) << scrubbed;
  EXPECT_FALSE(Read([](Reader& r) { return r.Upkeep(); })->scrub_pending);
}

TEST_P(StoreConformance, RetentionIsRemembered) {
  EXPECT_FALSE(
      Read([](Reader& r) { return r.Upkeep(); })->retained_until.has_value());
  WriteOk([](Writer& w) { return w.SetRetainedUntil(At(7)); });
  EXPECT_EQ(Read([](Reader& r) { return r.Upkeep(); })->retained_until, At(7));
}

TEST_P(StoreConformance, ErasingAnUnknownAccountIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(
      Write([](Writer& w) { return w.BeginErasure("nobody"); })));
}

}  // namespace mc::service
