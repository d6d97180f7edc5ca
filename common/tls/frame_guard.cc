#include "common/tls/frame_guard.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace mc {
namespace {

constexpr size_t kPrefaceSize = 24;

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kRstStream = 3,
  kWindowUpdate = 8,
  kContinuation = 9,
};
constexpr uint8_t kEndHeaders = 0x4;
constexpr uint8_t kPadded = 0x8;
constexpr uint8_t kPriority = 0x20;

// gRPC's own, for its load balancers; from outside it calls abort().
constexpr std::string_view kFatalName = "grpclb_client_stats";

// The letters of kFatalName: code and bits, RFC 7541, appendix B.
constexpr std::pair<char, std::pair<uint8_t, int>> kHuffman[] = {
    {'_', {0x22, 6}}, {'a', {0x3, 5}},  {'b', {0x23, 6}}, {'c', {0x4, 5}},
    {'e', {0x5, 5}},  {'g', {0x26, 6}}, {'i', {0x6, 5}},  {'l', {0x28, 6}},
    {'n', {0x2a, 6}}, {'p', {0x2b, 6}}, {'r', {0x2c, 6}}, {'s', {0x8, 5}},
    {'t', {0x9, 5}}};

// The bits of kFatalName, each as a character.
std::string FatalBits() {
  std::string bits;
  for (const char c : kFatalName) {
    const auto* found =
        std::find_if(std::begin(kHuffman), std::end(kHuffman),
                     [c](const auto& letter) { return letter.first == c; });
    const auto [code, size] = found->second;
    for (int i = size - 1; i >= 0; --i) bits += ((code >> i) & 1) + '0';
  }
  return bits;
}

bool IsFatalHuffman(std::string_view coded) {
  static const std::string fatal = FatalBits();
  // Padding is less than a byte, whatever is in it.
  if (coded.size() * 8 < fatal.size() || coded.size() * 8 >= fatal.size() + 8) {
    return false;
  }
  for (size_t i = 0; i < fatal.size(); ++i) {
    const auto byte = static_cast<uint8_t>(coded[i / 8]);
    if (((byte >> (7 - i % 8)) & 1) != fatal[i] - '0') return false;
  }
  return true;
}

// Reads a header block; what it returns is absent where the block ends early.
class Block {
 public:
  explicit Block(std::string_view rest) : rest_(rest) {}

  bool empty() const { return rest_.empty(); }
  size_t size() const { return rest_.size(); }
  uint8_t peek() const { return static_cast<uint8_t>(rest_.front()); }
  bool endless() const { return endless_; }

  // RFC 7541, 5.1.
  std::optional<size_t> Integer(int prefix_bits) {
    if (rest_.empty()) return std::nullopt;
    const size_t most = (size_t{1} << prefix_bits) - 1;
    size_t value = Next() & most;
    if (value < most) return value;
    for (int shift = 0; !rest_.empty(); shift += 7) {
      // Five bytes hold 32 bits.
      if (shift > 28) {
        endless_ = true;
        return std::nullopt;
      }
      const uint8_t byte = Next();
      value += size_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  // 5.2; `fatal` is set where it is kFatalName.
  bool String(bool& fatal) {
    if (rest_.empty()) return false;
    const bool huffman = (peek() & 0x80) != 0;
    const std::optional<size_t> size = Integer(7);
    if (!size.has_value() || *size > rest_.size()) return false;
    const std::string_view value = rest_.substr(0, *size);
    rest_.remove_prefix(*size);
    fatal = huffman ? IsFatalHuffman(value) : value == kFatalName;
    return true;
  }

 private:
  uint8_t Next() {
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  std::string_view rest_;
  bool endless_ = false;
};

}  // namespace

JudgedBlock JudgeHeaderBlock(std::string_view bytes) {
  Block block(bytes);
  JudgedBlock judged;
  while (!block.empty()) {
    const uint8_t first = block.peek();
    bool whole = true;
    if ((first & 0x80) != 0) {
      whole = block.Integer(7).has_value();
    } else if ((first & 0xe0) == 0x20) {
      whole = block.Integer(5).has_value();
      judged.resizes += whole ? 1 : 0;
    } else {
      const std::optional<size_t> name =
          block.Integer((first & 0x40) != 0 ? 6 : 4);
      bool fatal = false;
      whole = name.has_value() && (*name != 0 || block.String(fatal));
      if (whole && fatal) {
        judged.why = "a header that would end the process";
        return judged;
      }
      whole = whole && block.String(fatal);
    }
    if (block.endless()) {
      judged.why = "a number in a header block that does not end";
      return judged;
    }
    if (!whole) return judged;
    judged.whole_bytes = bytes.size() - block.size();
  }
  return judged;
}

bool FrameGuard::Bucket::Take(double per_second, double most,
                              absl::Duration now) {
  tokens =
      std::min(most, tokens + per_second * absl::ToDoubleSeconds(now - at));
  at = now;
  if (tokens < 1) return false;
  tokens -= 1;
  return true;
}

FrameGuard::FrameGuard(const Limits& limits, RateLimit* of_client,
                       std::string client)
    : limits_(limits),
      of_client_(of_client),
      client_(std::move(client)),
      preface_left_(kPrefaceSize),
      streams_{limits.streams_at_once},
      controls_{limits.controls_at_once},
      empties_{limits.empties_at_once} {}

const char* FrameGuard::Take(std::string_view bytes, absl::Duration now) {
  const size_t preface = std::min(preface_left_, bytes.size());
  preface_left_ -= preface;
  bytes.remove_prefix(preface);
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      const size_t size = std::min(payload_left_, bytes.size());
      payload_left_ -= size;
      if (in_block_) {
        if (const char* why = OnPayload(bytes.substr(0, size))) return why;
      }
      bytes.remove_prefix(size);
      continue;
    }
    const size_t size = std::min(header_.size() - header_size_, bytes.size());
    std::copy_n(bytes.begin(), size, header_.begin() + header_size_);
    header_size_ += size;
    bytes.remove_prefix(size);
    if (header_size_ < header_.size()) break;
    header_size_ = 0;
    if (const char* why = OnHeader(now)) return why;
  }
  return nullptr;
}

const char* FrameGuard::OnHeader(absl::Duration now) {
  payload_left_ = (size_t{header_[0]} << 16) | (size_t{header_[1]} << 8) |
                  size_t{header_[2]};
  const uint8_t type = header_[3];
  const uint8_t flags = header_[4];
  const bool continues = type == kContinuation;
  // gRPC ends a connection whose header block is interrupted.
  in_block_ = type == kHeaders || continues;
  if (in_block_) {
    if (!continues) {
      block_.clear();
      block_size_ = 0;
      resizes_ = 0;
      priority_left_ = (flags & kPriority) != 0 ? 5 : 0;
      if ((flags & kPadded) != 0) return "a padded header block";
    }
    block_size_ += payload_left_;
    if (payload_left_ == 0 && continues && (flags & kEndHeaders) == 0) {
      return "an empty CONTINUATION";
    }
    if (block_size_ > limits_.header_bytes) {
      return "a header block that is too long";
    }
  }
  switch (type) {
    case kHeaders:
    case kRstStream:
      if (!streams_.Take(limits_.streams_per_second, limits_.streams_at_once,
                         now) ||
          (of_client_ != nullptr &&
           of_client_->Take(client_) > absl::ZeroDuration())) {
        return "too many streams that begin or are reset";
      }
      break;
    case kContinuation:
      break;
    case kData:
      if (payload_left_ > 0) break;
      [[fallthrough]];
    case kWindowUpdate:
      if (!empties_.Take(limits_.empties_per_second, limits_.empties_at_once,
                         now)) {
        return "too many frames without contents";
      }
      break;
    default:
      if (!controls_.Take(limits_.controls_per_second, limits_.controls_at_once,
                          now)) {
        return "too many SETTINGS or PING";
      }
  }
  if (in_block_ && payload_left_ == 0) return OnPayload("");
  return nullptr;
}

const char* FrameGuard::OnPayload(std::string_view part) {
  // Before the first field of a frame that has one.
  const size_t priority = std::min(priority_left_, part.size());
  priority_left_ -= priority;
  part.remove_prefix(priority);
  block_.append(part.data(), part.size());
  // gRPC decodes each part as it comes, so it is judged before that.
  const JudgedBlock judged = JudgeHeaderBlock(block_);
  if (judged.why != nullptr) return judged.why;
  resizes_ += judged.resizes;
  // At most two stand at the beginning of a block: RFC 7541, 4.2.
  if (resizes_ > 2) return "an HPACK table that is resized again and again";
  block_.erase(0, judged.whole_bytes);
  if (payload_left_ > 0 || (header_[4] & kEndHeaders) == 0) return nullptr;
  // A connection is idle nearly always: it keeps no memory for this.
  const bool whole = block_.empty();
  std::string().swap(block_);
  return whole ? nullptr : "a header block that does not parse";
}

}  // namespace mc
