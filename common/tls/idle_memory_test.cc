#include "common/tls/idle_memory.h"

#include <openssl/ssl.h>

#include "common/crypto/openssl.h"
#include "gtest/gtest.h"

namespace mc {
namespace {

using Context = openssl::Owner<SSL_CTX, SSL_CTX_free>;

TEST(IdleMemory, ContextsMadeAfterwardsReleaseTheirBuffers) {
  const Context before(SSL_CTX_new(TLS_method()));
  EXPECT_EQ(SSL_CTX_get_mode(before.get()) & SSL_MODE_RELEASE_BUFFERS, 0);
  KeepNoIdleTlsBuffers();
  KeepNoIdleTlsBuffers();
  const Context after(SSL_CTX_new(TLS_method()));
  EXPECT_NE(SSL_CTX_get_mode(after.get()) & SSL_MODE_RELEASE_BUFFERS, 0);
}

}  // namespace
}  // namespace mc
