// What the check of an identity costs each call of a cluster, beside the same
// call of the guard for a method that needs no identity. One JSON object on
// standard output; tests/bench/run guard drives it.
#include "mc-service/edge/guard.h"

#include <time.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/time/clock.h"
#include "common/tls/identity.h"
#include "common/tls/identity_cache.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/store/fake/fake_store.h"

namespace {

using namespace mc;           // NOLINT: a program of one file
using namespace mc::service;  // NOLINT

constexpr char kCluster[] = "/missioncontrol.v1.ClusterService/CheckLicense";
constexpr char kNoIdentity[] = "/grpc.health.v1.Health/Check";

void Die(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "bench-guard: " << status << "\n";
  exit(1);
}

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * now.tv_nsec;
}

// Microseconds of CPU for each.
template <typename Work>
double Cost(int count, Work work) {
  const double start = CpuSeconds();
  for (int i = 0; i < count; ++i) work(i);
  return 1e6 * (CpuSeconds() - start) / count;
}

// Rows as a registration leaves them.
absl::Status AddClusters(Store& store, const std::vector<PeerIdentity>& all,
                         absl::Time now) {
  return store.WriteAndWait([&](Writer& writer) {
    absl::Status status = writer.InsertAccount({"account", "Account", now});
    License license;
    license.id = "license";
    license.account_id = "account";
    license.name = "License";
    license.key_digest = std::string(32, 'k');
    status.Update(writer.InsertLicense(license));
    for (const PeerIdentity& identity : all) {
      Cluster cluster;
      cluster.id = identity.id;
      cluster.license_id = license.id;
      cluster.registered_at = now;
      cluster.user_name = absl::StrCat("cluster-", identity.id);
      cluster.password_digest = std::string(32, 'p');
      cluster.tls_key_digest = identity.spki_sha256;
      cluster.site_public_key = std::string(32, 's');
      cluster.certificate_serial = identity.serial_hex;
      cluster.certificate_not_after = identity.not_after;
      status.Update(writer.PutCluster(cluster));
    }
    return status;
  });
}

}  // namespace

int main(int argc, char** argv) {
  int clusters = 1000;
  int calls = 1'000'000;
  int rounds = 5;
  CLI::App app("What the guard costs each call.");
  app.add_option("--clusters", clusters, "that call in turn")
      ->check(CLI::Range(1, 2000));
  app.add_option("--calls", calls, "of each kind in a round");
  app.add_option("--rounds", rounds, "the cheapest counts");
  CLI11_PARSE(app, argc, argv);

  RealClock clock;
  FakeStore store;
  const auto authority = CertificateAuthority::Create(
      "Bench", clock.Now() - absl::Hours(1), clock.Now() + absl::Hours(48));
  Die(authority.status());
  // What each handshake leaves, and what it says.
  std::vector<std::string> certificates(clusters);
  std::vector<PeerIdentity> identities(clusters);
  for (int i = 0; i < clusters; ++i) {
    IssueSpec spec;
    spec.spki_der = PrivateKey::GenerateP256().PublicSpkiDer();
    spec.uri_sans = {ClusterSpiffeId("bench.example", RandomUuid())};
    spec.client_auth = true;
    spec.not_before = absl::FromUnixSeconds(absl::ToUnixSeconds(clock.Now()));
    spec.not_after = spec.not_before + absl::Hours(24);
    const auto der = authority->Issue(spec);
    Die(der.status());
    certificates[i] = *CertificateDerToPem(*der);
    const auto identity = IdentityOfCertificate(certificates[i]);
    Die(identity.status());
    identities[i] = *identity;
  }
  Die(AddClusters(store, identities, clock.Now()));
  ClusterDirectory directory(
      {.store = &store, .clock = &clock, .max_age = absl::Hours(1)});
  const Guard guard(
      {.trust_domain = "bench.example",
       .find_cluster =
           [&](std::string_view id) { return directory.Registered(id); },
       .admit_key =
           [](const PeerIdentity&) {
             return absl::InternalError("another key");
           },
       .find_operator = nullptr,
       .clock = &clock});
  PeerIdentityCache cache;
  const auto check = [&](const PeerIdentity& identity, const char* method) {
    const auto caller = guard.Check(identity, "ipv4:192.0.2.1:12345", method);
    Die(caller.status());
  };
  const auto call = [&](int i) {
    const auto identity = cache.OfCertificate(certificates[i % clusters]);
    Die(identity.status());
    check(**identity, kCluster);
  };
  for (int i = 0; i < clusters; ++i) call(i);

  nlohmann::json best;
  const auto keep = [&best](const char* name, double cost) {
    if (!best.contains(name) || cost < best[name].get<double>()) {
      best[name] = cost;
    }
  };
  for (int round = 0; round < rounds; ++round) {
    keep("no_identity_us", Cost(calls, [&](int i) {
           check(identities[i % clusters], kNoIdentity);
         }));
    keep("cluster_us", Cost(calls, call));
    keep("parse_us", Cost(calls / 100 + 1, [&](int i) {
           Die(IdentityOfCertificate(certificates[i % clusters]).status());
         }));
  }
  best["clusters"] = clusters;
  best["check_us"] =
      best["cluster_us"].get<double>() - best["no_identity_us"].get<double>();
  std::cout << best.dump(2) << "\n";
}
