// Pages of listings: the size that is asked for, and where the next one starts.
#ifndef MC_SERVICE_DOMAIN_FLEET_PAGE_TOKEN_H_
#define MC_SERVICE_DOMAIN_FLEET_PAGE_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "mc-service/store/types.h"

namespace mc::service {

inline constexpr int kDefaultPageSize = 50;
inline constexpr int kMaxPageSize = 1000;

// What a token is good for: the listing's name with its filter. A token of
// another listing, or of the same one with another filter, is refused.
//
// INVALID_ARGUMENT (INVALID_FIELD) for a size below 0 or above the most, and
// for a token that is not of this listing. No token: the first page.
absl::StatusOr<Page> ParsePage(std::string_view listing, int page_size,
                               std::string_view page_token);

// The same for a listing by name, whose pages start after a name; empty: from
// the first on.
struct NamePage {
  int limit = kDefaultPageSize;
  std::string after;
};
absl::StatusOr<NamePage> ParseNamePage(std::string_view listing, int page_size,
                                       std::string_view page_token);
// `last` is the last name of a page that has a further one.
std::string MakeNamePageToken(std::string_view listing, std::string_view last);

// Empty where there is no further page.
std::string MakePageToken(std::string_view listing,
                          std::optional<int64_t> next);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_FLEET_PAGE_TOKEN_H_
