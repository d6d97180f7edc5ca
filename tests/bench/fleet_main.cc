// A fleet of simulated clusters that does what it reads from standard input,
// and writes what happened as JSON lines. tests/bench/run drives it.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "absl/synchronization/mutex.h"
#include "common/files/files.h"
#include "mc-service/cli/state_layout.h"
#include "tests/bench/fleet.h"
#include "tests/bench/identities.h"

namespace mc::bench {
namespace {

// The contract's schedule.
constexpr Schedule kSchedule = {
    .heartbeat = absl::Minutes(1),
    .license = absl::Minutes(5),
    .health = absl::Minutes(5),
    .consumption = absl::Hours(1),
    .updates = absl::Hours(1),
};

Schedule Compressed(double factor) {
  return {.heartbeat = kSchedule.heartbeat / factor,
          .license = kSchedule.license / factor,
          .health = kSchedule.health / factor,
          .consumption = kSchedule.consumption / factor,
          .updates = kSchedule.updates / factor};
}

nlohmann::ordered_json ToJson(const Latencies& latencies) {
  return {{"count", latencies.count()},
          {"p50_ms", absl::ToDoubleMilliseconds(latencies.Quantile(0.5))},
          {"p99_ms", absl::ToDoubleMilliseconds(latencies.Quantile(0.99))}};
}

void Print(const Tally& tally, absl::Duration took) {
  nlohmann::ordered_json json = {{"seconds", absl::ToDoubleSeconds(took)},
                                 {"errors", tally.errors},
                                 {"error_texts", tally.error_texts},
                                 {"answers", nlohmann::ordered_json::object()}};
  for (const auto& [what, latencies] : tally.answers) {
    json["answers"][what] = ToJson(latencies);
  }
  if (tally.from_due.count() > 0) json["from_due"] = ToJson(tally.from_due);
  std::cout << json.dump() << std::endl;
}

ReportKind KindOf(const std::string& word) {
  if (word == "repeats") return ReportKind::kRepeats;
  return word == "events" ? ReportKind::kEvents : ReportKind::kNew;
}

// One command; nothing for an unknown one.
bool Obey(const std::string& line, Fleet& fleet, Tally& tally) {
  std::istringstream words(line);
  std::string command;
  double seconds = 0;
  words >> command;
  if (command == "connect") {
    tally = fleet.Connect();
  } else if (command == "dense") {
    words >> seconds;
    tally = fleet.BeatWithoutPause(absl::Seconds(seconds));
  } else if (command == "sparse") {
    double rate = 0;
    words >> rate >> seconds;
    tally = fleet.BeatAtRate(rate, absl::Seconds(seconds));
  } else if (command == "schedule") {
    double factor = 0;
    words >> factor >> seconds;
    tally = fleet.Exchange(Compressed(factor), absl::Seconds(seconds));
  } else if (command == "large") {
    std::string method;
    size_t bytes = 0;
    size_t clusters = 0;
    words >> method >> bytes >> clusters >> seconds;
    tally = fleet.SendLarge(method, bytes, clusters, absl::Seconds(seconds));
  } else if (command == "reports") {
    std::string method;
    size_t window = 0;
    std::string kind;
    int hosts = 1;
    words >> method >> window >> kind >> seconds >> hosts;
    tally = fleet.SendReports(method, window, hosts, KindOf(kind),
                              absl::Seconds(seconds));
  } else if (command == "close") {
    tally = fleet.Close();
  } else {
    return false;
  }
  return !words.fail();
}

struct Flags {
  SeedOptions seed;
  std::string file;
  Target target;
  size_t clusters = 64;
  int threads = 2;
};

int Seed(const Flags& flags) {
  const absl::Status status = SeedService(flags.seed, flags.file, RealClock());
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}

int Run(Flags flags) {
  const auto identities = ReadIdentities(flags.file, flags.clusters);
  const auto root = ReadFile(
      service::StateLayout(flags.seed.directory).ServerCa().certificate);
  for (const absl::Status& status : {identities.status(), root.status()}) {
    if (status.ok()) continue;
    std::cerr << status << "\n";
    return 1;
  }
  const RealClock clock;
  flags.target.root_pem = *root;
  flags.target.epoch = absl::ToUnixMillis(clock.Now());
  Fleet fleet(flags.target, *identities, flags.threads);
  std::string line;
  while (std::getline(std::cin, line)) {
    const absl::Time start = clock.Now();
    Tally tally;
    if (!Obey(line, fleet, tally)) {
      std::cerr << "not a command: " << line << "\n";
      return 2;
    }
    Print(tally, clock.Now() - start);
  }
  return 0;
}

}  // namespace
}  // namespace mc::bench

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  mc::bench::Flags flags;
  CLI::App app("Simulated clusters; see tests/bench/README.md.");
  app.require_subcommand(1);
  app.add_option("--directory", flags.seed.directory,
                 "The service's state directory")
      ->required();
  app.add_option("--identities-file", flags.file,
                 "The clusters' certificates and keys")
      ->required();
  CLI::App* seed = app.add_subcommand(
      "seed", "Registers clusters in the store; the service does not run");
  seed->add_option("--clusters", flags.seed.clusters)->required();
  seed->add_option("--identities", flags.seed.identities,
                   "Those that get a certificate")
      ->required();
  seed->add_option("--releases", flags.seed.releases);
  CLI::App* run = app.add_subcommand("run", "Obeys standard input");
  run->add_option("--address", flags.target.address)->required();
  run->add_option("--beat-method", flags.target.beat_method)->required();
  run->add_flag("--unary", flags.target.unary, "Each beat is a call");
  run->add_option("--clusters", flags.clusters)->required();
  run->add_option("--threads", flags.threads);
  CLI11_PARSE(app, argc, argv);
  return seed->parsed() ? mc::bench::Seed(flags)
                        : mc::bench::Run(std::move(flags));
}
