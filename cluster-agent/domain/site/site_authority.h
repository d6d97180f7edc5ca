// The site's own CA, which the master is.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_AUTHORITY_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_AUTHORITY_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/authority.h"
#include "common/crypto/csr.h"

namespace mc::agent {

// In the state directory: the CA that was made at the first start, key and
// certificate in one file; and who has joined.
inline constexpr char kSiteCaFile[] = "site-ca.pem";
inline constexpr char kSiteNodesFile[] = "site-nodes.json";

struct IssuedCertificate {
  std::string der;
  std::string serial_hex;
  absl::Time not_after;
};

struct ServerCertificate {
  std::string cert_pem;
  std::string key_pem;
  absl::Time not_before;
  absl::Time not_after;
};

// What the two files of the configuration must be: a CA that signed itself,
// and its key. The error names the file and says what to do.
absl::StatusOr<CertificateAuthority> LoadSiteCa(
    const std::string& certificate_file, const std::string& key_file);

// Move-only; const use is thread-safe.
class SiteAuthority {
 public:
  struct Options {
    std::string state_directory;
    // Both empty: made at the first start.
    std::string ca_certificate_file;
    std::string ca_key_file;
    std::string cluster_id;
    absl::Duration node_certificate_lifetime = absl::Hours(168);
  };

  // Makes the CA where there is none yet: durable before it returns. It is not
  // made again beside a file of nodes, which trust the one that was lost:
  // DATA_LOSS.
  static absl::StatusOr<SiteAuthority> Open(const Options& options);

  const std::string& ca_der() const { return ca_.cert_der(); }
  const std::string& ca_pem() const { return ca_.cert_pem(); }

  // For client authentication alone, with the URI SAN of the node.
  // INVALID_ARGUMENT as CheckClusterCsr.
  absl::StatusOr<IssuedCertificate> IssueNode(std::string_view node_id,
                                              const CsrInfo& request,
                                              absl::Time now) const;

  // For server authentication alone, for kMasterName, with a new key. As long
  // as a node's.
  absl::StatusOr<ServerCertificate> IssueServer(absl::Time now) const;

 private:
  SiteAuthority(Options options, CertificateAuthority ca)
      : options_(std::move(options)), ca_(std::move(ca)) {}

  Options options_;
  CertificateAuthority ca_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_AUTHORITY_H_
