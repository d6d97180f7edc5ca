#include "mc-service/domain/fleet/page_token.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

// A token is "<position>.<digest of listing and position>": opaque enough to
// keep hands off it, and bound to its listing. It is no secret.
std::string Seal(std::string_view listing, int64_t position) {
  const std::string bound = absl::StrCat(std::string(listing), "\n", position);
  return absl::StrCat(position, ".", Hex(Sha256(bound).substr(0, 8)));
}

}  // namespace

absl::StatusOr<Page> ParsePage(std::string_view listing, int page_size,
                               std::string_view page_token) {
  if (page_size < 0 || page_size > kMaxPageSize) {
    return InvalidField("page_size",
                        absl::StrCat("must be 0 to ", kMaxPageSize));
  }
  Page page;
  page.limit = page_size == 0 ? kDefaultPageSize : page_size;
  if (page_token.empty()) return page;
  const std::string token(page_token);
  const size_t dot = token.find('.');
  if (dot == std::string::npos ||
      !absl::SimpleAtoi(token.substr(0, dot), &page.after) || page.after < 0 ||
      Seal(listing, page.after) != token) {
    return InvalidField("page_token",
                        "is not of this listing; start without a token");
  }
  return page;
}

std::string MakePageToken(std::string_view listing,
                          std::optional<int64_t> next) {
  return next ? Seal(listing, *next) : std::string();
}

}  // namespace mc::service
