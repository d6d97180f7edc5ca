// What a connection begins with: PROXY headers, TLS's first record, HTTP/2's
// frames and header blocks; and the names and addresses that come with a call.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/metrics/metrics.h"
#include "common/retry/rate_limit.h"
#include "common/tls/frame_guard.h"
#include "common/tls/identity_cache.h"
#include "mc-service/edge/address.h"
#include "mc-service/edge/call_limit.h"
#include "mc-service/edge/first_bytes.h"
#include "mc-service/edge/policy.h"
#include "mc-service/edge/proxy_header.h"
#include "mc-service/enroll/client_address.h"
#include "mc-service/enroll/enrollment_limits.h"
#include "missioncontrol/v1/installation.pb.h"
#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

// A connection from which the bytes came.
class Connection {
 public:
  Connection() {
    Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                         fds_) == 0,
            "there are sockets");
  }
  ~Connection() {
    ::close(fds_[0]);
    ::close(fds_[1]);
  }
  void Send(std::string_view bytes) {
    Require(::send(fds_[1], bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(bytes.size()),
            "a socket takes an input at once");
  }
  int fd() const { return fds_[0]; }
  // What nobody has read yet.
  std::string Rest() {
    std::string rest;
    char bytes[4096];
    for (ssize_t got; (got = ::recv(fds_[0], bytes, sizeof(bytes), 0)) > 0;) {
      rest.append(bytes, static_cast<size_t>(got));
    }
    return rest;
  }

 private:
  int fds_[2];
};

void ProxyHeader(std::string_view bytes) {
  Connection whole;
  whole.Send(bytes);
  std::string header;
  const service::FirstBytes read = service::ReadProxyHeader(whole.fd(), header);
  Require(header == bytes.substr(0, header.size()) &&
              whole.Rest() == bytes.substr(header.size()),
          "what is behind the header stays where it is");

  // The same, as it comes in pieces.
  Connection slow;
  std::string pieces;
  service::FirstBytes last = service::FirstBytes::kIncomplete;
  for (size_t at = 0;
       at < bytes.size() && last == service::FirstBytes::kIncomplete; ++at) {
    slow.Send(bytes.substr(at, 1));
    last = service::ReadProxyHeader(slow.fd(), pieces);
  }
  Require(last == read && pieces == header,
          "a header says the same in how many pieces it comes");

  const auto source = service::ParseProxyHeader(bytes);
  const bool complete = read == service::FirstBytes::kComplete;
  Require(!source.ok() || (complete && header == bytes),
          "a header that says something is whole");
  if (!complete) return;
  Require(
      header.size() <= service::kProxyPrefixBytes + service::kMaxProxyBodyBytes,
      "a header has its bound");
  const auto told = service::ParseProxyHeader(header);
  if (!told.ok() || !told->has_value()) return;
  const service::Endpoint& endpoint = **told;
  const auto address = service::IpAddress::Parse(endpoint.address.ToString());
  Require(address.ok() && *address == endpoint.address,
          "an address that was told can be written and read");
  Require(
      service::AddressOf(endpoint.GrpcPeer()) == endpoint.address.ToString(),
      "and is found again in a peer's name");
}

void ClientHello(std::string_view bytes) {
  Connection connection;
  connection.Send(bytes);
  const service::FirstBytes first =
      service::LookForClientHello(connection.fd());
  Require(connection.Rest() == bytes, "who looks takes nothing away");
  constexpr size_t kHeader = 5;
  if (first != service::FirstBytes::kComplete) return;
  const size_t size = static_cast<unsigned char>(bytes[3]) << 8 |
                      static_cast<unsigned char>(bytes[4]);
  Require(bytes[0] == 22 && bytes[1] == 3 && size >= 4 &&
              bytes.size() >= kHeader + size,
          "a record that is called whole is one of a handshake");
}

// Runs the guard over the bytes in pieces of `piece`; what it says.
std::string_view Guard(std::string_view bytes, size_t piece, RateLimit* all) {
  const FrameGuard::Limits limits;
  FrameGuard guard(limits, all, "client");
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    // A copy: AddressSanitizer sees what is read behind its end.
    const std::unique_ptr<char[]> copy(new char[part.size()]);
    std::copy(part.begin(), part.end(), copy.get());
    const char* why = guard.Take({copy.get(), part.size()}, absl::Hours(1));
    if (why != nullptr) return why;
    bytes.remove_prefix(part.size());
  }
  return "";
}

// HTTP/2 behind the preface.
void Frames(std::string_view bytes) {
  const std::string input = std::string(24, ' ').append(bytes);
  const std::string_view whole = Guard(input, input.size(), nullptr);
  for (const size_t piece : {size_t{1}, size_t{7}, input.size() / 2 + 1}) {
    Require(Guard(input, piece, nullptr).empty() == whole.empty(),
            "frames are judged alike in how many pieces they come");
  }
  SimulatedClock clock(absl::UnixEpoch());
  RateLimit streams({.burst = 2, .per_second = 1, .clock = &clock});
  const std::string_view limited = Guard(input, input.size(), &streams);
  Require(whole.empty() || !limited.empty(), "a client's limit allows nothing");
}

void HeaderBlock(std::string_view bytes) {
  const JudgedBlock whole = JudgeHeaderBlock(bytes);
  Require(whole.whole_bytes <= bytes.size(), "a block has no more than it has");
  // What came so far is judged as a part of it.
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const JudgedBlock part = JudgeHeaderBlock(bytes.substr(0, size));
    Require(
        part.whole_bytes <= whole.whole_bytes && part.resizes <= whole.resizes,
        "a block's beginning holds no more than all of it");
    Require(part.why == nullptr || std::string_view(part.why) == whole.why,
            "what is wrong stays so");
    if (size != whole.whole_bytes || whole.why != nullptr) continue;
    Require(part.whole_bytes == size && part.resizes == whole.resizes,
            "the fields that are whole are judged as a block");
  }
  if (whole.why != nullptr) return;
  const JudgedBlock rest = JudgeHeaderBlock(bytes.substr(whole.whole_bytes));
  Require(rest.why == nullptr && rest.whole_bytes == 0,
          "what is not whole is no field");
}

void AppendInteger(size_t value, int prefix_bits, uint8_t first,
                   std::string& block) {
  const size_t most = (size_t{1} << prefix_bits) - 1;
  if (value < most) {
    block += static_cast<char>(first | value);
    return;
  }
  block += static_cast<char>(first | most);
  for (value -= most; value >= 0x80; value >>= 7) {
    block += static_cast<char>(0x80 | (value & 0x7f));
  }
  block += static_cast<char>(value);
}

void AppendString(std::string_view text, std::string& block) {
  AppendInteger(text.size(), 7, 0, block);
  block.append(text);
}

// What an encoder may write (RFC 7541, 6): lines of name and value, whose first
// letter chooses the form.
void EncodedHeaders(std::string_view lines) {
  constexpr std::string_view kFatal = "grpclb_client_stats";
  constexpr uint8_t kForms[] = {0x40, 0x00, 0x10};
  std::string block;
  bool fatal = false;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.empty()) continue;
    const size_t form = static_cast<unsigned char>(line[0]) % 5;
    const size_t colon = std::min(line.find(':', 1), line.size());
    const std::string_view name = line.substr(1, colon - 1);
    if (form == 3) {
      AppendInteger(1 + name.size() * 1000, 7, 0x80, block);
    } else if (form == 4) {
      AppendInteger(1 + name.size() * 1000, 6, 0x40, block);
      AppendString(line.substr(colon), block);
    } else {
      block += static_cast<char>(kForms[form]);
      AppendString(name, block);
      AppendString(line.substr(colon), block);
      fatal = fatal || name == kFatal;
    }
  }
  const JudgedBlock judged = JudgeHeaderBlock(block);
  Require((judged.why != nullptr) == fatal,
          "of what an encoder writes one name alone is refused");
  Require(fatal || (judged.whole_bytes == block.size() && judged.resizes == 0),
          "fields are read as they were written");
}

void Networks(std::string_view text) {
  const auto address = service::IpAddress::Parse(text);
  const auto network = service::Network::Parse(text);
  if (address.ok()) {
    const auto again = service::IpAddress::Parse(address->ToString());
    Require(again.ok() && *again == *address, "an address has a text");
    Require(network.ok() && network->Contains(*address),
            "an address is a network of one");
    Require(address->Site().Site() == address->Site(), "a site is its own");
    const std::string group = service::AddressGroup(address->ToString());
    Require(!group.empty(), "an address has a group");
  }
  service::AddressGroup(text);
}

// What gRPC, or the front, says of a peer; it goes into limits and logs.
void Peers(std::string_view peer) {
  const std::string address = service::AddressOf(peer);
  Require(address.size() <= peer.size(), "an address is a part of its peer");
  service::AddressGroup(address);
  SimulatedClock clock(absl::UnixEpoch());
  Metrics metrics;
  service::EnrollmentLimits limits({.per_minute_per_address = 2,
                                    .per_minute_per_license = 2,
                                    .clock = &clock,
                                    .metrics = &metrics});
  missioncontrol::v1::InstallRequest request;
  request.set_license_key(std::string(peer));
  for (int i = 0; i < 3; ++i) {
    const bool first = i < 2;
    Require(limits.TakeAddress(address).ok() == first &&
                limits.TakeLicense(address, &request).ok() == first,
            "an address and a license have their limits");
  }
}

// HTTP/2's :path.
void Methods(std::string_view path) {
  using service::Listener;
  for (const bool reflection : {false, true}) {
    int named = 0;
    for (const Listener listener :
         {Listener::kEnrollment, Listener::kCluster, Listener::kOperator}) {
      const auto* policy = service::FindPolicy(path, listener, reflection);
      if (policy == nullptr) continue;
      Require(policy->full_method == path, "a policy is of its method alone");
      ++named;
    }
    const auto policies = service::Policies();
    Require(named == 0 || std::any_of(policies.begin(), policies.end(),
                                      [&](const service::MethodPolicy& policy) {
                                        return policy.full_method == path;
                                      }),
            "what no table names is denied");
  }
  SimulatedClock clock(absl::UnixEpoch());
  PeerIdentityCache identities;
  service::CallLimit calls({.calls_per_second = 1,
                            .clock = &clock,
                            .identities = &identities,
                            .on_refused = nullptr});
  for (int i = 0; i < 3; ++i) {
    calls.Begins("cluster");
    calls.Take("cluster", "peer", path).IgnoreError();
  }
}

// The certificate that a handshake has shown.
void Certificates(std::string_view pem) {
  static auto& cache = *new PeerIdentityCache(4);
  const auto identity = IdentityOfCertificate(pem);
  for (int i = 0; i < 2; ++i) {
    const auto kept = cache.OfCertificate(pem);
    Require(kept.ok() == identity.ok() &&
                (!kept.ok() || ((*kept)->id == identity->id &&
                                (*kept)->kind == identity->kind &&
                                (*kept)->not_after == identity->not_after)),
            "a certificate is whose it is, however often it comes");
  }
}

constexpr Parser kParsers[] = {
    {"proxy_header", ProxyHeader},
    {"client_hello", ClientHello},
    {"frames", Frames},
    {"header_block", HeaderBlock},
    {"headers", EncodedHeaders},
    {"network", Networks},
    {"peer", Peers},
    {"method", Methods},
    {"certificate", Certificates},
};

}  // namespace

std::span<const Parser> Parsers() { return kParsers; }

}  // namespace mc::fuzz
