#include "mc-service/ctl/operator_access.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/files/files.h"

namespace mc::service {
namespace {

// What makes a name safe in a path; the service checks the rest.
bool IsOperatorName(const std::string& name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") ==
             std::string::npos;
}

}  // namespace

absl::StatusOr<std::string> ChainPem(
    const std::string& certificate_der,
    const google::protobuf::RepeatedPtrField<std::string>& ca_chain_der) {
  absl::StatusOr<std::string> chain = CertificateDerToPem(certificate_der);
  if (!chain.ok()) return chain;
  for (const std::string& der : ca_chain_der) {
    const absl::StatusOr<std::string> pem = CertificateDerToPem(der);
    if (!pem.ok()) return pem;
    absl::StrAppend(&*chain, *pem);
  }
  return chain;
}

NewAccess::NewAccess(std::string folder, std::string name)
    : folder_(std::move(folder)), name_(std::move(name)) {}

NewAccess::NewAccess(NewAccess&& other) noexcept
    : folder_(std::move(other.folder_)),
      name_(std::move(other.name_)),
      key_(std::move(other.key_)),
      finished_(std::exchange(other.finished_, true)) {}

std::string NewAccess::In(std::string_view name) const {
  return folder_ + "/" + std::string(name);
}

absl::StatusOr<NewAccess> NewAccess::Begin(const std::string& folder,
                                           const std::string& name) {
  if (!IsOperatorName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name,
                     "' is no operator's name: it is of a-z, 0-9, '.', '_' "
                     "and '-', and starts with a letter"));
  }
  absl::Status status = EnsurePrivateDirectory(folder);
  if (!status.ok()) return status;
  NewAccess access(folder, name);
  // What is there is somebody's access.
  for (const std::string& file :
       {access.ConfigFile(), access.In(name + ".key")}) {
    if (FileExists(file)) {
      access.finished_ = true;
      return absl::FailedPreconditionError(
          absl::StrCat(file, " is there already; choose another --out folder"));
    }
  }
  status = AtomicWrite(access.In(name + ".key"), access.key_.ToPem(), 0600);
  if (!status.ok()) return status;
  return access;
}

NewAccess::~NewAccess() {
  if (!finished_) ::unlink(In(name_ + ".key").c_str());
}

std::string NewAccess::Request() const { return BuildCsrDer(key_); }

absl::Status NewAccess::Finish(const missioncontrol::config::v1::CtlConfig& own,
                               const std::string& chain_pem) {
  std::string config =
      absl::StrCat("# How mcctl reaches mc-service as operator ", name_,
                   ". Relative paths are relative to this file.\n",
                   "operator_address: \"", own.operator_address(), "\"\n");
  absl::Status status = AtomicWrite(In(name_ + ".crt"), chain_pem, 0600);
  if (status.ok() && !own.ca_file().empty()) {
    const absl::StatusOr<std::string> ca = ReadFile(own.ca_file());
    if (!ca.ok()) return ca.status();
    status = AtomicWrite(In("ca.crt"), *ca, 0600);
    absl::StrAppend(&config, "ca_file: ca.crt\n");
  }
  absl::StrAppend(&config, "certificate_file: ", name_,
                  ".crt\nkey_file: ", name_, ".key\n");
  if (status.ok()) status = AtomicWrite(ConfigFile(), config, 0600);
  finished_ = status.ok();
  return status;
}

absl::StatusOr<std::string> WithPair(std::string_view config_text,
                                     const std::string& certificate_file,
                                     const std::string& key_file) {
  std::vector<std::string> lines = absl::StrSplit(
      absl::string_view(config_text.data(), config_text.size()), '\n');
  for (const auto& [key, value] :
       {std::pair<std::string, std::string>("certificate_file:",
                                            certificate_file),
        std::pair<std::string, std::string>("key_file:", key_file)}) {
    int found = 0;
    for (std::string& line : lines) {
      if (!absl::StartsWith(line, key)) continue;
      line = absl::StrCat(key, " \"", value, "\"");
      ++found;
    }
    if (found != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("the configuration must name ", key,
                       " once, at the begin of a line"));
    }
  }
  return absl::StrJoin(lines, "\n");
}

}  // namespace mc::service
