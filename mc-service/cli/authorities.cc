#include "mc-service/cli/authorities.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/files.h"

namespace mc::service {
namespace {

using nlohmann::json;
using Role = KnownAuthority::Role;

constexpr mode_t kMode = 0600;
constexpr absl::Duration kCaLifetime = absl::Hours(24 * 3650);
constexpr absl::Duration kLeafLifetime = absl::Hours(24 * 825);
// Others' clocks may be behind this machine's.
constexpr absl::Duration kClockSkew = absl::Hours(1);

// Keeps backups and other rotations away while files change one by one.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory)
      : descriptor_(
            ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  ~DirectoryLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  bool Take() {
    return descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  }

 private:
  const int descriptor_;
};

absl::Status Locked(DirectoryLock& lock, const StateLayout& state) {
  if (lock.Take()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("a backup of ", state.directory(),
                   " or another rotation is under way; try again after it"));
}

absl::Status Moved(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot put ", from, " to ", to,
                                             ": ", std::strerror(errno)));
}

// Where `text` is this pair, or will be when its files are all in place.
bool Fits(const absl::StatusOr<std::string>& certificate,
          const absl::StatusOr<std::string>& key) {
  return certificate.ok() && key.ok() &&
         CheckKeyMatchesCertificate(*certificate, *key).ok();
}

// The certificate of the authority that issues. Its key gets its place first;
// a rotation that is cut off then has left its certificate under the name of
// the next one.
absl::StatusOr<std::string> IssuerPem(const CertificateFiles& files) {
  absl::StatusOr<std::string> certificate = ReadFile(files.certificate);
  if (!certificate.ok()) return certificate;
  const absl::StatusOr<std::string> key = ReadPrivateFile(files.key);
  if (!key.ok()) return key.status();
  if (Fits(certificate, key)) return certificate;
  absl::StatusOr<std::string> next =
      ReadFile(StateLayout::NextAuthority(files).certificate);
  return Fits(next, key) ? next : certificate;
}

absl::StatusOr<std::vector<KnownAuthority>> ReadPrevious(
    const CertificateFiles& files) {
  const std::string file = StateLayout::PreviousAuthoritiesFile(files);
  std::vector<KnownAuthority> previous;
  if (!FileExists(file)) return previous;
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  const absl::Status damaged = absl::DataLossError(
      absl::StrCat(file, " is damaged; restore it from a backup"));
  const json document = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto list =
      document.is_object() ? document.find("authorities") : document.end();
  if (list == document.end() || !list->is_array()) return damaged;
  for (const json& entry : *list) {
    if (!entry.is_object()) return damaged;
    KnownAuthority authority;
    authority.role = Role::kPrevious;
    const auto pem = entry.find("certificate");
    const auto until = entry.find("trustedUntil");
    std::string error;
    if (pem == entry.end() || !pem->is_string() || until == entry.end() ||
        !until->is_string() ||
        !absl::ParseTime(absl::RFC3339_full, until->get<std::string>(),
                         &authority.trusted_until, &error)) {
      return damaged;
    }
    authority.certificate_pem = pem->get<std::string>();
    if (!ParseCertificatePem(authority.certificate_pem).ok()) return damaged;
    previous.push_back(std::move(authority));
  }
  return previous;
}

absl::Status WritePrevious(const CertificateFiles& files,
                           const std::vector<KnownAuthority>& previous) {
  json list = json::array();
  for (const KnownAuthority& authority : previous) {
    list.push_back({{"certificate", authority.certificate_pem},
                    {"trustedUntil", absl::FormatTime(absl::RFC3339_full,
                                                      authority.trusted_until,
                                                      absl::UTCTimeZone())}});
  }
  return AtomicWrite(StateLayout::PreviousAuthoritiesFile(files),
                     json{{"authorities", std::move(list)}}.dump(2) + "\n",
                     kMode);
}

// Notes until when the one that issues now is trusted; forgets those that are
// trusted no more.
absl::Status KeepTrust(const CertificateFiles& files, const std::string& issuer,
                       absl::Time until, absl::Time now) {
  absl::StatusOr<std::vector<KnownAuthority>> previous = ReadPrevious(files);
  if (!previous.ok()) return previous.status();
  std::erase_if(*previous, [&](const KnownAuthority& authority) {
    return authority.trusted_until <= now ||
           authority.certificate_pem == issuer;
  });
  previous->insert(previous->begin(), {Role::kPrevious, issuer, until});
  return WritePrevious(files, *previous);
}

absl::StatusOr<CertificateAuthority> LoadPair(const CertificateFiles& files) {
  const absl::StatusOr<std::string> certificate = ReadFile(files.certificate);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<std::string> key = ReadPrivateFile(files.key);
  if (!key.ok()) return key.status();
  return CertificateAuthority::Load(*certificate, *key);
}

// One that was prepared, or left by a rotation that was cut off before it was
// used; else a new one.
absl::StatusOr<CertificateAuthority> MakeNext(const CertificateFiles& files,
                                              AuthorityKind kind,
                                              absl::Time now) {
  const CertificateFiles next = StateLayout::NextAuthority(files);
  if (FileExists(next.certificate) && FileExists(next.key)) {
    absl::StatusOr<CertificateAuthority> left = LoadPair(next);
    if (left.ok()) return left;
  }
  const std::string_view name = AuthorityName(kind);
  absl::StatusOr<CertificateAuthority> made = CertificateAuthority::Create(
      absl::StrCat(
          "Mission Control ", absl::string_view(name.data(), name.size()),
          " CA ",
          absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", now, absl::UTCTimeZone())),
      now - kClockSkew, now + kCaLifetime);
  if (!made.ok()) return made;
  absl::Status status = AtomicWrite(next.key, made->key_pem(), kMode);
  if (status.ok()) {
    status = AtomicWrite(next.certificate, made->cert_pem(), kMode);
  }
  if (!status.ok()) return status;
  return made;
}

// Certifies the key of a certificate of this service again.
absl::Status Reissue(const CertificateAuthority& authority,
                     const CertificateFiles& leaf, bool server,
                     absl::Time now) {
  if (!FileExists(leaf.certificate)) return absl::OkStatus();
  const absl::StatusOr<std::string> pem = ReadFile(leaf.certificate);
  if (!pem.ok()) return pem.status();
  const absl::StatusOr<CertificateInfo> info = ParseCertificatePem(*pem);
  if (!info.ok()) return info.status();
  const absl::StatusOr<std::string> key_pem = ReadPrivateFile(leaf.key);
  if (!key_pem.ok()) return key_pem.status();
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*key_pem);
  if (!key.ok()) return key.status();
  IssueSpec spec;
  spec.spki_der = key->PublicSpkiDer();
  spec.uri_sans = info->uri_sans;
  spec.dns_sans = info->dns_sans;
  spec.ip_sans = info->ip_sans;
  spec.server_auth = server;
  spec.client_auth = !server;
  spec.not_before = now - kClockSkew;
  spec.not_after = now + kLeafLifetime;
  const absl::StatusOr<std::string> der = authority.Issue(spec);
  if (!der.ok()) return der.status();
  const absl::StatusOr<std::string> issued = CertificateDerToPem(*der);
  if (!issued.ok()) return issued.status();
  return AtomicWrite(leaf.certificate, *issued, kMode);
}

// What agents, and mcctl in this directory, are to trust the service by.
absl::Status WriteServerTrust(const StateLayout& state, absl::Time now) {
  const absl::StatusOr<std::string> trusted =
      TrustedAuthorities(state, AuthorityKind::kServer, now);
  if (!trusted.ok()) return trusted.status();
  absl::Status status = AtomicWrite(state.ServerCaBundle(), *trusted, kMode);
  if (status.ok()) {
    status = AtomicWrite(state.OperatorTrustFile(), *trusted, kMode);
  }
  return status;
}

}  // namespace

std::string_view AuthorityName(AuthorityKind kind) {
  switch (kind) {
    case AuthorityKind::kServer:
      return "server";
    case AuthorityKind::kCluster:
      return "cluster";
    case AuthorityKind::kOperator:
      break;
  }
  return "operator";
}

CertificateFiles FilesOf(const StateLayout& state, AuthorityKind kind) {
  switch (kind) {
    case AuthorityKind::kServer:
      return state.ServerCa();
    case AuthorityKind::kCluster:
      return state.ClusterCa();
    case AuthorityKind::kOperator:
      break;
  }
  return state.OperatorCa();
}

absl::StatusOr<CertificateAuthority> LoadAuthority(const StateLayout& state,
                                                   AuthorityKind kind) {
  const CertificateFiles files = FilesOf(state, kind);
  const absl::StatusOr<std::string> certificate = IssuerPem(files);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<std::string> key = ReadPrivateFile(files.key);
  if (!key.ok()) return key.status();
  absl::StatusOr<CertificateAuthority> loaded =
      CertificateAuthority::Load(*certificate, *key);
  if (loaded.ok()) return loaded;
  return absl::Status(loaded.status().code(),
                      absl::StrCat(files.certificate, " and ", files.key, ": ",
                                   loaded.status().message()));
}

absl::StatusOr<std::vector<KnownAuthority>> KnownAuthorities(
    const StateLayout& state, AuthorityKind kind) {
  const CertificateFiles files = FilesOf(state, kind);
  const absl::StatusOr<std::string> issuer = IssuerPem(files);
  if (!issuer.ok()) return issuer.status();
  absl::StatusOr<std::vector<KnownAuthority>> previous = ReadPrevious(files);
  if (!previous.ok()) return previous;
  std::vector<KnownAuthority> all = {
      {Role::kIssues, *issuer, absl::InfiniteFuture()}};
  const absl::StatusOr<std::string> next =
      ReadFile(StateLayout::NextAuthority(files).certificate);
  if (next.ok() && *next != *issuer) {
    all.push_back({Role::kNext, *next, absl::InfiniteFuture()});
  }
  for (KnownAuthority& authority : *previous) {
    if (authority.certificate_pem == *issuer) continue;
    all.push_back(std::move(authority));
  }
  for (KnownAuthority& authority : all) {
    const absl::StatusOr<CertificateInfo> info =
        ParseCertificatePem(authority.certificate_pem);
    if (!info.ok()) return info.status();
    authority.trusted_until =
        std::min(authority.trusted_until, info->not_after);
  }
  return all;
}

absl::StatusOr<std::string> TrustedAuthorities(const StateLayout& state,
                                               AuthorityKind kind,
                                               absl::Time now) {
  const absl::StatusOr<std::vector<KnownAuthority>> all =
      KnownAuthorities(state, kind);
  if (!all.ok()) return all.status();
  std::string trusted;
  for (const KnownAuthority& authority : *all) {
    if (authority.role == Role::kPrevious && authority.trusted_until <= now) {
      continue;
    }
    absl::StrAppend(&trusted, authority.certificate_pem);
  }
  return trusted;
}

absl::Status RotateAuthority(const StateLayout& state, AuthorityKind kind,
                             absl::Duration trust_old, absl::Time now) {
  DirectoryLock lock(state.directory());
  absl::Status status = Locked(lock, state);
  if (!status.ok()) return status;
  const CertificateFiles files = FilesOf(state, kind);
  const CertificateFiles next = StateLayout::NextAuthority(files);
  const absl::StatusOr<std::string> issuer = IssuerPem(files);
  if (!issuer.ok()) return issuer.status();
  const absl::StatusOr<std::string> in_place = ReadFile(files.certificate);
  if (!in_place.ok()) return in_place.status();
  if (*issuer != *in_place) {
    // One that was cut off before its last step.
    status = Moved(next.certificate, files.certificate);
    if (!status.ok()) return status;
  } else {
    const absl::StatusOr<CertificateAuthority> made =
        MakeNext(files, kind, now);
    if (!made.ok()) return made.status();
    status = KeepTrust(files, *issuer, now + trust_old, now);
    if (status.ok()) status = Moved(next.key, files.key);
    if (status.ok()) status = Moved(next.certificate, files.certificate);
    if (!status.ok()) return status;
  }
  if (kind == AuthorityKind::kCluster) return absl::OkStatus();
  const absl::StatusOr<CertificateAuthority> authority =
      LoadAuthority(state, kind);
  if (!authority.ok()) return authority.status();
  if (kind == AuthorityKind::kOperator) {
    return Reissue(*authority, state.Admin(), /*server=*/false, now);
  }
  status = Reissue(*authority, state.ServerCertificate(), /*server=*/true, now);
  if (status.ok()) status = WriteServerTrust(state, now);
  return status;
}

absl::Status PrepareServerAuthority(const StateLayout& state, absl::Time now) {
  DirectoryLock lock(state.directory());
  absl::Status status = Locked(lock, state);
  if (!status.ok()) return status;
  const absl::StatusOr<CertificateAuthority> made =
      MakeNext(state.ServerCa(), AuthorityKind::kServer, now);
  if (!made.ok()) return made.status();
  return WriteServerTrust(state, now);
}

}  // namespace mc::service
