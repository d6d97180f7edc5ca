#include "cluster-agent/state/state_file.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

// Of a draft, after the file's name; six letters follow.
constexpr std::string_view kDraft = ".new-";
constexpr size_t kDraftLetters = 6;

bool IsDraft(std::string_view name) {
  const size_t at = name.rfind(kDraft);
  return at != std::string_view::npos &&
         name.size() == at + kDraft.size() + kDraftLetters;
}

}  // namespace

void RemoveDrafts(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end;
       !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (IsDraft(at->path().filename().string()) &&
        at->is_regular_file(ignored)) {
      std::filesystem::remove(at->path(), ignored);
    }
  }
}

absl::StatusOr<std::optional<std::string>> ReadOptional(
    const std::string& path) {
  absl::StatusOr<std::string> text = ReadPrivateFile(path);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  return *std::move(text);
}

absl::StatusOr<bool> ReadJsonFile(const std::string& path,
                                  google::protobuf::Message* message) {
  const absl::StatusOr<std::optional<std::string>> text = ReadOptional(path);
  if (!text.ok()) return text.status();
  if (!text->has_value()) return false;
  // An older agent, started again after an upgrade, meets fields that it does
  // not know.
  google::protobuf::util::JsonParseOptions json;
  json.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(**text, message, json)
           .ok()) {
    return absl::DataLossError(
        absl::StrCat(path, " is not the JSON that the agent wrote"));
  }
  return true;
}

absl::StatusOr<std::string> JsonOf(const std::string& path,
                                   const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions json;
  json.add_whitespace = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, json).ok()) {
    return absl::InternalError(absl::StrCat("cannot write ", path, " as JSON"));
  }
  return text;
}

absl::Status DamagedAnswer(const std::string& path, std::string_view what) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged (", absl::string_view(what.data(), what.size()),
      "); restore it from its backup, or move it away and start the agent: it "
      "asks the service again"));
}

absl::Status CheckChain(const std::string& chain_pem,
                        const std::string& key_pem) {
  const auto chain = CertificateChainPemToDer(chain_pem);
  if (!chain.ok()) return chain.status();
  return CheckKeyMatchesCertificate(chain_pem, key_pem);
}

}  // namespace mc::agent
