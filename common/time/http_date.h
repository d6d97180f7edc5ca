// The dates of HTTP, for what tells its time in them.
#ifndef COMMON_TIME_HTTP_DATE_H_
#define COMMON_TIME_HTTP_DATE_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace mc {

// IMF-fixdate (RFC 9110, 5.6.7): whole seconds, in UTC.
std::string HttpDate(absl::Time time);
// Infinite past for another text, also for the obsolete forms.
absl::Time ParseHttpDate(std::string_view text);

}  // namespace mc

#endif  // COMMON_TIME_HTTP_DATE_H_
