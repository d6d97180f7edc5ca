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

std::string SerialHex(const ASN1_INTEGER* serial) {
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

absl::Status ReadAlternativeNames(const STACK_OF(X509_EXTENSION) * extensions,
                                  CertificateInfo& info) {
  int critical = 0;
  const openssl::GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, &critical, nullptr)));
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
  info.serial_hex = SerialHex(X509_get0_serialNumber(certificate));
  absl::StatusOr<absl::Time> not_before =
      openssl::TimeFrom(X509_get0_notBefore(certificate));
  if (!not_before.ok()) return not_before.status();
  absl::StatusOr<absl::Time> not_after =
      openssl::TimeFrom(X509_get0_notAfter(certificate));
  if (!not_after.ok()) return not_after.status();
  info.not_before = *not_before;
  info.not_after = *not_after;
  absl::Status names =
      ReadAlternativeNames(X509_get0_extensions(certificate), info);
  if (!names.ok()) return names;
  info.issuer_name = NameText(X509_get_issuer_name(certificate));
  info.subject_name = NameText(X509_get_subject_name(certificate));
  info.is_ca = X509_check_ca(certificate) == 1;
  ReadStrength(certificate, info);
  info.spki_sha256 = Sha256(
      openssl::ToDer<i2d_X509_PUBKEY>(X509_get_X509_PUBKEY(certificate)));
  return info;
}

using Integer = openssl::Owner<ASN1_INTEGER, ASN1_INTEGER_free>;
using Time = openssl::Owner<ASN1_TIME, ASN1_TIME_free>;
using Constraints = openssl::Owner<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;

// One value in DER.
struct Element {
  // With tag and length.
  std::string_view whole;
  std::string_view content;
  // V_ASN1_..., or the number of one that is specific to its context.
  int tag = 0;
  bool in_context = false;
};

// Takes the first value of `rest`; false where it is none, or has no length.
bool Take(std::string_view& rest, Element& element) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(rest.data());
  const unsigned char* at = begin;
  long length = 0;  // NOLINT: OpenSSL's type
  int type_class = 0;
  const int form = ASN1_get_object(&at, &length, &element.tag, &type_class,
                                   static_cast<long>(rest.size()));  // NOLINT
  // An error, or an indefinite length, which DER does not have.
  if ((form & 0x80) != 0 || (form & 0x01) != 0) return false;
  element.in_context = type_class == V_ASN1_CONTEXT_SPECIFIC;
  const size_t header = at - begin;
  element.content = rest.substr(header, length);
  element.whole = rest.substr(0, header + length);
  rest.remove_prefix(element.whole.size());
  return true;
}

bool Take(std::string_view& rest, int tag, Element& element) {
  return Take(rest, element) && element.tag == tag && !element.in_context;
}

// By one of OpenSSL's d2i functions; null where the bytes are not that, or not
// that alone.
template <typename Object, auto kD2i>
Object FromDer(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  Object object(kD2i(nullptr, &at, static_cast<long>(der.size())));  // NOLINT
  if (at != end) object.reset();
  return object;
}

// The parts of a TBSCertificate (RFC 5280, 4.1) that say who it is.
struct IdentityParts {
  std::string_view serial;
  std::string_view not_before;
  std::string_view not_after;
  std::string_view public_key;
  std::string_view extensions;
};

bool FindParts(std::string_view der, IdentityParts& parts) {
  Element element;
  if (!Take(der, V_ASN1_SEQUENCE, element) || !der.empty()) return false;
  std::string_view certificate = element.content;
  if (!Take(certificate, V_ASN1_SEQUENCE, element)) return false;
  std::string_view rest = element.content;
  if (!Take(rest, element)) return false;
  // The version, of all but the oldest.
  if (element.in_context && !Take(rest, element)) return false;
  if (element.tag != V_ASN1_INTEGER || element.in_context) return false;
  parts.serial = element.whole;
  Element validity;
  // Between them: the signature's algorithm and the issuer, then the subject.
  if (!Take(rest, V_ASN1_SEQUENCE, element) ||
      !Take(rest, V_ASN1_SEQUENCE, element) ||
      !Take(rest, V_ASN1_SEQUENCE, validity) ||
      !Take(rest, V_ASN1_SEQUENCE, element) ||
      !Take(rest, V_ASN1_SEQUENCE, element)) {
    return false;
  }
  parts.public_key = element.whole;
  std::string_view dates = validity.content;
  if (!Take(dates, element)) return false;
  parts.not_before = element.whole;
  if (!Take(dates, element) || !dates.empty()) return false;
  parts.not_after = element.whole;
  // Unique IDs may come before the extensions.
  while (!rest.empty()) {
    if (!Take(rest, element) || !element.in_context) return false;
    if (element.tag == 3) parts.extensions = element.content;
  }
  return true;
}

absl::Status ReadConstraints(const STACK_OF(X509_EXTENSION) * extensions,
                             CertificateInfo& info) {
  int critical = 0;
  const Constraints constraints(static_cast<BASIC_CONSTRAINTS*>(
      X509V3_get_d2i(extensions, NID_basic_constraints, &critical, nullptr)));
  if (constraints == nullptr && critical != -1) {
    return openssl::InvalidArgument(
        "the certificate's constraints cannot be read");
  }
  info.is_ca = constraints != nullptr && constraints->ca != 0;
  return absl::OkStatus();
}

absl::StatusOr<CertificateInfo> IdentityInfo(std::string_view der) {
  IdentityParts parts;
  const bool found = FindParts(der, parts);
  const auto serial = FromDer<Integer, d2i_ASN1_INTEGER>(parts.serial);
  const auto first = FromDer<Time, d2i_ASN1_TIME>(parts.not_before);
  const auto last = FromDer<Time, d2i_ASN1_TIME>(parts.not_after);
  const auto extensions =
      FromDer<openssl::Extensions, d2i_X509_EXTENSIONS>(parts.extensions);
  if (!found || serial == nullptr || first == nullptr || last == nullptr ||
      (extensions == nullptr && !parts.extensions.empty())) {
    return openssl::InvalidArgument("the certificate cannot be read");
  }
  CertificateInfo info;
  info.serial_hex = SerialHex(serial.get());
  absl::StatusOr<absl::Time> not_before = openssl::TimeFrom(first.get());
  if (!not_before.ok()) return not_before.status();
  absl::StatusOr<absl::Time> not_after = openssl::TimeFrom(last.get());
  if (!not_after.ok()) return not_after.status();
  info.not_before = *not_before;
  info.not_after = *not_after;
  absl::Status read = ReadAlternativeNames(extensions.get(), info);
  read.Update(ReadConstraints(extensions.get(), info));
  if (!read.ok()) return read;
  info.spki_sha256 = Sha256(parts.public_key);
  return info;
}

}  // namespace

absl::StatusOr<CertificateInfo> ParseCertificateIdentityPem(
    std::string_view pem) {
  const openssl::Bio bio = openssl::ReadBio(pem);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;  // NOLINT: OpenSSL's type
  const bool read = PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1;
  const openssl::Owner<char, openssl::FreeText> owned_name(name);
  const openssl::Owner<char, openssl::FreeText> owned_header(header);
  const openssl::Bytes owned_data(data);
  if (!read || std::string_view(name) != PEM_STRING_X509) {
    return openssl::InvalidArgument("there is no certificate in PEM");
  }
  absl::StatusOr<CertificateInfo> info =
      IdentityInfo(std::string_view(reinterpret_cast<const char*>(data), size));
  ERR_clear_error();
  return info;
}

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
