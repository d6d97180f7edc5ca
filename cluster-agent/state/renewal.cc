// A renewed certificate on its way into the state directory.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/state/state_directory.h"
#include "cluster-agent/state/state_file.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/failpoint/failpoint.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::AgentRegistration;
using ::missioncontrol::config::v1::AgentRenewal;

std::string_view WhatIsWrong(const AgentRenewal& renewal) {
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(renewal.key_pem());
  if (!key.ok() || key->is_ed25519()) return "no key of a certificate";
  const absl::StatusOr<CsrInfo> request =
      ParseCsrDer(renewal.certificate_signing_request());
  if (!request.ok() || request->spki_der != key->PublicSpkiDer()) {
    return "no request for its key";
  }
  if (!renewal.has_requested_at()) return "no time of the request";
  if (renewal.certificate_chain_pem().empty()) {
    return renewal.confirmed() ? "no certificate, though it is confirmed" : "";
  }
  if (!CheckChain(renewal.certificate_chain_pem(), renewal.key_pem()).ok()) {
    return "a certificate for another key";
  }
  return renewal.password().empty() ? "no password" : "";
}

absl::Status SystemError(const std::string& path) {
  return absl::UnavailableError(absl::StrCat(
      "cannot remove ", path, ": ", std::generic_category().message(errno),
      "; check the file system"));
}

// The name's removal is durable when it returns.
absl::Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError(path);
  }
  const int directory =
      open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return SystemError(path);
  const bool synced = fsync(directory) == 0;
  const absl::Status status = synced ? absl::OkStatus() : SystemError(path);
  close(directory);
  return status;
}

absl::Status NothingUnderWay() {
  return absl::FailedPreconditionError("no renewal is under way");
}

AgentRenewal NewRenewal(absl::Time now) {
  const PrivateKey key = PrivateKey::GenerateP256();
  AgentRenewal renewal;
  renewal.set_key_pem(key.ToPem());
  renewal.set_certificate_signing_request(BuildCsrDer(key));
  *renewal.mutable_requested_at() = mc::ToProto(now);
  return renewal;
}

}  // namespace

absl::StatusOr<std::optional<AgentRenewal>> StateDirectory::LoadRenewal()
    const {
  return ReadRenewal(path_);
}

absl::StatusOr<std::optional<AgentRenewal>> StateDirectory::ReadRenewal(
    const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", state_files::kRenewal);
  AgentRenewal renewal;
  const absl::StatusOr<bool> found = ReadJsonFile(path, &renewal);
  if (absl::IsDataLoss(found.status())) {
    return DamagedAnswer(path, "it is not the JSON that the agent wrote");
  }
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  const std::string_view wrong = WhatIsWrong(renewal);
  if (!wrong.empty()) return DamagedAnswer(path, wrong);
  return renewal;
}

absl::Status StateDirectory::WriteRenewed(const std::string& name,
                                          const std::string& text) {
  absl::Status status = AtomicWrite(FilePath(name), text, 0600);
  if (status.ok() && on_renewal_) status = on_renewal_(name);
  return status;
}

absl::Status StateDirectory::SaveRenewal(const AgentRenewal& renewal) {
  const absl::StatusOr<std::string> text =
      JsonOf(FilePath(state_files::kRenewal), renewal);
  if (!text.ok()) return text.status();
  return WriteRenewed(state_files::kRenewal, *text);
}

absl::Status StateDirectory::RemoveRenewal() {
  if (!FileExists(FilePath(state_files::kRenewal))) return absl::OkStatus();
  absl::Status status = RemoveFile(FilePath(state_files::kRenewal));
  if (status.ok() && on_renewal_) status = on_renewal_(state_files::kRenewal);
  return status;
}

absl::StatusOr<AgentRenewal> StateDirectory::DrawRenewal(absl::Time now) {
  absl::StatusOr<std::optional<AgentRenewal>> kept = LoadRenewal();
  if (!kept.ok()) return kept.status();
  const AgentRenewal renewal =
      kept->has_value() ? **std::move(kept) : NewRenewal(now);
  MC_FAILPOINT("agent.renewal.draw.before");
  const absl::Status saved = SaveRenewal(renewal);
  if (!saved.ok()) return saved;
  MC_FAILPOINT("agent.renewal.draw.after");
  return renewal;
}

absl::Status StateDirectory::KeepRenewal(
    const std::string& certificate_chain_pem, const std::string& password,
    absl::Time now) {
  absl::StatusOr<std::optional<AgentRenewal>> kept = LoadRenewal();
  if (!kept.ok()) return kept.status();
  if (!kept->has_value()) return NothingUnderWay();
  AgentRenewal& renewal = **kept;
  absl::Status status = CheckChain(certificate_chain_pem, renewal.key_pem());
  if (!status.ok()) return status;
  if (password.empty()) {
    return absl::InvalidArgumentError("the answer has no password");
  }
  renewal.set_certificate_chain_pem(certificate_chain_pem);
  renewal.set_password(password);
  *renewal.mutable_requested_at() = mc::ToProto(now);
  MC_FAILPOINT("agent.renewal.answer.before");
  status = SaveRenewal(renewal);
  MC_FAILPOINT("agent.renewal.answer.after");
  return status;
}

absl::Status StateDirectory::RejectRenewal(absl::Time now) {
  absl::StatusOr<std::optional<AgentRenewal>> kept = LoadRenewal();
  if (!kept.ok()) return kept.status();
  if (!kept->has_value()) return NothingUnderWay();
  AgentRenewal renewal = NewRenewal(now);
  renewal.set_password((*kept)->password());
  return SaveRenewal(renewal);
}

absl::Status StateDirectory::ConfirmRenewal() {
  absl::StatusOr<std::optional<AgentRenewal>> kept = LoadRenewal();
  if (!kept.ok()) return kept.status();
  if (!kept->has_value() || (*kept)->certificate_chain_pem().empty()) {
    return NothingUnderWay();
  }
  if (!(*kept)->confirmed()) {
    (*kept)->set_confirmed(true);
    MC_FAILPOINT("agent.renewal.confirm.before");
    const absl::Status saved = SaveRenewal(**kept);
    if (!saved.ok()) return saved;
    MC_FAILPOINT("agent.renewal.confirm.after");
  }
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem((*kept)->key_pem());
  if (!key.ok()) return key.status();
  const absl::Status written = WriteRenewal(**kept);
  if (!written.ok()) return written;
  tls_key_ = *std::move(key);
  request_der_ = (*kept)->certificate_signing_request();
  return RemoveRenewal();
}

absl::Status StateDirectory::FinishRenewal() {
  const absl::StatusOr<std::optional<AgentRenewal>> kept = LoadRenewal();
  if (!kept.ok()) return kept.status();
  if (!kept->has_value() || !(*kept)->confirmed()) return absl::OkStatus();
  const absl::Status written = WriteRenewal(**kept);
  return written.ok() ? RemoveRenewal() : written;
}

// Each file is written whatever it holds: until renewal.json is gone, the next
// start does it all again.
absl::Status StateDirectory::WriteRenewal(const AgentRenewal& renewal) {
  absl::StatusOr<std::optional<AgentRegistration>> registration =
      LoadRegistration();
  if (!registration.ok()) return registration.status();
  if (!registration->has_value()) {
    return DamagedAnswer(
        FilePath(state_files::kRegistration),
        absl::StrCat("missing, though ", state_files::kRenewal, " exists"));
  }
  (*registration)->set_password(renewal.password());
  *(*registration)->mutable_certified_at() = renewal.requested_at();
  const absl::StatusOr<std::string> text =
      JsonOf(FilePath(state_files::kRegistration), **registration);
  if (!text.ok()) return text.status();
  const std::pair<const char*, const std::string*> files[] = {
      {state_files::kTlsKey, &renewal.key_pem()},
      {state_files::kRequest, &renewal.certificate_signing_request()},
      {state_files::kCertificate, &renewal.certificate_chain_pem()},
      {state_files::kRegistration, &*text},
  };
  for (const auto& [name, content] : files) {
    const absl::Status written = WriteRenewed(name, *content);
    if (!written.ok()) return written;
    MC_FAILPOINT("agent.renewal.file.after");
  }
  return absl::OkStatus();
}

}  // namespace mc::agent
