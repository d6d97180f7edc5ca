#include "tests/bench/fleet.h"

#include <utility>

#include "absl/synchronization/mutex.h"

namespace mc::bench {
namespace {

// Handshakes of one thread at the same time: a service that many clusters come
// back to works them off in turn, and each has its time limit.
constexpr size_t kConnectAtOnce = 32;
constexpr absl::Duration kPatience = absl::Minutes(1);
// The share of the streams of an agent with the default schedule.
constexpr absl::Duration kAgentsBackoff = absl::Seconds(150);

void Wait(const Clock& clock, absl::Duration duration) {
  absl::Mutex mutex;
  bool never = false;
  absl::MutexLock lock(&mutex);
  RealClock().WaitUntil(mutex, absl::Condition(&never), clock.Now() + duration);
}

}  // namespace

Fleet::Fleet(const Target& target, const std::vector<Identity>& identities,
             int threads)
    : target_(target), lanes_(threads) {
  for (Lane& lane : lanes_) lane.worker = std::make_unique<Worker>();
  for (size_t i = 0; i < identities.size(); ++i) {
    Lane& lane = lanes_[i % lanes_.size()];
    lane.clusters.push_back(
        std::make_unique<Cluster>(target_, identities[i], lane.worker.get()));
  }
}

Fleet::~Fleet() {
  for (Lane& lane : lanes_) {
    lane.worker->Do([&lane] { lane.clusters.clear(); });
  }
}

// `work(cluster, index)` on the thread of each cluster; `index` counts all.
template <typename Work>
void Fleet::ForEach(Work work) {
  for (size_t l = 0; l < lanes_.size(); ++l) {
    lanes_[l].worker->Do([&] {
      for (size_t i = 0; i < lanes_[l].clusters.size(); ++i) {
        work(*lanes_[l].clusters[i], i * lanes_.size() + l);
      }
    });
  }
}

void Fleet::ConnectNext(Lane& lane) {
  if (lane.next_to_connect == lane.clusters.size()) return;
  Cluster& cluster = *lane.clusters[lane.next_to_connect++];
  cluster.Connect([this, &lane] {
    ++lane.connected;
    ConnectNext(lane);
  });
}

Tally Fleet::Connect() {
  for (Lane& lane : lanes_) {
    lane.worker->Do([&] {
      for (size_t i = 0; i < kConnectAtOnce; ++i) ConnectNext(lane);
    });
  }
  size_t before = 0;
  absl::Time progress = clock_.Now();
  for (;;) {
    size_t connected = 0;
    size_t all = 0;
    for (Lane& lane : lanes_) {
      lane.worker->Do([&] { connected += lane.connected; });
      all += lane.clusters.size();
    }
    if (connected == all) break;
    if (std::exchange(before, connected) != connected) {
      progress = clock_.Now();
    } else if (clock_.Now() - progress > kPatience) {
      lanes_[0].worker->Do([&] {
        lanes_[0].worker->tally().Fail(
            "connect", grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                                    "not all clusters were answered"));
      });
      break;
    }
    Wait(clock_, absl::Milliseconds(20));
  }
  return TakeTally();
}

void Fleet::AwaitIdle() {
  const absl::Time deadline = clock_.Now() + kPatience;
  for (;;) {
    bool idle = true;
    ForEach([&](Cluster& cluster, size_t) { idle = idle && cluster.idle(); });
    if (idle || clock_.Now() > deadline) return;
    Wait(clock_, absl::Milliseconds(5));
  }
}

Tally Fleet::TakeTally() {
  Tally sum;
  for (Lane& lane : lanes_) {
    lane.worker->Do(
        [&] { sum.Merge(std::exchange(lane.worker->tally(), Tally())); });
  }
  return sum;
}

Tally Fleet::BeatWithoutPause(absl::Duration duration) {
  TakeTally();
  ForEach([](Cluster& cluster, size_t) { cluster.BeatWithoutPause(); });
  Wait(clock_, duration);
  ForEach([](Cluster& cluster, size_t) { cluster.StopBeats(); });
  AwaitIdle();
  return TakeTally();
}

Tally Fleet::BeatAtRate(double rate, absl::Duration duration) {
  size_t count = 0;
  for (const Lane& lane : lanes_) count += lane.clusters.size();
  const absl::Duration interval =
      absl::Seconds(static_cast<double>(count) / rate);
  TakeTally();
  const absl::Time start = clock_.Now() + absl::Milliseconds(100);
  ForEach([&](Cluster& cluster, size_t index) {
    // A stride without a common divisor: neighbors do not beat one after the
    // other.
    const double phase = static_cast<double>(index * 7919 % count);
    cluster.BeatEvery(start + interval * (phase / static_cast<double>(count)),
                      interval);
  });
  Wait(clock_, duration);
  ForEach([](Cluster& cluster, size_t) { cluster.StopBeats(); });
  AwaitIdle();
  return TakeTally();
}

Tally Fleet::Exchange(const Schedule& schedule, absl::Duration duration) {
  size_t count = 0;
  for (const Lane& lane : lanes_) count += lane.clusters.size();
  TakeTally();
  const absl::Time start = clock_.Now() + absl::Milliseconds(100);
  ForEach([&](Cluster& cluster, size_t index) {
    const double phase = static_cast<double>(index * 7919 % count);
    cluster.BeatEvery(
        start + schedule.heartbeat * (phase / static_cast<double>(count)),
        schedule.heartbeat);
    cluster.Exchange(start, schedule);
  });
  Wait(clock_, duration);
  ForEach([](Cluster& cluster, size_t) {
    cluster.StopBeats();
    cluster.StopExchanges();
  });
  AwaitIdle();
  return TakeTally();
}

size_t Fleet::CountConnected() {
  size_t connected = 0;
  ForEach([&](Cluster& cluster, size_t) { connected += cluster.connected(); });
  return connected;
}

Tally Fleet::Storm(absl::Duration heartbeat, absl::Duration duration) {
  TakeTally();
  const absl::Time start = clock_.Now();
  size_t count = 0;
  ForEach([&](Cluster& cluster, size_t index) {
    ++count;
    cluster.ComeBackAsAgents({.max = kAgentsBackoff});
    cluster.BeatEvery(
        start +
            heartbeat * (static_cast<double>(index * 7919 % 10'007) / 10'007),
        heartbeat);
  });
  bool lost = false;
  while (clock_.Now() < start + duration) {
    const size_t connected = CountConnected();
    lost = lost || connected < count / 2;
    if (lost && connected == count) break;
    Wait(clock_, absl::Milliseconds(200));
  }
  if (!lost || CountConnected() != count) {
    lanes_[0].worker->Do([&] {
      lanes_[0].worker->tally().Fail(
          "storm", grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                                lost ? "not all came back" : "none was lost"));
    });
  }
  ForEach([](Cluster& cluster, size_t) { cluster.StopBeats(); });
  AwaitIdle();
  return TakeTally();
}

Tally Fleet::SendLarge(const std::string& method, size_t bytes, size_t clusters,
                       absl::Duration duration) {
  const std::string message(bytes, 'x');
  TakeTally();
  const absl::Time until = clock_.Now() + duration;
  ForEach([&](Cluster& cluster, size_t index) {
    if (index < clusters) cluster.SendLarge(method, message, until);
  });
  Wait(clock_, duration);
  AwaitIdle();
  return TakeTally();
}

Tally Fleet::SendReports(const std::string& method, size_t window, int hosts,
                         ReportKind kind, absl::Duration duration) {
  TakeTally();
  const absl::Time until = clock_.Now() + duration;
  ForEach([&](Cluster& cluster, size_t) {
    cluster.SendReports(method, window, hosts, kind, until);
  });
  Wait(clock_, duration);
  AwaitIdle();
  return TakeTally();
}

Tally Fleet::Close() {
  size_t open = 0;
  absl::Mutex mutex;
  ForEach([&](Cluster& cluster, size_t) {
    {
      absl::MutexLock lock(&mutex);
      ++open;
    }
    cluster.Close([&] {
      absl::MutexLock lock(&mutex);
      --open;
    });
  });
  absl::MutexLock lock(&mutex);
  const auto closed = [&] { return open == 0; };
  mutex.AwaitWithTimeout(absl::Condition(&closed), kPatience);
  return TakeTally();
}

}  // namespace mc::bench
