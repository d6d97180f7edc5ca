#include "cluster-agent/doctor/doctor.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster-agent/doctor/local_checks.h"
#include "cluster-agent/doctor/network_checks.h"
#include "cluster-agent/doctor/renewal_check.h"
#include "cluster-agent/doctor/service_call.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/state/node_state.h"
#include "cluster-agent/state/state_directory.h"
#include "common/files/files.h"
#include "common/tls/credentials.h"

namespace mc::agent {
namespace {

constexpr char kConfiguration[] = "configuration";

// An address that the agent connects to.
struct Destination {
  std::string name;
  std::string address;
  // Inside the site: no proxy, and a CA of the site's own.
  bool inside = false;
  bool demands_certificate = false;
};

struct OwnIdentity {
  std::string chain_pem;
  // A secret.
  std::string key_pem;
};

class Doctor {
 public:
  Doctor(const DoctorOptions& options, const Clock& clock)
      : options_(options), clock_(clock) {}

  CheckResults Run() {
    if (!Load()) return std::move(results_);
    const config::AgentConfig& values = configuration_.values;
    Add(CheckStateDirectory(values.state_directory()));
    Add(CheckSockets(values.socket_directory()));
    Add(CheckDiskSpace(values.state_directory()));
    if (IsNode(values)) {
      AddNodeCertificate(values.state_directory());
    } else {
      AddAll(CheckOwnCertificates(values.state_directory(), clock_.Now()));
      Add(CheckRenewal(values.state_directory(), clock_.Now()));
    }
    identity_ = LoadIdentity();
    for (const Destination& destination : Destinations()) Look(destination);
    Add(CheckClock(told_by_, told_, told_at_));
    return std::move(results_);
  }

 private:
  void Add(CheckResult result) { results_.push_back(std::move(result)); }
  void AddAll(CheckResults results) {
    for (CheckResult& result : results) Add(std::move(result));
  }

  void AddNodeCertificate(const std::string& directory) {
    const auto node = ReadNodeState(directory);
    if (!node.ok()) {
      return Add(Failed("own certificate", directory,
                        std::string(node.status().message()),
                        "restore the state directory, or join again"));
    }
    if (!node->has_value() || !(*node)->has_current()) {
      return Add(Skipped("own certificate", directory,
                         "there is none before the node has joined"));
    }
    Add(JudgeCertificate(directory, (*node)->current().certificate_pem(),
                         "the running agent renews it: look at its log; else "
                         "join again with a token",
                         clock_.Now()));
  }

  // False: nothing else can be looked at.
  bool Load() {
    auto loaded = LoadConfiguration(options_.config_file);
    if (!loaded.ok()) {
      Add(Failed(kConfiguration, options_.config_file,
                 std::string(loaded.status().message()),
                 "name the file with --config, and correct it"));
      return false;
    }
    configuration_ = *std::move(loaded);
    std::vector<std::string> problems =
        FindProblems(configuration_, options_.license_key);
    for (std::string& problem : problems) {
      Add(Failed(kConfiguration, options_.config_file, std::move(problem),
                 "correct it; cluster-agent validate checks it again"));
    }
    if (problems.empty()) {
      Add(Ok(kConfiguration, options_.config_file, "no problems"));
    }
    LoadRoots();
    auto proxy =
        ProxySettings::Load(configuration_.values.proxy(), SystemEnvironment());
    if (proxy.ok()) proxy_ = *std::move(proxy);
    return true;
  }

  void LoadRoots() {
    const std::string& file = configuration_.values.service().ca_file();
    auto roots = file.empty() ? SystemRoots() : ReadFile(file);
    roots_name_ = file.empty() ? "the system's CAs" : file;
    if (roots.ok()) root_pem_ = *std::move(roots);
  }

  std::optional<OwnIdentity> LoadIdentity() const {
    const std::string directory =
        absl::StrCat(configuration_.values.state_directory(), "/");
    // What was confirmed is the identity, though the other files may lag.
    const auto renewal =
        StateDirectory::ReadRenewal(configuration_.values.state_directory());
    if (renewal.ok() && renewal->has_value() && (*renewal)->confirmed()) {
      return OwnIdentity{(*renewal)->certificate_chain_pem(),
                         (*renewal)->key_pem()};
    }
    const auto chain =
        ReadFile(absl::StrCat(directory, state_files::kCertificate));
    const auto key =
        ReadPrivateFile(absl::StrCat(directory, state_files::kTlsKey));
    if (!chain.ok() || !key.ok()) return std::nullopt;
    return OwnIdentity{*chain, *key};
  }

  std::vector<Destination> Destinations() const {
    const config::AgentConfig& values = configuration_.values;
    std::vector<Destination> result;
    const auto add = [&result](const char* name, const std::string& address,
                               bool inside, bool demands_certificate) {
      if (address.empty()) return;
      result.push_back({name, address, inside, demands_certificate});
    };
    add("enrollment", values.service().enrollment(), false, false);
    add("cluster", values.service().cluster(), false, true);
    add("master (join)", values.node().join_address(), true, false);
    add("master", values.node().master_address(), true, true);
    return result;
  }

  void Look(const Destination& destination) {
    const auto parts = SplitHostPort(destination.address);
    // The configuration's check has said it.
    if (!parts.ok()) return;
    Probed probed;
    probed.target = absl::StrCat(destination.name, " ", destination.address);
    probed.roots_name = roots_name_;
    probed.demands_certificate = destination.demands_certificate;
    probed.options.host = parts->first;
    probed.options.port = parts->second;
    probed.options.timeout = options_.timeout;
    // The site's own CA is the node's to judge.
    probed.options.tls = !destination.inside;
    if (!destination.inside) {
      probed.options.proxy = proxy_.ProxyFor(parts->first, parts->second);
    }
    probed.options.root_pem = root_pem_;
    if (destination.demands_certificate && identity_.has_value()) {
      probed.options.cert_chain_pem = identity_->chain_pem;
      probed.options.key_pem = identity_->key_pem;
    }
    probed.result = Probe(probed.options, clock_);
    const absl::Time now = clock_.Now();
    if (probed.result.proxy.has_value()) {
      NoteTime("the proxy", probed.result.proxy->date, now);
    }
    AddAll(CheckNetwork(probed, now));
    if (!destination.inside) Call(destination, probed);
  }

  void Call(const Destination& destination, const Probed& probed) {
    if (!IsUsable(probed.result)) {
      return Add(Skipped("service", probed.target,
                         "the connection is not good enough for a call"));
    }
    if (destination.demands_certificate && !identity_.has_value()) {
      return Add(Skipped("service", probed.target,
                         "the cluster is not registered yet"));
    }
    if (RefusesCertificate(probed)) {
      return Add(Failed("service", probed.target,
                        "it refuses this cluster's certificate in the "
                        "handshake, which says no more",
                        "the running agent asks the service why, and "
                        "cluster-agent status tells the answer"));
    }
    ChannelOptions channel;
    channel.address = destination.address;
    channel.proxy = probed.options.proxy;
    channel.root_pem = root_pem_;
    channel.cert_chain_pem = probed.options.cert_chain_pem;
    channel.key_pem = probed.options.key_pem;
    channel.backoff_initial = channel.backoff_max = options_.timeout;
    ServiceAnswer answer = destination.demands_certificate
                               ? CallLicense(probed.target, channel, clock_)
                               : CallHealth(probed.target, channel, clock_);
    NoteTime("the service", answer.told, answer.now);
    Add(std::move(answer.result));
  }

  // The service's time is worth more than a proxy's.
  void NoteTime(const std::string& by, absl::Time told, absl::Time at) {
    if (told == absl::InfinitePast() ||
        (told_ != absl::InfinitePast() && by != "the service")) {
      return;
    }
    told_by_ = by;
    told_ = told;
    told_at_ = at;
  }

  const DoctorOptions& options_;
  const Clock& clock_;
  CheckResults results_;
  Configuration configuration_;
  ProxySettings proxy_;
  std::string root_pem_;
  std::string roots_name_;
  std::optional<OwnIdentity> identity_;
  std::string told_by_;
  absl::Time told_ = absl::InfinitePast();
  absl::Time told_at_ = absl::InfinitePast();
};

}  // namespace

CheckResults Diagnose(const DoctorOptions& options, const Clock& clock) {
  return Doctor(options, clock).Run();
}

Outcome Worst(const CheckResults& results) {
  Outcome worst = Outcome::kOk;
  for (const CheckResult& result : results) {
    worst = std::max(worst, result.outcome);
  }
  return worst;
}

}  // namespace mc::agent
