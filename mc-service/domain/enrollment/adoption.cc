#include "mc-service/domain/enrollment/adoption.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/status/status.h"
#include "mc-service/domain/enrollment/identities.h"

namespace mc::service {
namespace {

absl::Status Unknown(std::string_view what) {
  return Error(absl::StatusCode::kNotFound, v1::ERROR_REASON_UNKNOWN_RESOURCE,
               std::string(what).append(" is not known."));
}

absl::StatusOr<bool> HeardOf(Reader& reader, const Identities& identities,
                             std::string_view agent_instance_id) {
  const std::string& id = identities.cluster().id;
  const auto nodes = reader.ListPresence(id);
  if (!nodes.ok()) return nodes.status();
  const auto overview = reader.GetClusterOverview(id);
  if (!overview.ok()) return overview.status();
  const std::vector<std::string>& clones = overview->clone_instance_ids;
  return agent_instance_id == identities.cluster().adopted_instance_id ||
         std::find(clones.begin(), clones.end(), agent_instance_id) !=
             clones.end() ||
         std::any_of(nodes->begin(), nodes->end(),
                     [&](const NodePresence& node) {
                       return node.agent_instance_id == agent_instance_id;
                     }) ||
         std::any_of(identities.issued().begin(), identities.issued().end(),
                     [&](const IssuedIdentity& issued) {
                       return issued.agent_instance_id == agent_instance_id;
                     });
}

}  // namespace

absl::Status AdoptCluster(Store& store, std::string_view cluster_id,
                          std::string_view agent_instance_id, absl::Time now) {
  return store.WriteAndWait([&](Writer& writer) -> absl::Status {
    absl::StatusOr<Identities> identities =
        Identities::Load(writer, cluster_id);
    if (absl::IsNotFound(identities.status())) {
      return Unknown("This cluster");
    }
    if (!identities.ok()) return identities.status();
    const Cluster& cluster = identities->cluster();
    if (cluster.registration == v1::REGISTRATION_STATUS_REVOKED) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   v1::ERROR_REASON_IDENTITY_REVOKED,
                   "A revoked cluster stays revoked.");
    }
    if (agent_instance_id.empty()) {
      identities->Adopt("", now);
      const absl::Status saved = identities->Save(writer);
      return saved.ok() ? writer.EndCloneSuspicion(cluster_id) : saved;
    }
    const absl::StatusOr<bool> heard =
        HeardOf(writer, *identities, agent_instance_id);
    if (!heard.ok()) return heard.status();
    if (!*heard) return Unknown("An agent of this instance ID");
    // What it has renewed since the first time still counts.
    if (cluster.adopted_instance_id == agent_instance_id) {
      return absl::OkStatus();
    }
    identities->Adopt(agent_instance_id, now);
    return identities->Save(writer);
  });
}

absl::Status KeepIdentity(Writer& writer, std::string_view cluster_id) {
  absl::StatusOr<Identities> identities = Identities::Load(writer, cluster_id);
  if (!identities.ok()) return identities.status();
  identities->KeepOwn();
  return identities->Save(writer);
}

}  // namespace mc::service
