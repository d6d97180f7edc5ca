// What writes the seeds that are made of messages, certificates and archives.
#ifndef TESTS_FUZZ_SEEDS_H_
#define TESTS_FUZZ_SEEDS_H_

#include <initializer_list>
#include <string>
#include <utility>

#include "common/crypto/key.h"
#include "google/protobuf/message.h"

namespace mc::fuzz {

// Below a folder, one for each target.
class Corpus {
 public:
  explicit Corpus(std::string directory) : directory_(std::move(directory)) {}

  void Put(const std::string& target, const std::string& name,
           const std::string& bytes);
  // Of a target of calls, each by its letter.
  void PutCalls(
      const std::string& target, const std::string& name,
      std::initializer_list<std::pair<char, const google::protobuf::Message*>>
          calls);
  // All were written.
  bool ok() const { return ok_; }

 private:
  const std::string directory_;
  bool ok_ = true;
};

// A request for a certificate of a new key, in DER.
std::string NewRequest();
// A certificate of the cluster in DER, by an authority that nobody knows.
std::string CertificateOf(const PrivateKey& key);

void PutService(Corpus& corpus);
void PutIdentities(Corpus& corpus);
void PutAgent(Corpus& corpus);
void PutLocal(Corpus& corpus);
void PutEdge(Corpus& corpus);
void PutHttp(Corpus& corpus);
void PutCrypto(Corpus& corpus);
void PutFiles(Corpus& corpus);

}  // namespace mc::fuzz

#endif  // TESTS_FUZZ_SEEDS_H_
