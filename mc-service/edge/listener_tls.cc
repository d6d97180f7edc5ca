#include "mc-service/edge/listener_tls.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/log/log.h"
#include "mc-service/edge/service_metrics.h"

namespace mc::service {
namespace {

std::optional<AuthorityKind> ClientsOf(Listener listener) {
  switch (listener) {
    case Listener::kCluster:
      return AuthorityKind::kCluster;
    case Listener::kOperator:
      return AuthorityKind::kOperator;
    default:
      return std::nullopt;
  }
}

std::string DigestOf(const ServerTls& tls) {
  return Sha256(absl::StrCat(Sha256(tls.cert_chain_pem), Sha256(tls.key_pem),
                             Sha256(tls.client_ca_pem)));
}

std::string Name(AuthorityKind kind) {
  return std::string(AuthorityName(kind)) + " CA";
}

}  // namespace

ListenerTls::ListenerTls(Options options)
    : options_(std::move(options)),
      reloads_(prometheus::BuildCounter()
                   .Name("mission_control_certificate_reloads_total")
                   .Help("Changes of a listener's certificate, key or trusted "
                         "authorities, by what became of them.")
                   .Register(options_.metrics->registry())),
      refused_(prometheus::BuildGauge()
                   .Name("mission_control_certificate_files_refused")
                   .Help("1 while a listener's files are broken and what they "
                         "held before is used.")
                   .Register(options_.metrics->registry())) {}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ListenerTls::Add(
    Listener listener, const missioncontrol::config::v1::Listener& settings) {
  Entry entry;
  entry.listener = listener;
  entry.certificate_file = settings.certificate_file();
  entry.key_file = settings.key_file();
  entry.clients = ClientsOf(listener);
  const absl::StatusOr<ServerTls> tls = Read(entry);
  if (!tls.ok()) return tls.status();
  PeerCheck check;
  if (entry.clients.has_value()) {
    HandshakeCheck::Options judge;
    judge.listener = listener;
    judge.trust_domain = options_.trust_domain;
    judge.identities = options_.identities;
    if (listener == Listener::kCluster) judge.revoked = options_.revoked;
    judge.clock = options_.clock;
    judge.metrics = options_.metrics;
    entry.check = std::make_unique<HandshakeCheck>(std::move(judge));
    check = [judge = entry.check.get()](std::string_view pem) {
      return judge->Check(pem);
    };
  }
  absl::StatusOr<std::unique_ptr<ReloadingServerCredentials>> made =
      ReloadingServerCredentials::Create(*tls, std::move(check),
                                         options_.clock);
  if (!made.ok()) return made.status();
  entry.credentials = *std::move(made);
  entry.used = DigestOf(*tls);
  entry.refused =
      &refused_.Add({{"listener", std::string(ListenerName(listener))}});
  ShowEnds(entry, *tls);
  entries_.push_back(std::move(entry));
  return entries_.back().credentials->credentials();
}

void ListenerTls::Follow(AuthorityKind kind, CertificateAuthority* authority) {
  issuers_.push_back({kind, authority, authority->cert_pem()});
}

void ListenerTls::Poll() {
  for (Entry& entry : entries_) Reload(entry);
  for (Issuer& issuer : issuers_) Follow(issuer);
}

absl::StatusOr<ServerTls> ListenerTls::Read(const Entry& entry) const {
  absl::StatusOr<std::string> chain = ReadFile(entry.certificate_file);
  if (!chain.ok()) return chain.status();
  absl::StatusOr<std::string> key = ReadPrivateFile(entry.key_file);
  if (!key.ok()) return key.status();
  ServerTls tls{*std::move(chain), *std::move(key), ""};
  if (!entry.clients.has_value()) return tls;
  absl::StatusOr<std::string> trusted =
      TrustedAuthorities(options_.state, *entry.clients, options_.clock->Now());
  if (!trusted.ok()) return trusted.status();
  tls.client_ca_pem = *std::move(trusted);
  return tls;
}

void ListenerTls::Reload(Entry& entry) {
  const absl::StatusOr<ServerTls> tls = Read(entry);
  if (!tls.ok()) {
    Complain(entry, tls.status().ToString(), tls.status());
    return;
  }
  const std::string digest = DigestOf(*tls);
  if (digest != entry.used) {
    const absl::Status replaced = entry.credentials->Replace(*tls);
    if (!replaced.ok()) {
      Complain(entry, digest, replaced);
      return;
    }
    entry.used = digest;
    reloads_
        .Add({{"listener", std::string(ListenerName(entry.listener))},
              {"result", "used"}})
        .Increment();
    LogInfo("the listener's certificate or the authorities it trusts changed",
            {{"listener", ListenerName(entry.listener)},
             {"certificate_file", entry.certificate_file}});
  }
  entry.broken.clear();
  entry.told = false;
  entry.refused->Set(0);
  ShowEnds(entry, *tls);
}

// Files that are replaced one after the other do not fit for a moment.
void ListenerTls::Complain(Entry& entry, const std::string& digest,
                           const absl::Status& status) {
  if (entry.broken != digest) {
    entry.broken = digest;
    entry.told = false;
    return;
  }
  if (std::exchange(entry.told, true)) return;
  entry.refused->Set(1);
  reloads_
      .Add({{"listener", std::string(ListenerName(entry.listener))},
            {"result", "refused"}})
      .Increment();
  LogError(
      "the listener's new certificate is refused, and the one before goes on; "
      "correct the files",
      {{"listener", ListenerName(entry.listener)},
       {"certificate_file", entry.certificate_file},
       {"key_file", entry.key_file},
       {"detail", std::string(status.message())}});
}

void ListenerTls::Follow(Issuer& issuer) {
  const absl::StatusOr<CertificateAuthority> now =
      LoadAuthority(options_.state, issuer.kind);
  if (!now.ok() || now->cert_pem() == issuer.authority->cert_pem()) return;
  // Listeners trust it since the last look, and gRPC takes a second for that.
  if (std::exchange(issuer.seen, now->cert_pem()) != now->cert_pem()) return;
  issuer.authority->Replace(*now);
  LogInfo("another authority issues from now on",
          {{"authority", AuthorityName(issuer.kind)}});
}

void ListenerTls::ShowEnds(const Entry& entry, const ServerTls& tls) {
  const auto show = [&](const std::string& name, const std::string& pem) {
    const absl::StatusOr<CertificateInfo> info = ParseCertificatePem(pem);
    if (info.ok()) SetCertificateEnd(name, info->not_after, options_.metrics);
  };
  show(absl::StrCat(std::string(ListenerName(entry.listener)), " listener"),
       tls.cert_chain_pem);
  // The first of them is the one that issues.
  if (entry.clients.has_value()) show(Name(*entry.clients), tls.client_ca_pem);
}

}  // namespace mc::service
