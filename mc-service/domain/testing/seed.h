// An account, a license and clusters in a store, for tests.
#ifndef MC_SERVICE_DOMAIN_TESTING_SEED_H_
#define MC_SERVICE_DOMAIN_TESTING_SEED_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "mc-service/store/store.h"

namespace mc::service {

// The license "license-1" of the account "account-1".
inline License SeedLicense(absl::Time now) {
  License license;
  license.id = "license-1";
  license.account_id = "account-1";
  license.name = "Production";
  license.key_digest = std::string(32, 'k');
  license.key_hint = "ABCD";
  license.created_at = now;
  license.starts_at = now;
  license.limits.set_reset(v1::QUOTA_RESET_MONTHLY);
  return license;
}

// Puts `license`, its account and clusters of it into the store.
inline absl::Status Seed(Store& store, const License& license,
                         const std::vector<std::string>& cluster_ids) {
  return store.WriteAndWait([&](Writer& writer) -> absl::Status {
    absl::Status status =
        writer.InsertAccount({.id = license.account_id,
                              .name = "Acme",
                              .created_at = license.created_at});
    if (status.ok()) status = writer.InsertLicense(license);
    for (const std::string& id : cluster_ids) {
      if (!status.ok()) break;
      Cluster cluster;
      cluster.id = id;
      cluster.license_id = license.id;
      cluster.registered_at = license.created_at;
      cluster.certificate_not_after = license.created_at + absl::Hours(720);
      cluster.user_name = absl::StrCat("cluster-", id);
      cluster.password_digest = std::string(32, 'p');
      cluster.tls_key_digest = std::string(32, 't');
      cluster.site_public_key = std::string(32, 's');
      cluster.certificate_serial = absl::StrCat("01", cluster_ids.size());
      status = writer.PutCluster(cluster);
    }
    return status;
  });
}

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_TESTING_SEED_H_
