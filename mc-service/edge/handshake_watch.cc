#include "mc-service/edge/handshake_watch.h"

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "common/crypto/openssl.h"

namespace mc::service {
namespace {

struct Watch {
  std::function<void()> done;
  std::function<void()> over;
};

// Of the hand-over that this thread is in; null: none, or it has its object.
thread_local std::unique_ptr<Watch> expected;

void OnMessage(int written, int /*version*/, int content_type,
               const void* bytes, size_t size, SSL* ssl, void* argument) {
  if (written != 0 || content_type != SSL3_RT_HANDSHAKE || size == 0 ||
      *static_cast<const uint8_t*>(bytes) != SSL3_MT_FINISHED) {
    return;
  }
  SSL_set_msg_callback(ssl, nullptr);
  static_cast<Watch*>(argument)->done();
}

// OpenSSL calls this for each TLS object that is made, whoever makes it.
void OnMade(void* object, void* /*data*/, CRYPTO_EX_DATA* all, int index,
            long /*argl*/,  // NOLINT: OpenSSL's type
            void* /*argp*/) {
  if (expected == nullptr) return;
  auto* ssl = static_cast<SSL*>(object);
  if (CRYPTO_set_ex_data(all, index, expected.get()) != 1) return;
  // It is the object's from here on.
  Watch* watch = expected.release();
  SSL_set_msg_callback(ssl, OnMessage);
  SSL_set_msg_callback_arg(ssl, watch);
}

void OnFreed(void* /*object*/, void* data, CRYPTO_EX_DATA* /*all*/,
             int /*index*/, long /*argl*/,  // NOLINT: OpenSSL's type
             void* /*argp*/) {
  if (data == nullptr) return;
  const std::unique_ptr<Watch> watch(static_cast<Watch*>(data));
  watch->over();
}

}  // namespace

bool WatchHandshake(const std::function<void()>& hand_over,
                    std::function<void()> done, std::function<void()> over) {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, OnMade, nullptr, OnFreed);
  openssl::Must(index >= 0);
  expected = std::make_unique<Watch>(Watch{std::move(done), std::move(over)});
  hand_over();
  const bool watched = expected == nullptr;
  expected = nullptr;
  return watched;
}

}  // namespace mc::service
