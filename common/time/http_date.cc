#include "common/time/http_date.h"

namespace mc {
namespace {

constexpr char kFormat[] = "%a, %d %b %Y %H:%M:%S GMT";

}  // namespace

std::string HttpDate(absl::Time time) {
  return absl::FormatTime(kFormat, time, absl::UTCTimeZone());
}

absl::Time ParseHttpDate(std::string_view text) {
  absl::Time time;
  std::string error;
  // What is read is wider: "infinite-future", spaces, names in full.
  return absl::ParseTime(kFormat, absl::string_view(text.data(), text.size()),
                         absl::UTCTimeZone(), &time, &error) &&
                 time != absl::InfiniteFuture() && HttpDate(time) == text
             ? time
             : absl::InfinitePast();
}

}  // namespace mc
