#include "mc-service/cli/file_checks.h"

#include <unistd.h>

#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/cli/document_keys.h"

namespace mc::service {
namespace {

using Severity = Problem::Severity;

constexpr absl::Duration kExpiresSoon = absl::Hours(24 * 30);

class FileChecks {
 public:
  FileChecks(const Configuration& configuration, absl::Time now,
             std::vector<Problem>& problems)
      : configuration_(configuration), now_(now), problems_(problems) {}

  void Run() {
    const StateLayout state = configuration_.state();
    if (!FileExists(state.directory())) {
      Error(state.directory(),
            "there is no such state directory; make it with `mc-service init "
            "--directory`, or correct state_directory");
      return;
    }
    Passes(state.directory(), CheckPrivateDirectory(state.directory()));
    Passes(state.StoreFile(), CheckPrivateFile(state.StoreFile()));
    DocumentKey(state.DocumentKeyFile());
    Passes(state.DocumentKeyHistoryFile(),
           ReadDocumentKeyHistory(state).status());
    for (const CertificateFiles& ca :
         {state.ServerCa(), state.ClusterCa(), state.OperatorCa()}) {
      Pair(ca, /*ca=*/true);
    }
    for (const AuthorityKind kind :
         {AuthorityKind::kServer, AuthorityKind::kCluster,
          AuthorityKind::kOperator}) {
      const std::string file =
          StateLayout::PreviousAuthoritiesFile(FilesOf(state, kind));
      if (FileExists(file))
        Passes(file, KnownAuthorities(state, kind).status());
    }
    const config::Listeners& listeners = configuration_.values.listeners();
    // Else it is the front's, which may be the only one to read it.
    if (!configuration_.values.has_enrollment_front()) {
      OfListener("enrollment", listeners.enrollment());
    }
    OfListener("cluster", listeners.cluster());
    OfListener("operator", listeners.operator_());
  }

  void RunFront() {
    OfListener("enrollment", configuration_.values.listeners().enrollment());
    const StateLayout state = configuration_.state();
    for (const std::string& secret :
         {state.StoreFile(), state.ClusterCa().key, state.ServerCa().key}) {
      if (::access(secret.c_str(), R_OK) != 0) continue;
      Add(Severity::kWarning, secret,
          "the enrollment front can read it; run the front as a user of its "
          "own");
      return;
    }
  }

 private:
  void Add(Severity severity, const std::string& where, std::string message) {
    problems_.push_back({severity, where, std::move(message)});
  }
  void Error(const std::string& where, std::string message) {
    Add(Severity::kError, where, std::move(message));
  }

  // The library's errors name the file and say what to do.
  bool Passes(const std::string& where, const absl::Status& status) {
    if (!status.ok()) Error(where, std::string(status.message()));
    return status.ok();
  }

  std::optional<std::string> Read(const std::string& file) {
    absl::StatusOr<std::string> text = ReadFile(file);
    if (!Passes(file, text.status())) return std::nullopt;
    return *std::move(text);
  }

  std::optional<std::string> ReadSecret(const std::string& file) {
    absl::StatusOr<std::string> text = ReadPrivateFile(file);
    if (!Passes(file, text.status())) return std::nullopt;
    return *std::move(text);
  }

  void DocumentKey(const std::string& file) {
    const std::optional<std::string> pem = ReadSecret(file);
    if (!pem) return;
    const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*pem);
    if (!key.ok() || !key->is_ed25519()) {
      Error(file, "is not an Ed25519 key in PEM; restore it from a backup");
    }
  }

  void OfListener(const std::string& name, const config::Listener& listener) {
    const std::string prefix = absl::StrCat("listeners.", name, ".");
    if (listener.certificate_file().empty()) {
      Error(absl::StrCat(prefix, "certificate_file"),
            "set it together with key_file, or neither");
    } else if (listener.key_file().empty()) {
      Error(absl::StrCat(prefix, "key_file"),
            "set it together with certificate_file, or neither");
    } else if (seen_
                   .insert(listener.certificate_file() + '\0' +
                           listener.key_file())
                   .second) {
      Pair({listener.certificate_file(), listener.key_file()}, /*ca=*/false);
    }
  }

  void Pair(const CertificateFiles& files, bool ca) {
    const std::optional<std::string> certificate = Read(files.certificate);
    const std::optional<std::string> key = ReadSecret(files.key);
    bool readable = certificate.has_value() && key.has_value();
    if (certificate) {
      readable &= Certificate(files.certificate, *certificate, ca);
    }
    if (key && !PrivateKey::FromPem(*key).ok()) {
      Error(files.key, "is not an unencrypted private key in PEM; replace it");
      readable = false;
    }
    if (readable && !CheckKeyMatchesCertificate(*certificate, *key).ok()) {
      Error(files.key, absl::StrCat("does not match ", files.certificate,
                                    "; replace one of them"));
    }
  }

  bool Certificate(const std::string& file, const std::string& pem, bool ca) {
    const absl::StatusOr<CertificateInfo> info = ParseCertificatePem(pem);
    if (!info.ok()) {
      Error(file, "is not a certificate in PEM; replace it");
      return false;
    }
    if (info->is_ca != ca) {
      Error(file, ca ? "is not a CA's certificate; restore it from a backup"
                     : "is a CA's certificate; servers need one of their own");
    }
    if (now_ < info->not_before) {
      Error(file,
            absl::StrCat("is valid only from ", FormatUtc(info->not_before),
                         " on; check this machine's clock"));
    } else if (now_ >= info->not_after) {
      Error(file, absl::StrCat("expired at ", FormatUtc(info->not_after),
                               "; replace it and its key"));
    } else if (info->not_after - now_ < kExpiresSoon) {
      Add(Severity::kWarning, file,
          absl::StrCat("expires at ", FormatUtc(info->not_after),
                       "; replace it and its key before"));
    }
    return true;
  }

  const Configuration& configuration_;
  const absl::Time now_;
  std::vector<Problem>& problems_;
  std::set<std::string> seen_;
};

}  // namespace

void CheckFiles(const Configuration& configuration, absl::Time now,
                std::vector<Problem>& problems) {
  FileChecks(configuration, now, problems).Run();
}

void CheckFrontFiles(const Configuration& configuration, absl::Time now,
                     std::vector<Problem>& problems) {
  FileChecks(configuration, now, problems).RunFront();
}

}  // namespace mc::service
