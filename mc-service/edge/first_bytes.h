// What a new connection's client has sent so far, without taking it away from
// whoever reads the connection next.
#ifndef MC_SERVICE_EDGE_FIRST_BYTES_H_
#define MC_SERVICE_EDGE_FIRST_BYTES_H_

#include <cstddef>
#include <string>

#include "mc-service/edge/proxy_header.h"

namespace mc::service {

enum class FirstBytes { kIncomplete, kComplete, kWrong, kClosed };

// Whether a whole first record of a TLS handshake is there: only with it can a
// handshake begin, and one that begins costs memory and CPU. `fd` does not
// block, here and below.
FirstBytes LookForClientHello(int fd);

// Reads the PROXY header, and no byte behind it, into `header`, which has what
// came before.
FirstBytes ReadProxyHeader(int fd, std::string& header);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_FIRST_BYTES_H_
