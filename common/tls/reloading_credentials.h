// Server credentials of the service's listeners: what they show and whom they
// trust changes while the server runs, and clients are judged in the handshake.
#ifndef COMMON_TLS_RELOADING_CREDENTIALS_H_
#define COMMON_TLS_RELOADING_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/time/clock.h"
#include "common/tls/credentials.h"
#include "common/tls/memory_file.h"

namespace mc {

// Judges a client by its certificate, in PEM, after that was found to be of a
// trusted authority: also when a session is resumed, where nothing else looks
// at it again. Not OK: the connection is closed before any byte of HTTP/2 is
// read. On gRPC's threads, of several handshakes at a time: it must neither
// wait for anything nor throw.
using PeerCheck = std::function<absl::Status(std::string_view cert_pem)>;

// Thread-safe. It outlives the servers that use its credentials.
class ReloadingServerCredentials {
 public:
  // Errors of CheckServerTls, or UNAVAILABLE where the process has no
  // descriptors left. `check` may be null, and is not asked where no client
  // certificate is.
  static absl::StatusOr<std::unique_ptr<ReloadingServerCredentials>> Create(
      const ServerTls& tls, PeerCheck check, const Clock* clock);

  // TLS 1.2 or 1.3. To be shared by the ports of one server;
  // SetAuthMetadataProcessor works as with any other.
  const std::shared_ptr<grpc::ServerCredentials>& credentials() const {
    return credentials_;
  }

  // What handshakes that begin a second later use; open connections stay.
  // Sessions from before are not resumed. After an error, one of
  // CheckServerTls, everything is as it was. FAILED_PRECONDITION also where
  // only one of the old and the new asks for client certificates.
  absl::Status Replace(const ServerTls& tls);

 private:
  ReloadingServerCredentials(std::unique_ptr<MemoryFile> pair,
                             std::unique_ptr<MemoryFile> roots,
                             const Clock* clock);

  const Clock* const clock_;
  absl::Mutex mutex_;
  // The key, then the certificates: one file, so that they always match.
  const std::unique_ptr<MemoryFile> pair_ ABSL_PT_GUARDED_BY(mutex_);
  // Null: no client certificate is asked for.
  const std::unique_ptr<MemoryFile> roots_ ABSL_PT_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::ServerCredentials> credentials_;
};

}  // namespace mc

#endif  // COMMON_TLS_RELOADING_CREDENTIALS_H_
