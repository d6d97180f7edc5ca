// Tells when the TLS handshake of a connection is over that gRPC was given, and
// when the connection is.
#ifndef MC_SERVICE_EDGE_HANDSHAKE_WATCH_H_
#define MC_SERVICE_EDGE_HANDSHAKE_WATCH_H_

#include <functional>

namespace mc::service {

// gRPC says nothing between the descriptor that it is handed and the first
// call, which may never come. But it makes the connection's TLS object on the
// thread that hands the descriptor over, before that returns, and OpenSSL lets
// us see each object that is made: so object and connection are known to
// belong together, and the object reports the client's last handshake message.
//
// Runs `hand_over`. `done` is called at most once, on a thread of gRPC and
// maybe at once, when the client's Finished message came on a TLS object that
// `hand_over` made on this thread; and `over` once, when gRPC gives that object
// up: with the connection, or with the handshake that failed. They must not
// block. Returns whether there is such an object: there is none where another
// TLS library is used, or a newer gRPC makes it elsewhere; then neither is ever
// called.
bool WatchHandshake(const std::function<void()>& hand_over,
                    std::function<void()> done, std::function<void()> over);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_HANDSHAKE_WATCH_H_
