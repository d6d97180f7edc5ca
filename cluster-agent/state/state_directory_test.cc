#include "cluster-agent/state/state_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/files/temp_dir.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::AgentContact;
using ::missioncontrol::config::v1::AgentInstallation;
using ::missioncontrol::config::v1::AgentLicense;
using ::missioncontrol::config::v1::AgentRegistration;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::vector<std::string> kFirstStart = {
    "cluster-id", "node-id", "tls.key", "site.key", "request.der"};

class State : public testing::Test {
 protected:
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  std::string Read(const std::string& name) const {
    std::ifstream file(File(name), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  // Keeps the mode of a file that exists.
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(File(name), std::ios::binary | std::ios::trunc) << text;
  }
  mode_t Mode(const std::string& path) const {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  // The files of the first start that exist, with their content.
  std::map<std::string, std::string> Kept() const {
    std::map<std::string, std::string> kept;
    for (const std::string& name : kFirstStart) {
      if (std::filesystem::exists(File(name))) kept[name] = Read(name);
    }
    return kept;
  }
  // A process that starts and is killed right after its `writes`th write.
  void StartAndKillAfter(int writes) const {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int left = writes;
      const auto state = StateDirectory::Open(
          {.path = path_, .on_created = [&left](const std::string&) {
             if (--left == 0) kill(getpid(), SIGKILL);
             return absl::OkStatus();
           }});
      _exit(state.ok() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << writes;
  }

  TempDir parent_;
  const std::string path_ = parent_.File("state");
};

std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

// A certificate of its own for the key.
std::string SelfSigned(const PrivateKey& key) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key.get());
  EXPECT_GT(X509_sign(certificate, key.get(), EVP_sha256()), 0);
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  EXPECT_GT(size, 0);
  const std::string text(reinterpret_cast<char*>(der),
                         static_cast<size_t>(size));
  OPENSSL_free(der);
  X509_free(certificate);
  return CertificateDerToPem(text).value();
}

AgentRegistration SomeRegistration() {
  AgentRegistration registration;
  registration.set_user_name("cluster-1");
  registration.set_password("secret");
  registration.set_trust_domain("vendor.example");
  auto* key = registration.add_document_keys();
  key->set_key_id("0123456789abcdef");
  key->set_public_key(std::string(32, '\xfe'));
  registration.mutable_registered_at()->set_seconds(1700000000);
  registration.set_license_key_masked("****-ABCD");
  return registration;
}

TEST_F(State, FirstStartMakesAnIdentityForItsOwnerOnly) {
  const auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(Mode(path_), 0700u);
  for (const std::string& name : kFirstStart) {
    EXPECT_EQ(Mode(File(name)), 0600u) << name;
  }
  EXPECT_TRUE(IsUuid(state->cluster_id()));
  EXPECT_TRUE(IsUuid(state->node_id()));
  EXPECT_NE(state->cluster_id(), state->node_id());
  EXPECT_FALSE(state->tls_key().is_ed25519());
  EXPECT_TRUE(state->site_key().is_ed25519());
  const CsrInfo request = ParseCsrDer(state->request_der()).value();
  EXPECT_TRUE(request.subject_empty);
  EXPECT_EQ(request.spki_der, state->tls_key().PublicSpkiDer());
  EXPECT_EQ(Read("cluster-id"), state->cluster_id() + "\n");
  EXPECT_EQ(Read("request.der"), state->request_der());
}

TEST_F(State, EveryLaterStartIsTheSameCluster) {
  std::string cluster_id;
  {
    const auto first = StateDirectory::Open(path_);
    ASSERT_TRUE(first.ok()) << first.status();
    cluster_id = first->cluster_id();
  }
  const auto kept = Kept();
  const auto second = StateDirectory::Open(path_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->cluster_id(), cluster_id);
  EXPECT_EQ(second->tls_key().ToPem(), kept.at("tls.key"));
  EXPECT_EQ(second->site_key().ToPem(), kept.at("site.key"));
  EXPECT_EQ(Kept(), kept);
}

TEST_F(State, AStartKilledAfterAnyWriteIsFinishedByTheNext) {
  for (int writes = 1; writes <= 5; ++writes) {
    std::filesystem::remove_all(path_);
    StartAndKillAfter(writes);
    const auto kept = Kept();
    EXPECT_EQ(kept.size(), static_cast<size_t>(writes));
    const auto state = StateDirectory::Open(path_);
    ASSERT_TRUE(state.ok()) << state.status();
    const auto now = Kept();
    EXPECT_EQ(now.size(), kFirstStart.size());
    for (const auto& [name, text] : kept) EXPECT_EQ(now.at(name), text) << name;
  }
}

TEST_F(State, StartsKilledAgainAndAgainStillArrive) {
  for (size_t i = 1; i <= kFirstStart.size(); ++i) {
    StartAndKillAfter(1);
    EXPECT_EQ(Kept().size(), i);
  }
  const auto kept = Kept();
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  EXPECT_EQ(Kept(), kept);
}

TEST_F(State, AFailedWriteEndsTheStart) {
  const auto state = StateDirectory::Open(
      {.path = path_, .on_created = [](const std::string& name) {
         return name == "tls.key" ? absl::AbortedError("stop")
                                  : absl::OkStatus();
       }});
  EXPECT_TRUE(absl::IsAborted(state.status()));
  EXPECT_EQ(Kept().size(), 3u);
}

TEST_F(State, AMissingRequestIsMadeAgainForTheSameKey) {
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  const auto kept = Kept();
  std::filesystem::remove(File("request.der"));
  const auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(Read("tls.key"), kept.at("tls.key"));
  EXPECT_EQ(ParseCsrDer(Read("request.der")).value().spki_der,
            state->tls_key().PublicSpkiDer());
}

TEST_F(State, ALostFileIsNamedAndNeverMadeAnew) {
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  for (const char* name : {"cluster-id", "node-id", "tls.key", "site.key"}) {
    std::filesystem::rename(File(name), parent_.File("aside"));
    const auto state = StateDirectory::Open(path_);
    EXPECT_TRUE(absl::IsDataLoss(state.status())) << name;
    EXPECT_THAT(Message(state.status()),
                AllOf(HasSubstr(File(name)), HasSubstr("backup")));
    EXPECT_FALSE(std::filesystem::exists(File(name)));
    std::filesystem::rename(parent_.File("aside"), File(name));
  }
  EXPECT_TRUE(StateDirectory::Open(path_).ok());
}

TEST_F(State, ADamagedFileIsNamedAndLeftAsItIs) {
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  const auto kept = Kept();
  for (const auto& [name, text] : kept) {
    for (const std::string& damaged :
         {std::string(), std::string("garbage\n"), std::string(300, '\0'),
          text.substr(0, text.size() / 2)}) {
      Write(name, damaged);
      const auto state = StateDirectory::Open(path_);
      EXPECT_TRUE(absl::IsDataLoss(state.status())) << name;
      EXPECT_THAT(Message(state.status()), HasSubstr(File(name)));
      EXPECT_EQ(Read(name), damaged) << name;
    }
    Write(name, text);
  }
  EXPECT_TRUE(StateDirectory::Open(path_).ok());
}

TEST_F(State, KeysDoNotStandInForEachOther) {
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  const auto kept = Kept();
  Write("tls.key", kept.at("site.key"));
  EXPECT_THAT(Message(StateDirectory::Open(path_).status()),
              HasSubstr("tls.key"));
  Write("tls.key", kept.at("tls.key"));
  Write("site.key", kept.at("tls.key"));
  EXPECT_THAT(Message(StateDirectory::Open(path_).status()),
              HasSubstr("site.key"));
}

TEST_F(State, ARequestForAnotherKeyIsNotUsed) {
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  Write("request.der", BuildCsrDer(PrivateKey::GenerateP256()));
  const absl::Status status = StateDirectory::Open(path_).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(Message(status), HasSubstr(File("request.der")));
}

TEST_F(State, WhatOthersMayReadIsRefusedWithTheCommandThatMendsIt) {
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  ASSERT_EQ(chmod(path_.c_str(), 0755), 0);
  EXPECT_THAT(Message(StateDirectory::Open(path_).status()),
              AllOf(HasSubstr(path_), HasSubstr("chmod")));
  ASSERT_EQ(chmod(path_.c_str(), 0700), 0);
  for (const std::string& name : kFirstStart) {
    ASSERT_EQ(chmod(File(name).c_str(), 0640), 0);
    EXPECT_THAT(Message(StateDirectory::Open(path_).status()),
                AllOf(HasSubstr(File(name)), HasSubstr("chmod")));
    ASSERT_EQ(chmod(File(name).c_str(), 0600), 0);
  }
  EXPECT_TRUE(StateDirectory::Open(path_).ok());
}

TEST_F(State, BelongsToOneAgentAtATime) {
  {
    const auto first = StateDirectory::Open(path_);
    ASSERT_TRUE(first.ok()) << first.status();
    const absl::Status second = StateDirectory::Open(path_).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(second));
    EXPECT_THAT(
        Message(second),
        AllOf(HasSubstr(path_), HasSubstr(absl::StrCat("process ", getpid()))));
  }
  EXPECT_TRUE(StateDirectory::Open(path_).ok());
}

TEST_F(State, IsFreeAgainWhenItsAgentWasKilled) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto state = StateDirectory::Open(path_);
    if (write(ready[1], state.ok() ? "1" : "0", 1) == 1) pause();
    _exit(1);
  }
  char held = 0;
  EXPECT_EQ(read(ready[0], &held, 1), 1);
  EXPECT_EQ(held, '1');
  EXPECT_THAT(Message(StateDirectory::Open(path_).status()),
              HasSubstr(absl::StrCat("process ", child)));
  kill(child, SIGKILL);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(StateDirectory::Open(path_).ok());
  close(ready[0]);
  close(ready[1]);
}

TEST_F(State, AnswersAreAbsentUntilTheyAreSaved) {
  const auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_FALSE(state->LoadRegistration().value().has_value());
  EXPECT_EQ(state->LoadCertificateChain().value(), std::nullopt);
  EXPECT_FALSE(state->LoadInstallation().value().has_value());
  EXPECT_FALSE(state->LoadLicense().value().has_value());
}

TEST_F(State, ARegistrationOutlivesARestart) {
  std::string chain;
  {
    auto state = StateDirectory::Open(path_);
    ASSERT_TRUE(state.ok()) << state.status();
    chain =
        SelfSigned(state->tls_key()) + SelfSigned(PrivateKey::GenerateP256());
    const absl::Status saved =
        state->SaveRegistration(SomeRegistration(), chain);
    ASSERT_TRUE(saved.ok()) << saved;
  }
  const auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  const auto registration = state->LoadRegistration();
  ASSERT_TRUE(registration.ok()) << registration.status();
  EXPECT_EQ((*registration)->SerializeAsString(),
            SomeRegistration().SerializeAsString());
  EXPECT_EQ(state->LoadCertificateChain().value(), chain);
  EXPECT_EQ(Mode(File("registration.json")), 0600u);
  EXPECT_EQ(Mode(File("tls.crt")), 0600u);
}

// Cut off between the two files: the password before is worth nothing, the
// certificate before is still good.
TEST_F(State, ARepeatedRegistrationKeepsItsPasswordFirst) {
  auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  const std::string chain = SelfSigned(state->tls_key());
  ASSERT_TRUE(state->SaveRegistration(SomeRegistration(), chain).ok());
  // The certificate cannot be replaced.
  std::filesystem::remove(File("tls.crt"));
  std::filesystem::create_directory(File("tls.crt"));
  AgentRegistration again = SomeRegistration();
  again.set_password("the next password");
  EXPECT_FALSE(state->SaveRegistration(again, chain).ok());
  EXPECT_EQ((*state->LoadRegistration())->password(), "the next password");
}

TEST_F(State, DraftsOfAKilledAgentAreGoneWithTheirKeys) {
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  Write("tls.key.new-a1B2c3", "a key");
  Write("renewal.json.new-XYZabc", "another");
  Write("notes.new-ideas for the weekend", "somebody's own");
  ASSERT_TRUE(StateDirectory::Open(path_).ok());
  EXPECT_FALSE(std::filesystem::exists(File("tls.key.new-a1B2c3")));
  EXPECT_FALSE(std::filesystem::exists(File("renewal.json.new-XYZabc")));
  EXPECT_TRUE(std::filesystem::exists(File("notes.new-ideas for the weekend")));
}

TEST_F(State, ACertificateOfAnotherKeyIsNotSaved) {
  auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_FALSE(state
                   ->SaveRegistration(SomeRegistration(),
                                      SelfSigned(PrivateKey::GenerateP256()))
                   .ok());
  EXPECT_FALSE(state->SaveRegistration(SomeRegistration(), "no PEM").ok());
  EXPECT_FALSE(state->SaveRegistration({}, SelfSigned(state->tls_key())).ok());
  EXPECT_FALSE(std::filesystem::exists(File("tls.crt")));
  EXPECT_FALSE(std::filesystem::exists(File("registration.json")));
}

TEST_F(State, ADamagedAnswerIsNamedAndLeftAsItIs) {
  auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_TRUE(
      state->SaveRegistration(SomeRegistration(), SelfSigned(state->tls_key()))
          .ok());
  const std::string whole = Read("registration.json");
  for (const std::string& damaged :
       {std::string(), std::string("{}"), std::string("[1]"),
        std::string(100, '\0'), whole.substr(0, whole.size() / 2)}) {
    Write("registration.json", damaged);
    const absl::Status status = state->LoadRegistration().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << damaged;
    EXPECT_THAT(Message(status), HasSubstr(File("registration.json")));
    EXPECT_EQ(Read("registration.json"), damaged);
  }
  Write("tls.crt", "garbage");
  EXPECT_TRUE(absl::IsDataLoss(state->LoadCertificateChain().status()));
  Write("tls.crt", SelfSigned(PrivateKey::GenerateP256()));
  EXPECT_TRUE(absl::IsDataLoss(state->LoadCertificateChain().status()));
}

TEST_F(State, FieldsOfANewerAgentAreSteppedOver) {
  auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_TRUE(
      state->SaveRegistration(SomeRegistration(), SelfSigned(state->tls_key()))
          .ok());
  const std::string text = Read("registration.json");
  Write("registration.json", "{\"of_tomorrow\": [1]," + text.substr(1));
  EXPECT_EQ(state->LoadRegistration().value()->user_name(), "cluster-1");
}

TEST_F(State, TheInstallationAndTheLicenseOutliveARestart) {
  AgentInstallation installation;
  installation.set_agent_version("1.2.3");
  installation.set_product_version("4.5");
  installation.mutable_installed_at()->set_seconds(1700000000);
  installation.mutable_answer()->set_account_name("Account");
  AgentLicense license;
  license.mutable_signed_license()->set_document(std::string("\0\xff", 2));
  license.mutable_signed_license()->set_key_id("0123456789abcdef");
  license.mutable_signed_license()->set_signature(std::string(64, '\x80'));
  license.mutable_verified_at()->set_nanos(5);
  {
    auto state = StateDirectory::Open(path_);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_FALSE(state->SaveInstallation({}).ok());
    EXPECT_FALSE(state->SaveLicense({}).ok());
    ASSERT_TRUE(state->SaveInstallation(installation).ok());
    ASSERT_TRUE(state->SaveLicense(license).ok());
  }
  const auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->LoadInstallation().value()->SerializeAsString(),
            installation.SerializeAsString());
  EXPECT_EQ(state->LoadLicense().value()->SerializeAsString(),
            license.SerializeAsString());
}

TEST_F(State, TheLastContactOutlivesARestart) {
  AgentContact contact;
  contact.set_boot_id("boot");
  contact.mutable_offline()->set_seconds(5);
  auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_FALSE(state->LoadContact().value().has_value());
  EXPECT_FALSE(state->SaveContact(contact).ok());
  contact.mutable_noted_at()->set_seconds(1700000000);
  ASSERT_TRUE(state->SaveContact(contact).ok());
  EXPECT_EQ(state->LoadContact().value()->SerializeAsString(),
            contact.SerializeAsString());
  Write("contact.json", "{");
  EXPECT_TRUE(absl::IsDataLoss(state->LoadContact().status()));
}

TEST_F(State, DocumentKeysAreReplacedInTheRegistrationAlone) {
  auto state = StateDirectory::Open(path_);
  ASSERT_TRUE(state.ok()) << state.status();
  AgentRegistration registration = SomeRegistration();
  EXPECT_FALSE(state->SaveDocumentKeys({registration.document_keys(0)}).ok());
  const std::string chain = SelfSigned(state->tls_key());
  ASSERT_TRUE(state->SaveRegistration(registration, chain).ok());
  EXPECT_FALSE(state->SaveDocumentKeys({}).ok());
  auto* key = registration.add_document_keys();
  key->set_key_id("fedcba9876543210");
  key->set_public_key(std::string(32, '\x01'));
  ASSERT_TRUE(state
                  ->SaveDocumentKeys({registration.document_keys().begin(),
                                      registration.document_keys().end()})
                  .ok());
  EXPECT_EQ(state->LoadRegistration().value()->SerializeAsString(),
            registration.SerializeAsString());
  EXPECT_EQ(state->LoadCertificateChain().value(), chain);
}

}  // namespace
}  // namespace mc::agent
