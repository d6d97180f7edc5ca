#include "mc-service/cli/document_keys.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"
#include "google/protobuf/util/json_util.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;
using nlohmann::json;

constexpr mode_t kMode = 0600;

absl::StatusOr<DocumentSigner> ReadSigner(const std::string& file) {
  const absl::StatusOr<std::string> pem = ReadPrivateFile(file);
  if (!pem.ok()) return pem.status();
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*pem);
  if (!key.ok() || !key->is_ed25519()) {
    return absl::DataLossError(absl::StrCat(
        file, " is not an Ed25519 key in PEM; restore it from a backup"));
  }
  return DocumentSigner::Create(*std::move(key));
}

template <typename Message>
bool ParseList(const json& document, const char* name,
               std::vector<Message>& out) {
  const auto list = document.find(name);
  if (list == document.end() || !list->is_array()) return false;
  for (const json& entry : *list) {
    if (!google::protobuf::util::JsonStringToMessage(entry.dump(),
                                                     &out.emplace_back())
             .ok()) {
      return false;
    }
  }
  return true;
}

template <typename Message>
absl::Status AddList(const std::vector<Message>& messages, json& list) {
  list = json::array();
  for (const Message& message : messages) {
    std::string text;
    if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) {
      return absl::InternalError("a document key has no JSON");
    }
    list.push_back(json::parse(text, nullptr, /*allow_exceptions=*/false));
  }
  return absl::OkStatus();
}

absl::Status WriteHistory(const StateLayout& state,
                          const DocumentKeyHistory& history) {
  json document;
  absl::Status status = AddList(history.keys, document["keys"]);
  status.Update(AddList(history.successions, document["successions"]));
  if (!status.ok()) return status;
  return AtomicWrite(state.DocumentKeyHistoryFile(), document.dump(2) + "\n",
                     kMode);
}

void AddKey(DocumentKeyHistory& history, const v1::DocumentKey& key) {
  const bool known = std::any_of(
      history.keys.begin(), history.keys.end(),
      [&](const auto& other) { return other.key_id() == key.key_id(); });
  if (!known) history.keys.push_back(key);
}

bool Names(const DocumentKeyHistory& history, const std::string& predecessor,
           const std::string& successor) {
  return std::any_of(history.successions.begin(), history.successions.end(),
                     [&](const v1::SignedDocument& succession) {
                       v1::KeySuccessionDocument document;
                       return succession.key_id() == predecessor &&
                              document.ParseFromString(succession.document()) &&
                              document.successor().key_id() == successor;
                     });
}

// The key that follows `current`: one that a rotation which was cut off has
// left, or a new one.
absl::StatusOr<DocumentSigner> NextSigner(const StateLayout& state,
                                          const DocumentSigner& current) {
  const std::string file = state.NextDocumentKeyFile();
  if (FileExists(file)) {
    absl::StatusOr<DocumentSigner> next = ReadSigner(file);
    if (!next.ok()) return next.status();
    if (next->key_id() != current.key_id()) return next;
  }
  const absl::Status written =
      AtomicWrite(file, PrivateKey::GenerateEd25519().ToPem(), kMode);
  if (!written.ok()) return written;
  return ReadSigner(file);
}

}  // namespace

absl::StatusOr<DocumentKeyHistory> ReadDocumentKeyHistory(
    const StateLayout& state) {
  const std::string file = state.DocumentKeyHistoryFile();
  DocumentKeyHistory history;
  if (!FileExists(file)) return history;
  const absl::StatusOr<std::string> text = ReadPrivateFile(file);
  if (!text.ok()) return text.status();
  const json document = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !ParseList(document, "keys", history.keys) ||
      !ParseList(document, "successions", history.successions)) {
    return absl::DataLossError(
        absl::StrCat(file, " is damaged; restore it from a backup"));
  }
  return history;
}

absl::StatusOr<RotatedKey> RotateDocumentKey(const StateLayout& state,
                                             absl::Time now) {
  const absl::StatusOr<DocumentSigner> current =
      ReadSigner(state.DocumentKeyFile());
  if (!current.ok()) return current.status();
  absl::StatusOr<DocumentKeyHistory> history = ReadDocumentKeyHistory(state);
  if (!history.ok()) return history.status();
  const absl::StatusOr<DocumentSigner> next = NextSigner(state, *current);
  if (!next.ok()) return next.status();
  if (!Names(*history, current->key_id(), next->key_id())) {
    AddKey(*history, current->document_key());
    AddKey(*history, next->document_key());
    v1::KeySuccessionDocument document;
    document.set_kind(v1::DOCUMENT_KIND_KEY_SUCCESSION);
    *document.mutable_successor() = next->document_key();
    *document.mutable_issued_at() = ToProto(now);
    history->successions.push_back(current->Sign(document));
    // Before anything is signed with the new key.
    const absl::Status kept = WriteHistory(state, *history);
    if (!kept.ok()) return kept;
  }
  const absl::StatusOr<std::string> pem =
      ReadPrivateFile(state.NextDocumentKeyFile());
  if (!pem.ok()) return pem.status();
  const absl::Status in_place =
      AtomicWrite(state.DocumentKeyFile(), *pem, kMode);
  if (!in_place.ok()) return in_place;
  ::unlink(state.NextDocumentKeyFile().c_str());
  return RotatedKey{.key_id = next->key_id(),
                    .predecessor_id = current->key_id()};
}

}  // namespace mc::service
