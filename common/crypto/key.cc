#include "common/crypto/key.h"

#include <openssl/pem.h>

#include <utility>

#include "common/crypto/openssl.h"

namespace mc {
namespace {

constexpr size_t kEd25519PublicSize = 32;
constexpr size_t kEd25519SignatureSize = 64;

// Never asks on a terminal: encrypted keys are refused.
int NoPassword(char*, int, int, void*) { return -1; }

const unsigned char* Unsigned(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

void PrivateKey::Free::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}

PrivateKey PrivateKey::GenerateP256() {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  openssl::Must(key != nullptr);
  return PrivateKey(key);
}

PrivateKey PrivateKey::GenerateEd25519() {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  openssl::Must(key != nullptr);
  return PrivateKey(key);
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(std::string_view pem) {
  const openssl::Bio bio = openssl::ReadBio(pem);
  EVP_PKEY* key =
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr);
  if (key == nullptr) {
    return openssl::InvalidArgument(
        "there is no readable unencrypted private key in PEM");
  }
  return PrivateKey(key);
}

std::string PrivateKey::ToPem() const {
  // Secure memory is cleared when the BIO goes.
  const openssl::Bio bio(BIO_new(BIO_s_secmem()));
  openssl::Must(bio != nullptr && PEM_write_bio_PKCS8PrivateKey(
                                      bio.get(), get(), nullptr, nullptr, 0,
                                      nullptr, nullptr) == 1);
  return openssl::Contents(bio.get());
}

std::string PrivateKey::PublicSpkiDer() const {
  return openssl::ToDer<i2d_PUBKEY>(get());
}

bool PrivateKey::is_ed25519() const {
  return EVP_PKEY_is_a(get(), "ED25519") == 1;
}

std::string PrivateKey::Ed25519Public() const {
  openssl::Must(is_ed25519());
  std::string raw(kEd25519PublicSize, '\0');
  size_t size = raw.size();
  openssl::Must(
      EVP_PKEY_get_raw_public_key(
          get(), reinterpret_cast<unsigned char*>(raw.data()), &size) == 1 &&
      size == raw.size());
  return raw;
}

std::string PrivateKey::Sign(std::string_view bytes) const {
  openssl::Must(is_ed25519());
  std::string signature(kEd25519SignatureSize, '\0');
  size_t size = signature.size();
  const openssl::MdContext context(EVP_MD_CTX_new());
  openssl::Must(
      context != nullptr &&
      EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr,
                            get(), nullptr) == 1 &&
      EVP_DigestSign(context.get(),
                     reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Unsigned(bytes), bytes.size()) == 1 &&
      size == signature.size());
  return signature;
}

absl::Status VerifyEd25519(std::string_view raw_public,
                           std::string_view message,
                           std::string_view signature) {
  const openssl::Pkey key(raw_public.size() != kEd25519PublicSize
                              ? nullptr
                              : EVP_PKEY_new_raw_public_key_ex(
                                    nullptr, "ED25519", nullptr,
                                    Unsigned(raw_public), raw_public.size()));
  if (key == nullptr) {
    return openssl::InvalidArgument(
        "this is not an Ed25519 public key of 32 bytes");
  }
  const openssl::MdContext context(EVP_MD_CTX_new());
  openssl::Must(context != nullptr &&
                EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr,
                                        nullptr, nullptr, key.get(),
                                        nullptr) == 1);
  const int verified =
      EVP_DigestVerify(context.get(), Unsigned(signature), signature.size(),
                       Unsigned(message), message.size());
  ERR_clear_error();
  if (verified != 1) {
    return absl::UnauthenticatedError("the Ed25519 signature does not verify");
  }
  return absl::OkStatus();
}

}  // namespace mc
