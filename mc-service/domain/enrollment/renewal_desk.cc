#include "mc-service/domain/enrollment/renewal_desk.h"

#include <optional>
#include <utility>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/crypto/possession.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/domain/enrollment/directory.h"

namespace mc::service {
namespace {

using Standing = Identities::Standing;

constexpr std::string_view kUserNamePrefix = "cluster-";
constexpr double kSecondsPerHour = 3600;
// An agent that was chosen and never renews holds nobody up for longer.
constexpr absl::Duration kAdoptionTime = absl::Hours(24);

absl::Status Denied(v1::ErrorReason reason, std::string_view message) {
  return Error(absl::StatusCode::kPermissionDenied, reason, message);
}

absl::Status MustRecover() {
  return Denied(v1::ERROR_REASON_MUST_RECOVER,
                "A later certificate replaced this one; recover with the "
                "password of the registration.");
}

absl::Status MustReenroll() {
  return Denied(v1::ERROR_REASON_MUST_REENROLL,
                "The registration belongs to other keys now; ask the vendor "
                "to re-open it, and register again.");
}

absl::Status CredentialsRefused() {
  return Denied(v1::ERROR_REASON_CREDENTIALS_REFUSED,
                "User name and password are not those of a cluster, or no "
                "longer; ask the vendor to re-open the registration.");
}

absl::Status OtherRenewsFirst() {
  return Error(absl::StatusCode::kFailedPrecondition,
               v1::ERROR_REASON_CLONE_SUSPECTED,
               "Two agents have this identity, and the vendor chose the other "
               "one; stop this one.");
}

absl::Status KeyIsLost() {
  return Error(absl::StatusCode::kInvalidArgument,
               v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED,
               "This key was given up; ask for a certificate of a new one.");
}

absl::Status TooOften(absl::Duration wait) {
  return WithRetryDelay(
      Error(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_RATE_LIMITED,
            "Too many attempts to recover with this user name; try again "
            "later."),
      wait);
}

RateLimit::Options PerHour(int times, const Clock* clock) {
  return {.burst = static_cast<double>(times),
          .per_second = times / kSecondsPerHour,
          .clock = clock};
}

// As the registration names it.
std::string_view ClusterOf(std::string_view user_name) {
  return user_name.starts_with(kUserNamePrefix)
             ? user_name.substr(kUserNamePrefix.size())
             : std::string_view();
}

bool OtherIsChosen(const Cluster& cluster, std::string_view agent_instance_id,
                   absl::Time now) {
  const absl::Duration since = now - cluster.adopted_at;
  return !cluster.adopted_instance_id.empty() &&
         cluster.adopted_instance_id != agent_instance_id &&
         since >= absl::ZeroDuration() && since < kAdoptionTime;
}

absl::Status Refuse(Standing standing) {
  switch (standing) {
    case Standing::kIssued:
    case Standing::kCurrent:
      return absl::OkStatus();
    case Standing::kReplaced:
      return MustRecover();
    case Standing::kLost:
    case Standing::kUnknown:
      break;
  }
  return MustReenroll();
}

}  // namespace

RenewalDesk::RenewalDesk(Options options)
    : options_(std::move(options)),
      recoveries_(PerHour(options_.recoveries_per_hour, options_.clock)),
      guesses_(PerHour(options_.recoveries_per_hour, options_.clock)),
      lines_({.burst = 20, .per_second = 0.5, .clock = options_.clock}) {}

absl::StatusOr<v1::RenewCertificateResponse> RenewalDesk::Renew(
    std::string_view cluster_id, std::string_view tls_key_digest,
    const v1::RenewCertificateRequest& request) {
  absl::StatusOr<CsrInfo> csr =
      CheckedCsr(request.certificate_signing_request());
  if (!csr.ok()) return csr.status();
  Asked asked;
  asked.cluster_id = cluster_id;
  asked.predecessor_key_digest = tls_key_digest;
  asked.agent_instance_id = request.agent_instance_id();
  asked.csr = *std::move(csr);
  const absl::Time now = options_.clock->Now();
  const auto decide = [&](Identities& identities) -> absl::Status {
    const absl::Status good = Refuse(identities.OfKey(tls_key_digest));
    if (!good.ok()) return good;
    if (OtherIsChosen(identities.cluster(), request.agent_instance_id(), now)) {
      return OtherRenewsFirst();
    }
    identities.Use(tls_key_digest);
    return absl::OkStatus();
  };
  absl::StatusOr<Answer> answer = Issue(asked, decide);
  if (!answer.ok()) return answer.status();
  v1::RenewCertificateResponse response;
  response.set_cluster_certificate(std::move(answer->certificate));
  response.add_ca_chain(
      options_.rules.authority->IssuerOf(response.cluster_certificate()));
  response.set_password(std::move(answer->password));
  return response;
}

absl::StatusOr<v1::RecoverCertificateResponse> RenewalDesk::Recover(
    const v1::RecoverCertificateRequest& request) {
  const std::string& user_name = request.user_name();
  absl::StatusOr<CsrInfo> csr =
      CheckedCsr(request.certificate_signing_request());
  if (!csr.ok()) return csr.status();
  std::string proven_key_digest;
  if (absl::Status proof = CheckProof(request, proven_key_digest);
      !proof.ok()) {
    return proof;
  }
  const std::string password_digest = Sha256(request.password());

  // Whoever is not there is looked at in the same way as who is.
  Identities::Match match;
  absl::Status found = options_.store->Read([&](Reader& reader) {
    absl::StatusOr<Identities> identities =
        Identities::Load(reader, ClusterOf(user_name));
    if (absl::IsNotFound(identities.status())) {
      (void)reader.ListIssuedIdentities(ClusterOf(user_name));
    } else if (!identities.ok()) {
      return identities.status();
    }
    Cluster nobody;
    nobody.password_digest = Sha256("");
    const bool there =
        identities.ok() && identities->cluster().user_name == user_name;
    const absl::Status status =
        Credentials(there ? *identities : Identities(nobody, {}),
                    password_digest, proven_key_digest, match);
    return there ? status : CredentialsRefused();
  });
  if (ReasonOf(found) == v1::ERROR_REASON_CREDENTIALS_REFUSED) {
    return Refused(user_name);
  }
  if (const absl::Duration wait = recoveries_.Take(user_name);
      wait > absl::ZeroDuration()) {
    return TooOften(wait);
  }
  if (!found.ok()) return found;

  Asked asked;
  asked.cluster_id = ClusterOf(user_name);
  asked.predecessor_key_digest = match.tls_key_digest;
  asked.csr = *std::move(csr);
  const auto decide = [&](Identities& identities) -> absl::Status {
    absl::Status good =
        Credentials(identities, password_digest, proven_key_digest, match);
    if (!good.ok()) return good;
    identities.Use(match.tls_key_digest);
    return absl::OkStatus();
  };
  absl::StatusOr<Answer> answer = Issue(asked, decide);
  if (!answer.ok()) return answer.status();
  LogInfo("a certificate was recovered", {{"cluster_id", asked.cluster_id}});
  v1::RecoverCertificateResponse response;
  response.set_cluster_certificate(std::move(answer->certificate));
  response.add_ca_chain(
      options_.rules.authority->IssuerOf(response.cluster_certificate()));
  response.set_password(std::move(answer->password));
  return response;
}

absl::Status RenewalDesk::Refused(std::string_view user_name) {
  // Guessing is twice as slow as asking.
  if (const absl::Duration wait = guesses_.Take(user_name, 2);
      wait > absl::ZeroDuration()) {
    return TooOften(wait);
  }
  if (options_.on_refused) options_.on_refused();
  if (lines_.Take("") == absl::ZeroDuration()) {
    LogWarning("the recovery of a certificate was refused: wrong credentials",
               {{"user_name", user_name}});
  }
  return CredentialsRefused();
}

absl::Status RenewalDesk::CheckProof(
    const v1::RecoverCertificateRequest& request,
    std::string& proven_key_digest) const {
  if (request.previous_certificate().empty() &&
      request.previous_key_signature().empty()) {
    return absl::OkStatus();
  }
  const auto info = ParseCertificateDer(request.previous_certificate());
  if (!info.ok()) {
    return InvalidField("previous_certificate",
                        "This is not a certificate in DER.");
  }
  if (const absl::Status proof = VerifyPossession(
          request.previous_certificate(), request.certificate_signing_request(),
          request.previous_key_signature());
      !proof.ok()) {
    return InvalidField("previous_key_signature",
                        "This is not a signature of the previous "
                        "certificate's key over the signing request.");
  }
  proven_key_digest = info->spki_sha256;
  return absl::OkStatus();
}

absl::Status RenewalDesk::Credentials(const Identities& identities,
                                      std::string_view password_digest,
                                      std::string_view proven_key_digest,
                                      Identities::Match& match) const {
  const std::optional<Identities::Match> matched =
      identities.OfPassword(password_digest);
  if (!matched.has_value()) return CredentialsRefused();
  match = *matched;
  if (absl::Status may = CheckMayCall(identities.cluster()); !may.ok()) {
    return may;
  }
  if (match.standing == Standing::kLost) return MustReenroll();
  if (proven_key_digest.empty()) {
    return match.standing == Standing::kReplaced ? CredentialsRefused()
                                                 : absl::OkStatus();
  }
  switch (identities.OfKey(proven_key_digest)) {
    case Standing::kUnknown:
      return InvalidField("previous_certificate",
                          "This certificate is not of this cluster.");
    case Standing::kLost:
      return MustReenroll();
    default:
      return absl::OkStatus();
  }
}

absl::StatusOr<RenewalDesk::Answer> RenewalDesk::Issue(const Asked& asked,
                                                       const Decide& decide) {
  const absl::Time now = options_.clock->Now();
  const std::string key_digest = Sha256(asked.csr.spki_der);
  const auto load = [&](Reader& reader) -> absl::StatusOr<Identities> {
    absl::StatusOr<Identities> identities =
        Identities::Load(reader, asked.cluster_id);
    if (!identities.ok()) return identities;
    absl::Status good = CheckMayCall(identities->cluster());
    if (good.ok()) good = decide(*identities);
    if (good.ok() && identities->OfKey(key_digest) == Standing::kLost) {
      good = KeyIsLost();
    }
    if (!good.ok()) return good;
    return identities;
  };
  // Whoever is refused costs neither a signature nor a place in the writer's
  // queue; the decision that counts is the writer's.
  if (absl::Status allowed = options_.store->Read(
          [&](Reader& reader) { return load(reader).status(); });
      !allowed.ok()) {
    return allowed;
  }
  absl::StatusOr<ClusterCertificate> certificate =
      Certify(options_.rules, asked.cluster_id, asked.csr.spki_der, now);
  if (!certificate.ok()) return certificate.status();
  Answer answer{.certificate = std::move(certificate->der),
                .password = NewPassword()};
  IssuedIdentity issued;
  issued.tls_key_digest = key_digest;
  issued.password_digest = Sha256(answer.password);
  issued.predecessor_key_digest = asked.predecessor_key_digest;
  issued.certificate_serial = certificate->serial;
  issued.certificate_not_after = certificate->not_after;
  issued.issued_at = now;
  issued.agent_instance_id = asked.agent_instance_id;

  std::optional<std::vector<std::string>> clones;
  MC_FAILPOINT("service.issue.before");
  absl::Status written = options_.store->WriteAndWait([&](Writer& writer) {
    absl::StatusOr<Identities> identities = load(writer);
    if (!identities.ok()) return identities.status();
    clones = identities->Add(issued, now);
    absl::Status saved = identities->Save(writer);
    if (saved.ok() && clones.has_value()) {
      saved = writer.SetCloneSuspected(asked.cluster_id, now, *clones);
    }
    return saved;
  });
  MC_FAILPOINT("service.issue.after");
  // Also after an error: a commit whose outcome is unknown may have changed
  // the row.
  options_.directory->Invalidate(asked.cluster_id);
  if (!written.ok()) return written;
  if (clones.has_value() && options_.on_clone) {
    options_.on_clone(asked.cluster_id, *clones);
  }
  return answer;
}

absl::Status RenewalDesk::Admit(const PresentedKey& key) {
  bool use = false;
  bool newer = false;
  const auto look = [&](Reader& reader) -> absl::StatusOr<Identities> {
    absl::StatusOr<Identities> identities =
        Identities::Load(reader, key.cluster_id);
    if (!identities.ok()) return identities;
    const Standing standing = identities->OfKey(key.tls_key_digest);
    newer =
        standing == Standing::kUnknown && identities->IsNewer(key.not_after);
    use = newer || standing == Standing::kIssued;
    if (newer) return identities;
    if (absl::Status good = Refuse(standing); !good.ok()) return good;
    return identities;
  };
  if (absl::Status good = options_.store->Read(
          [&](Reader& reader) { return look(reader).status(); });
      !good.ok() || !use) {
    return good;
  }
  const absl::Time now = options_.clock->Now();
  Identities::Used used = Identities::Used::kNothing;
  MC_FAILPOINT("service.promote.before");
  absl::Status written = options_.store->WriteAndWait([&](Writer& writer) {
    absl::StatusOr<Identities> identities = look(writer);
    if (!identities.ok()) return identities.status();
    if (identities->OfKey(key.tls_key_digest) == Standing::kUnknown) {
      identities->Accept(key.tls_key_digest, key.certificate_serial,
                         key.not_after, now);
    } else {
      used = identities->Use(key.tls_key_digest);
    }
    absl::Status saved = identities->Save(writer);
    if (saved.ok() && used == Identities::Used::kAdopted) {
      saved = writer.EndCloneSuspicion(key.cluster_id);
    }
    return saved;
  });
  MC_FAILPOINT("service.promote.after");
  options_.directory->Invalidate(key.cluster_id);
  // One that is not in the store yet would be refused as a stranger's.
  if (absl::IsPermissionDenied(written) || (newer && !written.ok())) {
    return written;
  }
  if (!written.ok()) {
    // The key is good whether this is noted or not; the next call notes it.
    LogWarning(
        "the use of a new key could not be noted",
        {{"cluster_id", key.cluster_id}, {"detail", written.ToString()}});
    return absl::OkStatus();
  }
  LogInfo("a new certificate is in use", {{"cluster_id", key.cluster_id}});
  if (used == Identities::Used::kAdopted && options_.on_adopted) {
    options_.on_adopted(key.cluster_id);
  }
  return absl::OkStatus();
}

}  // namespace mc::service
