// New connections one after the other, for what a handshake costs.
#ifndef TESTS_BENCH_HANDSHAKES_H_
#define TESTS_BENCH_HANDSHAKES_H_

#include <vector>

#include "absl/time/time.h"
#include "tests/bench/cluster.h"
#include "tests/bench/identities.h"
#include "tests/bench/worker.h"

namespace mc::bench {

// Each of `at_once` threads opens connections and closes each as soon as its
// handshake is over. Blocks for `duration`.
Tally OpenConnections(const Target& target,
                      const std::vector<Identity>& identities, int at_once,
                      absl::Duration duration);

}  // namespace mc::bench

#endif  // TESTS_BENCH_HANDSHAKES_H_
