#include "mc-service/cli/ca_commands.h"

#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {
namespace {

using Role = KnownAuthority::Role;

const std::map<std::string, AuthorityKind> kKinds = {
    {"server", AuthorityKind::kServer},
    {"cluster", AuthorityKind::kCluster},
    {"operator", AuthorityKind::kOperator}};

struct Arguments {
  std::string config = "mc-service.yaml";
  std::string output = "text";
  std::string ca;
  std::string trust_old;
  bool now = false;
};

absl::StatusOr<Configuration> Load(const Arguments& arguments) {
  return LoadConfiguration(arguments.config);
}

const char* StateOf(const KnownAuthority& authority, absl::Time now) {
  if (authority.role == Role::kIssues) return "issues";
  if (authority.role == Role::kNext) return "prepared";
  return authority.trusted_until > now ? "trusted" : "no longer trusted";
}

absl::Status List(const Arguments& arguments) {
  const absl::StatusOr<Configuration> configuration = Load(arguments);
  if (!configuration.ok()) return configuration.status();
  const absl::Time now = RealClock().Now();
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const AuthorityKind kind :
       {AuthorityKind::kServer, AuthorityKind::kCluster,
        AuthorityKind::kOperator}) {
    const auto known = KnownAuthorities(configuration->state(), kind);
    if (!known.ok()) return known.status();
    for (const KnownAuthority& authority : *known) {
      const auto der = CertificatePemToDer(authority.certificate_pem);
      if (!der.ok()) return der.status();
      const auto info = ParseCertificateDer(*der);
      if (!info.ok()) return info.status();
      list.push_back({{"ca", std::string(AuthorityName(kind))},
                      {"state", StateOf(authority, now)},
                      {"name", info->subject_name},
                      {"sha256", Hex(Sha256(*der))},
                      {"notAfter", FormatUtc(info->not_after)},
                      {"trustedUntil", FormatUtc(authority.trusted_until)}});
    }
  }
  if (arguments.output == "json") {
    std::cout << nlohmann::ordered_json{{"authorities", list}}.dump(2) << "\n";
    return absl::OkStatus();
  }
  for (const auto& entry : list) {
    std::cout << entry["ca"].get<std::string>() << " CA, "
              << entry["state"].get<std::string>() << ": "
              << entry["name"].get<std::string>() << "\n  SHA-256 "
              << entry["sha256"].get<std::string>() << "\n  trusted until "
              << entry["trustedUntil"].get<std::string>() << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> TrustOf(const Arguments& arguments,
                                       const Configuration& configuration,
                                       AuthorityKind kind) {
  const auto& policy = configuration.values.certificates();
  absl::Duration issued_for = absl::Hours(24 * 30);
  if (kind == AuthorityKind::kCluster) {
    issued_for = *FromProto(policy.cluster_lifetime());
  } else if (kind == AuthorityKind::kOperator) {
    issued_for = policy.has_operator_lifetime()
                     ? *FromProto(policy.operator_lifetime())
                     : absl::Hours(24 * 90);
  }
  if (arguments.trust_old.empty()) return issued_for;
  absl::Duration trust;
  if (!absl::ParseDuration(arguments.trust_old, &trust) ||
      trust < absl::ZeroDuration() || trust > absl::Hours(24 * 3650)) {
    return absl::InvalidArgumentError(
        "--trust-old takes a time like 720h or 90m, at most ten years");
  }
  if (trust < issued_for && kind != AuthorityKind::kServer) {
    std::cerr << "mc-service: certificates are issued for "
              << absl::FormatDuration(issued_for)
              << ": holders that have not renewed theirs when the old CA's "
                 "time is over are refused, and have to recover\n";
  }
  return trust;
}

void TellWhatChanged(AuthorityKind kind, absl::Time until) {
  const std::string name(AuthorityName(kind));
  std::cout << "A new " << name << " CA issues from now on; the one before is "
            << "trusted until " << FormatUtc(until) << ".\n";
  if (kind == AuthorityKind::kCluster) {
    std::cout << "A running service takes it up within seconds. Clusters get "
                 "certificates of it when they renew theirs.\n";
  } else if (kind == AuthorityKind::kOperator) {
    std::cout << "A running service takes it up within seconds. The "
                 "certificate operator/admin.crt is of it already; other "
                 "operators run `mcctl operator renew` until then.\n";
  } else {
    std::cout << "server/server.crt is of it now; a running service shows it "
                 "within seconds. Certificates of listeners that came from "
                 "elsewhere are as they were.\n"
                 "`mc-service server-ca` prints what new agents are to trust "
                 "the service by.\n";
  }
  std::cout << "Make a backup: the folder ca has changed.\n";
}

absl::Status PrepareServer(const Configuration& configuration) {
  const StateLayout state = configuration.state();
  const absl::Status prepared =
      PrepareServerAuthority(state, RealClock().Now());
  if (!prepared.ok()) return prepared;
  std::cout
      << "A new server CA is prepared; nothing shows it yet. Agents and "
         "operators have to trust it before:\n"
      << "  1. Put " << state.ServerCaBundle()
      << "\n     in the place of each agent's service.ca_file, and of each "
         "operator's copy of operator/ca.crt.\n"
      << "  2. Agents use it within a minute; their logs say that they "
         "connected anew.\n"
      << "  3. Then: mc-service ca rotate --ca server --now --config "
      << configuration.file << "\n"
      << "Whoever does not have the bundle by then does not find the service "
         "again.\n";
  return absl::OkStatus();
}

absl::Status Rotate(const Arguments& arguments) {
  const absl::StatusOr<Configuration> configuration = Load(arguments);
  if (!configuration.ok()) return configuration.status();
  const AuthorityKind kind = kKinds.at(arguments.ca);
  const absl::StatusOr<absl::Duration> trust =
      TrustOf(arguments, *configuration, kind);
  if (!trust.ok()) return trust.status();
  if (kind == AuthorityKind::kServer && !arguments.now) {
    return PrepareServer(*configuration);
  }
  if (kind == AuthorityKind::kServer &&
      !FileExists(StateLayout::NextAuthority(configuration->state().ServerCa())
                      .certificate)) {
    return absl::FailedPreconditionError(
        "no new server CA is prepared; prepare it first, without --now");
  }
  const absl::Time now = RealClock().Now();
  const absl::Status rotated =
      RotateAuthority(configuration->state(), kind, *trust, now);
  if (rotated.ok()) TellWhatChanged(kind, now + *trust);
  return rotated;
}

}  // namespace

void AddCaCommands(CLI::App& app, std::function<absl::Status()>& run) {
  CLI::App* ca = app.add_subcommand(
      "ca",
      "The authorities behind the certificates of clusters, operators "
      "and this service");
  ca->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* list = ca->add_subcommand(
      "list", "List the authorities, and until when each is trusted");
  CLI::App* rotate = ca->add_subcommand(
      "rotate",
      "Make a new authority that follows the one in use; both are "
      "trusted for a time");
  for (CLI::App* command : {list, rotate}) {
    command->add_option("--config", arguments->config, "The configuration file")
        ->capture_default_str();
  }
  list->add_option("--output", arguments->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  list->footer("Example:\n  mc-service ca list --config DIR/mc-service.yaml");
  rotate->add_option("--ca", arguments->ca, "cluster, operator or server")
      ->check(CLI::IsMember({"cluster", "operator", "server"}))
      ->required();
  rotate->add_option("--trust-old", arguments->trust_old,
                     "How long the one in use is trusted besides, for instance "
                     "720h (default: the lifetime of what it issued)");
  rotate->add_flag("--now", arguments->now,
                   "For --ca server: use the one that was prepared, when all "
                   "agents trust it");
  rotate->footer(
      "A running service takes it up within seconds; no restart is needed.\n"
      "Example:\n  mc-service ca rotate --ca cluster --trust-old 720h "
      "--config DIR/mc-service.yaml");
  list->callback(
      [&run, arguments] { run = [arguments] { return List(*arguments); }; });
  rotate->callback(
      [&run, arguments] { run = [arguments] { return Rotate(*arguments); }; });
}

}  // namespace mc::service
