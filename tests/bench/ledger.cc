// What the store's writer spends on a consumption report with its ledger, and
// on a repeat of it, beside raw inserts of the same rows: the same schema, as
// many rows and bytes, as many transactions. One JSON object on standard
// output; tests/bench/run ledger drives it.
#include <time.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/sqlite/database.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/reports/report_desk.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace {

using namespace mc;           // NOLINT: a program of one file
using namespace mc::service;  // NOLINT

struct Shape {
  int reports = 1000;
  int clusters = 10;
  int batch = 100;
  int hosts = 1;
  int monitors = 0;
  int meters = 0;
};

double Seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * now.tv_nsec;
}

// What the calling thread has spent.
struct Spent {
  double cpu = Seconds(CLOCK_THREAD_CPUTIME_ID);
  double wall = Seconds(CLOCK_MONOTONIC);
};

void Die(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "bench-ledger: " << status << "\n";
  exit(1);
}

template <typename T>
T OrDie(absl::StatusOr<T> result) {
  Die(result.status());
  return *std::move(result);
}

std::string ClusterId(int number) { return absl::StrCat("cluster-", number); }

// 2026-11-01T00:00:00Z.
absl::Time Start() { return absl::FromUnixSeconds(1'793'491'200); }

// Every report has the same numbers of rows.
v1::ReportEnvelope MakeReport(const Shape& shape, int number) {
  const int hour = number / shape.clusters;
  const absl::Time start = Start() + absl::Hours(hour);
  v1::ReportEnvelope report;
  report.set_lane(v1::LANE_BILLING);
  report.set_epoch(1);
  report.set_sequence(hour + 1);
  *report.mutable_created_at() = ToProto(start + absl::Hours(1));
  v1::Consumption& usage = *report.mutable_consumption();
  usage.set_cluster_id(ClusterId(number % shape.clusters));
  *usage.mutable_time_frame()->mutable_start() = ToProto(start);
  *usage.mutable_time_frame()->mutable_end() = ToProto(start + absl::Hours(1));
  v1::EnvironmentConsumption& e = *usage.add_environments();
  e.set_environment_id("6f1c2a7e-0b5f-4c55-9b57-3f1d7f0a9e11");
  e.set_rum_sessions(1000 + number);
  e.set_new_problems(1);
  for (int i = 0; i < shape.hosts; ++i) {
    v1::HostConsumption& host = *e.add_hosts();
    host.set_host_id(absl::StrCat("HOST-0123456789AB", i));
    host.set_host_category(v1::HOST_CATEGORY_FULL_STACK);
    host.set_memory_bytes(int64_t{16} << 30);
    host.add_technologies("JAVA");
    *host.add_monitored() = usage.time_frame();
  }
  for (int i = 0; i < shape.monitors; ++i) {
    v1::SyntheticMonitorConsumption& monitor = *e.add_synthetic_monitors();
    monitor.set_monitor_id(absl::StrCat("SYNTHETIC_TEST-0123456789", i));
    monitor.set_description("Log in, search, put into the cart, pay");
    monitor.set_type(v1::SYNTHETIC_MONITOR_TYPE_CLICKPATH);
    monitor.set_success_count(58);
    monitor.set_failure_count(2);
    monitor.set_action_count(240);
  }
  for (int i = 0; i < shape.meters; ++i) {
    v1::MeterConsumption& meter = *e.add_meters();
    meter.set_meter_id(absl::StrCat("log-lines-", i));
    meter.set_unit("lines");
    meter.set_quantity(123'456);
  }
  return report;
}

std::unique_ptr<Store> OpenStore(const std::string& path, const Shape& shape) {
  SqliteOptions options;
  options.path = path;
  options.create = true;
  options.max_queue = shape.reports + 1;
  options.max_batch = shape.batch;
  return OrDie(OpenSqliteStore(std::move(options)));
}

std::unique_ptr<Store> SeededStore(const std::string& path,
                                   const Shape& shape) {
  std::unique_ptr<Store> store = OpenStore(path, shape);
  License license = SeedLicense(Start());
  license.limits.set_rum_sessions(1'000'000'000);
  license.limits.set_host_units_milli(1000);
  std::vector<std::string> clusters;
  for (int i = 0; i < shape.clusters; ++i) clusters.push_back(ClusterId(i));
  Die(Seed(*store, license, clusters));
  return store;
}

// Queues every report while the writer is held, then lets it go; returns what
// the writer's thread spent on all of them.
Spent Deliver(Store& store, const Shape& shape, size_t* bytes) {
  SimulatedClock clock(Start() + absl::Hours(24 * 60));
  const DocumentSigner signer =
      OrDie(DocumentSigner::Create(PrivateKey::GenerateEd25519()));
  ReportDesk::Options options;
  options.store = &store;
  options.signer = &signer;
  options.clock = &clock;
  ReportDesk desk(options);
  absl::Notification go;
  Spent first;
  Spent last;
  if (!store.Write(
          [&](Writer&) {
            go.WaitForNotification();
            first = Spent();
            return absl::OkStatus();
          },
          [](absl::Status) {})) {
    Die(absl::InternalError("the queue is full"));
  }
  absl::BlockingCounter open(shape.reports);
  *bytes = 0;
  for (int i = 0; i < shape.reports; ++i) {
    Submission submission;
    submission.report = MakeReport(shape, i);
    const std::string serialized = submission.report.SerializeAsString();
    *bytes += serialized.size();
    submission.cluster_id = submission.report.consumption().cluster_id();
    submission.digest = Sha256(serialized);
    desk.Accept(std::move(submission), [&](v1::ReportReceipt receipt) {
      if (!receipt.has_consumption()) {
        Die(absl::InternalError(receipt.ShortDebugString()));
      }
      last = Spent();
      open.DecrementCount();
    });
  }
  go.Notify();
  open.Wait();
  return {last.cpu - first.cpu, last.wall - first.wall};
}

using Value = std::variant<std::monostate, int64_t, std::string>;

struct TableRows {
  std::string name;
  // Which columns hold bytes.
  std::vector<bool> blob;
  std::vector<std::vector<Value>> rows;
};

// Those that a report writes to; parents before their children.
constexpr const char* kTables[] = {"report",
                                   "lane_mark",
                                   "consumption_report",
                                   "consumption_environment",
                                   "consumption_monitor",
                                   "consumption_host",
                                   "consumption_technology",
                                   "consumption_interval",
                                   "consumption_meter",
                                   "host_hour",
                                   "ledger_frame",
                                   "ledger_entry",
                                   "ledger_total",
                                   "ledger_license_total",
                                   "ledger_hour",
                                   "ledger_license_hour"};

std::vector<TableRows> ReadRows(sqlite::Database& database) {
  std::vector<TableRows> tables;
  for (const std::string name : kTables) {
    TableRows& table = tables.emplace_back();
    table.name = name;
    auto columns = OrDie(database.Prepare(
        absl::StrCat("SELECT type FROM pragma_table_info('", name, "')")));
    std::vector<bool> integer;
    while (OrDie(columns.Step())) {
      table.blob.push_back(columns.Text(0) == "BLOB");
      integer.push_back(columns.Text(0) == "INTEGER");
    }
    auto rows = OrDie(database.Prepare(absl::StrCat("SELECT * FROM ", name)));
    while (OrDie(rows.Step())) {
      std::vector<Value>& row = table.rows.emplace_back();
      for (size_t i = 0; i < integer.size(); ++i) {
        const int column = static_cast<int>(i);
        if (rows.IsNull(column)) {
          row.emplace_back();
        } else if (integer[i]) {
          row.emplace_back(rows.Int64(column));
        } else if (table.blob[i]) {
          row.emplace_back(rows.BlobBytes(column));
        } else {
          row.emplace_back(rows.Text(column));
        }
      }
    }
  }
  return tables;
}

void Insert(sqlite::Statement& statement, const TableRows& table,
            const std::vector<Value>& row) {
  for (size_t i = 0; i < row.size(); ++i) {
    const int index = static_cast<int>(i) + 1;
    if (const auto* number = std::get_if<int64_t>(&row[i])) {
      statement.Bind(index, *number);
    } else if (const auto* text = std::get_if<std::string>(&row[i])) {
      if (table.blob[i]) {
        statement.Bind(index, sqlite::Blob{*text});
      } else {
        statement.Bind(index, std::string_view(*text));
      }
    } else {
      statement.Bind(index, std::nullopt);
    }
  }
  Die(statement.Run());
}

// The same rows in as many transactions, each with its share of every table.
Spent InsertRaw(const std::string& path, const Shape& shape,
                const std::vector<TableRows>& tables) {
  auto database = OrDie(sqlite::Database::Open(path));
  std::vector<sqlite::Statement> statements;
  for (const TableRows& table : tables) {
    std::string sql = absl::StrCat("INSERT INTO ", table.name, " VALUES (?");
    for (size_t i = 1; i < table.blob.size(); ++i) sql += ", ?";
    statements.push_back(OrDie(database->Prepare(sql + ")")));
  }
  const int transactions = (shape.reports + shape.batch - 1) / shape.batch;
  std::vector<size_t> done(tables.size());
  const Spent first;
  for (int i = 1; i <= transactions; ++i) {
    Die(database->InTransaction([&] {
      for (size_t t = 0; t < tables.size(); ++t) {
        const std::vector<std::vector<Value>>& rows = tables[t].rows;
        // What there is once for a cluster or period comes at the beginning.
        const size_t until = rows.size() < static_cast<size_t>(shape.reports)
                                 ? rows.size()
                                 : rows.size() / shape.reports *
                                       std::min(i * shape.batch, shape.reports);
        for (; done[t] < until; ++done[t]) {
          Insert(statements[t], tables[t], rows[done[t]]);
        }
      }
      return absl::OkStatus();
    }));
  }
  const Spent last;
  return {last.cpu - first.cpu, last.wall - first.wall};
}

nlohmann::json PerReport(const Spent& spent, const Shape& shape) {
  return {{"cpu_us", spent.cpu * 1e6 / shape.reports},
          {"wall_us", spent.wall * 1e6 / shape.reports}};
}

int Run(const std::string& folder, const Shape& shape) {
  const std::string path = folder + "/product.db";
  size_t bytes = 0;
  nlohmann::json result;
  {
    const std::unique_ptr<Store> store = SeededStore(path, shape);
    result["first"] = PerReport(Deliver(*store, shape, &bytes), shape);
    result["repeat"] = PerReport(Deliver(*store, shape, &bytes), shape);
    store->Stop();
  }
  const std::vector<TableRows> tables =
      ReadRows(*OrDie(sqlite::Database::Open(path)));
  size_t rows = 0;
  for (const TableRows& table : tables) rows += table.rows.size();
  const std::string raw = folder + "/raw.db";
  SeededStore(raw, shape)->Stop();
  result["raw"] = PerReport(InsertRaw(raw, shape, tables), shape);
  result["bytes_per_report"] = bytes / shape.reports;
  result["rows_per_report"] =
      static_cast<double>(rows) / static_cast<double>(shape.reports);
  std::cout << result.dump() << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app("Cost of a consumption report to the store's writer");
  std::string folder;
  Shape shape;
  app.add_option("--folder", folder, "Where the databases go")->required();
  app.add_option("--reports", shape.reports, "Reports of one measurement");
  app.add_option("--clusters", shape.clusters, "Clusters they come from");
  app.add_option("--batch", shape.batch, "Reports of one transaction");
  app.add_option("--hosts", shape.hosts, "Hosts of a report");
  app.add_option("--monitors", shape.monitors, "Monitors of a report");
  app.add_option("--meters", shape.meters, "Generic meters of a report");
  CLI11_PARSE(app, argc, argv);
  return Run(folder, shape);
}
