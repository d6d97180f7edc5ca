// Tells callers the service's time.
#ifndef MC_SERVICE_EDGE_DATE_H_
#define MC_SERVICE_EDGE_DATE_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "common/time/clock.h"

namespace mc::service {

// Every unary answer begins with the metadata `date`, an HTTP-date (RFC 9110,
// 6.6.1), so that a client can tell whether its own clock is wrong. The clock
// outlives it.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeDateInterceptor(const Clock* clock);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_DATE_H_
