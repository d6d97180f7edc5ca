#include "cluster-agent/domain/documents/key_ring.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/document.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr size_t kEd25519KeyBytes = 32;

bool Knows(const DocumentKeys& keys, const std::string& key_id) {
  return std::any_of(keys.begin(), keys.end(), [&](const v1::DocumentKey& key) {
    return key.key_id() == key_id;
  });
}

}  // namespace

absl::StatusOr<DocumentKeys> FollowSuccessions(
    const google::protobuf::RepeatedPtrField<v1::SignedDocument>& successions,
    DocumentKeys keys) {
  for (const v1::SignedDocument& succession : successions) {
    if (!Knows(keys, succession.key_id())) continue;
    const auto document = VerifyDocument<v1::KeySuccessionDocument>(
        succession, keys, v1::DOCUMENT_KIND_KEY_SUCCESSION);
    if (!document.ok()) {
      return absl::UnauthenticatedError(
          absl::StrCat("the successor of document key ", succession.key_id(),
                       " is not believed: ", document.status().message()));
    }
    const v1::DocumentKey& successor = document->successor();
    if (successor.public_key().size() != kEd25519KeyBytes ||
        successor.key_id() != DocumentKeyId(successor.public_key())) {
      return absl::UnauthenticatedError(
          absl::StrCat("what follows document key ", succession.key_id(),
                       " is no document key"));
    }
    if (!Knows(keys, successor.key_id())) keys.push_back(successor);
  }
  return keys;
}

}  // namespace mc::agent
