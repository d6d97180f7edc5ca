#include "common/crypto/certificate.h"

#include <arpa/inet.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include <utility>

#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"

namespace mc {
namespace {

std::string NameText(const X509_NAME* name) {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  openssl::Must(bio != nullptr &&
                X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) >= 0);
  return openssl::Contents(bio.get());
}

std::string SerialHex(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  return Hex(std::string_view(
      reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
      ASN1_STRING_length(serial)));
}

// Empty for what is no address.
std::string AddressText(const ASN1_OCTET_STRING* address) {
  const int size = ASN1_STRING_length(address);
  char text[INET6_ADDRSTRLEN] = {};
  if (size == 4 || size == 16) {
    ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address),
                text, sizeof(text));
  }
  return text;
}

void ReadStrength(X509* certificate, CertificateInfo& info) {
  if (const EVP_PKEY* key = X509_get0_pubkey(certificate)) {
    const char* type = EVP_PKEY_get0_type_name(key);
    info.key_type = type == nullptr ? "" : type;
    info.key_security_bits = EVP_PKEY_get_security_bits(key);
  }
  int digest = NID_undef;
  if (OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest,
                          nullptr) == 1 &&
      digest != NID_undef) {
    info.signature_digest = OBJ_nid2sn(digest);
  }
}

absl::Status ReadAlternativeNames(const X509* certificate,
                                  CertificateInfo& info) {
  int critical = 0;
  const openssl::GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr)));
  if (names == nullptr) {
    // -1: there are none; else they are there twice, or cannot be read.
    if (critical == -1) return absl::OkStatus();
    return openssl::InvalidArgument(
        "the certificate's alternative names cannot be read");
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value =
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type == GEN_IPADD) {
      info.ip_sans.push_back(
          AddressText(static_cast<const ASN1_OCTET_STRING*>(value)));
      continue;
    }
    if (type != GEN_URI && type != GEN_DNS) continue;
    const auto* text = static_cast<const ASN1_IA5STRING*>(value);
    std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     ASN1_STRING_length(text));
    if (name.empty() || name.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(
          "an alternative name of the certificate is empty or holds NUL");
    }
    (type == GEN_URI ? info.uri_sans : info.dns_sans)
        .push_back(std::move(name));
  }
  return absl::OkStatus();
}

absl::StatusOr<CertificateInfo> Info(X509* certificate) {
  CertificateInfo info;
  info.serial_hex = SerialHex(certificate);
  absl::StatusOr<absl::Time> not_before =
      openssl::TimeFrom(X509_get0_notBefore(certificate));
  if (!not_before.ok()) return not_before.status();
  absl::StatusOr<absl::Time> not_after =
      openssl::TimeFrom(X509_get0_notAfter(certificate));
  if (!not_after.ok()) return not_after.status();
  info.not_before = *not_before;
  info.not_after = *not_after;
  absl::Status names = ReadAlternativeNames(certificate, info);
  if (!names.ok()) return names;
  info.issuer_name = NameText(X509_get_issuer_name(certificate));
  info.subject_name = NameText(X509_get_subject_name(certificate));
  info.is_ca = X509_check_ca(certificate) == 1;
  ReadStrength(certificate, info);
  info.spki_sha256 = Sha256(
      openssl::ToDer<i2d_X509_PUBKEY>(X509_get_X509_PUBKEY(certificate)));
  return info;
}

}  // namespace

absl::StatusOr<CertificateInfo> ParseCertificateDer(std::string_view der) {
  absl::StatusOr<openssl::Certificate> certificate =
      openssl::CertificateFromDer(der);
  if (!certificate.ok()) return certificate.status();
  return Info(certificate->get());
}

absl::StatusOr<CertificateInfo> ParseCertificatePem(std::string_view pem) {
  absl::StatusOr<openssl::Certificate> certificate =
      openssl::CertificateFromPem(pem);
  if (!certificate.ok()) return certificate.status();
  return Info(certificate->get());
}

absl::StatusOr<std::string> CertificateDerToPem(std::string_view der) {
  absl::StatusOr<openssl::Certificate> certificate =
      openssl::CertificateFromDer(der);
  if (!certificate.ok()) return certificate.status();
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  openssl::Must(bio != nullptr &&
                PEM_write_bio_X509(bio.get(), certificate->get()) == 1);
  return openssl::Contents(bio.get());
}

absl::StatusOr<std::string> CertificatePemToDer(std::string_view pem) {
  absl::StatusOr<openssl::Certificate> certificate =
      openssl::CertificateFromPem(pem);
  if (!certificate.ok()) return certificate.status();
  return openssl::ToDer<i2d_X509>(certificate->get());
}

absl::StatusOr<std::vector<std::string>> CertificateChainPemToDer(
    std::string_view pem) {
  const openssl::Bio bio = openssl::ReadBio(pem);
  std::vector<std::string> chain;
  for (;;) {
    const openssl::Certificate certificate(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) break;
    chain.push_back(openssl::ToDer<i2d_X509>(certificate.get()));
  }
  // The end of the text is told like an error; anything else is one.
  const bool at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (chain.empty() || !at_end) {
    return openssl::InvalidArgument(
        "there is no readable chain of certificates in PEM");
  }
  ERR_clear_error();
  return chain;
}

absl::Status CheckKeyMatchesCertificate(std::string_view cert_pem,
                                        std::string_view key_pem) {
  absl::StatusOr<openssl::Certificate> certificate =
      openssl::CertificateFromPem(cert_pem);
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(key_pem);
  if (!key.ok()) return key.status();
  EVP_PKEY* certified = X509_get0_pubkey(certificate->get());
  const bool same =
      certified != nullptr && EVP_PKEY_eq(certified, key->get()) == 1;
  ERR_clear_error();
  if (!same) {
    return absl::FailedPreconditionError(
        "the private key is not the certificate's; put a pair in place that "
        "was made together");
  }
  return absl::OkStatus();
}

absl::Status VerifyIssuedBy(std::string_view cert_der,
                            std::string_view issuer_der) {
  absl::StatusOr<openssl::Certificate> certificate =
      openssl::CertificateFromDer(cert_der);
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<openssl::Certificate> issuer =
      openssl::CertificateFromDer(issuer_der);
  if (!issuer.ok()) return issuer.status();
  EVP_PKEY* issuer_key = X509_get0_pubkey(issuer->get());
  const bool issued =
      issuer_key != nullptr && X509_check_ca(issuer->get()) == 1 &&
      X509_check_issued(issuer->get(), certificate->get()) == X509_V_OK &&
      X509_verify(certificate->get(), issuer_key) == 1;
  ERR_clear_error();
  if (!issued) {
    return absl::UnauthenticatedError(
        "the certificate was not issued by this authority");
  }
  return absl::OkStatus();
}

}  // namespace mc
