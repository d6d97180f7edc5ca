#include "mc-service/domain/enrollment/renewal_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "mc-service/domain/enrollment/adoption.h"
#include "mc-service/domain/enrollment/renewal_fixture.h"

namespace mc::service {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

TEST_F(RenewalTest, BothKeysAreGoodUntilTheNewOneWasUsed) {
  const HeldIdentity old = Register();
  const auto renewed = Renew(old, NewKey(), "agent-1");
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  const auto certificate = ParseCertificateDer(renewed->certificate);
  EXPECT_THAT(certificate->uri_sans,
              ElementsAre("spiffe://test.example/cluster/" + cluster_id_));
  EXPECT_EQ(certificate->spki_sha256, renewed->digest());
  EXPECT_NE(renewed->password, old.password);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Call(old).ok());
  EXPECT_EQ(Stored().cluster.tls_key_digest, old.digest());

  EXPECT_TRUE(Call(*renewed).ok());
  EXPECT_EQ(Stored().cluster.tls_key_digest, renewed->digest());
  EXPECT_EQ(Stored().cluster.password_digest, Sha256(renewed->password));
  EXPECT_EQ(Stored().cluster.certificate_serial, certificate->serial_hex);
  EXPECT_EQ(Call(old).code(), kDenied);
  EXPECT_EQ(ReasonOf(Call(old)), v1::ERROR_REASON_MUST_RECOVER);
  EXPECT_EQ(ReasonOf(Renew(old, NewKey()).status()),
            v1::ERROR_REASON_MUST_RECOVER);
  EXPECT_TRUE(Call(*renewed).ok());
  EXPECT_EQ(clones_, 0);
}

TEST_F(RenewalTest, RepeatedWithTheSameKeyEveryAnswerIsGood) {
  const HeldIdentity old = Register();
  const PrivateKey key = NewKey();
  const auto first = Renew(old, key);
  clock_.Advance(absl::Hours(1));
  const auto second = Renew(old, key);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(first->certificate, second->certificate);
  EXPECT_EQ(clones_, 0);
  // The answers may come in any order: whichever the agent kept is good.
  EXPECT_TRUE(Call(*first).ok());
  EXPECT_TRUE(Call(*second).ok());
  for (const auto& answer : {first, second}) {
    EXPECT_TRUE(Recover(*answer, key, false).ok());
  }
  EXPECT_EQ(ReasonOf(Recover(old, NewKey(), false).status()),
            v1::ERROR_REASON_CREDENTIALS_REFUSED);
}

TEST_F(RenewalTest, CertificateOfTheCurrentKeyCanBeMadeAnew) {
  const HeldIdentity old = Register();
  clock_.Advance(absl::Hours(1));
  const auto again = Renew(old, old.key());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->not_after(), old.not_after());
  EXPECT_EQ(Stored().cluster.certificate_not_after, again->not_after());
  EXPECT_TRUE(Call(old).ok());
  EXPECT_TRUE(Call(*again).ok());
  EXPECT_TRUE(Recover(old, NewKey(), false).ok());
  EXPECT_TRUE(Recover(*again, old.key(), false).ok());
}

TEST_F(RenewalTest, RequestMayNameNobodyAndNoCa) {
  const HeldIdentity old = Register();
  v1::RenewCertificateRequest request;
  request.set_certificate_signing_request("nonsense");
  EXPECT_EQ(ReasonOf(desk_.Renew(cluster_id_, old.digest(), request).status()),
            v1::ERROR_REASON_CSR_MALFORMED);
  request.set_certificate_signing_request(BuildCsrDer(site_key_));
  EXPECT_EQ(ReasonOf(desk_.Renew(cluster_id_, old.digest(), request).status()),
            v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED);
}

TEST_F(RenewalTest, WhatIsNotDurableIsNotAnsweredAndChangesNothing) {
  const HeldIdentity old = Register();
  const PrivateKey key = NewKey();
  store_.FailCommits(absl::UnavailableError("the disk is gone"));
  EXPECT_EQ(Renew(old, key).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Recover(old, key).status().code(), absl::StatusCode::kUnavailable);
  store_.FailCommits(absl::OkStatus());
  const auto renewed = Renew(old, key);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  // A new key is good whether its use can be noted or not.
  store_.FailCommits(absl::UnavailableError("the disk is gone"));
  EXPECT_TRUE(Call(*renewed).ok());
  EXPECT_TRUE(Call(old).ok());
  store_.FailCommits(absl::OkStatus());
  EXPECT_TRUE(Call(*renewed).ok());
  EXPECT_FALSE(Call(old).ok());
}

TEST_F(RenewalTest, ExpiredClusterComesBackByItsPassword) {
  const HeldIdentity old = Register();
  clock_.Advance(absl::Hours(24 * 100));
  EXPECT_EQ(ReasonOf(Call(old)), v1::ERROR_REASON_MUST_RECOVER);
  for (const bool proof : {false, true}) {
    const auto recovered = Recover(old, NewKey(), proof);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
  }
  const PrivateKey key = NewKey();
  const auto recovered = Recover(old, key);
  EXPECT_TRUE(Recover(old, key).ok()) << "the answer was lost";
  EXPECT_TRUE(Call(*recovered).ok());
  EXPECT_EQ(refused_, 0);
}

TEST_F(RenewalTest, UsedNewPasswordEndsTheOldOnes) {
  const HeldIdentity old = Register();
  const auto renewed = Renew(old, NewKey());
  clock_.Advance(absl::Hours(24 * 31));
  ASSERT_TRUE(Recover(*renewed, NewKey(), false).ok());
  EXPECT_EQ(Stored().cluster.tls_key_digest, renewed->digest());
  EXPECT_EQ(ReasonOf(Recover(old, NewKey(), false).status()),
            v1::ERROR_REASON_CREDENTIALS_REFUSED);
}

TEST_F(RenewalTest, WrongPasswordLooksAsAnUnknownUser) {
  const HeldIdentity identity = Register();
  v1::RecoverCertificateRequest wrong = Recovery(identity, NewKey(), false);
  wrong.set_password(NewPassword());
  v1::RecoverCertificateRequest unknown = wrong;
  unknown.set_user_name("cluster-" + RandomUuid());
  v1::RecoverCertificateRequest nobody = wrong;
  nobody.set_user_name("admin");
  v1::RecoverCertificateRequest empty = wrong;
  empty.clear_password();
  const absl::Status refused = desk_.Recover(wrong).status();
  EXPECT_EQ(refused.code(), kDenied);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_CREDENTIALS_REFUSED);
  for (const auto& request : {unknown, nobody, empty}) {
    EXPECT_EQ(desk_.Recover(request).status(), refused);
  }
  EXPECT_EQ(refused_, 4);
  // Of a revoked cluster as well: only who has the password is told.
  SetRegistration(v1::REGISTRATION_STATUS_REVOKED);
  EXPECT_EQ(desk_.Recover(wrong).status(), refused);
  EXPECT_EQ(ReasonOf(Recover(identity, NewKey()).status()),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(RenewalTest, GuessesOfOneUserAreLimitedAndCountDouble) {
  const HeldIdentity identity = Register();
  RenewalDesk desk(DeskOptions(10));
  v1::RecoverCertificateRequest wrong = Recovery(identity, NewKey(), false);
  wrong.set_password(NewPassword());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ReasonOf(desk.Recover(wrong).status()),
              v1::ERROR_REASON_CREDENTIALS_REFUSED);
  }
  const absl::Status limited = desk.Recover(wrong).status();
  EXPECT_EQ(limited.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(limited), v1::ERROR_REASON_RATE_LIMITED);
  EXPECT_TRUE(RetryDelayOf(limited).has_value());
  EXPECT_EQ(refused_, 5);
  wrong.set_user_name("cluster-" + RandomUuid());
  EXPECT_EQ(ReasonOf(desk.Recover(wrong).status()),
            v1::ERROR_REASON_CREDENTIALS_REFUSED)
      << "others are not held up";
  clock_.Advance(*RetryDelayOf(limited));
  EXPECT_TRUE(desk.Recover(Recovery(identity, NewKey(), true)).ok());
}

TEST_F(RenewalTest, GuessesKeepNoClusterOut) {
  const HeldIdentity identity = Register();
  RenewalDesk desk(DeskOptions(10));
  v1::RecoverCertificateRequest wrong = Recovery(identity, NewKey(), false);
  wrong.set_password(NewPassword());
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(desk.Recover(wrong).ok());
  EXPECT_EQ(ReasonOf(desk.Recover(wrong).status()),
            v1::ERROR_REASON_RATE_LIMITED);
  const PrivateKey key = NewKey();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(desk.Recover(Recovery(identity, key, true)).ok());
  }
  EXPECT_EQ(ReasonOf(desk.Recover(Recovery(identity, key, true)).status()),
            v1::ERROR_REASON_RATE_LIMITED);
}

TEST_F(RenewalTest, ProofThatIsGivenMustBeRight) {
  const HeldIdentity identity = Register();
  const auto reason = [&](v1::RecoverCertificateRequest request) {
    return ReasonOf(desk_.Recover(request).status());
  };
  const v1::RecoverCertificateRequest right =
      Recovery(identity, NewKey(), true);
  auto no_signature = right;
  no_signature.clear_previous_key_signature();
  auto no_certificate = right;
  no_certificate.clear_previous_certificate();
  auto other_request = right;
  other_request.set_certificate_signing_request(BuildCsrDer(NewKey()));
  for (const auto& request : {no_signature, no_certificate, other_request}) {
    EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD);
  }
  // Of a key that was never this cluster's.
  HeldIdentity foreign = identity;
  foreign.key_pem = NewKey().ToPem();
  foreign.certificate =
      Certify({.authority = &authority_, .trust_domain = "test.example"},
              RandomUuid(), foreign.key().PublicSpkiDer(), clock_.Now())
          ->der;
  EXPECT_EQ(reason(Recovery(foreign, NewKey(), true)),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_TRUE(desk_.Recover(right).ok());
}

// The disk has the key and the password of some time ago; where the cluster
// went since then it does not know.
TEST_F(RenewalTest, RestoredDiskComesBackAndRaisesSuspicion) {
  const HeldIdentity snapshot = Register();
  HeldIdentity current = snapshot;
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Hours(24 * 15));
    const auto renewed = Renew(current, NewKey());
    ASSERT_TRUE(renewed.ok()) << renewed.status();
    current = *renewed;
    ASSERT_TRUE(Call(current).ok());
  }
  EXPECT_EQ(clones_, 0);
  EXPECT_EQ(ReasonOf(Call(snapshot)), v1::ERROR_REASON_MUST_RECOVER);
  EXPECT_EQ(ReasonOf(Recover(snapshot, NewKey(), false).status()),
            v1::ERROR_REASON_CREDENTIALS_REFUSED)
      << "an old password alone is worth nothing";
  const auto recovered = Recover(snapshot, NewKey());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(Call(*recovered).ok());
  EXPECT_EQ(clones_, 1);
  EXPECT_NE(Stored().clone_suspected_at, absl::InfinitePast());
  // Should it be a copy after all, nobody is locked out.
  EXPECT_TRUE(Call(current).ok());
}

TEST_F(RenewalTest, TwoKeysThatFollowOneAreACloneAndBothStayIn) {
  const HeldIdentity copied = Register();
  const auto one = Renew(copied, NewKey(), "agent-1");
  EXPECT_EQ(clones_, 0);
  const auto two = Renew(copied, NewKey(), "agent-2");
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(clones_, 1);
  EXPECT_THAT(clone_agents_, UnorderedElementsAre("agent-1", "agent-2"));
  EXPECT_THAT(Stored().clone_instance_ids, ElementsAre("agent-1", "agent-2"));
  EXPECT_EQ(Stored().clone_suspected_at, clock_.Now());
  HeldIdentity agents[] = {*one, *two};
  for (int i = 0; i < 4; ++i) {
    for (HeldIdentity& agent : agents) {
      EXPECT_TRUE(Call(agent).ok());
      const auto renewed = Renew(agent, NewKey());
      ASSERT_TRUE(renewed.ok()) << renewed.status();
      EXPECT_TRUE(Call(agent).ok());
      agent = *renewed;
      EXPECT_TRUE(Call(agent).ok());
    }
  }
  EXPECT_EQ(clones_, 1) << "each goes on from its own";
}

TEST_F(RenewalTest, AdoptedAgentStaysAndItsCopyIsOutForGood) {
  const HeldIdentity copied = Register();
  const auto adopt = [this](const std::string& agent) {
    const absl::Status adopted =
        AdoptCluster(store_, cluster_id_, agent, clock_.Now());
    directory_.Invalidate(cluster_id_);
    return adopted;
  };
  EXPECT_EQ(ReasonOf(adopt("agent-1")), v1::ERROR_REASON_UNKNOWN_RESOURCE);
  const auto before = Renew(copied, NewKey(), "agent-1");
  const auto copys = Renew(copied, NewKey(), "agent-2");
  ASSERT_TRUE(Call(*copys).ok());
  ASSERT_TRUE(adopt("agent-1").ok());
  ASSERT_TRUE(adopt("agent-1").ok()) << "idempotent";
  EXPECT_EQ(Stored().cluster.adopted_instance_id, "agent-1");
  const absl::Status second = Renew(*copys, NewKey(), "agent-2").status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(second), v1::ERROR_REASON_CLONE_SUSPECTED);
  EXPECT_TRUE(Call(*copys).ok()) << "it is in until the other has renewed";
  // What was issued before may have been copied, too.
  EXPECT_TRUE(Call(*before).ok());
  EXPECT_EQ(adoptions_, 0);
  const auto chosen = Renew(*before, NewKey(), "agent-1");
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_TRUE(Call(*copys).ok());
  EXPECT_TRUE(Call(*chosen).ok());
  EXPECT_EQ(adoptions_, 1);
  for (const HeldIdentity& lost : {copied, *before, *copys}) {
    EXPECT_EQ(Call(lost).code(), kDenied);
    EXPECT_EQ(ReasonOf(Call(lost)), v1::ERROR_REASON_MUST_REENROLL);
    EXPECT_EQ(ReasonOf(Recover(lost, NewKey()).status()),
              v1::ERROR_REASON_MUST_REENROLL);
  }
  EXPECT_EQ(Stored().cluster.adopted_instance_id, "");
  EXPECT_EQ(Stored().clone_suspected_at, absl::InfinitePast());
  const auto next = Renew(*chosen, NewKey(), "agent-3");
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_TRUE(Call(*next).ok());
  // Its key can be certified no more, whoever asks.
  EXPECT_EQ(ReasonOf(Renew(*next, copied.key()).status()),
            v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED);
}

TEST_F(RenewalTest, AdoptionThatNeverHappensHoldsNobodyUpForever) {
  const HeldIdentity copied = Register();
  const auto one = Renew(copied, NewKey(), "agent-1");
  ASSERT_TRUE(AdoptCluster(store_, cluster_id_, "agent-1", clock_.Now()).ok());
  EXPECT_FALSE(Renew(copied, NewKey(), "agent-2").ok());
  clock_.Advance(absl::Hours(24));
  EXPECT_TRUE(Renew(copied, NewKey(), "agent-2").ok());
}

TEST_F(RenewalTest, OperatorEndsASuspicionThatWasWrong) {
  const HeldIdentity copied = Register();
  const auto one = Renew(copied, NewKey(), "agent-1");
  const auto two = Renew(copied, NewKey(), "agent-2");
  ASSERT_TRUE(AdoptCluster(store_, cluster_id_, "agent-1", clock_.Now()).ok());
  ASSERT_TRUE(AdoptCluster(store_, cluster_id_, "", clock_.Now()).ok());
  EXPECT_EQ(Stored().clone_suspected_at, absl::InfinitePast());
  EXPECT_EQ(Stored().cluster.adopted_instance_id, "");
  EXPECT_TRUE(Renew(*two, NewKey(), "agent-2").ok());
  EXPECT_EQ(ReasonOf(AdoptCluster(store_, RandomUuid(), "", clock_.Now())),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
  SetRegistration(v1::REGISTRATION_STATUS_REVOKED);
  EXPECT_EQ(ReasonOf(AdoptCluster(store_, cluster_id_, "", clock_.Now())),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(RenewalTest, KeysOfATakenOverRegistrationMustReenroll) {
  const HeldIdentity first = Register();
  const auto renewed = Renew(first, NewKey());
  ASSERT_TRUE(Call(*renewed).ok());
  const auto unused = Renew(*renewed, NewKey());
  SetRegistration(v1::REGISTRATION_STATUS_REOPENED);
  ASSERT_TRUE(store_
                  .WriteAndWait([&](Writer& writer) {
                    return KeepIdentity(writer, cluster_id_);
                  })
                  .ok());
  EXPECT_TRUE(Call(*renewed).ok()) << "until other keys take over";
  clock_.Advance(absl::Minutes(1));
  const HeldIdentity taker = Register();
  EXPECT_TRUE(Call(taker).ok());
  for (const HeldIdentity& lost : {first, *renewed, *unused}) {
    EXPECT_EQ(ReasonOf(Call(lost)), v1::ERROR_REASON_MUST_REENROLL);
    EXPECT_EQ(ReasonOf(Recover(lost, NewKey()).status()),
              v1::ERROR_REASON_MUST_REENROLL);
  }
  EXPECT_TRUE(Renew(taker, NewKey()).ok());
}

// The store is that of yesterday: it knows nothing of the key that was issued
// since then, but that it issued it.
TEST_F(RenewalTest, RestoredServiceKnowsItsNewerCertificates) {
  const HeldIdentity backed_up = Register();
  const Cluster row = Stored().cluster;
  clock_.Advance(absl::Hours(24));
  const auto renewed = Renew(backed_up, NewKey());
  ASSERT_TRUE(Call(*renewed).ok());
  ASSERT_TRUE(store_
                  .WriteAndWait([&](Writer& writer) {
                    absl::Status done = writer.PutCluster(row);
                    done.Update(writer.PutIssuedIdentities(cluster_id_, {}));
                    return done;
                  })
                  .ok());
  directory_.Invalidate(cluster_id_);
  // What cannot be noted is no reason to give a good key up.
  store_.FailCommits(absl::UnavailableError("the disk is gone"));
  EXPECT_EQ(Renew(*renewed, NewKey()).status().code(),
            absl::StatusCode::kUnavailable);
  store_.FailCommits(absl::OkStatus());
  EXPECT_TRUE(Call(*renewed).ok());
  EXPECT_TRUE(Stored().cluster.password_digest.empty())
      << "it is asked to renew";
  EXPECT_EQ(ReasonOf(Call(backed_up)), v1::ERROR_REASON_MUST_RECOVER);
  const auto next = Renew(*renewed, NewKey());
  ASSERT_TRUE(Call(*next).ok());
  EXPECT_EQ(Stored().cluster.password_digest, Sha256(next->password));
}

TEST_F(RenewalTest, RevokedClusterGetsNothing) {
  const HeldIdentity identity = Register();
  SetRegistration(v1::REGISTRATION_STATUS_REVOKED);
  EXPECT_EQ(ReasonOf(Call(identity)), v1::ERROR_REASON_IDENTITY_REVOKED);
  v1::RenewCertificateRequest request;
  request.set_certificate_signing_request(BuildCsrDer(NewKey()));
  EXPECT_EQ(
      ReasonOf(desk_.Renew(cluster_id_, identity.digest(), request).status()),
      v1::ERROR_REASON_IDENTITY_REVOKED)
      << "also where it was revoked since the guard looked";
}

TEST_F(RenewalTest, WhatIsKeptIsBounded) {
  HeldIdentity current = Register();
  const HeldIdentity oldest = current;
  for (size_t i = 0; i < Identities::kKept + 10; ++i) {
    clock_.Advance(absl::Minutes(5));
    const auto renewed = Renew(current, NewKey());
    ASSERT_TRUE(renewed.ok()) << renewed.status();
    current = *renewed;
    ASSERT_TRUE(Call(current).ok());
  }
  size_t kept = 0;
  ASSERT_TRUE(store_
                  .Read([&](Reader& reader) {
                    kept = reader.ListIssuedIdentities(cluster_id_)->size();
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_LE(kept, Identities::kKept);
  EXPECT_EQ(ReasonOf(Call(oldest)), v1::ERROR_REASON_MUST_REENROLL);
  EXPECT_TRUE(Recover(current, NewKey(), false).ok());
}

// What is forgotten must not look like what a backup did not know yet.
TEST_F(RenewalTest, ForgottenKeyStaysOutWhereLifetimesWereShortened) {
  const HeldIdentity first = Register();
  RenewalDesk::Options options = DeskOptions(1000);
  options.rules.lifetime = absl::Hours(1);
  RenewalDesk desk(std::move(options));
  const auto renew = [&](const HeldIdentity& with, const PrivateKey& key) {
    v1::RenewCertificateRequest request;
    request.set_certificate_signing_request(BuildCsrDer(key));
    const auto answer = desk.Renew(cluster_id_, with.digest(), request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return HeldIdentity{key.ToPem(), answer->cluster_certificate(),
                        answer->password()};
  };
  // Of the first key, whose certificate of 30 days is good as well.
  HeldIdentity current = renew(first, first.key());
  for (size_t i = 0; i < Identities::kKept + 10; ++i) {
    clock_.Advance(absl::Minutes(1));
    current = renew(current, NewKey());
    ASSERT_TRUE(Call(current).ok());
  }
  EXPECT_EQ(Call(first).code(), kDenied);
  EXPECT_TRUE(Call(current).ok());
}

TEST_F(RenewalTest, EveryAnswerToARepeatedRegistrationIsGood) {
  const HeldIdentity first = Register();
  v1::RegisterRequest request;
  request.set_license_key(license_key_);
  request.set_cluster_id(cluster_id_);
  request.set_certificate_signing_request(BuildCsrDer(first.key()));
  request.set_site_public_key(site_key_.Ed25519Public());
  HeldIdentity latest = first;
  for (size_t i = 0; i < Identities::kKept + 10; ++i) {
    const auto answer = enrollment_.Register(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    const HeldIdentity before = std::exchange(
        latest,
        {first.key_pem, answer->cluster_certificate(), answer->password()});
    // The answers may come in any order.
    EXPECT_TRUE(Recover(before, first.key(), false).ok());
    EXPECT_TRUE(Recover(latest, first.key(), false).ok());
  }
  const auto renewed = Renew(latest, NewKey());
  ASSERT_TRUE(Call(*renewed).ok());
  EXPECT_EQ(ReasonOf(Recover(latest, NewKey(), false).status()),
            v1::ERROR_REASON_CREDENTIALS_REFUSED);
  EXPECT_EQ(clones_, 0);
}

}  // namespace
}  // namespace mc::service
