#include <algorithm>

#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

constexpr size_t kHead = 3;
constexpr size_t kMaxFrame = 0xffff;
// The rest of an input is not looked at: each call costs something.
constexpr size_t kMaxFrames = 32;

}  // namespace

std::string Join(std::span<const Frame> frames) {
  std::string joined;
  for (const Frame& frame : frames) {
    const size_t size = std::min(frame.bytes.size(), kMaxFrame);
    joined += static_cast<char>('A' + frame.call);
    joined += static_cast<char>(size & 0xff);
    joined += static_cast<char>(size >> 8);
    joined.append(frame.bytes, 0, size);
  }
  return joined;
}

std::vector<Frame> Split(std::string_view input, size_t calls) {
  std::vector<Frame> frames;
  while (input.size() >= kHead && frames.size() < kMaxFrames) {
    const size_t call = static_cast<unsigned char>(input[0]) - size_t{'A'};
    const size_t size = static_cast<unsigned char>(input[1]) |
                        static_cast<unsigned char>(input[2]) << 8;
    input.remove_prefix(kHead);
    if (call < calls) {
      frames.push_back({call, std::string(input.substr(0, size))});
    }
    input.remove_prefix(std::min(size, input.size()));
  }
  return frames;
}

}  // namespace mc::fuzz
