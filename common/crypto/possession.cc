#include "common/crypto/possession.h"

#include "common/crypto/openssl.h"

namespace mc {
namespace {

const unsigned char* Unsigned(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

std::string ProvePossession(const PrivateKey& key, std::string_view bytes) {
  openssl::Must(EVP_PKEY_is_a(key.get(), "EC") == 1);
  const openssl::MdContext context(EVP_MD_CTX_new());
  size_t size = 0;
  openssl::Must(context != nullptr &&
                EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr,
                                      nullptr, key.get(), nullptr) == 1 &&
                EVP_DigestSign(context.get(), nullptr, &size, Unsigned(bytes),
                               bytes.size()) == 1);
  std::string signature(size, '\0');
  openssl::Must(
      EVP_DigestSign(context.get(),
                     reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Unsigned(bytes), bytes.size()) == 1);
  // What DER needs is known only now.
  signature.resize(size);
  return signature;
}

absl::Status VerifyPossession(std::string_view certificate_der,
                              std::string_view bytes,
                              std::string_view signature) {
  const absl::StatusOr<openssl::Certificate> certificate =
      openssl::CertificateFromDer(certificate_der);
  if (!certificate.ok()) return certificate.status();
  EVP_PKEY* const key = X509_get0_pubkey(certificate->get());
  if (key == nullptr || EVP_PKEY_is_a(key, "EC") != 1) {
    return openssl::InvalidArgument("the certificate's key is no EC key");
  }
  const openssl::MdContext context(EVP_MD_CTX_new());
  openssl::Must(context != nullptr &&
                EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256",
                                        nullptr, nullptr, key, nullptr) == 1);
  const int verified =
      EVP_DigestVerify(context.get(), Unsigned(signature), signature.size(),
                       Unsigned(bytes), bytes.size());
  ERR_clear_error();
  if (verified != 1) {
    return absl::UnauthenticatedError(
        "the signature is not by the certificate's key");
  }
  return absl::OkStatus();
}

}  // namespace mc
