// Owners for OpenSSL's objects and its error text; for .cc files of common.
#ifndef COMMON_CRYPTO_OPENSSL_H_
#define COMMON_CRYPTO_OPENSSL_H_

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc::openssl {

template <auto kFree>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
template <typename T, auto kFree>
using Owner = std::unique_ptr<T, Deleter<kFree>>;

inline void FreeGeneralNames(GENERAL_NAMES* names) {
  GENERAL_NAMES_free(names);
}
inline void FreeExtensions(STACK_OF(X509_EXTENSION) * extensions) {
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}
inline void FreeBytes(unsigned char* bytes) { OPENSSL_free(bytes); }
inline void FreeText(char* text) { OPENSSL_free(text); }

using Bio = Owner<BIO, BIO_free_all>;
using Pkey = Owner<EVP_PKEY, EVP_PKEY_free>;
using PkeyContext = Owner<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using MdContext = Owner<EVP_MD_CTX, EVP_MD_CTX_free>;
using Certificate = Owner<X509, X509_free>;
using Request = Owner<X509_REQ, X509_REQ_free>;
using Extension = Owner<X509_EXTENSION, X509_EXTENSION_free>;
using Extensions = Owner<STACK_OF(X509_EXTENSION), FreeExtensions>;
using GeneralNames = Owner<GENERAL_NAMES, FreeGeneralNames>;
using Bytes = Owner<unsigned char, FreeBytes>;

// Ends the process where `done` is false: for calls that fail only without
// memory or with a broken OpenSSL.
void Must(bool done);

// A read-only BIO over bytes that outlive it.
Bio ReadBio(std::string_view bytes);
// What was written to a memory BIO.
std::string Contents(BIO* bio);

// INVALID_ARGUMENT with `what` and OpenSSL's own reason; empties its queue.
absl::Status InvalidArgument(std::string_view what);

// The DER of anything that has an i2d function.
template <auto kI2d, typename T>
std::string ToDer(T* object) {
  unsigned char* raw = nullptr;
  const int size = kI2d(object, &raw);
  Must(size >= 0);
  const Bytes owner(raw);
  return std::string(reinterpret_cast<const char*>(raw), size);
}

absl::StatusOr<Certificate> CertificateFromDer(std::string_view der);
// The first certificate of the text.
absl::StatusOr<Certificate> CertificateFromPem(std::string_view pem);

absl::StatusOr<absl::Time> TimeFrom(const ASN1_TIME* time);

}  // namespace mc::openssl

#endif  // COMMON_CRYPTO_OPENSSL_H_
