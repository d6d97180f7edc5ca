// HTTP: what proxies and API servers answer, and what is asked of our own
// server.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "cluster-agent/domain/proxy/cause.h"
#include "cluster-agent/mastership/lease_json.h"
#include "common/time/clock.h"
#include "common/tls/dial.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/http_peers.h"

namespace mc::fuzz {
namespace {

bool IsPrintable(const std::string& text) {
  return text.size() <= 4096 &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~'; });
}

void ProxyAnswers(std::string_view bytes) {
  int pair[2];
  Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                       pair) == 0,
          "there are sockets");
  const Socket ours(pair[0]);
  const Socket proxy(pair[1]);
  const RealClock clock;
  const Deadline deadline(clock, absl::Seconds(5));
  // What a socket takes at once is more than a proxy's answer may be.
  (void)!::write(proxy.get(), bytes.data(), bytes.size());
  ::shutdown(proxy.get(), SHUT_WR);
  const ProxyAnswer answer = Connect(
      ours, {.host = "proxy", .port = 3128, .user_name = "", .password = ""},
      "example.com", 443, deadline);
  Require(answer.status >= 0 && answer.status <= 999, "a status has 3 digits");
  Require(IsPrintable(answer.reason), "the reason can be shown");
  Require(answer.schemes.size() <= 16, "schemes are bounded");
  for (const std::string& scheme : answer.schemes) {
    Require(IsPrintable(scheme), "a scheme can be shown");
  }
  Require(answer.date < absl::InfiniteFuture(), "a date is one");
  Require(IsPrintable(agent::ProxyAdvice(answer, true)),
          "what to do can be shown");
}

void LeaseAnswers(std::string_view json) {
  Require(agent::MessageOf(json).size() <= 300, "messages are bounded");
  const auto lease = agent::ParseLease(json);
  if (!lease.ok()) return;
  Require(lease->duration >= absl::ZeroDuration(), "a lease has a duration");
  const auto written = agent::LeaseJson(*lease, "default", "agent");
  Require(written.ok(), "a lease that is read can be written");
  const auto again = agent::ParseLease(*written);
  Require(again.ok(), "and read again");
  Require(again->duration == lease->duration &&
              again->transitions == lease->transitions,
          "and says the same");
}

void MetricsRequests(std::string_view bytes) {
  const std::string answer = AskMetricsServer(bytes);
  Require(answer.empty() || answer.starts_with("HTTP/1."),
          "what is answered is HTTP");
  Require(answer.size() <= 64 << 10, "answers are small");
}

void ApiServers(std::string_view bytes) {
  const auto lease = LeaseOfAnswer(bytes);
  if (lease.ok()) {
    Require(
        bytes.starts_with("HTTP/1.") && lease->object.size() <= bytes.size(),
        "a lease is what was answered");
    return;
  }
  const absl::string_view message = lease.status().message();
  Require(message.size() <= 1000 && message.find('\n') == message.npos,
          "an error is one line");
  Require(message.find("secret") == message.npos ||
              bytes.find("secret") != bytes.npos,
          "an error does not hold the token");
}

constexpr Parser kParsers[] = {
    {"proxy", ProxyAnswers},
    {"lease", LeaseAnswers},
    {"metrics", MetricsRequests},
    {"api_server", ApiServers},
};

}  // namespace

std::span<const Parser> Parsers() { return kParsers; }

}  // namespace mc::fuzz
