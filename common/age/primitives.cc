#include "common/age/primitives.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "common/crypto/openssl.h"

namespace mc::age {
namespace {

using openssl::Must;
using openssl::Owner;
using Kdf = Owner<EVP_KDF, EVP_KDF_free>;
using KdfContext = Owner<EVP_KDF_CTX, EVP_KDF_CTX_free>;
using CipherContext = Owner<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

constexpr size_t kDigest = 32;

OSSL_PARAM Octets(const char* name, std::string_view bytes) {
  // OpenSSL takes no null pointer, even for no bytes; it writes nothing here.
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(data),
                                           bytes.size());
}

openssl::Pkey PrivateKey(std::string_view bytes) {
  openssl::Pkey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr,
                                                 Data(bytes), bytes.size()));
  Must(key != nullptr);
  return key;
}

}  // namespace

std::string HkdfSha256(std::string_view key, std::string_view salt,
                       std::string_view info) {
  const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      Octets(OSSL_KDF_PARAM_KEY, key), Octets(OSSL_KDF_PARAM_SALT, salt),
      Octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  std::string derived(kDigest, '\0');
  Must(context != nullptr && EVP_KDF_derive(context.get(), Data(derived),
                                            derived.size(), parameters) == 1);
  return derived;
}

std::string HmacSha256(std::string_view key, std::string_view message) {
  std::string code(kDigest, '\0');
  unsigned int size = 0;
  Must(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            Data(message), message.size(), Data(code), &size) != nullptr);
  return code;
}

std::string PublicKeyOf(std::string_view private_key) {
  const openssl::Pkey key = PrivateKey(private_key);
  std::string bytes(private_key.size(), '\0');
  size_t size = bytes.size();
  Must(EVP_PKEY_get_raw_public_key(key.get(), Data(bytes), &size) == 1);
  return bytes;
}

absl::StatusOr<std::string> X25519(std::string_view private_key,
                                   std::string_view public_key) {
  const openssl::Pkey own = PrivateKey(private_key);
  const openssl::Pkey peer(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_X25519, nullptr, Data(public_key), public_key.size()));
  const openssl::PkeyContext context(EVP_PKEY_CTX_new(own.get(), nullptr));
  std::string secret(kDigest, '\0');
  size_t size = secret.size();
  // It refuses points of small order, too.
  if (peer == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), Data(secret), &size) != 1) {
    return openssl::InvalidArgument("this is no public key of X25519");
  }
  return secret;
}

std::string Seal(std::string_view key, const Nonce& nonce,
                 std::string_view text) {
  const CipherContext context(EVP_CIPHER_CTX_new());
  std::string sealed(text.size() + kTagBytes, '\0');
  int size = 0;
  int rest = 0;
  Must(EVP_EncryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr,
                          Data(key), nonce.data()) == 1);
  Must(EVP_EncryptUpdate(context.get(), Data(sealed), &size, Data(text),
                         static_cast<int>(text.size())) == 1);
  Must(EVP_EncryptFinal_ex(context.get(), Data(sealed) + size, &rest) == 1);
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes,
                           Data(sealed) + text.size()) == 1);
  return sealed;
}

std::optional<std::string> Open(std::string_view key, const Nonce& nonce,
                                std::string_view sealed) {
  if (sealed.size() < kTagBytes) return std::nullopt;
  const size_t text_size = sealed.size() - kTagBytes;
  std::string tag(sealed.substr(text_size));
  std::string text(text_size, '\0');
  const CipherContext context(EVP_CIPHER_CTX_new());
  int size = 0;
  int rest = 0;
  Must(EVP_DecryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr,
                          Data(key), nonce.data()) == 1);
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes,
                           Data(tag)) == 1);
  Must(EVP_DecryptUpdate(context.get(), Data(text), &size, Data(sealed),
                         static_cast<int>(text_size)) == 1);
  if (EVP_DecryptFinal_ex(context.get(), Data(text) + size, &rest) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  return text;
}

std::string Base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(Data(text), Data(bytes), static_cast<int>(bytes.size()));
  text.resize(size);
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::string bytes(padded.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(Data(bytes), Data(padded),
                                   static_cast<int>(padded.size()));
  if (size < 0) {
    ERR_clear_error();
    return std::nullopt;
  }
  bytes.resize(text.size() * 3 / 4);
  // Only the one way of writing it.
  if (Base64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace mc::age
