// What seeds and targets agree upon.
#ifndef TESTS_FUZZ_NAMES_H_
#define TESTS_FUZZ_NAMES_H_

#include <cstdint>

namespace mc::fuzz {

inline constexpr char kCluster[] = "5f9c3d1e-0000-4000-8000-00000000c1c1";
// It has not been registered.
inline constexpr char kNewCluster[] = "5f9c3d1e-0000-4000-8000-00000000c2c2";
inline constexpr char kNode[] = "5f9c3d1e-0000-4000-8000-00000000000a";
inline constexpr char kLicenseKey[] = "MC-0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV";
// 2026-11-21T10:00:00Z
inline constexpr int64_t kHour = 1'795'255'200;
// Of 32 bytes of one: made for this, and no secret.
inline constexpr char kAgeKey[] =
    "AGE-SECRET-KEY-"
    "1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN";
inline constexpr uint64_t kEpoch = 7;

}  // namespace mc::fuzz

#endif  // TESTS_FUZZ_NAMES_H_
