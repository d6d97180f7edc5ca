// Signed documents: a signature over the exact serialized bytes.
#ifndef COMMON_CRYPTO_DOCUMENT_H_
#define COMMON_CRYPTO_DOCUMENT_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/key.h"
#include "google/protobuf/message.h"
#include "missioncontrol/v1/common.pb.h"

namespace mc {

// The first 16 hexadecimal digits of the SHA-256 of the raw public key.
std::string DocumentKeyId(std::string_view raw_public);

// Move-only; const use is thread-safe.
class DocumentSigner {
 public:
  // INVALID_ARGUMENT for a key that is not Ed25519.
  static absl::StatusOr<DocumentSigner> Create(PrivateKey key);
  // The same where the caller has made sure of the kind of key; another kind
  // ends the process.
  explicit DocumentSigner(PrivateKey ed25519);

  // The document's field 1 must say its kind; without it nobody would accept
  // it, so the process ends.
  missioncontrol::v1::SignedDocument Sign(
      const google::protobuf::Message& document) const;

  const std::string& key_id() const { return key_id_; }
  // Raw, 32 bytes.
  const std::string& public_key() const { return public_key_; }
  // As clusters get it at their registration.
  missioncontrol::v1::DocumentKey document_key() const;

 private:
  PrivateKey key_;
  std::string public_key_;
  std::string key_id_;
};

// Verifies and parses into `document`. UNAUTHENTICATED: no such key, or the
// signature is not of it. INVALID_ARGUMENT: the bytes do not parse, or the
// document is of another kind.
absl::Status VerifyDocumentInto(
    const missioncontrol::v1::SignedDocument& signed_document,
    std::span<const missioncontrol::v1::DocumentKey> keys,
    missioncontrol::v1::DocumentKind expected,
    google::protobuf::Message& document);

template <typename T>
absl::StatusOr<T> VerifyDocument(
    const missioncontrol::v1::SignedDocument& signed_document,
    std::span<const missioncontrol::v1::DocumentKey> keys,
    missioncontrol::v1::DocumentKind expected) {
  T document;
  absl::Status verified =
      VerifyDocumentInto(signed_document, keys, expected, document);
  if (!verified.ok()) return verified;
  return document;
}

}  // namespace mc

#endif  // COMMON_CRYPTO_DOCUMENT_H_
