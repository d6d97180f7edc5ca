#include "mc-service/edge/policy.h"

namespace mc::service {
namespace {

constexpr auto kAnonymous = Caller::Kind::kAnonymous;

constexpr MethodPolicy Enrollment(std::string_view full_method) {
  return {full_method, Listener::kEnrollment, kAnonymous};
}

constexpr MethodPolicy Cluster(std::string_view full_method, int cost = 1,
                               size_t max_open = 0) {
  return {.full_method = full_method,
          .listener = Listener::kCluster,
          .caller = Caller::Kind::kCluster,
          .cost = cost,
          .max_open = max_open};
}

constexpr MethodPolicy Fleet(std::string_view full_method, Role role,
                             size_t max_open = 0) {
  return {.full_method = full_method,
          .listener = Listener::kOperator,
          .caller = Caller::Kind::kOperator,
          .role = role,
          .max_open = max_open};
}

// An open stream costs memory for as long as its caller likes. Agents need one
// of each kind; after a lost connection the old one may be open beside it.
constexpr size_t kMaxOpen = 16;
// Signatures and rows of the store, for what an agent needs twice a month.
constexpr int kCertificateCost = 5;

constexpr MethodPolicy kPolicies[] = {
    Enrollment("/missioncontrol.v1.EnrollmentService/Install"),
    Enrollment("/missioncontrol.v1.EnrollmentService/Register"),
    Enrollment("/missioncontrol.v1.EnrollmentService/RecoverCertificate"),

    Cluster("/missioncontrol.v1.ClusterService/CheckLicense"),
    Cluster("/missioncontrol.v1.ClusterService/StreamReports", 1, kMaxOpen),
    Cluster("/missioncontrol.v1.ClusterService/StreamHeartbeats"),
    Cluster("/missioncontrol.v1.ClusterService/CheckUpdates"),
    Cluster("/missioncontrol.v1.ClusterService/RenewCertificate",
            kCertificateCost),
    Cluster("/missioncontrol.v1.ClusterService/FetchSettings"),
    Cluster("/missioncontrol.v1.ClusterService/UploadDiagnostics"),
    Cluster("/missioncontrol.v1.ClusterService/ExchangeAuditHeads"),

    Fleet("/missioncontrol.v1.FleetService/CreateAccount", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ListAccounts", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/GetAccount", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/EraseAccount", Role::kAdmin),
    Fleet("/missioncontrol.v1.FleetService/CreateLicense", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ListLicenses", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/GetLicense", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/UpdateLicense", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/SuspendLicense", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ResumeLicense", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/RevokeLicense", Role::kAdmin),
    Fleet("/missioncontrol.v1.FleetService/CreateEnrollmentToken",
          Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ListEnrollmentTokens",
          Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/DeleteEnrollmentToken",
          Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/CreateOperator", Role::kAdmin),
    Fleet("/missioncontrol.v1.FleetService/ListOperators", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/UpdateOperator", Role::kAdmin),
    Fleet("/missioncontrol.v1.FleetService/DeleteOperator", Role::kAdmin),
    // For oneself; for others the handler asks for more.
    Fleet("/missioncontrol.v1.FleetService/IssueOperatorCertificate",
          Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ListClusters", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/GetCluster", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ReopenRegistration",
          Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ApproveRegistration",
          Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/AdoptCluster", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/RevokeCluster", Role::kAdmin),
    Fleet("/missioncontrol.v1.FleetService/ListHealthReports", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ListConsumption", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ListUsage", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ListLedgerEntries", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/VerifyLedger", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/WatchExchanges", Role::kViewer,
          kMaxOpen),
    Fleet("/missioncontrol.v1.FleetService/ListExchangeCounts", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/CreateRelease", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/GetRelease", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ListReleases", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/CreateRollout", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ListRollouts", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ListFindings", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ListEvents", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/RequestRemoteAccess",
          Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ListRemoteAccessSessions",
          Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/EndRemoteAccess", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/GetSettings", Role::kViewer),
    Fleet("/missioncontrol.v1.FleetService/ChangeSettings", Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/RequestDiagnostics",
          Role::kOperator),
    Fleet("/missioncontrol.v1.FleetService/ListAuditEntries", Role::kViewer),

    {"/grpc.health.v1.Health/Check", Listener::kEvery, kAnonymous},
    {"/grpc.health.v1.Health/Watch", Listener::kEvery, kAnonymous},
    {.full_method =
         "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     .listener = Listener::kEvery,
     .caller = kAnonymous,
     .reflection = true},
};

constexpr bool Contains(Listener set, Listener listener) {
  return (static_cast<uint8_t>(set) & static_cast<uint8_t>(listener)) != 0;
}

}  // namespace

std::span<const MethodPolicy> Policies() { return kPolicies; }

const MethodPolicy* FindPolicy(std::string_view full_method) {
  for (const MethodPolicy& policy : kPolicies) {
    if (policy.full_method == full_method) return &policy;
  }
  return nullptr;
}

const MethodPolicy* FindPolicy(std::string_view full_method, Listener listener,
                               bool reflection) {
  const MethodPolicy* policy = FindPolicy(full_method);
  if (policy == nullptr || !Contains(policy->listener, listener)) {
    return nullptr;
  }
  return policy->reflection && !reflection ? nullptr : policy;
}

std::string_view ListenerName(Listener listener) {
  switch (listener) {
    case Listener::kEnrollment:
      return "enrollment";
    case Listener::kCluster:
      return "cluster";
    case Listener::kOperator:
      return "operator";
    case Listener::kEvery:
      break;
  }
  return "every";
}

}  // namespace mc::service
