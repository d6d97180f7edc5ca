#include "common/tls/renewing_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <utility>

namespace mc {
namespace {

// gRPC's C++ interface has credentials that are read once; its C interface
// also has those that are asked for at each handshake.
class Renewing : public grpc::ServerCredentials {
 public:
#ifdef MC_GRPC_CREDENTIALS_WRAP
  // Newer gRPC keeps and releases what it wraps.
  Renewing(bool client_certificates, NextServerTls next)
      : ServerCredentials(Make(client_certificates, this)),
        next_(std::move(next)) {}
#else
  Renewing(bool client_certificates, NextServerTls next)
      : next_(std::move(next)), credentials_(Make(client_certificates, this)) {}
  ~Renewing() override { grpc_server_credentials_release(credentials_); }
#endif

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  // It asks `renewing` when a port is added, not before.
  static grpc_server_credentials* Make(bool client_certificates,
                                       void* renewing) {
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            client_certificates
                ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            &Renewing::Fetch, renewing));
  }

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    const absl::StatusOr<std::optional<ServerTls>> tls =
        static_cast<Renewing*>(self)->next_();
    if (!tls.ok()) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    if (!tls->has_value()) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const ServerTls& next = **tls;
    const grpc_ssl_pem_key_cert_pair pair = {next.key_pem.c_str(),
                                             next.cert_chain_pem.c_str()};
    // gRPC wants an authority of clients also where it asks for none.
    const std::string& clients =
        next.client_ca_pem.empty() ? next.cert_chain_pem : next.client_ca_pem;
    *config =
        grpc_ssl_server_certificate_config_create(clients.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const NextServerTls next_;

#ifndef MC_GRPC_CREDENTIALS_WRAP
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
#endif
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> RenewingServerCredentials(
    bool client_certificates, NextServerTls next) {
  return std::make_shared<Renewing>(client_certificates, std::move(next));
}

}  // namespace mc
