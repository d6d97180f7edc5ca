#include "cluster-agent/exchange/channel.h"

#include <algorithm>
#include <climits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/tls/credentials.h"

namespace mc::agent {
namespace {

// The service's listeners allow a ping every 20 s; middleboxes cut a
// connection that is idle for about a minute.
constexpr absl::Duration kKeepaliveTime = absl::Seconds(40);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
// How long a handshake may take.
constexpr absl::Duration kConnectTimeout = absl::Seconds(10);
// What the service may answer.
constexpr int kMaxMessageBytes = 4 << 20;
constexpr int kMaxMetadataBytes = 16 << 10;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), INT_MAX));
}

// What gRPC's own handling of proxies sets, too: CONNECT to this host:port, and
// lines of "name:value" that go with it. They are in no header of gRPC's. Its
// own argument for a proxy, grpc.http_proxy, would leave the exclusions to the
// environment's no_proxy.
constexpr char kConnectServer[] = "grpc.http_connect_server";
constexpr char kConnectHeaders[] = "grpc.http_connect_headers";

// What the channel connects to: the proxy or the service itself. The service's
// name is the proxy's to resolve; it stays what the certificate is checked for.
std::string SetProxy(const ChannelOptions& options,
                     grpc::ChannelArguments& arguments) {
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.proxy.has_value()) return options.address;
  const HttpProxy& proxy = *options.proxy;
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, options.address);
  arguments.SetString(kConnectServer, options.address);
  if (!proxy.user_name.empty()) {
    arguments.SetString(
        kConnectHeaders,
        absl::StrCat("Proxy-Authorization:Basic ",
                     absl::Base64Escape(
                         absl::StrCat(proxy.user_name, ":", proxy.password))));
  }
  return HostPort(proxy.host, proxy.port);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const ChannelOptions& options) {
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      MakeChannelCredentials({.root_pem = options.root_pem,
                              .cert_chain_pem = options.cert_chain_pem,
                              .key_pem = options.key_pem});
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                   Milliseconds(kKeepaliveTimeout));
  // Between two exchanges no call may be open.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  // Retries are the schedule's, which knows what is idempotent.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   Milliseconds(options.backoff_initial));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   Milliseconds(kConnectTimeout));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                   Milliseconds(options.backoff_max));
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetCompressionAlgorithm(GRPC_COMPRESS_NONE);
  // Only uncompressed answers: a compressed one is expanded before its size
  // is measured.
  arguments.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1);
  // The process may hold several agents in tests: no shared connections.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (!options.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.server_name);
  }
  const std::string target = SetProxy(options, arguments);
  return grpc::CreateCustomChannel(target, *credentials, arguments);
}

}  // namespace mc::agent
