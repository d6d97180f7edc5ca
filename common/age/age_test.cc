#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "common/age/bech32.h"
#include "common/age/keys.h"
#include "common/age/stream.h"
#include "common/crypto/digest.h"

namespace mc::age {
namespace {

using testing::HasSubstr;

// Made by age 1.1.1: a key pair, and the file of "usage is recorded\n".
constexpr char kKey[] =
    "# created: 2026-05-04T10:00:00Z\n"
    "# public key: "
    "age1927f9u35fld24t7ywr0g4vapl3jrud6w5d9pwqvruhfsd56qe47q24c7lv\n"
    "AGE-SECRET-KEY-"
    "180ZAAFV00GTNEYNR360V7URK59X4RSZ00RLGE6KDTH42JCZH794SC5EWE5\n";
constexpr char kPublic[] =
    "age1927f9u35fld24t7ywr0g4vapl3jrud6w5d9pwqvruhfsd56qe47q24c7lv";
constexpr char kFile[] =
    "6167652d656e6372797074696f6e2e6f72672f76310a2d3e20583235353139206b2b30"
    "306c436e4d6f676175374f55372f587054424f657877756b2f4a2b5a466e725341384f"
    "485570676f0a6b705746712f576b72646972446b385867474c44376f315464777a324a"
    "5871574e3263684d794871794a630a2d2d2d206746356d595a4b7674556a577152756b"
    "58657a75423277413673556f3639376e6f52434c716a36397a33770af37cee344430ff"
    "117cf64e908707a01304bed62616865385005d8ced8807376cfd803d02c05c47e96910"
    "e066779cfc8bd3aa";

std::string Encrypt(std::string_view text) {
  std::string file;
  auto encryptor =
      *Encryptor::Start(*Recipient::Parse(kPublic), [&](std::string_view b) {
        file.append(b);
        return absl::OkStatus();
      });
  // In pieces that are no chunks.
  for (size_t i = 0; i < text.size(); i += 1000) {
    EXPECT_TRUE(encryptor->Write(text.substr(i, 1000)).ok());
  }
  EXPECT_TRUE(encryptor->Finish().ok());
  return file;
}

absl::StatusOr<std::string> Decrypt(const std::string& file,
                                    const std::string& key = kKey) {
  size_t at = 0;
  auto decryptor = Decryptor::Start(
      *Identity::Parse(key),
      [&](char* to, size_t size) -> absl::StatusOr<size_t> {
        // Short reads, as from a pipe.
        const size_t count = std::min({size, file.size() - at, size_t{5000}});
        std::copy_n(file.data() + at, count, to);
        at += count;
        return count;
      });
  if (!decryptor.ok()) return decryptor.status();
  std::string text;
  while (true) {
    const absl::StatusOr<std::string> more = (*decryptor)->Read(3000);
    if (!more.ok()) return more.status();
    if (more->empty()) return text;
    text.append(*more);
  }
}

TEST(Age, OpensWhatAgeMade) {
  EXPECT_EQ(*Decrypt(*FromHex(kFile)), "usage is recorded\n");
}

TEST(Age, EveryLengthComesBack) {
  const std::string text = RandomBytes(200'000);
  for (const size_t size : {0, 1, 999, 65535, 65536, 65537, 131072, 200000}) {
    EXPECT_EQ(*Decrypt(Encrypt(text.substr(0, size))), text.substr(0, size))
        << size;
  }
}

TEST(Age, AChangedByteIsNoticedWhereverItIs) {
  const std::string file = Encrypt("usage is recorded");
  for (size_t i = 0; i < file.size(); ++i) {
    std::string changed = file;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(Decrypt(changed).ok()) << "byte " << i;
  }
}

TEST(Age, ACutFileIsNoticedWhereverItIsCut) {
  const std::string file = Encrypt("usage is recorded");
  for (size_t i = 0; i < file.size(); ++i) {
    EXPECT_FALSE(Decrypt(file.substr(0, i)).ok()) << i << " bytes";
  }
  EXPECT_FALSE(Decrypt(file + "x").ok());
  const std::string large = Encrypt(RandomBytes(200'000));
  const size_t header = file.size() - 17 - 16;
  for (int chunks = 0; chunks < 3; ++chunks) {
    EXPECT_TRUE(absl::IsDataLoss(
        Decrypt(large.substr(0, header + chunks * 65552)).status()))
        << chunks << " whole chunks";
  }
}

TEST(Age, ChunksInAnotherOrderAreNoticed) {
  std::string file = Encrypt(std::string(200'000, 'x'));
  const size_t header = Encrypt("").size() - 16;
  const std::string first = file.substr(header, 65552);
  const std::string second = file.substr(header + 65552, 65552);
  file.replace(header, 2 * 65552, second + first);
  EXPECT_TRUE(absl::IsDataLoss(Decrypt(file).status()));
}

TEST(Age, AnotherKeyIsSaid) {
  const std::string other =
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
      "-----END PRIVATE KEY-----\n";
  const absl::Status status = Decrypt(Encrypt("secret"), other).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
}

TEST(Age, WhatIsNoSuchFileIsSaid) {
  EXPECT_TRUE(absl::IsInvalidArgument(Decrypt("SQLite format 3").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Decrypt("").status()));
}

// RFC 7748, section 6.1: Alice's key pair, in PEM (RFC 8410).
TEST(Age, TakesKeysInPem) {
  const auto identity = Identity::Parse(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
      "-----END PRIVATE KEY-----\n");
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(Hex(identity->recipient().bytes()),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  const auto recipient = Recipient::Parse(
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n"
      "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(recipient.ok()) << recipient.status();
  EXPECT_EQ(recipient->bytes(), identity->recipient().bytes());
}

TEST(Age, KeysThatAreNoneAreRefused) {
  EXPECT_THAT(Recipient::Parse("").status().message(), HasSubstr("age-keygen"));
  // The secret key in the place of the public one, and the other way round.
  EXPECT_FALSE(Recipient::Parse(kKey).ok());
  EXPECT_FALSE(Identity::Parse(kPublic).ok());
  // One letter is another.
  std::string typo = kPublic;
  typo.back() = typo.back() == 'q' ? 'p' : 'q';
  EXPECT_FALSE(Recipient::Parse(typo).ok());
  EXPECT_FALSE(
      Recipient::Parse(std::string(kPublic) + "\n" + kPublic + "\n").ok());
  // An Ed25519 key signs, and encrypts nothing.
  EXPECT_FALSE(
      Recipient::Parse(
          "-----BEGIN PUBLIC KEY-----\n"
          "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
          "-----END PUBLIC KEY-----\n")
          .ok());
}

// BIP 173's own examples.
TEST(Bech32, KnowsWhatIsValid) {
  EXPECT_TRUE(DecodeBech32("A12UEL5L").ok());
  EXPECT_EQ(DecodeBech32("split1checkupstagehandshakeupstreamerranterredcaper"
                         "red2y9e3w")
                ->prefix,
            "split");
  EXPECT_FALSE(DecodeBech32("A1G7SGD8").ok());
  EXPECT_FALSE(DecodeBech32("a12UEL5L").ok());
  EXPECT_FALSE(DecodeBech32("1qzzfhee").ok());
  EXPECT_FALSE(DecodeBech32("").ok());
}

}  // namespace
}  // namespace mc::age
