// TLS credentials for gRPC, checked before gRPC sees them: it would tell what
// is wrong with them in its own log only, at the first handshake.
//
// All functions are thread-safe. TLS is 1.2 or newer.
#ifndef COMMON_TLS_CREDENTIALS_H_
#define COMMON_TLS_CREDENTIALS_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/time/clock.h"

namespace mc {

struct ServerTls {
  // The server's certificate first, then its issuers.
  std::string cert_chain_pem;
  std::string key_pem;
  // The authority of the clients' certificates. Empty: no client certificate
  // is asked for. Else the handshake fails without one.
  std::string client_ca_pem;
};

struct ClientTls {
  // What the server's certificate must come from; empty: the system's CAs.
  std::string root_pem;
  // The client's own certificate and key; both empty: none is shown.
  std::string cert_chain_pem;
  std::string key_pem;
};

// INVALID_ARGUMENT: PEM that cannot be read. FAILED_PRECONDITION: the key is
// not the certificate's, or the certificate is not valid at the clock's time.
absl::Status CheckServerTls(const ServerTls& tls, const Clock& clock);

// Errors of CheckServerTls.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerTls& tls, const Clock& clock = RealClock());

// INVALID_ARGUMENT and FAILED_PRECONDITION as above, but for the dates: whether
// a client's certificate is valid is the server's to judge, by its own clock.
// NOT_FOUND where the system's CAs are asked for and not there.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
MakeChannelCredentials(const ClientTls& tls);

// Whether the first certificate of `chain_pem` is valid at `now`; else
// FAILED_PRECONDITION, which says since or until when.
absl::Status CheckValidity(const std::string& chain_pem, absl::Time now);

// The system's CA bundle in PEM, from the places where distributions keep it.
absl::StatusOr<std::string> SystemRoots();

}  // namespace mc

#endif  // COMMON_TLS_CREDENTIALS_H_
