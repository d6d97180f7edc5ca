#include "mc-service/domain/enrollment/enrollment_desk.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/domain/enrollment/certification.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/license/license.h"
#include "mc-service/domain/updates/updates.h"

namespace mc::service {
namespace {

constexpr size_t kSiteKeySize = 32;

absl::Status AlreadyRegistered(std::string_view message) {
  return Error(absl::StatusCode::kAlreadyExists,
               v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED, message);
}

absl::Status Revoked() {
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_IDENTITY_REVOKED,
               "The cluster was revoked; ask the vendor why.");
}

absl::Status CheckIdentity(const v1::RegisterRequest& request) {
  if (!IsUuid(request.cluster_id())) {
    return InvalidField("cluster_id",
                        "The cluster ID must be a random UUID in lower case.");
  }
  if (request.site_public_key().size() != kSiteKeySize) {
    return InvalidField("site_public_key",
                        "The site's public key must be the 32 bytes of an "
                        "Ed25519 key.");
  }
  return absl::OkStatus();
}

// Whether another cluster may be registered with the license.
absl::Status CheckRoom(Reader& reader, const License& license) {
  if (license.enrollment_policy == v1::ENROLLMENT_POLICY_TOKEN ||
      license.enrollment_policy == v1::ENROLLMENT_POLICY_APPROVE) {
    return Error(absl::StatusCode::kUnimplemented,
                 v1::ERROR_REASON_NOT_SUPPORTED_YET,
                 "This version of the service registers only clusters of "
                 "licenses with the enrollment policy AUTO; ask the vendor to "
                 "change it.");
  }
  if (!license.limits.has_clusters()) return absl::OkStatus();
  const absl::StatusOr<int64_t> count = reader.CountClusters(license.id);
  if (!count.ok()) return count.status();
  if (*count < license.limits.clusters()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT,
               absl::StrCat("The license allows ", license.limits.clusters(),
                            " clusters, and as many are registered; ask the "
                            "vendor for more, or to revoke one."));
}

}  // namespace

absl::StatusOr<License> UsableLicense(Reader& reader,
                                      std::string_view license_key,
                                      absl::Time now) {
  if (absl::Status form = CheckLicenseKey(license_key); !form.ok()) return form;
  absl::StatusOr<License> license =
      reader.FindLicenseByKey(LicenseKeyDigest(license_key));
  if (absl::IsNotFound(license.status())) {
    return Error(absl::StatusCode::kNotFound,
                 v1::ERROR_REASON_LICENSE_KEY_UNKNOWN,
                 "No license has this key; check the key, or ask the vendor.");
  }
  if (!license.ok()) return license;
  if (absl::Status usable = CheckUsable(*license, now); !usable.ok()) {
    return usable;
  }
  return license;
}

absl::StatusOr<Cluster> DecideRegistration(Reader& reader,
                                           const License& license,
                                           std::string_view cluster_id,
                                           const ClusterKeys& keys,
                                           absl::Time now) {
  absl::StatusOr<Cluster> known = reader.GetCluster(cluster_id);
  if (absl::IsNotFound(known.status())) {
    const absl::StatusOr<bool> erased = reader.IsErased(cluster_id);
    if (!erased.ok()) return erased.status();
    if (*erased) return Revoked();
    if (absl::Status room = CheckRoom(reader, license); !room.ok()) return room;
    Cluster cluster;
    cluster.id = cluster_id;
    cluster.license_id = license.id;
    cluster.registered_at = now;
    cluster.user_name = absl::StrCat(
        "cluster-", absl::string_view(cluster_id.data(), cluster_id.size()));
    cluster.tls_key_digest = keys.tls_key_digest;
    cluster.site_public_key = keys.site_public_key;
    return cluster;
  }
  if (!known.ok()) return known;
  Cluster cluster = *std::move(known);
  if (cluster.license_id != license.id) {
    return AlreadyRegistered(
        "The cluster ID is registered with another license; use that "
        "license's key, or draw another cluster ID.");
  }
  if (cluster.registration == v1::REGISTRATION_STATUS_REVOKED) {
    return Revoked();
  }
  if (cluster.tls_key_digest != keys.tls_key_digest ||
      cluster.site_public_key != keys.site_public_key) {
    if (cluster.registration != v1::REGISTRATION_STATUS_REOPENED) {
      return AlreadyRegistered(
          "The cluster ID is registered with other keys; ask the vendor to "
          "re-open its registration.");
    }
    cluster.registered_at = now;
    cluster.tls_key_digest = keys.tls_key_digest;
    cluster.site_public_key = keys.site_public_key;
  }
  cluster.registration = v1::REGISTRATION_STATUS_REGISTERED;
  return cluster;
}

absl::StatusOr<v1::InstallResponse> EnrollmentDesk::Install(
    const v1::InstallRequest& request) const {
  const absl::Time now = options_.clock->Now();
  v1::InstallResponse response;
  absl::Status read = options_.store->Read([&](Reader& reader) {
    const absl::StatusOr<License> license =
        UsableLicense(reader, request.license_key(), now);
    if (!license.ok()) return license.status();
    const absl::StatusOr<Account> account =
        reader.GetAccount(license->account_id);
    if (!account.ok()) return account.status();
    response.set_account_name(account->name);
    response.set_license_name(license->name);
    response.set_one_agent_installation(license->one_agent_installation);
    if (!license->one_agent_installation) return absl::OkStatus();
    const absl::StatusOr<std::vector<Release>> one_agents =
        AllReleases(reader, v1::COMPONENT_ONE_AGENT);
    if (!one_agents.ok()) return one_agents.status();
    if (const Release* current = CurrentOneAgent(*one_agents, now)) {
      *response.mutable_one_agent() = current->document.artifacts(0);
      *response.mutable_signed_one_agent_release() = current->signed_document;
    }
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return response;
}

absl::StatusOr<v1::RegisterResponse> EnrollmentDesk::Register(
    const v1::RegisterRequest& request) const {
  if (absl::Status form = CheckLicenseKey(request.license_key()); !form.ok()) {
    return form;
  }
  if (absl::Status valid = CheckIdentity(request); !valid.ok()) return valid;
  absl::StatusOr<CsrInfo> csr =
      CheckedCsr(request.certificate_signing_request());
  if (!csr.ok()) return csr.status();

  const absl::Time now = options_.clock->Now();
  const ClusterKeys keys{.tls_key_digest = Sha256(csr->spki_der),
                         .site_public_key = request.site_public_key()};
  const auto decide = [&](Reader& reader) -> absl::StatusOr<Cluster> {
    const absl::StatusOr<License> license =
        UsableLicense(reader, request.license_key(), now);
    if (!license.ok()) return license.status();
    return DecideRegistration(reader, *license, request.cluster_id(), keys,
                              now);
  };
  // Whoever is refused costs neither a signature nor a place in the writer's
  // queue; the decision that counts is the writer's.
  absl::Status allowed = options_.store->Read(
      [&](Reader& reader) { return decide(reader).status(); });
  if (!allowed.ok()) return allowed;
  absl::StatusOr<ClusterCertificate> certificate =
      Certify({.authority = options_.authority,
               .trust_domain = options_.trust_domain,
               .lifetime = options_.certificate_lifetime},
              request.cluster_id(), std::move(csr->spki_der), now);
  if (!certificate.ok()) return certificate.status();
  const std::string password = NewPassword();

  Cluster cluster;
  absl::Status written = options_.store->WriteAndWait([&](Writer& writer) {
    absl::StatusOr<Cluster> decided = decide(writer);
    if (!decided.ok()) return decided.status();
    cluster = *std::move(decided);
    cluster.password_digest = Sha256(password);
    cluster.certificate_serial = certificate->serial;
    cluster.certificate_not_after = certificate->not_after;
    return writer.PutCluster(cluster);
  });
  // Also after an error: a commit whose outcome is unknown may have changed
  // the row.
  options_.directory->Invalidate(request.cluster_id());
  if (!written.ok()) return written;

  v1::RegisterResponse response;
  response.set_status(cluster.registration);
  response.set_user_name(cluster.user_name);
  response.set_password(password);
  response.set_cluster_certificate(std::move(certificate->der));
  response.add_ca_chain(
      options_.authority->IssuerOf(response.cluster_certificate()));
  *response.add_document_keys() = options_.signer->document_key();
  for (const v1::DocumentKey& key : options_.older_document_keys) {
    if (key.key_id() != options_.signer->key_id()) {
      *response.add_document_keys() = key;
    }
  }
  return response;
}

}  // namespace mc::service
