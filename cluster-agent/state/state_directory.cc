#include "cluster-agent/state/state_directory.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/state/state_file.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::AgentContact;
using ::missioncontrol::config::v1::AgentInstallation;
using ::missioncontrol::config::v1::AgentLicense;
using ::missioncontrol::config::v1::AgentRegistration;

constexpr size_t kEd25519KeyBytes = 32;
constexpr size_t kEd25519SignatureBytes = 64;

// In the order in which the first start and then the registration make them.
constexpr std::array kLifeOrder = {
    state_files::kClusterId,    state_files::kNodeId,
    state_files::kTlsKey,       state_files::kSiteKey,
    state_files::kRequest,      state_files::kCertificate,
    state_files::kRegistration,
};

absl::Status Damaged(const std::string& path, std::string_view what) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged (", absl::string_view(what.data(), what.size()),
      "); restore the state directory from its backup. Without a backup move "
      "the directory away: the agent then starts as a new cluster"));
}

// Writes a file of the first start, and returns its text.
absl::StatusOr<std::string> Create(const StateDirectory::Options& options,
                                   const std::string& name, std::string text) {
  absl::Status status =
      AtomicWrite(absl::StrCat(options.path, "/", name), text, 0600);
  if (status.ok() && options.on_created) status = options.on_created(name);
  if (!status.ok()) return status;
  return text;
}

// The text of a file of the identity. A missing one is made, unless a file
// exists that only comes after it: then it was lost.
absl::StatusOr<std::string> ReadOrCreate(
    const StateDirectory::Options& options, const std::string& name,
    const std::function<std::string()>& make) {
  const std::string path = absl::StrCat(options.path, "/", name);
  absl::StatusOr<std::optional<std::string>> kept = ReadOptional(path);
  if (!kept.ok()) return kept.status();
  if (kept->has_value()) return **std::move(kept);
  for (auto later = kLifeOrder.rbegin();
       later != kLifeOrder.rend() && *later != name; ++later) {
    if (FileExists(absl::StrCat(options.path, "/", *later))) {
      return Damaged(path, absl::StrCat("missing, though ", *later, " exists"));
    }
  }
  return Create(options, name, make());
}

absl::StatusOr<std::string> ReadOrCreateUuid(
    const StateDirectory::Options& options, const std::string& name) {
  absl::StatusOr<std::string> text =
      ReadOrCreate(options, name, [] { return RandomUuid() + "\n"; });
  if (!text.ok()) return text.status();
  absl::StripAsciiWhitespace(&*text);
  if (!IsUuid(*text)) {
    return Damaged(absl::StrCat(options.path, "/", name),
                   "it holds no lower-case UUID of version 4");
  }
  return *std::move(text);
}

absl::StatusOr<PrivateKey> ReadOrCreateKey(
    const StateDirectory::Options& options, const std::string& name,
    PrivateKey (*generate)()) {
  const absl::StatusOr<std::string> pem =
      ReadOrCreate(options, name, [generate] { return generate().ToPem(); });
  if (!pem.ok()) return pem.status();
  const std::string path = absl::StrCat(options.path, "/", name);
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*pem);
  if (!key.ok()) return Damaged(path, "it holds no private key in PEM");
  if (key->is_ed25519() != (name == state_files::kSiteKey)) {
    return Damaged(path, "it holds another kind of key");
  }
  return key;
}

// The request follows from the key, so a missing one is no loss.
absl::StatusOr<std::string> ReadOrCreateRequest(
    const StateDirectory::Options& options, const PrivateKey& tls_key) {
  const std::string path =
      absl::StrCat(options.path, "/", state_files::kRequest);
  const absl::StatusOr<std::optional<std::string>> kept = ReadOptional(path);
  if (!kept.ok()) return kept.status();
  if (kept->has_value()) {
    const absl::StatusOr<CsrInfo> request = ParseCsrDer(**kept);
    if (!request.ok() || request->spki_der != tls_key.PublicSpkiDer()) {
      return absl::DataLossError(absl::StrCat(
          path, " is damaged, or for another key than ", state_files::kTlsKey,
          "; remove it and start the agent, which makes it again"));
    }
    return **kept;
  }
  return Create(options, state_files::kRequest, BuildCsrDer(tls_key));
}

std::string_view WhatIsWrong(const AgentRegistration& registration) {
  if (registration.user_name().empty()) return "no user name";
  if (registration.password().empty()) return "no password";
  if (registration.trust_domain().empty()) return "no trust domain";
  if (!registration.has_registered_at()) return "no time of registration";
  if (registration.document_keys().empty()) return "no document keys";
  for (const auto& key : registration.document_keys()) {
    if (key.key_id().empty() || key.public_key().size() != kEd25519KeyBytes) {
      return "a document key that is none";
    }
  }
  return "";
}

std::string_view WhatIsWrong(const AgentInstallation& installation) {
  if (installation.agent_version().empty()) return "no agent version";
  if (!installation.has_installed_at()) return "no time of installation";
  if (!installation.has_answer()) return "no answer of the service";
  return "";
}

std::string_view WhatIsWrong(const AgentLicense& license) {
  if (license.signed_license().document().empty()) return "no document";
  if (license.signed_license().signature().size() != kEd25519SignatureBytes) {
    return "no signature";
  }
  if (!license.has_verified_at()) return "no time of verification";
  return "";
}

std::string_view WhatIsWrong(const AgentContact& contact) {
  if (!contact.has_noted_at()) return "no time at which it was written";
  return "";
}

template <typename Message>
absl::StatusOr<std::optional<Message>> LoadJson(const std::string& path) {
  Message message;
  const absl::StatusOr<bool> found = ReadJsonFile(path, &message);
  if (absl::IsDataLoss(found.status())) {
    return DamagedAnswer(path, "it is not the JSON that the agent wrote");
  }
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  const std::string_view wrong = WhatIsWrong(message);
  if (!wrong.empty()) return DamagedAnswer(path, wrong);
  return message;
}

// `path` is where it will be saved, for the error.
template <typename Message>
absl::StatusOr<std::string> ToJson(const std::string& path,
                                   const Message& message) {
  const std::string_view wrong = WhatIsWrong(message);
  if (!wrong.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("what is to be saved in ", path, " has ",
                     absl::string_view(wrong.data(), wrong.size())));
  }
  return JsonOf(path, message);
}

template <typename Message>
absl::Status SaveJson(const std::string& path, const Message& message) {
  const absl::StatusOr<std::string> text = ToJson(path, message);
  if (!text.ok()) return text.status();
  return AtomicWrite(path, *text, 0600);
}

}  // namespace

absl::StatusOr<StateDirectory> StateDirectory::Open(const Options& options) {
  const absl::Status is_private = EnsurePrivateDirectory(options.path);
  if (!is_private.ok()) return is_private;
  if (FileExists(absl::StrCat(options.path, "/", kNodeFile))) {
    return absl::FailedPreconditionError(absl::StrCat(
        options.path,
        " is the state of a node; start it with cluster-agent node run, or "
        "name another state_directory"));
  }
  absl::StatusOr<DirectoryLock> lock = DirectoryLock::Acquire(options.path);
  if (!lock.ok()) return lock.status();
  RemoveDrafts(options.path);
  StateDirectory state(options, *std::move(lock));
  absl::Status status = state.FinishRenewal();
  if (status.ok()) status = state.LoadIdentity(options);
  if (!status.ok()) return status;
  return state;
}

absl::Status StateDirectory::LoadIdentity(const Options& options) {
  absl::StatusOr<std::string> cluster_id =
      ReadOrCreateUuid(options, state_files::kClusterId);
  if (!cluster_id.ok()) return cluster_id.status();
  absl::StatusOr<std::string> node_id =
      ReadOrCreateUuid(options, state_files::kNodeId);
  if (!node_id.ok()) return node_id.status();
  absl::StatusOr<PrivateKey> tls_key =
      ReadOrCreateKey(options, state_files::kTlsKey, &PrivateKey::GenerateP256);
  if (!tls_key.ok()) return tls_key.status();
  absl::StatusOr<PrivateKey> site_key = ReadOrCreateKey(
      options, state_files::kSiteKey, &PrivateKey::GenerateEd25519);
  if (!site_key.ok()) return site_key.status();
  absl::StatusOr<std::string> request = ReadOrCreateRequest(options, *tls_key);
  if (!request.ok()) return request.status();
  cluster_id_ = *std::move(cluster_id);
  node_id_ = *std::move(node_id);
  tls_key_ = *std::move(tls_key);
  site_key_ = *std::move(site_key);
  request_der_ = *std::move(request);
  return absl::OkStatus();
}

std::string StateDirectory::FilePath(const std::string& name) const {
  return absl::StrCat(path_, "/", name);
}

absl::StatusOr<std::optional<AgentRegistration>>
StateDirectory::LoadRegistration() const {
  return LoadJson<AgentRegistration>(FilePath(state_files::kRegistration));
}

absl::StatusOr<std::optional<std::string>>
StateDirectory::LoadCertificateChain() const {
  const std::string path = FilePath(state_files::kCertificate);
  absl::StatusOr<std::optional<std::string>> chain = ReadOptional(path);
  if (!chain.ok() || !chain->has_value()) return chain;
  const absl::Status usable = CheckChain(**chain, tls_key().ToPem());
  if (!usable.ok()) {
    return DamagedAnswer(path, std::string(usable.message()));
  }
  return chain;
}

absl::Status StateDirectory::SaveRegistration(
    const AgentRegistration& registration,
    const std::string& certificate_chain_pem) {
  const std::string path = FilePath(state_files::kRegistration);
  const absl::StatusOr<std::string> text = ToJson(path, registration);
  if (!text.ok()) return text.status();
  absl::Status status = CheckChain(certificate_chain_pem, tls_key().ToPem());
  if (status.ok()) status = RemoveRenewal();
  if (!status.ok()) return status;
  const std::string certificate = FilePath(state_files::kCertificate);
  // A registration of the same key again ends the password, and leaves the
  // certificate good.
  const bool again = FileExists(path);
  if (again) status = AtomicWrite(path, *text, 0600);
  if (status.ok()) {
    status = AtomicWrite(certificate, certificate_chain_pem, 0600);
  }
  if (status.ok() && !again) status = AtomicWrite(path, *text, 0600);
  return status;
}

absl::StatusOr<std::optional<AgentInstallation>>
StateDirectory::LoadInstallation() const {
  return LoadJson<AgentInstallation>(FilePath(state_files::kInstallation));
}

absl::StatusOr<std::optional<AgentLicense>> StateDirectory::LoadLicense()
    const {
  return LoadJson<AgentLicense>(FilePath(state_files::kLicense));
}

absl::StatusOr<std::optional<AgentContact>> StateDirectory::LoadContact()
    const {
  return LoadJson<AgentContact>(FilePath(state_files::kContact));
}

absl::Status StateDirectory::SaveContact(const AgentContact& contact) {
  return SaveJson(FilePath(state_files::kContact), contact);
}

absl::Status StateDirectory::SaveDocumentKeys(
    const std::vector<missioncontrol::v1::DocumentKey>& keys) {
  absl::StatusOr<std::optional<AgentRegistration>> registration =
      LoadRegistration();
  if (!registration.ok()) return registration.status();
  if (!registration->has_value()) {
    return absl::FailedPreconditionError("the cluster is not registered");
  }
  (*registration)->mutable_document_keys()->Assign(keys.begin(), keys.end());
  return SaveJson(FilePath(state_files::kRegistration), **registration);
}

absl::Status StateDirectory::SaveInstallation(
    const AgentInstallation& installation) {
  return SaveJson(FilePath(state_files::kInstallation), installation);
}

absl::Status StateDirectory::SaveLicense(const AgentLicense& license) {
  return SaveJson(FilePath(state_files::kLicense), license);
}

}  // namespace mc::agent
