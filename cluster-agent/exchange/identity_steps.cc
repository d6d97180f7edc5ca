// The steps of renewal and recovery, each of which may be cut off.
#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/exchange/identity_keeper.h"
#include "cluster-agent/exchange/pacer.h"
#include "common/crypto/certificate.h"
#include "common/crypto/possession.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/tls/identity.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr absl::Duration kDeadline = absl::Seconds(20);
// Between two certificates, however short they live.
constexpr absl::Duration kLeastBetween = absl::Seconds(5);

absl::Status NotOurs(std::string_view what) {
  return absl::UnauthenticatedError(absl::StrCat(
      "the service answered with ", absl::string_view(what.data(), what.size()),
      "; ask your vendor"));
}

// The service will never certify this key.
bool RefusesKey(const absl::Status& status) {
  return absl::IsInvalidArgument(status) &&
         ReasonOf(status) != v1::ERROR_REASON_INVALID_FIELD;
}

template <typename Answer>
absl::StatusOr<std::string> ChainOf(const Answer& answer) {
  std::string chain;
  const auto add = [&chain](const std::string& der) {
    const absl::StatusOr<std::string> pem = CertificateDerToPem(der);
    if (pem.ok()) chain += *pem;
    return pem.ok();
  };
  bool read = add(answer.cluster_certificate());
  for (const std::string& issuer : answer.ca_chain()) {
    read = read && add(issuer);
  }
  if (!read) return NotOurs("a certificate that cannot be read");
  return chain;
}

}  // namespace

void IdentityKeeper::Renew() {
  absl::StatusOr<Renewal> renewal;
  {
    absl::MutexLock lock(&options_.state->mutex);
    renewal = options_.state->directory->DrawRenewal(options_.clock->Now());
  }
  if (!renewal.ok()) return Failed(renewal.status(), false);
  v1::RenewCertificateRequest request;
  request.set_certificate_signing_request(
      renewal->certificate_signing_request());
  request.set_agent_instance_id(options_.agent_instance_id);
  using Async = v1::ClusterService::StubInterface::async_interface;
  MC_FAILPOINT("agent.renewal.send.before");
  CallCluster<v1::RenewCertificateRequest, v1::RenewCertificateResponse>(
      options_.links, options_.in_flight, options_.executor,
      &Async::RenewCertificate, std::move(request), kDeadline,
      [this](const absl::StatusOr<v1::RenewCertificateResponse>& answer) {
        MC_FAILPOINT("agent.renewal.send.after");
        const absl::Status kept = answer.ok() ? Keep(*answer) : answer.status();
        if (kept.ok()) return Done(absl::ZeroDuration());
        if (RefusesKey(answer.status())) Reject();
        Failed(kept, false);
      });
}

void IdentityKeeper::Recover() {
  v1::RecoverCertificateRequest request;
  std::vector<std::string> passwords;
  absl::Status status;
  {
    absl::MutexLock lock(&options_.state->mutex);
    StateDirectory& state = *options_.state->directory;
    const auto renewal = state.DrawRenewal(options_.clock->Now());
    const auto registration = state.LoadRegistration();
    if (!renewal.ok()) {
      status = renewal.status();
    } else if (!registration.ok()) {
      status = registration.status();
    } else if (!registration->has_value()) {
      status = absl::FailedPreconditionError("the cluster is not registered");
    } else {
      request.set_user_name((*registration)->user_name());
      request.set_certificate_signing_request(
          renewal->certificate_signing_request());
      // Whether the later one was used decides which one is good.
      passwords.push_back((*registration)->password());
      if (!renewal->password().empty()) {
        passwords.push_back(renewal->password());
      }
      const auto chain = state.LoadCertificateChain();
      if (chain.ok() && chain->has_value()) {
        const auto der = CertificatePemToDer(**chain);
        if (der.ok()) {
          request.set_previous_certificate(*der);
          request.set_previous_key_signature(ProvePossession(
              state.tls_key(), request.certificate_signing_request()));
        }
      }
    }
  }
  if (!status.ok()) return Failed(status, false);
  LogInfo("asking for another certificate with user name and password");
  AskForRecovery(std::move(request), std::move(passwords));
}

void IdentityKeeper::AskForRecovery(v1::RecoverCertificateRequest request,
                                    std::vector<std::string> passwords) {
  request.set_password(passwords.back());
  passwords.pop_back();
  options_.enrollment->Recover(
      request,
      [this, request, passwords](
          const absl::StatusOr<v1::RecoverCertificateResponse>& answer) {
        const v1::ErrorReason reason = ReasonOf(answer.status());
        if (reason == v1::ERROR_REASON_CREDENTIALS_REFUSED &&
            !passwords.empty()) {
          return AskForRecovery(request, passwords);
        }
        if (reason == v1::ERROR_REASON_INVALID_FIELD &&
            !request.previous_certificate().empty()) {
          // A proof of a key that the service does not know proves nothing.
          v1::RecoverCertificateRequest without = request;
          without.clear_previous_certificate();
          without.clear_previous_key_signature();
          std::vector<std::string> again = passwords;
          again.push_back(request.password());
          return AskForRecovery(std::move(without), std::move(again));
        }
        const absl::Status kept = answer.ok() ? Keep(*answer) : answer.status();
        if (kept.ok()) return Done(absl::ZeroDuration());
        if (RefusesKey(answer.status())) Reject();
        Failed(kept, true);
      });
}

template <typename Answer>
absl::Status IdentityKeeper::Keep(const Answer& answer) {
  const absl::StatusOr<std::string> chain = ChainOf(answer);
  if (!chain.ok()) return chain.status();
  const auto info = ParseCertificatePem(*chain);
  // Such a one would be renewed, and its renewal, without an end.
  if (!info.ok() || info->not_after <= info->not_before) {
    return NotOurs("a certificate that is never valid");
  }
  if (answer.password().empty()) return NotOurs("no password");
  const absl::StatusOr<PeerIdentity> identity = IdentityOfCertificate(*chain);
  {
    absl::MutexLock lock(&options_.state->mutex);
    StateDirectory& state = *options_.state->directory;
    if (!identity.ok() || identity->kind != "cluster" ||
        identity->id != state.cluster_id()) {
      return NotOurs("a certificate for another identity");
    }
    const absl::Status kept =
        state.KeepRenewal(*chain, answer.password(), options_.clock->Now());
    if (absl::IsFailedPrecondition(kept)) {
      return NotOurs("a certificate for another key");
    }
    if (!kept.ok()) return kept;
  }
  absl::MutexLock lock(&mutex_);
  recover_ = false;
  proof_failed_ = false;
  refusals_ = 0;
  renew_from_ =
      options_.clock->SinceBoot() +
      std::max(kLeastBetween, RetryAfter(absl::OkStatus(), answer.pacing()));
  // Whoever suspects the handshake again waits as long as for a refusal.
  ask_from_ = suspected_
                  ? options_.clock->SinceBoot() + AskAgainAfter(1, Draw())
                  : renew_from_;
  suspected_ = false;
  // What is left to do is to prove it, whatever the old one's date.
  renews_at_ = absl::InfinitePast();
  return absl::OkStatus();
}

void IdentityKeeper::Prove(const std::string& chain_pem,
                           const std::string& key_pem, bool renewed) {
  uint64_t wished = 0;
  {
    absl::MutexLock lock(&mutex_);
    wished = wished_;
  }
  absl::StatusOr<std::shared_ptr<ClusterLink>> link =
      options_.connect(chain_pem, key_pem);
  if (!link.ok()) return Failed(link.status(), false);
  options_.links->BeginProof();
  using Async = v1::ClusterService::StubInterface::async_interface;
  Async* const async = (*link)->stub->async();
  MC_FAILPOINT("agent.renewal.prove.before");
  CallUnary<Async, v1::CheckLicenseRequest, v1::CheckLicenseResponse>(
      options_.in_flight, options_.executor, async, &Async::CheckLicense, {},
      kDeadline,
      [this, link = *link, renewed,
       wished](const absl::StatusOr<v1::CheckLicenseResponse>& answer) {
        MC_FAILPOINT("agent.renewal.prove.after");
        Proven(link, renewed, wished, answer.status());
      });
}

void IdentityKeeper::Proven(std::shared_ptr<ClusterLink> link, bool renewed,
                            uint64_t wished, const absl::Status& status) {
  if (!status.ok()) {
    options_.links->GiveUp();
    {
      absl::MutexLock lock(&mutex_);
      proof_failed_ = true;
    }
    if (renewed && VerdictOf(status) == Verdict::kRecover) Reject();
    return Failed(status, false);
  }
  options_.links->Set(std::move(link));
  options_.on_moved();
  bool stopped = false;
  {
    absl::MutexLock lock(&mutex_);
    stopped = !stopped_.ok();
    proof_failed_ = false;
    recover_ = false;
    refusals_ = 0;
    connected_ = wished;
    backoff_.Reset();
  }
  if (stopped) LogInfo("the service accepts this cluster again");
  Resume();
  if (renewed) return Confirm();
  options_.board->Succeeded(Exchange::kCertificate);
  LogInfo("connected anew with the CAs of service.ca_file");
  Rest();
}

void IdentityKeeper::Reject() {
  absl::MutexLock lock(&options_.state->mutex);
  const absl::Status rejected =
      options_.state->directory->RejectRenewal(options_.clock->Now());
  if (!rejected.ok()) {
    LogError("the renewal cannot be given up; it is tried again",
             {{"detail", std::string(rejected.message())}});
  }
}

void IdentityKeeper::Confirm() {
  absl::Status confirmed;
  {
    absl::MutexLock lock(&options_.state->mutex);
    confirmed = options_.state->directory->ConfirmRenewal();
  }
  if (!confirmed.ok()) return Failed(confirmed, false);
  v1::ClusterEvent event;
  event.set_type(v1::CLUSTER_EVENT_TYPE_CERTIFICATE_RENEWED);
  {
    absl::MutexLock lock(&mutex_);
    Plan();
    renewed_at_ = options_.clock->SinceBoot();
    *event.mutable_certificate()->mutable_not_after() = mc::ToProto(life_.end);
    LogInfo("renewed the certificate", {{"until", FormatUtc(life_.end)},
                                        {"renews_at", FormatUtc(renews_at_)}});
  }
  options_.board->Succeeded(Exchange::kCertificate);
  if (options_.events != nullptr) options_.events->Raise(std::move(event));
  Rest();
}

}  // namespace mc::agent
