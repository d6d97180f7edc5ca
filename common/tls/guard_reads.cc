#include "common/tls/guard_reads.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/log/log.h"
#include "common/retry/rate_limit.h"

namespace mc {
namespace {

struct Installed {
  explicit Installed(GuardOptions values)
      : options(std::move(values)),
        of_client({.burst = options.limits.streams_at_once,
                   .per_second = options.limits.streams_per_second,
                   .clock = options.clock}),
        lines({.burst = 10, .clock = options.clock}) {}

  void OnEnded(std::string_view why) {
    if (options.on_ended) options.on_ended();
    if (lines.Take(why) > absl::ZeroDuration()) return;
    LogWarning("a connection was ended", {{"reason", why}});
  }

  const GuardOptions options;
  RateLimit of_client;
  // Whoever comes again and again does not fill the log.
  RateLimit lines;
};

std::atomic<Installed*> installed{nullptr};

// Connections refer to what they began with: it stays. Few are ever made.
void Keep(std::unique_ptr<Installed> made) {
  static absl::Mutex mutex;
  static auto* all = new std::vector<std::unique_ptr<Installed>>;
  absl::MutexLock lock(&mutex);
  installed = made.get();
  all->push_back(std::move(made));
}

void Free(void* /*object*/, void* guard, CRYPTO_EX_DATA* /*all*/, int /*index*/,
          long /*argl*/,  // NOLINT: OpenSSL's type
          void* /*argp*/) {
  delete static_cast<FrameGuard*>(guard);
}

// The names in the client's certificate as they are encoded, which is as good
// as the identity; empty where it has shown none.
std::string ClientOf(SSL* ssl) {
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return "";
  const int at =
      X509_get_ext_by_NID(certificate, NID_subject_alt_name, /*lastpos=*/-1);
  if (at < 0) return "";
  const ASN1_OCTET_STRING* names =
      X509_EXTENSION_get_data(X509_get_ext(certificate, at));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(names)),
          static_cast<size_t>(ASN1_STRING_length(names))};
}

// Null: this connection is not guarded.
FrameGuard* GuardOf(SSL* ssl, Installed& in) {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, Free);
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  if (SSL_is_server(ssl) == 0 || size != 2 || protocol[0] != 'h' ||
      protocol[1] != '2') {
    return nullptr;
  }
  if (void* known = SSL_get_ex_data(ssl, index)) {
    return static_cast<FrameGuard*>(known);
  }
  std::string client = ClientOf(ssl);
  auto made = std::make_unique<FrameGuard>(
      in.options.limits, client.empty() ? nullptr : &in.of_client, client);
  if (SSL_set_ex_data(ssl, index, made.get()) != 1) return nullptr;
  return made.release();
}

}  // namespace

void GuardReads(GuardOptions options) {
  Keep(std::make_unique<Installed>(std::move(options)));
}

void StopGuardingReads() { installed = nullptr; }

}  // namespace mc

// OpenSSL's own name, in its place: see the header.
extern "C" int SSL_read(SSL* ssl, void* buffer, int size) {
  using mc::FrameGuard;
  size_t count = 0;
  if (SSL_read_ex(ssl, buffer, size < 0 ? 0 : static_cast<size_t>(size),
                  &count) != 1) {
    // SSL_get_error tells why, as after SSL_read.
    return -1;
  }
  mc::Installed* in = mc::installed;
  if (in == nullptr) return static_cast<int>(count);
  FrameGuard* guard = mc::GuardOf(ssl, *in);
  if (guard == nullptr) return static_cast<int>(count);
  const char* why = guard->Take({static_cast<const char*>(buffer), count},
                                in->options.clock->SinceBoot());
  if (why == nullptr) return static_cast<int>(count);
  in->OnEnded(why);
  // Nothing of it is read any more; and for an error gRPC closes at once, which
  // it does not for an end of TLS that is as it should be.
  SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
  ERR_raise(ERR_LIB_SSL, SSL_R_UNEXPECTED_MESSAGE);
  return -1;
}
