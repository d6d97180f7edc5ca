// Many agents come back after a restart of the service: the agents' backoff
// and the service's slots, together, on a simulated clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "common/retry/backoff.h"
#include "mc-service/domain/pacing/retry_slots.h"

namespace mc::bench {
namespace {

constexpr int kAgents = 10'000;
// What the service takes a second, and tells those that find it full.
constexpr double kPerSecond = 500;

struct Storm {
  // Attempts that reached the service.
  int64_t attempts = 0;
  // In the first second, and in the busiest one after it.
  int64_t first_second = 0;
  int64_t peak_per_second = 0;
  double mean_per_second = 0;
  absl::Duration until_all_are_back;
};

// All lose their connection at once, and the service is back after `outage`.
Storm Restart(absl::Duration outage) {
  const absl::Time begin = absl::FromUnixSeconds(1'795'255'200);
  std::mt19937_64 generator(7);
  const UniformDraw draw = [&] {
    return std::uniform_real_distribution<double>(0, 1)(generator);
  };
  service::RetrySlots slots(kPerSecond, absl::Minutes(1));
  std::vector<Backoff> agents;
  // By time: whose next attempt it is.
  using Attempt = std::pair<absl::Time, int>;
  std::priority_queue<Attempt, std::vector<Attempt>, std::greater<>> queue;
  for (int i = 0; i < kAgents; ++i) {
    agents.emplace_back(Backoff::Options(), draw);
    queue.emplace(begin + agents.back().Next(), i);
  }
  Storm storm;
  std::map<int64_t, int64_t> per_second;
  std::map<int64_t, int64_t> served;
  absl::Time last = begin;
  while (!queue.empty()) {
    const auto [now, agent] = queue.top();
    queue.pop();
    if (now < begin + outage) {
      queue.emplace(now + agents[agent].Next(), agent);
      continue;
    }
    ++storm.attempts;
    const int64_t second = absl::ToInt64Seconds(now - begin - outage);
    ++per_second[second];
    if (served[second] < kPerSecond) {
      ++served[second];
      last = now;
    } else {
      queue.emplace(now + agents[agent].Next(slots.Take(now)), agent);
    }
  }
  for (const auto& [second, count] : per_second) {
    int64_t& most = second == 0 ? storm.first_second : storm.peak_per_second;
    most = std::max(most, count);
  }
  storm.until_all_are_back = last - begin - outage;
  storm.mean_per_second = static_cast<double>(storm.attempts) /
                          absl::ToDoubleSeconds(storm.until_all_are_back);
  std::printf(
      "outage %.0f s: %d agents back after %.1f s, %.2f attempts each, first "
      "second %ld, then peak %ld/s, mean %.0f/s, peak to mean %.2f\n",
      absl::ToDoubleSeconds(outage), kAgents,
      absl::ToDoubleSeconds(storm.until_all_are_back),
      static_cast<double>(storm.attempts) / kAgents,
      static_cast<long>(storm.first_second),
      static_cast<long>(storm.peak_per_second), storm.mean_per_second,
      static_cast<double>(storm.peak_per_second) / storm.mean_per_second);
  return storm;
}

TEST(Reconnect, QuickRestartIsNoStorm) {
  // The worst case, a crash: everybody's first pause is within a second. Those
  // that find the service full are spread from then on.
  const Storm storm = Restart(absl::ZeroDuration());
  EXPECT_LE(storm.attempts, 3 * kAgents);
  EXPECT_LE(storm.peak_per_second, 2 * kPerSecond);
  // 20 s is the least at the rate that the service takes.
  EXPECT_LE(storm.until_all_are_back, absl::Seconds(40));
}

TEST(Reconnect, LongerOutageIsSpreadByTheAgentsThemselves) {
  for (const int seconds : {10, 60, 600}) {
    const Storm storm = Restart(absl::Seconds(seconds));
    EXPECT_LE(storm.attempts, 2 * kAgents) << seconds;
    EXPECT_LE(storm.first_second, 4 * kPerSecond) << seconds;
    EXPECT_LE(storm.peak_per_second, 4 * kPerSecond) << seconds;
  }
}

}  // namespace
}  // namespace mc::bench
