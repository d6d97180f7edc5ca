#include "common/metrics/metrics_server.h"

#include <httplib.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mc {
namespace {

constexpr int kThreads = 4;
constexpr char kText[] = "text/plain; version=0.0.4; charset=utf-8";

class HttpMetricsServer : public MetricsServer {
 public:
  HttpMetricsServer(const Metrics* metrics, std::function<bool()> ready) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    // Not SO_REUSEPORT, the library's default: a second process on the same
    // port must fail, and not take half of the requests.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server_.set_payload_max_length(1024);
    // One request a connection: an idle one would hold a thread, and a few
    // scrapers could then keep a probe waiting until it fails.
    server_.set_keep_alive_max_count(1);
    server_.set_read_timeout(5);
    server_.set_write_timeout(5);
    server_.Get("/metrics", [metrics](const auto&, auto& response) {
      response.set_content(metrics->Text(), kText);
    });
    server_.Get("/healthz", [](const auto&, auto& response) {
      response.set_content("ok\n", kText);
    });
    server_.Get(
        "/readyz", [ready = std::move(ready)](const auto&, auto& response) {
          const bool is_ready = ready();
          response.status = is_ready ? 200 : 503;
          response.set_content(is_ready ? "ok\n" : "not ready\n", kText);
        });
  }

  ~HttpMetricsServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& host, int port) {
    if (port == 0) {
      port_ = server_.bind_to_any_port(host.c_str());
    } else {
      port_ = server_.bind_to_port(host.c_str(), port) ? port : -1;
    }
    if (port_ < 0) {
      return absl::UnavailableError(absl::StrCat(
          "cannot listen on ", host, ":", port,
          ": is the address this machine's, and is the port free?"));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() before the loop has begun would not end it.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  httplib::Server server_;
  std::thread thread_;
  int port_ = -1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& host, int port, const Metrics* metrics,
    std::function<bool()> ready) {
  auto server = std::make_unique<HttpMetricsServer>(metrics, std::move(ready));
  if (absl::Status status = server->Listen(host, port); !status.ok()) {
    return status;
  }
  return std::unique_ptr<MetricsServer>(std::move(server));
}

}  // namespace mc
