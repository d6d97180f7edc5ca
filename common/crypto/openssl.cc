#include "common/crypto/openssl.h"

#include <openssl/pem.h>
#include <time.h>

#include <cstdlib>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

namespace mc::openssl {

void Must(bool done) {
  if (!done) std::abort();
}

Bio ReadBio(std::string_view bytes) {
  Must(bytes.size() <= static_cast<size_t>(std::numeric_limits<int>::max()));
  // A null pointer is an error even for no bytes.
  Bio bio(BIO_new_mem_buf(bytes.data() == nullptr ? "" : bytes.data(),
                          static_cast<int>(bytes.size())));
  Must(bio != nullptr);
  return bio;
}

std::string Contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);  // NOLINT: OpenSSL's type
  return std::string(data, size);
}

absl::Status InvalidArgument(std::string_view what) {
  const absl::string_view text(what.data(), what.size());
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  return absl::InvalidArgumentError(
      reason == nullptr ? std::string(what)
                        : absl::StrCat(text, " (", reason, ")"));
}

absl::StatusOr<Certificate> CertificateFromDer(std::string_view der) {
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = begin;
  Certificate certificate(
      der.empty() ? nullptr
                  : d2i_X509(nullptr, &end, static_cast<long>(der.size())));
  if (certificate == nullptr || end != begin + der.size()) {
    return InvalidArgument("this is not a certificate in DER");
  }
  return certificate;
}

absl::StatusOr<Certificate> CertificateFromPem(std::string_view pem) {
  const Bio bio = ReadBio(pem);
  Certificate certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return InvalidArgument("there is no readable certificate in PEM");
  }
  return certificate;
}

absl::StatusOr<absl::Time> TimeFrom(const ASN1_TIME* time) {
  struct tm parts = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    return InvalidArgument("a certificate's date cannot be read");
  }
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace mc::openssl
