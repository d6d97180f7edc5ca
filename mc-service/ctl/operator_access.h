// An operator's access as files: key, certificate, and the mcctl.yaml that
// names them.
#ifndef MC_SERVICE_CTL_OPERATOR_ACCESS_H_
#define MC_SERVICE_CTL_OPERATOR_ACCESS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/key.h"
#include "google/protobuf/repeated_field.h"
#include "missioncontrol/config/v1/ctl.pb.h"

namespace mc::service {

// The certificate and its issuers in PEM, as a client shows them.
// INVALID_ARGUMENT: one of them is no certificate.
absl::StatusOr<std::string> ChainPem(
    const std::string& certificate_der,
    const google::protobuf::RepeatedPtrField<std::string>& ca_chain_der);

// A folder for another operator's access. The key is on the disk before
// anything is certified, and goes again where that fails.
class NewAccess {
 public:
  // Makes the folder (owner-only) where it is missing, and a key in it.
  // INVALID_ARGUMENT for a name that is no operator's; FAILED_PRECONDITION
  // where the folder has an mcctl.yaml, or others can read it.
  static absl::StatusOr<NewAccess> Begin(const std::string& folder,
                                         const std::string& name);

  NewAccess(NewAccess&& other) noexcept;
  // Removes the key unless Finish succeeded.
  ~NewAccess();

  // PKCS #10 in DER.
  std::string Request() const;
  std::string ConfigFile() const { return folder_ + "/mcctl.yaml"; }

  // Writes certificate, CA and mcctl.yaml; `own` is the caller's configuration,
  // with its paths resolved.
  absl::Status Finish(const missioncontrol::config::v1::CtlConfig& own,
                      const std::string& chain_pem);

 private:
  NewAccess(std::string folder, std::string name);

  std::string In(std::string_view name) const;

  std::string folder_;
  std::string name_;
  PrivateKey key_ = PrivateKey::GenerateP256();
  bool finished_ = false;
};

// The text of a configuration with another certificate and key.
// INVALID_ARGUMENT where it does not name each once on a line of its own.
absl::StatusOr<std::string> WithPair(std::string_view config_text,
                                     const std::string& certificate_file,
                                     const std::string& key_file);

}  // namespace mc::service

#endif  // MC_SERVICE_CTL_OPERATOR_ACCESS_H_
