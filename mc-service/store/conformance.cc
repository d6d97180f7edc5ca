// The fixture, and what a store promises about works, whatever they write.
#include "mc-service/store/conformance.h"

#include "absl/synchronization/notification.h"

namespace mc::service {

StoreConformance::StoreConformance() : store_(GetParam().open(kMaxQueue)) {}
StoreConformance::~StoreConformance() = default;

absl::Status StoreConformance::Write(
    std::function<absl::Status(Writer&)> work) {
  return store_->WriteAndWait(std::move(work));
}

void StoreConformance::WriteOk(std::function<absl::Status(Writer&)> work) {
  const absl::Status written = Write(std::move(work));
  ASSERT_TRUE(written.ok()) << written;
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  const int64_t nanos = absl::ToUnixNanos(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(nanos / 1'000'000'000);
  timestamp.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  return timestamp;
}

absl::Time StoreConformance::At(int64_t seconds) {
  // The start of a UTC hour.
  return absl::FromUnixSeconds(1'777'888'800 + seconds);
}

Account StoreConformance::MakeAccount(const std::string& id) {
  return {id, "name of " + id, At(1)};
}

License StoreConformance::MakeLicense(const std::string& id,
                                      const std::string& account_id) {
  License license;
  license.id = id;
  license.account_id = account_id;
  license.name = "name of " + id;
  license.key_digest = std::string("\0\xff digest of ", 12) + id;
  license.key_hint = "HINT-" + id;
  license.created_at = At(2);
  license.starts_at = At(3);
  return license;
}

Cluster StoreConformance::MakeCluster(const std::string& id,
                                      const std::string& license_id) {
  Cluster cluster;
  cluster.id = id;
  cluster.license_id = license_id;
  cluster.registered_at = At(4) + absl::Microseconds(5);
  cluster.user_name = "user of " + id;
  cluster.password_digest = "\x80password";
  cluster.tls_key_digest = std::string("tls\0key", 7);
  cluster.site_public_key = std::string(32, '\x9a');
  cluster.certificate_serial = "0a1b2c";
  cluster.certificate_not_after = At(90 * 86400);
  return cluster;
}

StoredHealth StoreConformance::MakeHealth(const std::string& cluster_id,
                                          int64_t at, v1::HealthStatus status) {
  StoredHealth health;
  health.cluster_id = cluster_id;
  health.received_at = At(at);
  health.health_check.set_cluster_id(cluster_id);
  health.result.set_status(status);
  return health;
}

StoredConsumption StoreConformance::MakeConsumption(
    const std::string& cluster_id, const std::string& license_id,
    uint64_t sequence, absl::Time start, const std::string& environment_id) {
  StoredConsumption stored;
  stored.key = {cluster_id, v1::LANE_BILLING, 7, sequence};
  stored.license_id = license_id;
  stored.accepted_at = start + absl::Hours(1);
  stored.consumption.set_cluster_id(cluster_id);
  auto& frame = *stored.consumption.mutable_time_frame();
  *frame.mutable_start() = ToTimestamp(start);
  *frame.mutable_end() = ToTimestamp(start + absl::Minutes(10));
  stored.consumption.add_environments()->set_environment_id(environment_id);
  return stored;
}

void StoreConformance::AddFleet() {
  WriteOk([](Writer& writer) {
    for (const auto* id : {"a1", "a2"}) {
      absl::Status done = writer.InsertAccount(MakeAccount(id));
      if (!done.ok()) return done;
    }
    absl::Status done = writer.InsertLicense(MakeLicense("l1", "a1"));
    done.Update(writer.InsertLicense(MakeLicense("l2", "a2")));
    done.Update(writer.PutCluster(MakeCluster("c1", "l1")));
    done.Update(writer.PutCluster(MakeCluster("c2", "l1")));
    done.Update(writer.PutCluster(MakeCluster("c3", "l2")));
    return done;
  });
}

TEST_P(StoreConformance, FailedWorkIsUndoneAloneWithItsOwnError) {
  std::vector<absl::Status> results(3);
  absl::Notification finished;
  // The first one holds the writer, so that the others share a commit.
  absl::Notification go;
  ASSERT_TRUE(store_->Write(
      [&](Writer&) {
        go.WaitForNotification();
        return absl::OkStatus();
      },
      [](absl::Status) {}));
  for (size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(store_->Write(
        [i](Writer& writer) {
          absl::Status done =
              writer.InsertAccount(MakeAccount("a" + std::to_string(i)));
          return i == 1 ? absl::AbortedError("changed its mind") : done;
        },
        [&, i](absl::Status status) {
          results[i] = status;
          if (i == 2) finished.Notify();
        }));
  }
  go.Notify();
  finished.WaitForNotification();
  EXPECT_TRUE(results[0].ok()) << results[0];
  EXPECT_EQ(results[1], absl::AbortedError("changed its mind"));
  EXPECT_TRUE(results[2].ok()) << results[2];
  for (int i = 0; i < 3; ++i) {
    auto account = Read([&](Reader& reader) {
      return reader.GetAccount("a" + std::to_string(i));
    });
    EXPECT_EQ(account.ok(), i != 1) << account.status();
  }
}

TEST_P(StoreConformance, FailedMethodLeavesNothingWhenItsWorkGoesOn) {
  AddFleet();
  auto health = MakeHealth("c1", 1, v1::HEALTH_STATUS_HEALTHY);
  auto report = MakeConsumption("c1", "l1", 1, At(0), "e1");
  WriteOk([&](Writer& writer) {
    EXPECT_TRUE(writer.InsertConsumption(report).ok());
    report.consumption.mutable_environments(0)->set_rum_sessions(5);
    EXPECT_EQ(writer.InsertConsumption(report).code(),
              absl::StatusCode::kAlreadyExists);
    EXPECT_TRUE(writer.InsertHealth(health, 5).ok());
    return absl::OkStatus();
  });
  auto sums = Read([](Reader& reader) {
    return reader.SumUsage("l1", "", absl::InfinitePast(),
                           absl::InfiniteFuture());
  });
  ASSERT_TRUE(sums.ok()) << sums.status();
  EXPECT_EQ(sums->rum_sessions, 0);
  EXPECT_TRUE(
      Read([](Reader& reader) { return reader.LatestHealth("c1"); }).ok());
}

TEST_P(StoreConformance, WorkSeesItsOwnWrites) {
  WriteOk([](Writer& writer) {
    EXPECT_TRUE(writer.InsertAccount(MakeAccount("a1")).ok());
    return writer.GetAccount("a1").status();
  });
}

TEST_P(StoreConformance, EveryReaderSeesWhatDoneWasCalledFor) {
  absl::Status seen = absl::UnknownError("done was not called");
  absl::Notification finished;
  ASSERT_TRUE(store_->Write(
      [&](Writer& writer) {
        absl::Status done = writer.InsertAccount(MakeAccount("a1"));
        // Not yet committed, so nobody else can see it.
        EXPECT_EQ(Read([](Reader& reader) { return reader.GetAccount("a1"); })
                      .status()
                      .code(),
                  absl::StatusCode::kNotFound);
        return done;
      },
      [&](absl::Status) {
        seen = Read([](Reader& reader) {
                 return reader.GetAccount("a1");
               }).status();
        finished.Notify();
      }));
  finished.WaitForNotification();
  EXPECT_TRUE(seen.ok()) << seen;
}

TEST_P(StoreConformance, ReadSeesOneSnapshot) {
  AddFleet();
  absl::Status read = store_->Read([&](Reader& reader) {
    EXPECT_EQ(*reader.CountClusters("l1"), 2);
    WriteOk([](Writer& writer) {
      return writer.PutCluster(MakeCluster("c9", "l1"));
    });
    EXPECT_EQ(*reader.CountClusters("l1"), 2);
    EXPECT_EQ(reader.GetCluster("c9").status().code(),
              absl::StatusCode::kNotFound);
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(*Read([](Reader& reader) { return reader.CountClusters("l1"); }),
            3);
}

TEST_P(StoreConformance, ReadReturnsTheErrorOfItsWork) {
  EXPECT_EQ(store_->Read([](Reader&) { return absl::AbortedError("mine"); }),
            absl::AbortedError("mine"));
}

TEST_P(StoreConformance, FullQueueRefusesAndCallsNothing) {
  absl::Notification running;
  absl::Notification go;
  ASSERT_TRUE(store_->Write(
      [&](Writer&) {
        running.Notify();
        go.WaitForNotification();
        return absl::OkStatus();
      },
      [](absl::Status) {}));
  running.WaitForNotification();
  size_t done = 0;
  for (size_t i = 0; i < kMaxQueue; ++i) {
    ASSERT_TRUE(store_->Write([](Writer&) { return absl::OkStatus(); },
                              [&](absl::Status) { ++done; }));
  }
  bool called = false;
  EXPECT_FALSE(store_->Write(
      [&](Writer&) {
        called = true;
        return absl::OkStatus();
      },
      [&](absl::Status) { called = true; }));
  EXPECT_EQ(Write([](Writer&) { return absl::OkStatus(); }).code(),
            absl::StatusCode::kUnavailable);
  go.Notify();
  store_->Stop();
  EXPECT_EQ(done, kMaxQueue);
  EXPECT_FALSE(called);
}

TEST_P(StoreConformance, StopFinishesWhatIsQueuedThenRefuses) {
  absl::Notification go;
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store_->Write(
        [&, i](Writer& writer) {
          go.WaitForNotification();
          return writer.InsertAccount(MakeAccount("a" + std::to_string(i)));
        },
        [&](absl::Status status) { done += status.ok(); }));
  }
  go.Notify();
  store_->Stop();
  EXPECT_EQ(done, 3);
  EXPECT_EQ(Write([](Writer&) { return absl::OkStatus(); }).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(
      Read([](Reader& reader) { return reader.GetAccount("a2"); }).ok());
}

TEST_P(StoreConformance, ServiceEpochStays) {
  const auto epoch = Read([](Reader& reader) { return reader.ServiceEpoch(); });
  ASSERT_TRUE(epoch.ok()) << epoch.status();
  EXPECT_NE(*epoch, 0u);
  EXPECT_EQ(*Read([](Reader& reader) { return reader.ServiceEpoch(); }),
            *epoch);
}

}  // namespace mc::service
