// Writes the seeds of the corpus that are made of messages, certificates and
// archives: fuzz-seeds DIRECTORY. The texts of the corpus are written by hand.
#include "tests/fuzz/seeds.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/csr.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"

namespace mc::fuzz {

void Corpus::Put(const std::string& target, const std::string& name,
                 const std::string& bytes) {
  const std::filesystem::path folder =
      std::filesystem::path(directory_) / target;
  std::filesystem::create_directories(folder);
  std::ofstream file(folder / name, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  ok_ = ok_ && file.good();
}

void Corpus::PutCalls(
    const std::string& target, const std::string& name,
    std::initializer_list<std::pair<char, const google::protobuf::Message*>>
        calls) {
  std::vector<Frame> frames;
  for (const auto& [letter, message] : calls) {
    frames.push_back(
        {static_cast<size_t>(letter - 'A'), message->SerializeAsString()});
  }
  Put(target, name, Join(frames));
}

std::string NewRequest() { return BuildCsrDer(PrivateKey::GenerateP256()); }

std::string CertificateOf(const PrivateKey& key) {
  const auto authority = CertificateAuthority::Create(
      "Seed", absl::FromUnixSeconds(kHour), absl::FromUnixSeconds(2 * kHour));
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.uri_sans = {absl::StrCat("spiffe://example.com/cluster/", kCluster)};
  spec.client_auth = true;
  spec.not_before = absl::FromUnixSeconds(kHour);
  spec.not_after = absl::FromUnixSeconds(kHour + 86400);
  return *authority->Issue(spec);
}

}  // namespace mc::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: fuzz-seeds DIRECTORY\n");
    return 2;
  }
  mc::fuzz::Corpus corpus(argv[1]);
  mc::fuzz::PutService(corpus);
  mc::fuzz::PutIdentities(corpus);
  mc::fuzz::PutEdge(corpus);
  mc::fuzz::PutHttp(corpus);
  mc::fuzz::PutLocal(corpus);
  mc::fuzz::PutAgent(corpus);
  mc::fuzz::PutCrypto(corpus);
  mc::fuzz::PutFiles(corpus);
  if (corpus.ok()) return 0;
  std::fprintf(stderr, "fuzz-seeds: cannot write below %s\n", argv[1]);
  return 1;
}
