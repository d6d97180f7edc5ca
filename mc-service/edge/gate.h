// The coarse gate in front of a listener's handlers.
#ifndef MC_SERVICE_EDGE_GATE_H_
#define MC_SERVICE_EDGE_GATE_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "mc-service/edge/policy.h"

namespace mc::service {

// Denies, before any handler runs, each method that the policy table does not
// name for `listener`: PERMISSION_DENIED, with METHOD_NOT_ALLOWED in the text
// (gRPC drops a processor's error details). It does no I/O: it runs on gRPC's
// own threads. Identities and roles are the Guard's.
std::shared_ptr<grpc::AuthMetadataProcessor> MakeGate(Listener listener,
                                                      bool reflection);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_GATE_H_
