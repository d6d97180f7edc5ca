#include "mc-service/domain/fleet/page_token.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

// A token is "<position>.<digest of listing and position>": opaque enough to
// keep hands off it, and bound to its listing. It is no secret.
std::string Seal(std::string_view listing, const std::string& position) {
  const std::string bound = absl::StrCat(std::string(listing), "\n", position);
  return absl::StrCat(position, ".", Hex(Sha256(bound).substr(0, 8)));
}

absl::StatusOr<int> CheckedSize(int page_size) {
  if (page_size < 0 || page_size > kMaxPageSize) {
    return InvalidField("page_size",
                        absl::StrCat("must be 0 to ", kMaxPageSize));
  }
  return page_size == 0 ? kDefaultPageSize : page_size;
}

// The position that a token of this listing names.
absl::StatusOr<std::string> Unseal(std::string_view listing,
                                   const std::string& token) {
  const size_t dot = token.rfind('.');
  if (dot == std::string::npos ||
      Seal(listing, token.substr(0, dot)) != token) {
    return InvalidField("page_token",
                        "is not of this listing; start without a token");
  }
  return token.substr(0, dot);
}

}  // namespace

absl::StatusOr<Page> ParsePage(std::string_view listing, int page_size,
                               std::string_view page_token) {
  const absl::StatusOr<int> limit = CheckedSize(page_size);
  if (!limit.ok()) return limit.status();
  Page page;
  page.limit = *limit;
  if (page_token.empty()) return page;
  const absl::StatusOr<std::string> position =
      Unseal(listing, std::string(page_token));
  if (!position.ok()) return position.status();
  if (!absl::SimpleAtoi(*position, &page.after) || page.after < 0) {
    return InvalidField("page_token",
                        "is not of this listing; start without a token");
  }
  return page;
}

std::string MakePageToken(std::string_view listing,
                          std::optional<int64_t> next) {
  return next ? Seal(listing, absl::StrCat(*next)) : std::string();
}

absl::StatusOr<NamePage> ParseNamePage(std::string_view listing, int page_size,
                                       std::string_view page_token) {
  const absl::StatusOr<int> limit = CheckedSize(page_size);
  if (!limit.ok()) return limit.status();
  NamePage page;
  page.limit = *limit;
  if (page_token.empty()) return page;
  absl::StatusOr<std::string> name = Unseal(listing, std::string(page_token));
  if (!name.ok()) return name.status();
  page.after = *std::move(name);
  return page;
}

std::string MakeNamePageToken(std::string_view listing, std::string_view last) {
  return Seal(listing, std::string(last));
}

}  // namespace mc::service
