// Looks at the HTTP/2 frames of a client before gRPC does.
//
// gRPC 1.51 takes any number of frames, at whatever cost, and one header ends
// the process (CVE-2023-1428). What no agent sends ends the connection here.
#ifndef COMMON_TLS_FRAME_GUARD_H_
#define COMMON_TLS_FRAME_GUARD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/retry/rate_limit.h"

namespace mc {

// Of one connection; one thread at a time. Frames: RFC 9113; header blocks:
// RFC 7541.
class FrameGuard {
 public:
  struct Limits {
    // Streams that begin or are reset.
    double streams_per_second = 40;
    double streams_at_once = 1000;
    // SETTINGS, PING, PRIORITY and GOAWAY.
    double controls_per_second = 20;
    double controls_at_once = 200;
    // WINDOW_UPDATE and DATA without contents.
    double empties_per_second = 2000;
    double empties_at_once = 20'000;
    // A header block, as it comes.
    size_t header_bytes = 32 << 10;
  };

  // `of_client` counts the streams of all connections of one client as well;
  // null: there is no knowing who it is.
  explicit FrameGuard(const Limits& limits, RateLimit* of_client = nullptr,
                      std::string client = "");

  // The client's next bytes, in the clear, at a time since boot. Null: they may
  // be read. Else why they must not be; the connection is to be ended.
  const char* Take(std::string_view bytes, absl::Duration now);

 private:
  struct Bucket {
    double tokens;
    absl::Duration at = absl::ZeroDuration();

    bool Take(double per_second, double most, absl::Duration now);
  };

  const char* OnHeader(absl::Duration now);
  const char* OnPayload(std::string_view part);

  const Limits& limits_;
  RateLimit* const of_client_;
  const std::string client_;
  size_t preface_left_;
  std::array<uint8_t, 9> header_ = {};
  size_t header_size_ = 0;
  size_t payload_left_ = 0;
  // Of the header block that is being read: what is not a whole field yet.
  bool in_block_ = false;
  size_t block_size_ = 0;
  size_t priority_left_ = 0;
  int resizes_ = 0;
  std::string block_;
  Bucket streams_;
  Bucket controls_;
  Bucket empties_;
};

// What a header block, or the beginning of one, says.
struct JudgedBlock {
  // Null: it may be decoded. Else what is wrong with it: a number that is
  // longer than any length, or a field that gRPC cannot take.
  const char* why = nullptr;
  // Of the fields that are there as a whole.
  size_t whole_bytes = 0;
  // Of HPACK's table.
  int resizes = 0;
};
JudgedBlock JudgeHeaderBlock(std::string_view block);

}  // namespace mc

#endif  // COMMON_TLS_FRAME_GUARD_H_
