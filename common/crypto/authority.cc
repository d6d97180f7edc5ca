#include "common/crypto/authority.h"

#include <openssl/bn.h>

#include <algorithm>
#include <utility>

#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/crypto/openssl.h"

namespace mc {
namespace {

using openssl::Must;

void SetSerial(X509* certificate) {
  // The bit above the 128 random ones is set: positive, never zero, and always
  // of the same length.
  const std::string random = "\x01" + RandomBytes(16);
  const openssl::Owner<BIGNUM, BN_free> number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(random.data()),
                static_cast<int>(random.size()), nullptr));
  Must(number != nullptr &&
       BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) !=
           nullptr);
}

absl::Status SetDates(X509* certificate, absl::Time not_before,
                      absl::Time not_after) {
  if (not_before >= not_after) {
    return absl::InvalidArgumentError(
        "a certificate must not end before it starts, within the dates of its "
        "authority");
  }
  if (ASN1_TIME_adj(X509_getm_notBefore(certificate), absl::ToTimeT(not_before),
                    0, 0) == nullptr ||
      ASN1_TIME_adj(X509_getm_notAfter(certificate), absl::ToTimeT(not_after),
                    0, 0) == nullptr) {
    return openssl::InvalidArgument("a certificate cannot hold these dates");
  }
  return absl::OkStatus();
}

absl::Status SetCommonName(X509* certificate, std::string_view common_name) {
  if (common_name.empty()) return absl::OkStatus();
  if (X509_NAME_add_entry_by_NID(
          X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
          reinterpret_cast<const unsigned char*>(common_name.data()),
          static_cast<int>(common_name.size()), -1, 0) != 1) {
    return openssl::InvalidArgument(
        "the common name must be UTF-8 of at most 64 characters");
  }
  return absl::OkStatus();
}

// For values that are ours; never for names, which could smuggle in more.
void AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const openssl::Extension extension(
      X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
  Must(extension != nullptr &&
       X509_add_ext(certificate, extension.get(), -1) == 1);
}

absl::Status AddText(GENERAL_NAMES* names, int type, std::string_view text) {
  const auto visible = [](char c) { return c > ' ' && c < 0x7f; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), visible)) {
    return absl::InvalidArgumentError(
        "an alternative name must be visible ASCII");
  }
  openssl::Owner<ASN1_IA5STRING, ASN1_IA5STRING_free> value(
      ASN1_IA5STRING_new());
  openssl::Owner<GENERAL_NAME, GENERAL_NAME_free> name(GENERAL_NAME_new());
  Must(value != nullptr && name != nullptr &&
       ASN1_STRING_set(value.get(), text.data(),
                       static_cast<int>(text.size())) == 1);
  GENERAL_NAME_set0_value(name.get(), type, value.release());
  Must(sk_GENERAL_NAME_push(names, name.release()) > 0);
  return absl::OkStatus();
}

absl::Status AddAddress(GENERAL_NAMES* names, const std::string& text) {
  openssl::Owner<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> value(
      a2i_IPADDRESS(text.c_str()));
  if (value == nullptr) {
    return openssl::InvalidArgument("an alternative name is not an IP address");
  }
  openssl::Owner<GENERAL_NAME, GENERAL_NAME_free> name(GENERAL_NAME_new());
  Must(name != nullptr);
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value.release());
  Must(sk_GENERAL_NAME_push(names, name.release()) > 0);
  return absl::OkStatus();
}

absl::Status AddAlternativeNames(X509* certificate, const IssueSpec& spec) {
  const openssl::GeneralNames names(sk_GENERAL_NAME_new_null());
  Must(names != nullptr);
  absl::Status added;
  for (const std::string& uri : spec.uri_sans) {
    added.Update(AddText(names.get(), GEN_URI, uri));
  }
  for (const std::string& dns : spec.dns_sans) {
    added.Update(AddText(names.get(), GEN_DNS, dns));
  }
  for (const std::string& ip : spec.ip_sans) {
    added.Update(AddAddress(names.get(), ip));
  }
  if (!added.ok() || sk_GENERAL_NAME_num(names.get()) == 0) return added;
  // Critical where there is no subject (RFC 5280, 4.2.1.6).
  Must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(),
                         spec.common_name.empty() ? 1 : 0, 0) == 1);
  return absl::OkStatus();
}

openssl::Certificate NewCertificate() {
  openssl::Certificate certificate(X509_new());
  Must(certificate != nullptr &&
       X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  SetSerial(certificate.get());
  return certificate;
}

std::string SignedDer(X509* certificate, const PrivateKey& key) {
  Must(X509_sign(certificate, key.get(),
                 key.is_ed25519() ? nullptr : EVP_sha256()) > 0);
  return openssl::ToDer<i2d_X509>(certificate);
}

}  // namespace

absl::StatusOr<CertificateAuthority> CertificateAuthority::Create(
    std::string_view common_name, absl::Time not_before, absl::Time not_after) {
  PrivateKey key = PrivateKey::GenerateP256();
  const openssl::Certificate certificate = NewCertificate();
  X509* const raw = certificate.get();
  if (common_name.empty()) {
    return absl::InvalidArgumentError("an authority needs a name");
  }
  absl::Status set = SetDates(raw, not_before, not_after);
  set.Update(SetCommonName(raw, common_name));
  if (!set.ok()) return set;
  Must(X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1 &&
       X509_set_pubkey(raw, key.get()) == 1);
  AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(raw, raw, NID_subject_key_identifier, "hash");
  std::string der = SignedDer(raw, key);
  absl::StatusOr<std::string> pem = CertificateDerToPem(der);
  if (!pem.ok()) return pem.status();
  return CertificateAuthority(std::move(key), std::move(der), *std::move(pem));
}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Load(
    std::string_view cert_pem, std::string_view key_pem) {
  absl::Status matches = CheckKeyMatchesCertificate(cert_pem, key_pem);
  if (!matches.ok()) return matches;
  absl::StatusOr<CertificateInfo> info = ParseCertificatePem(cert_pem);
  if (!info.ok()) return info.status();
  if (!info->is_ca) {
    return absl::InvalidArgumentError(
        "this certificate is not that of an authority (CA:true)");
  }
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(key_pem);
  if (!key.ok()) return key.status();
  absl::StatusOr<std::string> der = CertificatePemToDer(cert_pem);
  if (!der.ok()) return der.status();
  absl::StatusOr<std::string> pem = CertificateDerToPem(*der);
  if (!pem.ok()) return pem.status();
  return CertificateAuthority(*std::move(key), *std::move(der),
                              *std::move(pem));
}

absl::StatusOr<std::string> CertificateAuthority::Issue(
    const IssueSpec& spec) const {
  const Issuer& current = Current();
  // Parsed anew, so that issuing from several threads shares nothing.
  absl::StatusOr<openssl::Certificate> issuer =
      openssl::CertificateFromDer(current.cert_der);
  if (!issuer.ok()) return issuer.status();
  const auto* begin =
      reinterpret_cast<const unsigned char*>(spec.spki_der.data());
  const unsigned char* end = begin;
  const openssl::Pkey key(
      spec.spki_der.empty()
          ? nullptr
          : d2i_PUBKEY(nullptr, &end, static_cast<long>(spec.spki_der.size())));
  if (key == nullptr || end != begin + spec.spki_der.size()) {
    return openssl::InvalidArgument(
        "the key to certify is not a public key in DER");
  }
  absl::StatusOr<absl::Time> first =
      openssl::TimeFrom(X509_get0_notBefore(issuer->get()));
  if (!first.ok()) return first.status();
  absl::StatusOr<absl::Time> last =
      openssl::TimeFrom(X509_get0_notAfter(issuer->get()));
  if (!last.ok()) return last.status();
  const openssl::Certificate certificate = NewCertificate();
  X509* const raw = certificate.get();
  absl::Status set = SetDates(raw, std::max(spec.not_before, *first),
                              std::min(spec.not_after, *last));
  set.Update(SetCommonName(raw, spec.common_name));
  if (!set.ok()) return set;
  Must(X509_set_issuer_name(raw, X509_get_subject_name(issuer->get())) == 1 &&
       X509_set_pubkey(raw, key.get()) == 1);
  AddExtension(raw, issuer->get(), NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(raw, issuer->get(), NID_key_usage, "critical,digitalSignature");
  if (spec.client_auth || spec.server_auth) {
    AddExtension(raw, issuer->get(), NID_ext_key_usage,
                 !spec.client_auth   ? "serverAuth"
                 : !spec.server_auth ? "clientAuth"
                                     : "serverAuth,clientAuth");
  }
  AddExtension(raw, issuer->get(), NID_subject_key_identifier, "hash");
  AddExtension(raw, issuer->get(), NID_authority_key_identifier,
               "keyid:always");
  set = AddAlternativeNames(raw, spec);
  if (!set.ok()) return set;
  return SignedDer(raw, current.key);
}

CertificateAuthority::CertificateAuthority(PrivateKey key, std::string cert_der,
                                           std::string cert_pem)
    : issuers_(std::make_unique<Issuers>()) {
  absl::MutexLock lock(&issuers_->mutex);
  issuers_->all.push_back(std::make_shared<const Issuer>(
      Issuer{std::move(key), std::move(cert_der), std::move(cert_pem)}));
}

const CertificateAuthority::Issuer& CertificateAuthority::Current() const {
  absl::MutexLock lock(&issuers_->mutex);
  return *issuers_->all.back();
}

void CertificateAuthority::Replace(const CertificateAuthority& next) {
  std::shared_ptr<const Issuer> issuer;
  {
    absl::MutexLock lock(&next.issuers_->mutex);
    issuer = next.issuers_->all.back();
  }
  absl::MutexLock lock(&issuers_->mutex);
  issuers_->all.push_back(std::move(issuer));
}

const std::string& CertificateAuthority::IssuerOf(
    std::string_view leaf_der) const {
  std::vector<std::shared_ptr<const Issuer>> all;
  {
    absl::MutexLock lock(&issuers_->mutex);
    if (issuers_->all.size() == 1) return issuers_->all.back()->cert_der;
    all = issuers_->all;
  }
  const auto found =
      std::find_if(all.rbegin(), all.rend(), [&](const auto& issuer) {
        return VerifyIssuedBy(leaf_der, issuer->cert_der).ok();
      });
  return (found == all.rend() ? all.back() : *found)->cert_der;
}

}  // namespace mc
