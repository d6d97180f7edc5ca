#include "mc-service/cli/init.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/cli/templates.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kCaLifetime = absl::Hours(24 * 3650);
constexpr absl::Duration kLeafLifetime = absl::Hours(24 * 825);
// Others' clocks may be behind this machine's.
constexpr absl::Duration kClockSkew = absl::Hours(1);

absl::Status Failed(std::string_view what, const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("Cannot ", absl::string_view(what.data(), what.size()), " ",
                   path, ": ", std::strerror(errno)));
}

// The directory may be absent or empty.
absl::Status CheckFree(const StateLayout& state) {
  std::error_code error;
  if (fs::exists(state.ConfigFile(), error)) {
    return absl::FailedPreconditionError(
        absl::StrCat(state.directory(),
                     " is initialized already. Start the service with "
                     "`mc-service run --config ",
                     state.ConfigFile(), "`, or choose another --directory."));
  }
  if (!fs::exists(state.directory(), error)) return absl::OkStatus();
  if (!fs::is_directory(state.directory(), error) ||
      !fs::is_empty(state.directory(), error)) {
    return absl::FailedPreconditionError(absl::StrCat(
        state.directory(),
        " is not an empty directory. Choose another --directory."));
  }
  return absl::OkStatus();
}

absl::Status CheckTrustDomain(std::string_view name) {
  // The SPIFFE ID standard, section 2.1.
  if (name.empty() || name.size() > 255 ||
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") !=
          std::string_view::npos) {
    return absl::InvalidArgumentError(
        "--trust-domain takes lower-case letters, digits, '.', '-' and '_', "
        "for instance missioncontrol.example.com.");
  }
  return absl::OkStatus();
}

bool IsAddress(const std::string& name) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, name.c_str(), &ignored) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &ignored) == 1;
}

// Makes a rename within the directory durable.
absl::Status SyncDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed("open", path);
  const int result = ::fsync(fd);
  ::close(fd);
  return result == 0 ? absl::OkStatus() : Failed("write", path);
}

// Makes the files of one state directory below `root_`.
class Maker {
 public:
  Maker(const InitOptions& options, std::string root)
      : options_(options),
        now_(options.clock->Now()),
        state_(std::move(root)) {}

  absl::Status Make() {
    for (const char* folder : {"ca", "keys", "server", "operator"}) {
      const std::string path = absl::StrCat(state_.directory(), "/", folder);
      if (::mkdir(path.c_str(), 0700) != 0) return Failed("make", path);
    }
    Keep(Certificates());
    Keep(
        Write(state_.DocumentKeyFile(), PrivateKey::GenerateEd25519().ToPem()));
    TemplateOptions choices;
    choices.trust_domain = options_.trust_domain;
    choices.free_ports = options_.free_ports;
    if (!options_.free_ports && !options_.without_front) {
      choices.front_socket = options_.front_socket;
      choices.front_group = options_.front_group;
    }
    Keep(Write(state_.ConfigFile(), ServiceConfigTemplate(choices)));
    Keep(Write(state_.McctlConfigFile(), McctlConfigTemplate()));
    Keep(MakeStore());
    return status_;
  }

 private:
  // The first error stays.
  void Keep(absl::Status status) { status_.Update(std::move(status)); }

  absl::Status Write(const std::string& path, const std::string& contents) {
    if (!status_.ok()) return status_;
    return AtomicWrite(path, contents, 0600);
  }

  absl::Status Write(const CertificateFiles& files,
                     const std::string& certificate, const std::string& key) {
    absl::Status status = Write(files.certificate, certificate);
    status.Update(Write(files.key, key));
    return status;
  }

  absl::StatusOr<CertificateAuthority> MakeCa(std::string_view name,
                                              const CertificateFiles& files) {
    absl::StatusOr<CertificateAuthority> ca = CertificateAuthority::Create(
        name, now_ - kClockSkew, now_ + kCaLifetime);
    if (!ca.ok()) return ca;
    absl::Status status = Write(files, ca->cert_pem(), ca->key_pem());
    if (!status.ok()) return status;
    return ca;
  }

  absl::Status Issue(const CertificateAuthority& ca, IssueSpec spec,
                     const CertificateFiles& files) {
    const PrivateKey key = PrivateKey::GenerateP256();
    spec.spki_der = key.PublicSpkiDer();
    spec.not_before = now_ - kClockSkew;
    spec.not_after = now_ + kLeafLifetime;
    const absl::StatusOr<std::string> der = ca.Issue(spec);
    if (!der.ok()) return der.status();
    const absl::StatusOr<std::string> pem = CertificateDerToPem(*der);
    if (!pem.ok()) return pem.status();
    return Write(files, *pem, key.ToPem());
  }

  absl::Status Certificates() {
    const absl::StatusOr<CertificateAuthority> server =
        MakeCa("Mission Control server CA", state_.ServerCa());
    if (!server.ok()) return server.status();
    const absl::StatusOr<CertificateAuthority> cluster =
        MakeCa("Mission Control cluster CA", state_.ClusterCa());
    if (!cluster.ok()) return cluster.status();
    const absl::StatusOr<CertificateAuthority> operators =
        MakeCa("Mission Control operator CA", state_.OperatorCa());
    if (!operators.ok()) return operators.status();

    IssueSpec service;
    service.server_auth = true;
    for (const std::string& name : options_.server_names) {
      (IsAddress(name) ? service.ip_sans : service.dns_sans).push_back(name);
    }
    absl::Status status =
        Issue(*server, std::move(service), state_.ServerCertificate());

    IssueSpec admin;
    admin.client_auth = true;
    admin.uri_sans = {
        absl::StrCat("spiffe://", options_.trust_domain, "/operator/admin")};
    status.Update(Issue(*operators, std::move(admin), state_.Admin()));
    status.Update(Write(state_.OperatorTrustFile(), server->cert_pem()));
    return status;
  }

  absl::Status MakeStore() {
    if (!status_.ok()) return status_;
    SqliteOptions options;
    options.path = state_.StoreFile();
    options.create = true;
    options.clock = options_.clock;
    absl::StatusOr<std::unique_ptr<Store>> store =
        OpenSqliteStore(std::move(options));
    if (!store.ok()) return store.status();
    const absl::Status status = (*store)->WriteAndWait([this](Writer& writer) {
      return writer.PutOperator(
          {.name = "admin",
           .role = Role::kAdmin,
           .created_at = now_,
           .certificate_not_after = now_ + kLeafLifetime});
    });
    (*store)->Stop();
    return status;
  }

  const InitOptions& options_;
  const absl::Time now_;
  const StateLayout state_;
  absl::Status status_;
};

}  // namespace

std::vector<std::string> DefaultServerNames() {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) == 0 && host[0] != '\0' &&
      std::find(names.begin(), names.end(), host) == names.end()) {
    names.emplace_back(host);
  }
  return names;
}

absl::Status Init(const InitOptions& options) {
  const fs::path directory = fs::absolute(options.directory).lexically_normal();
  const StateLayout state(directory.has_filename()
                              ? directory.string()
                              : directory.parent_path().string());
  if (options.if_missing && FileExists(state.ConfigFile())) {
    return absl::OkStatus();
  }
  absl::Status status = CheckTrustDomain(options.trust_domain);
  status.Update(CheckFree(state));
  if (!status.ok()) return status;
  std::error_code error;
  const fs::path parent = fs::path(state.directory()).parent_path();
  fs::create_directories(parent, error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("Cannot make ", parent.string(), ": ", error.message()));
  }
  std::string root = absl::StrCat(state.directory(), ".init-XXXXXX");
  if (::mkdtemp(root.data()) == nullptr) return Failed("make", root);
  const absl::Cleanup remove = [&root] {
    std::error_code ignored;
    fs::remove_all(root, ignored);
  };
  status = Maker(options, root).Make();
  if (!status.ok()) return status;
  if (::rename(root.c_str(), state.directory().c_str()) != 0) {
    return Failed("put the finished directory to", state.directory());
  }
  return SyncDirectory(parent.string());
}

std::string NextSteps(const InitOptions& options) {
  const StateLayout state(options.directory);
  const std::string front =
      options.without_front || options.free_ports
          ? ""
          : absl::StrCat("  mc-service enroll-front --config ",
                         state.ConfigFile(), "   (beside it)\n");
  return absl::StrCat(
      "Made ", state.directory(), ":\n",
      "  mc-service.yaml   the configuration, with comments\n"
      "  mcctl.yaml        how mcctl reaches the service as operator admin\n"
      "  operator/         the operator's certificate, and the CA to trust\n"
      "  ca/ keys/         the CAs and the document key: back them up, "
      "keep them secret\n"
      "  store.db          the store\n"
      "\nNext:\n",
      "  mc-service validate --config ", state.ConfigFile(), "\n",
      "  mc-service run --config ", state.ConfigFile(), "\n", front,
      "  mcctl --config ", state.McctlConfigFile(),
      " account create --name NAME\n", "\nClusters trust the service by ",
      state.ServerCa().certificate, ".\n");
}

}  // namespace mc::service
