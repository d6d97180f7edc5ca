// The coarse gate in front of a listener's handlers.
#ifndef MC_SERVICE_EDGE_GATE_H_
#define MC_SERVICE_EDGE_GATE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "mc-service/edge/policy.h"

namespace mc::service {

// Whether a call may begin; asked on gRPC's own threads: no I/O.
using AdmitCall = std::function<bool(const grpc::AuthContext& auth)>;

// Denies, before any handler runs, each method that the policy table does not
// name for `listener`: PERMISSION_DENIED, with METHOD_NOT_ALLOWED in the text
// (gRPC drops a processor's error details). It does no I/O: it runs on gRPC's
// own threads. Identities and roles are the Guard's. What `admit` (null: all
// is admitted) does not let in ends with RESOURCE_EXHAUSTED, with RATE_LIMITED
// in the text: a flood of calls, also of ones that are cancelled at once, ends
// here, where it is cheap.
std::shared_ptr<grpc::AuthMetadataProcessor> MakeGate(
    Listener listener, bool reflection, AdmitCall admit = nullptr);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_GATE_H_
