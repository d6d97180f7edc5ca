#include "cluster-agent/domain/site/join_token.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/crypto/digest.h"

namespace mc::agent {
namespace {

constexpr char kPrefix[] = "mcj1";
constexpr size_t kSecretBytes = 32;
constexpr size_t kMinSecret = 32;
constexpr size_t kMaxSecret = 128;

bool IsSecret(std::string_view text) {
  return text.size() >= kMinSecret && text.size() <= kMaxSecret &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '-';
         });
}

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
  });
}

}  // namespace

JoinToken NewJoinToken(std::string_view ca_der) {
  return {Base64Url(RandomBytes(kSecretBytes)), Hex(Sha256(ca_der))};
}

std::string FormatJoinToken(const JoinToken& token) {
  return absl::StrCat(kPrefix, ".", token.secret, ".", token.ca_sha256);
}

absl::StatusOr<JoinToken> ParseJoinToken(std::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(
      absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size())),
      '.');
  if (parts.size() != 3 || parts[0] != kPrefix || !IsSecret(parts[1]) ||
      parts[2].size() != 2 * kSha256Size || !IsLowerHex(parts[2])) {
    return absl::InvalidArgumentError(
        "this is no join token; it looks like mcj1.SECRET.DIGEST, make one "
        "with cluster-agent node token create on the master");
  }
  return JoinToken{parts[1], parts[2]};
}

bool IsTokenOf(const JoinToken& token, std::string_view ca_der) {
  return token.ca_sha256 == Hex(Sha256(ca_der));
}

}  // namespace mc::agent
