#include "mc-service/domain/enrollment/enrollment_desk.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/enrollment/certification.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_policy.h"
#include "mc-service/domain/enrollment/identities.h"
#include "mc-service/domain/license/license.h"
#include "mc-service/domain/updates/updates.h"

namespace mc::service {
namespace {

constexpr size_t kSiteKeySize = 32;

// One text for all: whose the ID is, is nobody else's business.
absl::Status AlreadyRegistered() {
  return Error(absl::StatusCode::kAlreadyExists,
               v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED,
               "The cluster ID is registered with other keys or another "
               "license; ask the vendor to re-open its registration.");
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

// Notes in `registration` which token it uses up, where it needs one.
// `repeated`: it has the keys that the cluster was registered with before.
absl::Status TakeToken(Reader& reader, const License& license,
                       const Applicant& applicant, bool repeated,
                       absl::Time now, Registration& registration) {
  if (license.enrollment_policy != v1::ENROLLMENT_POLICY_TOKEN) {
    return absl::OkStatus();
  }
  absl::StatusOr<EnrollmentToken> token =
      UsableToken(reader, license, applicant.enrollment_token,
                  applicant.cluster_id, repeated, now);
  if (!token.ok()) return token.status();
  if (token->used_at.has_value()) return absl::OkStatus();
  token->used_at = now;
  token->cluster_id = applicant.cluster_id;
  registration.token = *std::move(token);
  return absl::OkStatus();
}

// Lets a cluster in that is not registered; `waits` where it has a row.
absl::StatusOr<Registration> Admit(Reader& reader, const License& license,
                                   const Applicant& applicant, Cluster cluster,
                                   bool waits, absl::Time now) {
  Registration registration;
  registration.cluster = std::move(cluster);
  if (license.enrollment_policy == v1::ENROLLMENT_POLICY_APPROVE) {
    registration.changed = !waits;
    registration.cluster.registration = v1::REGISTRATION_STATUS_PENDING;
    if (waits) return registration;
    absl::Status room = CheckWaitingRoom(reader, license);
    if (!room.ok()) return room;
    return registration;
  }
  absl::Status allowed = TakeToken(reader, license, applicant,
                                   /*repeated=*/false, now, registration);
  if (allowed.ok()) allowed = CheckRoom(reader, license);
  if (!allowed.ok()) return allowed;
  registration.cluster.registration = v1::REGISTRATION_STATUS_REGISTERED;
  registration.cluster.registered_at = now;
  return registration;
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

absl::StatusOr<Registration> DecideRegistration(Reader& reader,
                                                const License& license,
                                                const Applicant& applicant,
                                                absl::Time now) {
  const ClusterKeys& keys = applicant.keys;
  absl::StatusOr<Cluster> known = reader.GetCluster(applicant.cluster_id);
  if (absl::IsNotFound(known.status())) {
    const absl::StatusOr<bool> erased = reader.IsErased(applicant.cluster_id);
    if (!erased.ok()) return erased.status();
    if (*erased) return Revoked();
    Cluster cluster;
    cluster.id = applicant.cluster_id;
    cluster.license_id = license.id;
    cluster.registered_at = now;
    cluster.user_name = absl::StrCat("cluster-", applicant.cluster_id);
    cluster.tls_key_digest = keys.tls_key_digest;
    cluster.site_public_key = keys.site_public_key;
    return Admit(reader, license, applicant, std::move(cluster),
                 /*waits=*/false, now);
  }
  if (!known.ok()) return known.status();
  Cluster cluster = *std::move(known);
  if (cluster.license_id != license.id) {
    return AlreadyRegistered();
  }
  if (cluster.registration == v1::REGISTRATION_STATUS_REVOKED) {
    return Revoked();
  }
  const bool same_keys = cluster.tls_key_digest == keys.tls_key_digest &&
                         cluster.site_public_key == keys.site_public_key;
  if (cluster.registration == v1::REGISTRATION_STATUS_PENDING) {
    // Else an operator would approve other keys than those that were shown.
    if (!same_keys) {
      return AlreadyRegistered();
    }
    return Admit(reader, license, applicant, std::move(cluster),
                 /*waits=*/true, now);
  }
  if (!same_keys && cluster.registration != v1::REGISTRATION_STATUS_REOPENED) {
    return AlreadyRegistered();
  }
  Registration registration;
  absl::Status allowed =
      TakeToken(reader, license, applicant, same_keys, now, registration);
  if (!allowed.ok()) return allowed;
  if (!same_keys) {
    cluster.registered_at = now;
    cluster.tls_key_digest = keys.tls_key_digest;
    cluster.site_public_key = keys.site_public_key;
    // It belongs to the keys before.
    cluster.password_digest.clear();
  }
  cluster.registration = v1::REGISTRATION_STATUS_REGISTERED;
  registration.cluster = std::move(cluster);
  return registration;
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
  const Applicant applicant{
      .cluster_id = request.cluster_id(),
      .keys = {.tls_key_digest = Sha256(csr->spki_der),
               .site_public_key = request.site_public_key()},
      .enrollment_token = request.enrollment_token()};
  const auto decide = [&](Reader& reader) -> absl::StatusOr<Registration> {
    const absl::StatusOr<License> license =
        UsableLicense(reader, request.license_key(), now);
    if (!license.ok()) return license.status();
    return DecideRegistration(reader, *license, applicant, now);
  };
  // Whoever is refused, or waits, costs neither a signature nor a place in the
  // writer's queue; the decision that counts is the writer's.
  Registration expected;
  absl::Status allowed = options_.store->Read([&](Reader& reader) {
    absl::StatusOr<Registration> decided = decide(reader);
    if (decided.ok()) expected = *std::move(decided);
    return decided.status();
  });
  if (!allowed.ok()) return allowed;
  if (!expected.changed) return Pending();
  std::optional<ClusterCertificate> certificate;
  if (expected.cluster.registration == v1::REGISTRATION_STATUS_REGISTERED) {
    absl::StatusOr<ClusterCertificate> certified =
        Certify({.authority = options_.authority,
                 .trust_domain = options_.trust_domain,
                 .lifetime = options_.certificate_lifetime},
                request.cluster_id(), std::move(csr->spki_der), now);
    if (!certified.ok()) return certified.status();
    certificate = *std::move(certified);
  }
  const std::string password = NewPassword();

  Cluster cluster;
  absl::Status written =
      options_.store->WriteAndWait([&](Writer& writer) -> absl::Status {
        absl::StatusOr<Registration> decided = decide(writer);
        if (!decided.ok()) return decided.status();
        cluster = std::move(decided->cluster);
        if (cluster.registration == v1::REGISTRATION_STATUS_PENDING) {
          return decided->changed ? writer.PutCluster(cluster)
                                  : absl::OkStatus();
        }
        if (!certificate.has_value()) {
          // It was let in this very moment: it is certified when it asks again.
          cluster.registration = v1::REGISTRATION_STATUS_PENDING;
          return absl::OkStatus();
        }
        absl::StatusOr<std::vector<IssuedIdentity>> issued =
            writer.ListIssuedIdentities(cluster.id);
        if (!issued.ok()) return issued.status();
        Identities identities(cluster, *std::move(issued));
        identities.Register(Sha256(password), certificate->serial,
                            certificate->not_after);
        absl::Status put = identities.Save(writer);
        if (put.ok() && decided->token.has_value()) {
          put = writer.PutEnrollmentToken(*decided->token);
        }
        return put;
      });
  // Also after an error: a commit whose outcome is unknown may have changed
  // the row.
  options_.directory->Invalidate(request.cluster_id());
  if (!written.ok()) return written;
  if (cluster.registration == v1::REGISTRATION_STATUS_PENDING) return Pending();

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

v1::RegisterResponse EnrollmentDesk::Pending() const {
  v1::RegisterResponse response;
  response.set_status(v1::REGISTRATION_STATUS_PENDING);
  *response.mutable_pacing()->mutable_next_interval() =
      ToProto(options_.pending_interval);
  return response;
}

}  // namespace mc::service
