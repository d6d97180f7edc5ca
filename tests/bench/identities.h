// Many clusters: their rows in a service's store and their certificates.
#ifndef TESTS_BENCH_IDENTITIES_H_
#define TESTS_BENCH_IDENTITIES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/time/clock.h"

namespace mc::bench {

// A cluster as it calls.
struct Identity {
  std::string cluster_id;
  std::string certificate_pem;
  std::string key_pem;
};

struct SeedOptions {
  // As `mc-service init` left it; no service runs in it.
  std::string directory;
  // Rows in the store.
  int clusters = 0;
  // How many of them, from the first on, get a certificate of their own.
  int identities = 0;
  // Releases in the store.
  int releases = 0;
};

// Registers the clusters, ten with each license, and writes what the identities
// need to `file` (owner-only).
absl::Status SeedService(const SeedOptions& options, const std::string& file,
                         const Clock& clock);

// The first `count` identities of such a file.
absl::StatusOr<std::vector<Identity>> ReadIdentities(const std::string& file,
                                                     size_t count);

}  // namespace mc::bench

#endif  // TESTS_BENCH_IDENTITIES_H_
