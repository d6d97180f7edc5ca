#include "tests/fuzz/http_peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "cluster-agent/mastership/kubernetes_lease.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/metrics/metrics_server.h"
#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

const sockaddr* Raw(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Thousands of connections in a minute: none of them waits for its port to be
// free again.
void CloseAtOnce(int fd) {
  const linger none = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  ::close(fd);
}

// A server of TLS on a free port, which answers each connection's first
// request and ends it.
class ApiServer {
 public:
  ApiServer() : context_(::SSL_CTX_new(TLS_server_method())) {
    // A client that goes early ends no process.
    ::signal(SIGPIPE, SIG_IGN);
    const absl::Time now = clock_.Now();
    const auto ca = CertificateAuthority::Create(
        "kubernetes", now - absl::Hours(1), now + absl::Hours(24 * 365));
    const PrivateKey key = PrivateKey::GenerateP256();
    IssueSpec spec;
    spec.spki_der = key.PublicSpkiDer();
    spec.ip_sans = {"127.0.0.1"};
    spec.server_auth = true;
    spec.not_before = now - absl::Hours(1);
    spec.not_after = now + absl::Hours(24 * 365);
    const auto certificate = openssl::CertificateFromDer(*ca->Issue(spec));
    openssl::Must(
        ::SSL_CTX_use_certificate(context_.get(), certificate->get()) == 1 &&
        ::SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
    Require(AtomicWrite(folder_.File("ca.crt"), ca->cert_pem(), 0600).ok() &&
                AtomicWrite(folder_.File("token"), "secret\n", 0600).ok(),
            "files can be written");
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    Require(::bind(socket_, Raw(address), size) == 0 &&
                ::listen(socket_, 16) == 0 &&
                ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address),
                              &size) == 0,
            "there is a port");
    lease_ = agent::MakeKubernetesLease({.host = "127.0.0.1",
                                         .port = ntohs(address.sin_port),
                                         .name_space = "site",
                                         .name = "cluster-agent",
                                         .token_file = folder_.File("token"),
                                         .ca_file = folder_.File("ca.crt"),
                                         .timeout = absl::Seconds(10),
                                         .clock = &clock_});
    std::thread([this] { Serve(); }).detach();
  }

  absl::StatusOr<agent::Lease> Ask(std::string_view answer) {
    {
      const absl::MutexLock lock(&mutex_);
      answer_ = answer;
    }
    return lease_->Get();
  }

 private:
  using Connection = openssl::Owner<SSL, SSL_free>;

  [[noreturn]] void Serve() {
    while (true) {
      const int fd = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      Connection connection(::SSL_new(context_.get()));
      ::SSL_set_fd(connection.get(), fd);
      if (::SSL_accept(connection.get()) == 1) Answer(connection.get());
      ERR_clear_error();
      connection = nullptr;
      CloseAtOnce(fd);
    }
  }

  void Answer(SSL* connection) {
    std::string request;
    char bytes[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const int got = ::SSL_read(connection, bytes, sizeof(bytes));
      if (got <= 0) return;
      request.append(bytes, static_cast<size_t>(got));
    }
    std::string answer;
    {
      const absl::MutexLock lock(&mutex_);
      answer = answer_;
    }
    if (!answer.empty()) {
      ::SSL_write(connection, answer.data(), static_cast<int>(answer.size()));
    }
    ::SSL_shutdown(connection);
    // Until the client has taken all of it, and has gone.
    const int fd = ::SSL_get_fd(connection);
    ::shutdown(fd, SHUT_WR);
    while (::recv(fd, bytes, sizeof(bytes), 0) > 0) {
    }
  }

  const RealClock clock_;
  TempDir folder_;
  openssl::Owner<SSL_CTX, SSL_CTX_free> context_;
  int socket_ = -1;
  absl::Mutex mutex_;
  std::string answer_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<agent::LeaseApi> lease_;
};

}  // namespace

std::string AskMetricsServer(std::string_view bytes) {
  static const Metrics& metrics = *new Metrics();
  static MetricsServer& server = *[] {
    auto started =
        MetricsServer::Start("127.0.0.1", 0, &metrics, [] { return true; });
    Require(started.ok(), "there is a port");
    return started->release();
  }();
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(server.port());
  Require(::connect(fd, Raw(address), sizeof(address)) == 0,
          "the server takes connections");
  (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ::shutdown(fd, SHUT_WR);
  std::string answer;
  char part[4096];
  for (ssize_t got; (got = ::recv(fd, part, sizeof(part), 0)) > 0;) {
    answer.append(part, static_cast<size_t>(got));
  }
  CloseAtOnce(fd);
  return answer;
}

absl::StatusOr<agent::Lease> LeaseOfAnswer(std::string_view bytes) {
  static auto& server = *new ApiServer();
  return server.Ask(bytes);
}

}  // namespace mc::fuzz
