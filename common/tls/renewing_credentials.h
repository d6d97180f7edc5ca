// Server credentials whose certificate changes while the server runs.
#ifndef COMMON_TLS_RENEWING_CREDENTIALS_H_
#define COMMON_TLS_RENEWING_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls/credentials.h"

namespace mc {

// Asked before each handshake, on a thread of gRPC, one at a time for each
// listener: it must not wait for anything. Absent: nothing has changed. An
// error: handshakes go on with what there was before.
using NextServerTls = std::function<absl::StatusOr<std::optional<ServerTls>>()>;

// For one port of one server, which it must outlive. `client_certificates`: the
// handshake fails without one of the authority that each ServerTls names; else
// none is asked for. The first answer of `next` must be there when the port is
// added; what it answers is not checked further. SetAuthMetadataProcessor does
// nothing.
std::shared_ptr<grpc::ServerCredentials> RenewingServerCredentials(
    bool client_certificates, NextServerTls next);

}  // namespace mc

#endif  // COMMON_TLS_RENEWING_CREDENTIALS_H_
