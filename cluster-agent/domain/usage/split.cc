#include "cluster-agent/domain/usage/split.h"

#include <algorithm>
#include <string>
#include <utility>

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using missioncontrol::v1::EnvironmentConsumption;
using missioncontrol::v1::HostConsumption;

// The tag and the length before an embedded message of up to 4 GiB.
constexpr size_t kHeader = 6;
// An environment's own counts, with tags.
constexpr size_t kCounts = 32;
// The service's bound for every list.
constexpr int kMaxEntries = 10'000;
constexpr int kIntervalsPerPiece = 512;
constexpr int kTechnologiesPerPiece = 128;

bool InOnePiece(const HostConsumption& host) {
  return host.monitored_size() <= kIntervalsPerPiece &&
         host.technologies_size() <= kTechnologiesPerPiece;
}

bool FitsInOne(const EnvironmentConsumption& environment) {
  if (environment.synthetic_monitors_size() > kMaxEntries ||
      environment.hosts_size() > kMaxEntries ||
      environment.meters_size() > kMaxEntries) {
    return false;
  }
  for (int i = 1; i < environment.meters_size(); ++i) {
    if (environment.meters(i - 1).meter_id() ==
        environment.meters(i).meter_id()) {
      return false;
    }
  }
  return std::all_of(environment.hosts().begin(), environment.hosts().end(),
                     InOnePiece);
}

bool FitsInOne(const Consumption& consumption, size_t max_bytes) {
  return consumption.environments_size() <= kMaxEntries &&
         consumption.ByteSizeLong() <= max_bytes &&
         std::all_of(consumption.environments().begin(),
                     consumption.environments().end(),
                     [](const EnvironmentConsumption& environment) {
                       return FitsInOne(environment);
                     });
}

// Packs entries into messages. Sizes are counted as upper bounds, so that no
// message is serialized only to be measured.
class Packer {
 public:
  Packer(const Consumption& whole, size_t max_bytes) : max_bytes_(max_bytes) {
    empty_.set_cluster_id(whole.cluster_id());
    *empty_.mutable_time_frame() = whole.time_frame();
    NewMessage();
  }

  void Add(const EnvironmentConsumption& environment) {
    environment_id_ = environment.environment_id();
    if (bytes_ + EnvironmentBytes() > max_bytes_ ||
        parts_.back().environments_size() >= kMaxEntries) {
      NewMessage();
    }
    OpenEnvironment();
    Current().set_new_problems(environment.new_problems());
    Current().set_rum_sessions(environment.rum_sessions());
    for (const auto& monitor : environment.synthetic_monitors()) {
      MakeRoom(monitor.ByteSizeLong(),
               Current().synthetic_monitors_size() >= kMaxEntries);
      *Current().add_synthetic_monitors() = monitor;
    }
    for (const auto& host : environment.hosts()) AddHost(host);
    for (const auto& meter : environment.meters()) {
      // One meter with two units: the service wants each ID once in a report.
      const bool twice =
          Current().meters_size() > 0 &&
          Current().meters().rbegin()->meter_id() == meter.meter_id();
      MakeRoom(meter.ByteSizeLong(),
               twice || Current().meters_size() >= kMaxEntries);
      *Current().add_meters() = meter;
    }
  }

  std::vector<Consumption> Take() { return std::move(parts_); }

 private:
  EnvironmentConsumption& Current() {
    return *parts_.back().mutable_environments()->rbegin();
  }

  size_t EnvironmentBytes() const {
    return environment_id_.size() + 2 * kHeader + kCounts;
  }

  void NewMessage() {
    parts_.push_back(empty_);
    bytes_ = empty_.ByteSizeLong();
  }

  void OpenEnvironment() {
    parts_.back().add_environments()->set_environment_id(environment_id_);
    bytes_ += EnvironmentBytes();
  }

  // Goes on in a new message where the entry does not fit or `must`.
  void MakeRoom(size_t entry_bytes, bool must) {
    const size_t bytes = entry_bytes + kHeader;
    if (must || bytes_ + bytes > max_bytes_) {
      NewMessage();
      OpenEnvironment();
    }
    bytes_ += bytes;
  }

  void AddHost(const HostConsumption& host) {
    int interval = 0;
    int technology = 0;
    bool again = false;
    do {
      HostConsumption piece;
      piece.set_host_id(host.host_id());
      piece.set_host_category(host.host_category());
      piece.set_memory_bytes(host.memory_bytes());
      for (int i = 0;
           i < kTechnologiesPerPiece && technology < host.technologies_size();
           ++i) {
        piece.add_technologies(host.technologies(technology++));
      }
      for (int i = 0;
           i < kIntervalsPerPiece && interval < host.monitored_size(); ++i) {
        *piece.add_monitored() = host.monitored(interval++);
      }
      MakeRoom(piece.ByteSizeLong(),
               again || Current().hosts_size() >= kMaxEntries);
      *Current().add_hosts() = std::move(piece);
      again = true;
    } while (interval < host.monitored_size() ||
             technology < host.technologies_size());
  }

  const size_t max_bytes_;
  Consumption empty_;
  std::vector<Consumption> parts_;
  std::string environment_id_;
  size_t bytes_ = 0;
};

}  // namespace

std::vector<Consumption> SplitConsumption(Consumption consumption,
                                          size_t max_bytes) {
  max_bytes = std::max(max_bytes, kMinMaxReportBytes);
  if (FitsInOne(consumption, max_bytes)) return {std::move(consumption)};
  Packer packer(consumption, max_bytes);
  for (const EnvironmentConsumption& environment : consumption.environments()) {
    packer.Add(environment);
  }
  return packer.Take();
}

}  // namespace mc::agent
