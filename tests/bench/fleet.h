// Many simulated clusters on a few threads.
#ifndef TESTS_BENCH_FLEET_H_
#define TESTS_BENCH_FLEET_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/cluster.h"
#include "tests/bench/worker.h"

namespace mc::bench {

// Every function blocks until it is done, and returns what happened meanwhile.
// Not thread-safe.
class Fleet {
 public:
  Fleet(const Target& target, const std::vector<Identity>& identities,
        int threads);
  ~Fleet();

  // Opens all connections, a few at a time, as a service meets them.
  Tally Connect();
  // Each cluster beats as soon as it was answered.
  Tally BeatWithoutPause(absl::Duration duration);
  // All of them together send `rate` beats a second, evenly spread.
  Tally BeatAtRate(double rate, absl::Duration duration);
  // The schedule of all exchanges.
  Tally Exchange(const Schedule& schedule, absl::Duration duration);
  // The first `clusters` send messages of this size without pause.
  Tally SendLarge(const std::string& method, size_t bytes, size_t clusters,
                  absl::Duration duration);
  // Each sends reports; see Cluster.
  Tally SendReports(const std::string& method, size_t window, int hosts,
                    ReportKind kind, absl::Duration duration);
  Tally Close();

 private:
  struct Lane {
    std::unique_ptr<Worker> worker;
    std::vector<std::unique_ptr<Cluster>> clusters;
    size_t next_to_connect = 0;
    size_t connected = 0;
  };

  void ConnectNext(Lane& lane);
  // Waits until no cluster waits for an answer.
  void AwaitIdle();
  Tally TakeTally();
  template <typename Work>
  void ForEach(Work work);

  const Target target_;
  const RealClock clock_{};
  std::vector<Lane> lanes_;
};

}  // namespace mc::bench

#endif  // TESTS_BENCH_FLEET_H_
