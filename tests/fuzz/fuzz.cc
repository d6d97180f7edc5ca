#include "tests/fuzz/fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "common/log/log.h"

namespace mc::fuzz {

void Require(bool holds, std::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n",
               static_cast<int>(property.size()), property.data());
  std::abort();
}

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014).
uint64_t Draw::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace mc::fuzz

int LLVMFuzzerInitialize(int*, char***) {
  // Some targets write files with each input.
  if (std::filesystem::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  mc::InitLog({.level = mc::LogLevel::kError, .file = "/dev/null"});
  mc::fuzz::Prepare();
  return 0;
}
