#include "common/crypto/csr.h"

#include <openssl/core_names.h>

#include "common/crypto/openssl.h"
#include "common/status/status.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

absl::Status Refuse(v1::ErrorReason reason, std::string_view message) {
  ERR_clear_error();
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status Malformed(std::string_view message) {
  return Refuse(v1::ERROR_REASON_CSR_MALFORMED, message);
}

// Named curves only: an explicitly described curve is not the named one.
bool IsAllowedKey(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "EC") != 1) return false;
  char group[64] = {};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof(group), &size) != 1) {
    return false;
  }
  const std::string_view name(group, size);
  if (name != "prime256v1" && name != "secp384r1") return false;
  char encoding[32] = {};
  return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING,
                                        encoding, sizeof(encoding),
                                        &size) == 1 &&
         std::string_view(encoding, size) == OSSL_PKEY_EC_ENCODING_GROUP;
}

// False: an extension cannot be read.
bool ReadExtensions(X509_REQ* request, CsrInfo& info) {
  if (X509_REQ_get_attr_count(request) <= 0) return true;
  const bool asked = X509_REQ_get_attr_by_NID(request, NID_ext_req, -1) >= 0 ||
                     X509_REQ_get_attr_by_NID(request, NID_ms_ext_req, -1) >= 0;
  if (!asked) return true;
  const openssl::Extensions extensions(X509_REQ_get_extensions(request));
  if (extensions == nullptr) return false;
  for (int i = 0; i < sk_X509_EXTENSION_num(extensions.get()); ++i) {
    X509_EXTENSION* extension = sk_X509_EXTENSION_value(extensions.get(), i);
    switch (OBJ_obj2nid(X509_EXTENSION_get_object(extension))) {
      case NID_subject_alt_name:
      case NID_issuer_alt_name:
        info.has_san = true;
        break;
      case NID_basic_constraints: {
        const openssl::Owner<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>
            constraints(
                static_cast<BASIC_CONSTRAINTS*>(X509V3_EXT_d2i(extension)));
        if (constraints == nullptr) return false;
        if (constraints->ca != 0) info.asks_for_ca = true;
        break;
      }
      case NID_key_usage: {
        const openssl::Owner<ASN1_BIT_STRING, ASN1_BIT_STRING_free> usage(
            static_cast<ASN1_BIT_STRING*>(X509V3_EXT_d2i(extension)));
        if (usage == nullptr) return false;
        constexpr int kKeyCertSign = 5;  // RFC 5280, 4.2.1.3
        constexpr int kCrlSign = 6;
        if (ASN1_BIT_STRING_get_bit(usage.get(), kKeyCertSign) == 1 ||
            ASN1_BIT_STRING_get_bit(usage.get(), kCrlSign) == 1) {
          info.asks_for_ca = true;
        }
        break;
      }
      default:
        break;
    }
  }
  return true;
}

}  // namespace

std::string BuildCsrDer(const PrivateKey& key) {
  const openssl::Request request(X509_REQ_new());
  openssl::Must(request != nullptr &&
                X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
                X509_REQ_set_pubkey(request.get(), key.get()) == 1 &&
                X509_REQ_sign(request.get(), key.get(),
                              key.is_ed25519() ? nullptr : EVP_sha256()) > 0);
  return openssl::ToDer<i2d_X509_REQ>(request.get());
}

absl::StatusOr<CsrInfo> ParseCsrDer(std::string_view der) {
  if (der.size() > kMaxCsrSize) {
    return Malformed("the certificate signing request is over 16 KiB");
  }
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = begin;
  const openssl::Request request(
      der.empty() ? nullptr
                  : d2i_X509_REQ(nullptr, &end, static_cast<long>(der.size())));
  if (request == nullptr || end != begin + der.size()) {
    return Malformed(
        "this is not a certificate signing request in DER (PKCS #10)");
  }
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr) {
    return Malformed("the signing request's public key cannot be read");
  }
  // Before the signature: checking it costs what the peer's key size says.
  if (!IsAllowedKey(key)) {
    return Refuse(v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED,
                  "the signing request's key must be ECDSA P-256 or P-384");
  }
  if (X509_REQ_verify(request.get(), key) != 1) {
    return Malformed("the signing request's signature does not verify");
  }
  CsrInfo info;
  if (!ReadExtensions(request.get(), info)) {
    return Malformed("the signing request's extensions cannot be read");
  }
  info.spki_der =
      openssl::ToDer<i2d_X509_PUBKEY>(X509_REQ_get_X509_PUBKEY(request.get()));
  info.subject_empty =
      X509_NAME_entry_count(X509_REQ_get_subject_name(request.get())) == 0;
  ERR_clear_error();
  return info;
}

absl::Status CheckClusterCsr(const CsrInfo& info) {
  if (info.asks_for_ca) {
    return Refuse(
        v1::ERROR_REASON_CSR_CA_NOT_ALLOWED,
        "the signing request asks for a CA certificate; ask for a plain one");
  }
  if (!info.subject_empty || info.has_san) {
    return Refuse(
        v1::ERROR_REASON_CSR_IDENTITY_NOT_ALLOWED,
        "the signing request names an identity; leave its subject and "
        "alternative names empty");
  }
  return absl::OkStatus();
}

}  // namespace mc
