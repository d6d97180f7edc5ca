#include "tests/bench/handshakes.h"

#include <thread>

namespace mc::bench {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

Tally OpenOneAfterTheOther(const Target& target,
                           const std::vector<Identity>& identities,
                           size_t first, size_t stride, absl::Time until) {
  const RealClock clock;
  Tally tally;
  for (size_t i = first;; i += stride) {
    const absl::Time start = clock.Now();
    if (start >= until) return tally;
    const auto channel = MakeChannel(target, identities[i % identities.size()]);
    if (channel->WaitForConnected(absl::ToChronoTime(start + kPatience))) {
      tally.Count("handshake", clock.Now() - start);
    } else {
      tally.Fail("handshake", grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                           "the connection does not open"));
    }
  }
}

}  // namespace

Tally OpenConnections(const Target& target,
                      const std::vector<Identity>& identities, int at_once,
                      absl::Duration duration) {
  const absl::Time until = RealClock().Now() + duration;
  std::vector<Tally> tallies(static_cast<size_t>(at_once));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < tallies.size(); ++i) {
    threads.emplace_back([&, i] {
      tallies[i] =
          OpenOneAfterTheOther(target, identities, i, tallies.size(), until);
    });
  }
  Tally sum;
  for (size_t i = 0; i < tallies.size(); ++i) {
    threads[i].join();
    sum.Merge(tallies[i]);
  }
  return sum;
}

}  // namespace mc::bench
