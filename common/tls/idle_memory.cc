#include "common/tls/idle_memory.h"

#include <openssl/ssl.h>

#include "common/crypto/openssl.h"

namespace mc {
namespace {

// OpenSSL calls this for each context that is made, whoever makes it.
void ReleaseBuffers(void* context, void* /*data*/, CRYPTO_EX_DATA* /*all*/,
                    int /*index*/, long /*argl*/,  // NOLINT: OpenSSL's type
                    void* /*argp*/) {
  SSL_CTX_set_mode(static_cast<SSL_CTX*>(context), SSL_MODE_RELEASE_BUFFERS);
}

}  // namespace

void KeepNoIdleTlsBuffers() {
  static const int index =
      SSL_CTX_get_ex_new_index(0, nullptr, ReleaseBuffers, nullptr, nullptr);
  openssl::Must(index >= 0);
}

}  // namespace mc
