// What simulated clusters say: messages of the size of a small real site.
#ifndef TESTS_BENCH_MESSAGES_H_
#define TESTS_BENCH_MESSAGES_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "missioncontrol/v1/cluster_service.pb.h"

namespace mc::bench {

namespace v1 = missioncontrol::v1;

v1::StreamHeartbeatsRequest MakeBeat(const std::string& cluster_id);
v1::CheckUpdatesRequest MakeUpdatesRequest();
v1::StreamReportsRequest MakeHello(const std::string& cluster_id,
                                   uint64_t epoch);
// Three nodes with four services and two partitions each.
v1::StreamReportsRequest MakeHealth(const std::string& cluster_id,
                                    uint64_t epoch, uint64_t sequence,
                                    absl::Time now);
// One minute of two environments with `hosts` hosts each.
v1::StreamReportsRequest MakeConsumption(const std::string& cluster_id,
                                         uint64_t epoch, uint64_t sequence,
                                         absl::Time now, int hosts = 5);

// One event with an outage's figures and a text: some 300 bytes in all.
v1::StreamReportsRequest MakeEvents(const std::string& cluster_id,
                                    uint64_t epoch, uint64_t sequence,
                                    absl::Time now);

}  // namespace mc::bench

#endif  // TESTS_BENCH_MESSAGES_H_
