// What a TLS server shows of itself, before anybody trusts it.
#ifndef COMMON_TLS_PRESENTED_CHAIN_H_
#define COMMON_TLS_PRESENTED_CHAIN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/time/clock.h"

namespace mc {

// The certificates that the server at `address` (host:port) presents, in DER,
// its own first. None is verified, and nothing is sent but the handshake, with
// `server_name` for its SNI. UNAVAILABLE: nobody answers there, or no TLS
// server does. Waits; after the name is resolved at most `timeout`.
absl::StatusOr<std::vector<std::string>> PresentedChain(
    const std::string& address, const std::string& server_name,
    absl::Duration timeout, const Clock& clock);

}  // namespace mc

#endif  // COMMON_TLS_PRESENTED_CHAIN_H_
