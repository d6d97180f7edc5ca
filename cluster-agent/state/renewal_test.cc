// A certificate's renewal on disk, and every place where it can be cut off.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>

#include "cluster-agent/state/state_directory.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::AgentRegistration;
using ::missioncontrol::config::v1::AgentRenewal;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class Renewal : public testing::Test {
 protected:
  Renewal() {
    StateDirectory state = Open();
    AgentRegistration registration;
    registration.set_user_name("cluster-1");
    registration.set_password("old password");
    registration.set_trust_domain("vendor.example");
    auto* key = registration.add_document_keys();
    key->set_key_id("0123456789abcdef");
    key->set_public_key(std::string(32, 'k'));
    *registration.mutable_registered_at() = mc::ToProto(kNow);
    old_spki_ = state.tls_key().PublicSpkiDer();
    EXPECT_TRUE(
        state.SaveRegistration(registration, Certify(state.tls_key())).ok());
  }

  StateDirectory Open(
      std::function<absl::Status(const std::string&)> on_renewal = {}) {
    absl::StatusOr<StateDirectory> state =
        StateDirectory::Open(StateDirectory::Options{
            .path = path_, .on_renewal = std::move(on_renewal)});
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }

  std::string Certify(const PrivateKey& key) const {
    IssueSpec spec;
    spec.spki_der = key.PublicSpkiDer();
    spec.client_auth = true;
    spec.not_before = kNow;
    spec.not_after = kNow + absl::Hours(1);
    return CertificateDerToPem(*authority_->Issue(spec)).value();
  }
  std::string Certify(const AgentRenewal& renewal) const {
    return Certify(*PrivateKey::FromPem(renewal.key_pem()));
  }

  // The whole way from the old certificate to the new one.
  absl::Status Renew(StateDirectory& state) const {
    const auto renewal = state.DrawRenewal(kNow);
    if (!renewal.ok()) return renewal.status();
    const absl::Status kept =
        state.KeepRenewal(Certify(*renewal), "new password", kNow);
    return kept.ok() ? state.ConfirmRenewal() : kept;
  }

  // Key, certificate, request and password belong together; whose they are.
  bool IsRenewed(const StateDirectory& state) const {
    EXPECT_TRUE(state.LoadCertificateChain().value().has_value());
    const auto registration = state.LoadRegistration();
    EXPECT_EQ(registration.status(), absl::OkStatus());
    const bool renewed = state.tls_key().PublicSpkiDer() != old_spki_;
    EXPECT_EQ((*registration)->password(),
              renewed ? "new password" : "old password");
    EXPECT_EQ((*registration)->user_name(), "cluster-1");
    return renewed;
  }

  TempDir parent_;
  const std::string path_ = parent_.File("state");
  const std::unique_ptr<CertificateAuthority> authority_ =
      std::make_unique<CertificateAuthority>(*CertificateAuthority::Create(
          "CA", kNow - absl::Hours(1), kNow + absl::Hours(2)));
  std::string old_spki_;
};

TEST_F(Renewal, TheNewCertificateTakesThePlaceOfTheOldOne) {
  StateDirectory state = Open();
  ASSERT_FALSE(state.LoadRenewal()->has_value());
  ASSERT_TRUE(Renew(state).ok());
  EXPECT_TRUE(IsRenewed(state));
  EXPECT_FALSE(state.LoadRenewal()->has_value());
  EXPECT_EQ((*state.LoadRegistration())->certified_at().seconds(),
            absl::ToUnixSeconds(kNow));
}

TEST_F(Renewal, TheSameKeyIsAskedForUntilTheServiceAnswers) {
  const AgentRenewal first = Open().DrawRenewal(kNow).value();
  StateDirectory state = Open();
  const AgentRenewal again = state.DrawRenewal(kNow).value();
  EXPECT_EQ(first.key_pem(), again.key_pem());
  EXPECT_EQ(first.certificate_signing_request(),
            again.certificate_signing_request());
  ASSERT_TRUE(state.KeepRenewal(Certify(again), "new password", kNow).ok());
  ASSERT_TRUE(state.ConfirmRenewal().ok());
  EXPECT_NE(state.DrawRenewal(kNow)->key_pem(), first.key_pem());
}

// The service would sign in vain, again and again.
TEST_F(Renewal, NothingIsAskedForThatCouldNotBeKept) {
  ASSERT_TRUE(Open().DrawRenewal(kNow).ok());
  StateDirectory state = Open([](const std::string&) {
    return absl::ResourceExhaustedError("no space left");
  });
  EXPECT_FALSE(state.DrawRenewal(kNow).ok());
}

TEST_F(Renewal, ACertificateForAnotherKeyIsRefusedInBothGenerations) {
  StateDirectory state = Open();
  EXPECT_FALSE(state.KeepRenewal(Certify(state.tls_key()), "p", kNow).ok());
  ASSERT_TRUE(state.DrawRenewal(kNow).ok());
  EXPECT_FALSE(state.KeepRenewal(Certify(state.tls_key()), "p", kNow).ok());
  EXPECT_FALSE(state.ConfirmRenewal().ok());
  EXPECT_FALSE(IsRenewed(state));
}

TEST_F(Renewal, ARejectedCertificateLeavesItsPassword) {
  StateDirectory state = Open();
  const AgentRenewal first = state.DrawRenewal(kNow).value();
  ASSERT_TRUE(state.KeepRenewal(Certify(first), "new password", kNow).ok());
  ASSERT_TRUE(state.RejectRenewal(kNow).ok());
  const AgentRenewal second = **state.LoadRenewal();
  EXPECT_EQ(second.password(), "new password");
  EXPECT_EQ(second.certificate_chain_pem(), "");
  EXPECT_NE(second.key_pem(), first.key_pem());
  EXPECT_FALSE(state.ConfirmRenewal().ok());
}

TEST_F(Renewal, ARegistrationEndsIt) {
  {
    StateDirectory state = Open();
    const AgentRenewal renewal = state.DrawRenewal(kNow).value();
    ASSERT_TRUE(state.KeepRenewal(Certify(renewal), "new password", kNow).ok());
    ASSERT_TRUE(state
                    .SaveRegistration(**state.LoadRegistration(),
                                      Certify(state.tls_key()))
                    .ok());
    EXPECT_FALSE(state.LoadRenewal()->has_value());
  }
  EXPECT_FALSE(IsRenewed(Open()));
}

TEST_F(Renewal, IsForItsOwnerOnly) {
  ASSERT_TRUE(Open().DrawRenewal(kNow).ok());
  struct stat info = {};
  ASSERT_EQ(stat((path_ + "/renewal.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(Renewal, ADamagedFileIsNotGuessedAt) {
  ASSERT_TRUE(Open().DrawRenewal(kNow).ok());
  std::ofstream(path_ + "/renewal.json") << "{}";
  const auto state = StateDirectory::Open(path_);
  EXPECT_TRUE(absl::IsDataLoss(state.status()));
  EXPECT_NE(state.status().message().find("renewal.json"), std::string::npos);
}

// A kill after each write, and the next start.
TEST_F(Renewal, AKillAnywhereIsFinishedByTheNextStart) {
  int renewed_by_start = 0;
  bool ended = false;
  for (int writes = 1; !ended; ++writes) {
    old_spki_ = Open().tls_key().PublicSpkiDer();
    {
      StateDirectory state = Open();
      auto registration = **state.LoadRegistration();
      registration.set_password("old password");
      ASSERT_TRUE(
          state.SaveRegistration(registration, Certify(state.tls_key())).ok());
    }
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int left = writes;
      StateDirectory state = Open([&left](const std::string&) {
        if (--left == 0) kill(getpid(), SIGKILL);
        return absl::OkStatus();
      });
      _exit(Renew(state).ok() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ended = WIFEXITED(status);
    if (ended) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
    }
    StateDirectory state = Open();
    // Request and answer are the first two; what is confirmed is finished.
    const bool renewed = IsRenewed(state);
    EXPECT_EQ(renewed, writes > 2) << writes;
    if (renewed && !ended) ++renewed_by_start;
    if (!renewed) {
      EXPECT_TRUE(state.LoadRenewal()->has_value());
      ASSERT_TRUE(Renew(state).ok());
    }
    EXPECT_TRUE(IsRenewed(state));
    EXPECT_FALSE(state.LoadRenewal()->has_value());
  }
  // The confirmation, the four files, and the end.
  EXPECT_EQ(renewed_by_start, 6);
}

// The same within one process: a disk that fails, and then works again.
TEST_F(Renewal, WhatTheDiskRefusedGoesOnWhereItFailed) {
  int left = 0;
  StateDirectory state = Open([&left](const std::string& name) {
    return --left == 0 ? absl::UnavailableError(name) : absl::OkStatus();
  });
  for (int fail_at = 3; fail_at <= 8; ++fail_at) {
    left = fail_at;
    const std::string before = state.tls_key().PublicSpkiDer();
    EXPECT_FALSE(Renew(state).ok()) << fail_at;
    if (state.LoadRenewal()->has_value()) {
      EXPECT_TRUE(state.ConfirmRenewal().ok()) << fail_at;
      EXPECT_NE(state.tls_key().PublicSpkiDer(), before);
      EXPECT_TRUE(IsRenewed(state));
    }
    old_spki_ = "";
  }
}

}  // namespace
}  // namespace mc::agent
