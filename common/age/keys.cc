#include "common/age/keys.h"

#include <openssl/pem.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "common/age/bech32.h"
#include "common/age/primitives.h"
#include "common/crypto/openssl.h"

namespace mc::age {
namespace {

constexpr char kNoRecipient[] =
    "there is no public key: give a file with a line age1..., as `age-keygen "
    "-y KEY` prints, or with an X25519 key in PEM, as `openssl pkey -in KEY "
    "-pubout` prints";
constexpr char kNoIdentity[] =
    "there is no private key: give the file that `age-keygen` or `openssl "
    "genpkey -algorithm X25519` made";

// The only line of a text that is neither empty nor a comment.
absl::StatusOr<std::string> OnlyLine(std::string_view text, const char* none) {
  std::string found;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    if (!found.empty()) {
      return absl::InvalidArgumentError(
          "there is more than one key in the file; give one");
    }
    found = std::string(line);
  }
  if (found.empty()) return absl::InvalidArgumentError(none);
  return found;
}

absl::StatusOr<std::string> FromBech32(std::string_view text,
                                       const char* prefix, const char* none) {
  const absl::StatusOr<std::string> line = OnlyLine(text, none);
  if (!line.ok()) return line;
  const absl::StatusOr<Bech32> key = DecodeBech32(*line);
  if (!key.ok()) return key.status();
  if (key->prefix != prefix || key->bytes.size() != kKeyBytes) {
    return absl::InvalidArgumentError(none);
  }
  return key->bytes;
}

bool IsPem(std::string_view text) {
  return text.find("-----BEGIN ") != std::string_view::npos;
}

int NoPassword(char* /*to*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return 0;
}

}  // namespace

absl::StatusOr<Recipient> Recipient::Parse(std::string_view text) {
  if (!IsPem(text)) {
    absl::StatusOr<std::string> bytes = FromBech32(text, "age", kNoRecipient);
    if (!bytes.ok()) return bytes.status();
    return Recipient(*std::move(bytes));
  }
  const openssl::Bio bio = openssl::ReadBio(text);
  const openssl::Pkey key(
      PEM_read_bio_PUBKEY(bio.get(), nullptr, NoPassword, nullptr));
  std::string bytes(kKeyBytes, '\0');
  size_t size = bytes.size();
  if (key == nullptr || EVP_PKEY_id(key.get()) != EVP_PKEY_X25519 ||
      EVP_PKEY_get_raw_public_key(key.get(), Data(bytes), &size) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(kNoRecipient);
  }
  return Recipient(std::move(bytes));
}

absl::StatusOr<Identity> Identity::Parse(std::string_view text) {
  std::string bytes;
  if (IsPem(text)) {
    const openssl::Bio bio = openssl::ReadBio(text);
    const openssl::Pkey key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
    bytes.resize(kKeyBytes);
    size_t size = bytes.size();
    if (key == nullptr || EVP_PKEY_id(key.get()) != EVP_PKEY_X25519 ||
        EVP_PKEY_get_raw_private_key(key.get(), Data(bytes), &size) != 1) {
      ERR_clear_error();
      return absl::InvalidArgumentError(kNoIdentity);
    }
  } else {
    absl::StatusOr<std::string> decoded =
        FromBech32(text, "age-secret-key-", kNoIdentity);
    if (!decoded.ok()) return decoded.status();
    bytes = *std::move(decoded);
  }
  std::string recipient = PublicKeyOf(bytes);
  return Identity(std::move(bytes), Recipient(std::move(recipient)));
}

}  // namespace mc::age
