#include "mc-service/ctl/operator_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "absl/time/time.h"
#include "common/config/yaml_config.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"

namespace mc::service {
namespace {

using missioncontrol::config::v1::CtlConfig;

// A certificate for the key of a request.
std::string Certify(const std::string& csr_der) {
  const absl::Time now = absl::FromUnixSeconds(1'777'888'800);
  const auto ca =
      CertificateAuthority::Create("Operators", now, now + absl::Hours(1000));
  IssueSpec spec;
  spec.spki_der = ParseCsrDer(csr_der)->spki_der;
  spec.client_auth = true;
  spec.uri_sans = {"spiffe://test.example/operator/anna"};
  spec.not_before = now;
  spec.not_after = now + absl::Hours(100);
  google::protobuf::RepeatedPtrField<std::string> chain;
  *chain.Add() = ca->cert_der();
  return *ChainPem(*ca->Issue(spec), chain);
}

TEST(NewAccess, FolderIsReadyForMcctl) {
  TempDir dir;
  const std::string ca_file = dir.path() + "/server-ca.crt";
  ASSERT_TRUE(AtomicWrite(ca_file, "the CA", 0600).ok());
  CtlConfig own;
  own.set_operator_address("[::1]:8444");
  own.set_ca_file(ca_file);
  const std::string folder = dir.path() + "/anna";
  {
    auto access = NewAccess::Begin(folder, "anna");
    ASSERT_TRUE(access.ok()) << access.status();
    const absl::Status finished =
        access->Finish(own, Certify(access->Request()));
    ASSERT_TRUE(finished.ok()) << finished;
  }
  CtlConfig written;
  const absl::Status loaded = LoadYaml(folder + "/mcctl.yaml", &written);
  ASSERT_TRUE(loaded.ok()) << loaded;
  EXPECT_EQ(written.operator_address(), "[::1]:8444");
  EXPECT_EQ(*ReadFile(ResolvePath(folder, written.ca_file())), "the CA");
  const auto key = ReadPrivateFile(ResolvePath(folder, written.key_file()));
  ASSERT_TRUE(key.ok()) << key.status();
  const auto chain = ReadFile(ResolvePath(folder, written.certificate_file()));
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_TRUE(CheckKeyMatchesCertificate(*chain, *key).ok());
  EXPECT_EQ(CertificateChainPemToDer(*chain)->size(), 2u);
  struct stat info;
  ASSERT_EQ(::stat((folder + "/anna.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(NewAccess, WhatWasNotCertifiedLeavesNoKey) {
  TempDir dir;
  {
    auto access = NewAccess::Begin(dir.path() + "/anna", "anna");
    ASSERT_TRUE(access.ok()) << access.status();
    EXPECT_TRUE(FileExists(dir.path() + "/anna/anna.key"));
  }
  EXPECT_FALSE(FileExists(dir.path() + "/anna/anna.key"));
  EXPECT_TRUE(NewAccess::Begin(dir.path() + "/anna", "anna").ok());
}

TEST(NewAccess, AnothersAccessIsNotOverwritten) {
  TempDir dir;
  const std::string folder = dir.path() + "/anna";
  ASSERT_TRUE(EnsurePrivateDirectory(folder).ok());
  ASSERT_TRUE(AtomicWrite(folder + "/anna.key", "precious", 0600).ok());
  EXPECT_EQ(NewAccess::Begin(folder, "anna").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*ReadFile(folder + "/anna.key"), "precious");
  EXPECT_TRUE(NewAccess::Begin(folder, "bob").ok());
  ASSERT_TRUE(AtomicWrite(folder + "/mcctl.yaml", "", 0600).ok());
  EXPECT_EQ(NewAccess::Begin(folder, "bob").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(NewAccess, NameStaysInItsFolder) {
  TempDir dir;
  for (const char* name : {"", "../anna", "a/b", "Anna", "-a", ".a"}) {
    EXPECT_EQ(NewAccess::Begin(dir.path() + "/out", name).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
}

TEST(WithPair, ReplacesTheTwoLinesAlone) {
  const auto changed = WithPair(
      "# mine\noperator_address: a:1\ncertificate_file: old.crt\n"
      "key_file: old.key\n",
      "new.crt", "new.key");
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(*changed,
            "# mine\noperator_address: a:1\ncertificate_file: \"new.crt\"\n"
            "key_file: \"new.key\"\n");
}

TEST(WithPair, ConfigurationWithoutThePairIsRefused) {
  for (const char* text :
       {"", "certificate_file: a\n", "key_file: a\nkey_file: b\n",
        "{certificate_file: a, key_file: b}"}) {
    EXPECT_EQ(WithPair(text, "a", "b").status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

}  // namespace
}  // namespace mc::service
