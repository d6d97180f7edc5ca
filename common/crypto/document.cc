#include "common/crypto/document.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

// DOCUMENT_KIND_UNSPECIFIED where field 1 is not a document's kind.
int KindOf(const google::protobuf::Message& document) {
  const google::protobuf::FieldDescriptor* field =
      document.GetDescriptor()->FindFieldByNumber(1);
  if (field == nullptr || field->is_repeated() ||
      field->enum_type() != v1::DocumentKind_descriptor()) {
    return v1::DOCUMENT_KIND_UNSPECIFIED;
  }
  return document.GetReflection()->GetEnumValue(document, field);
}

}  // namespace

std::string DocumentKeyId(std::string_view raw_public) {
  return Hex(Sha256(raw_public)).substr(0, 16);
}

absl::StatusOr<DocumentSigner> DocumentSigner::Create(PrivateKey key) {
  if (!key.is_ed25519()) {
    return absl::InvalidArgumentError(
        "the key that signs documents must be an Ed25519 key");
  }
  return DocumentSigner(std::move(key));
}

DocumentSigner::DocumentSigner(PrivateKey ed25519) : key_(std::move(ed25519)) {
  public_key_ = key_.Ed25519Public();
  key_id_ = DocumentKeyId(public_key_);
}

v1::SignedDocument DocumentSigner::Sign(
    const google::protobuf::Message& document) const {
  if (KindOf(document) == v1::DOCUMENT_KIND_UNSPECIFIED) std::abort();
  v1::SignedDocument result;
  document.SerializeToString(result.mutable_document());
  result.set_key_id(key_id_);
  result.set_signature(key_.Sign(result.document()));
  return result;
}

v1::DocumentKey DocumentSigner::document_key() const {
  v1::DocumentKey key;
  key.set_key_id(key_id_);
  key.set_public_key(public_key_);
  return key;
}

absl::Status VerifyDocumentInto(const v1::SignedDocument& signed_document,
                                std::span<const v1::DocumentKey> keys,
                                v1::DocumentKind expected,
                                google::protobuf::Message& document) {
  const v1::DocumentKey* key = nullptr;
  for (const v1::DocumentKey& candidate : keys) {
    if (candidate.key_id() == signed_document.key_id()) key = &candidate;
  }
  if (key == nullptr) {
    return absl::UnauthenticatedError(
        absl::StrCat("no known key has the ID of the document's signature, \"",
                     signed_document.key_id(), "\""));
  }
  absl::Status verified =
      VerifyEd25519(key->public_key(), signed_document.document(),
                    signed_document.signature());
  if (!verified.ok()) return verified;
  if (!document.ParseFromString(signed_document.document())) {
    return absl::InvalidArgumentError(
        "the signed bytes are not a document of the expected type");
  }
  const int kind = KindOf(document);
  if (kind != expected || expected == v1::DOCUMENT_KIND_UNSPECIFIED) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the signed document is of kind ", kind, ", not ", expected));
  }
  return absl::OkStatus();
}

}  // namespace mc
