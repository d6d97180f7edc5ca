// What seeds and targets agree upon.
#ifndef TESTS_FUZZ_NAMES_H_
#define TESTS_FUZZ_NAMES_H_

#include <cstdint>

namespace mc::fuzz {

inline constexpr char kCluster[] = "5f9c3d1e-0000-4000-8000-00000000c1c1";
// It has not been registered.
inline constexpr char kNewCluster[] = "5f9c3d1e-0000-4000-8000-00000000c2c2";
inline constexpr char kNode[] = "5f9c3d1e-0000-4000-8000-00000000000a";
// That of a license whose clusters register by themselves.
inline constexpr char kLicenseKey[] = "MC-0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV";
// Those of licenses that ask for a token, and for an operator's approval.
inline constexpr char kTokenLicenseKey[] =
    "MC-1123-4567-89AB-CDEF-GHJK-MNPQ-RSTV";
inline constexpr char kApproveLicenseKey[] =
    "MC-2123-4567-89AB-CDEF-GHJK-MNPQ-RSTV";
inline constexpr char kEnrollmentToken[] =
    "MCE-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
// What the cluster got at its registration, and the key that was certified:
// made for this, and no secret.
inline constexpr char kPassword[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
inline constexpr char kClusterKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNlSmjWj0k1iPzCkX\n"
    "JkyWn9koEetJ2RcanBOMLOqrHsahRANCAATD2po0wsaQMl9iUNupJs7sdvja8edP\n"
    "VH9oZgb3h58vXL+7piXvJ+h5nKnKTK4YBaIYL+IY6z9K4JtbvZsUtV2K\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr char kInstance[] = "5f9c3d1e-0000-4000-8000-00000000a1a1";
// Good for every node of the site.
inline constexpr char kJoinToken[] =
    "mcj1.sssssssssssssssssssssssssssssssssssssssssss."
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
// 2026-11-21T10:00:00Z
inline constexpr int64_t kHour = 1'795'255'200;
// Of 32 bytes of one: made for this, and no secret.
inline constexpr char kAgeKey[] =
    "AGE-SECRET-KEY-"
    "1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN";
inline constexpr uint64_t kEpoch = 7;

}  // namespace mc::fuzz

#endif  // TESTS_FUZZ_NAMES_H_
