// What the agent's outbox costs beside bare SQLite, and a backlog for an agent
// to send. tests/bench/run drives it.
#include "cluster-agent/outbox/outbox.h"

#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"

namespace mc::bench {
namespace {

namespace v1 = missioncontrol::v1;

[[noreturn]] void Fail(std::string_view what) {
  std::cerr << "bench-outbox: " << what << "\n";
  std::exit(1);
}

v1::UsageRecord Sessions(int number, absl::Time at) {
  v1::UsageRecord record;
  record.set_idempotency_key(absl::StrCat("record-", number));
  record.set_environment_id("environment-1");
  *record.mutable_used_at() = ToProto(at);
  record.set_rum_sessions(7);
  return record;
}

void Record(agent::Outbox& outbox, std::vector<v1::UsageRecord> records) {
  absl::Notification done;
  absl::Status status;
  outbox.RecordUsage(std::move(records), [&](auto result) {
    status = result.status();
    done.Notify();
  });
  done.WaitForNotification();
  if (!status.ok()) Fail(status.ToString());
}

std::unique_ptr<agent::Outbox> OpenOutbox(const std::string& path,
                                          const std::string& cluster_id,
                                          const Clock& clock) {
  agent::Outbox::Options options;
  options.path = path;
  options.cluster_id = cluster_id;
  options.clock = &clock;
  absl::StatusOr<std::unique_ptr<agent::Outbox>> outbox =
      agent::Outbox::Open(std::move(options));
  if (!outbox.ok()) Fail(outbox.status().ToString());
  return *std::move(outbox);
}

// One table, one row a commit, with the same promises as the outbox.
class BareFile {
 public:
  explicit BareFile(const std::string& path) {
    if (sqlite3_open(path.c_str(), &database_) != SQLITE_OK) Fail("no file");
    Must("PRAGMA journal_mode = WAL");
    Must("PRAGMA synchronous = FULL");
    Must("CREATE TABLE item (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)");
    if (sqlite3_prepare_v2(database_, "INSERT INTO item (payload) VALUES (?)",
                           -1, &insert_, nullptr) != SQLITE_OK) {
      Fail("no statement");
    }
  }
  BareFile(const BareFile&) = delete;
  BareFile& operator=(const BareFile&) = delete;
  ~BareFile() {
    sqlite3_finalize(insert_);
    sqlite3_close(database_);
  }

  void Insert(const std::string& payload) {
    sqlite3_bind_blob(insert_, 1, payload.data(),
                      static_cast<int>(payload.size()), SQLITE_TRANSIENT);
    if (sqlite3_step(insert_) != SQLITE_DONE) Fail("the insert failed");
    sqlite3_reset(insert_);
  }

 private:
  void Must(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      Fail(sql);
    }
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

template <typename Work>
double MicrosecondsEach(int count, const Work& work) {
  const RealClock clock;
  const absl::Duration begin = clock.SinceBoot();
  for (int i = 0; i < count; ++i) work(i);
  return absl::ToDoubleMicroseconds(clock.SinceBoot() - begin) / count;
}

void MeasureRecording(const std::string& folder, int rounds, int count) {
  const RealClock clock;
  const auto outbox =
      OpenOutbox(absl::StrCat(folder, "/usage.db"), "cluster-1", clock);
  BareFile bare(absl::StrCat(folder, "/bare.db"));
  nlohmann::ordered_json json;
  int number = 0;
  for (int round = 0; round < rounds; ++round) {
    json["outbox_us"].push_back(MicrosecondsEach(count, [&](int) {
      Record(*outbox, {Sessions(++number, clock.Now())});
    }));
    const std::string payload =
        Sessions(number, clock.Now()).SerializeAsString();
    json["bare_us"].push_back(
        MicrosecondsEach(count, [&](int) { bare.Insert(payload); }));
  }
  std::cout << json.dump() << std::endl;
}

// An hour's usage of hosts, as large as one report of `bytes`.
std::vector<v1::UsageRecord> HourOfHosts(int hour, absl::Time start,
                                         int64_t bytes) {
  std::vector<v1::UsageRecord> records;
  for (int64_t size = 0; size < bytes; size += 70) {
    v1::UsageRecord record;
    const std::string number = absl::StrCat(records.size());
    record.set_idempotency_key(absl::StrCat("hour-", hour, "-", number));
    record.set_environment_id("environment-1");
    v1::HostInterval& host = *record.mutable_host();
    host.set_host_id(absl::StrCat("host-with-a-long-name-", number));
    host.set_host_category(v1::HOST_CATEGORY_FULL_STACK);
    host.set_memory_bytes(int64_t{16} << 30);
    *host.mutable_monitored()->mutable_start() = ToProto(start);
    *host.mutable_monitored()->mutable_end() =
        ToProto(start + absl::Minutes(59));
    records.push_back(std::move(record));
  }
  return records;
}

void FillBacklog(const std::string& path, const std::string& cluster_id,
                 int hours, int64_t bytes) {
  absl::Time start = absl::FromUnixSeconds(
                         absl::ToUnixSeconds(RealClock().Now()) / 3600 * 3600) -
                     hours * absl::Hours(1);
  SimulatedClock clock(start);
  const auto outbox = OpenOutbox(path, cluster_id, clock);
  for (int hour = 0; hour < hours; ++hour, start += absl::Hours(1)) {
    clock.Advance(absl::Minutes(59));
    Record(*outbox, HourOfHosts(hour, start, bytes));
    clock.Advance(absl::Minutes(1));
    const auto closed = outbox->CloseFrames();
    if (!closed.ok()) Fail(closed.status().ToString());
  }
  const auto stats = outbox->reader().Stats();
  if (!stats.ok()) Fail(stats.status().ToString());
  std::cout << nlohmann::ordered_json(
                   {{"waiting_reports", stats->waiting_reports}})
                   .dump()
            << std::endl;
}

}  // namespace
}  // namespace mc::bench

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app("The agent's outbox, measured and filled.");
  app.require_subcommand(1);
  std::string path;
  std::string cluster_id;
  int rounds = 5;
  int count = 500;
  int hours = 720;
  int64_t bytes = 20'000;
  auto* record = app.add_subcommand("record", "Durable records one by one");
  record->add_option("--folder", path, "Where the files are made")->required();
  record->add_option("--rounds", rounds, "");
  record->add_option("--count", count, "Records of a round");
  record->callback([&] { mc::bench::MeasureRecording(path, rounds, count); });
  auto* fill = app.add_subcommand("fill", "Reports of past hours");
  fill->add_option("--path", path, "usage.db of an agent that does not run")
      ->required();
  fill->add_option("--cluster", cluster_id, "The agent's cluster ID")
      ->required();
  fill->add_option("--hours", hours, "One report each");
  fill->add_option("--bytes", bytes, "Of a report, about");
  fill->callback(
      [&] { mc::bench::FillBacklog(path, cluster_id, hours, bytes); });
  CLI11_PARSE(app, argc, argv);
  return 0;
}
