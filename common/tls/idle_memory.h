// What a TLS connection keeps while nothing is sent on it.
#ifndef COMMON_TLS_IDLE_MEMORY_H_
#define COMMON_TLS_IDLE_MEMORY_H_

namespace mc {

// From now on TLS connections of this process give their record buffers (twice
// 17 kB) back while they are idle: SSL_MODE_RELEASE_BUFFERS, which gRPC does
// not set by itself. For servers with many connections, before the first of
// them. Thread-safe.
void KeepNoIdleTlsBuffers();

}  // namespace mc

#endif  // COMMON_TLS_IDLE_MEMORY_H_
