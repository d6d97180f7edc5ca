#include "common/tls/dial.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/time/http_date.h"

namespace mc {
namespace {

constexpr size_t kMaxAddresses = 16;
constexpr size_t kMaxHeaderBytes = 16 << 10;
constexpr size_t kMaxTextBytes = 128;
constexpr size_t kMaxSchemes = 16;
constexpr size_t kReceiveBytes = 4096;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// 0 when the socket is ready.
int WaitFor(int fd, short events, const Deadline& deadline) {
  while (true) {
    const absl::Duration left = deadline.Left();
    if (left <= absl::ZeroDuration()) return ETIMEDOUT;
    pollfd entry = {fd, events, 0};
    const int ready =
        poll(&entry, 1,
             static_cast<int>(absl::ToInt64Milliseconds(std::min(
                 absl::Ceil(left, absl::Milliseconds(1)), absl::Minutes(10)))));
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
  }
}

struct Endpoint {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

absl::StatusOr<Endpoint> NumericEndpoint(const std::string& address, int port) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (getaddrinfo(address.c_str(), absl::StrCat(port).c_str(), &hints, &list) !=
      0) {
    return absl::InvalidArgumentError(absl::StrCat(address, " is no address"));
  }
  const Addresses owner(list);
  Endpoint endpoint;
  std::memcpy(&endpoint.storage, list->ai_addr, list->ai_addrlen);
  endpoint.size = list->ai_addrlen;
  return endpoint;
}

std::string NumericText(const sockaddr* address, socklen_t size) {
  char text[NI_MAXHOST];
  return getnameinfo(address, size, text, sizeof(text), nullptr, 0,
                     NI_NUMERICHOST) == 0
             ? text
             : "";
}

// The kernel chooses a source address when a datagram socket is connected;
// nothing is sent.
std::string SourceFor(const std::string& address) {
  constexpr int kAnyPort = 9;
  const absl::StatusOr<Endpoint> to = NumericEndpoint(address, kAnyPort);
  if (!to.ok()) return "";
  const Socket socket(
      ::socket(to->get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  Endpoint from;
  from.size = sizeof(from.storage);
  if (!socket.open() || connect(socket.get(), to->get(), to->size) != 0 ||
      getsockname(socket.get(), reinterpret_cast<sockaddr*>(&from.storage),
                  &from.size) != 0) {
    return "";
  }
  return NumericText(from.get(), from.size);
}

int DialOne(const std::string& address, int port, const Deadline& deadline,
            Socket& out) {
  const absl::StatusOr<Endpoint> to = NumericEndpoint(address, port);
  if (!to.ok()) return EINVAL;
  Socket socket(::socket(to->get()->sa_family,
                         SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.open()) return errno;
  if (connect(socket.get(), to->get(), to->size) != 0) {
    if (errno != EINPROGRESS) return errno;
    const int waited = WaitFor(socket.get(), POLLOUT, deadline);
    if (waited != 0) return waited;
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
      return errno;
    }
    if (error != 0) return error;
  }
  out = std::move(socket);
  return 0;
}

std::string Printable(std::string_view text) {
  std::string result(text.substr(0, kMaxTextBytes));
  for (char& c : result) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return result;
}

// The head of an HTTP response (RFC 9112, 4); status stays 0 for anything else.
void ReadHead(std::string_view head, ProxyAnswer& answer) {
  std::vector<std::string_view> lines;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    lines.push_back(head.substr(0, end));
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  if (lines.empty()) return;
  const std::string_view line = lines.front();
  int status = 0;
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ' ||
      !absl::SimpleAtoi(absl::string_view(line.data() + 9, 3), &status) ||
      status < 100) {
    return;
  }
  answer.status = status;
  if (line.size() > 13) answer.reason = Printable(line.substr(13));
  for (const std::string_view field : lines) {
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos) continue;
    const absl::string_view name(field.data(), colon);
    const absl::string_view rest = absl::StripAsciiWhitespace(
        absl::string_view(field.data() + colon + 1, field.size() - colon - 1));
    if (absl::EqualsIgnoreCase(name, "proxy-authenticate") &&
        answer.schemes.size() < kMaxSchemes) {
      const absl::string_view scheme = rest.substr(0, rest.find(' '));
      answer.schemes.push_back(
          Printable(std::string_view(scheme.data(), scheme.size())));
    } else if (absl::EqualsIgnoreCase(name, "date")) {
      answer.date = ParseHttpDate(std::string_view(rest.data(), rest.size()));
    }
  }
}

}  // namespace

absl::Duration Deadline::Left() const {
  return std::max(absl::ZeroDuration(), end_ - clock_->SinceBoot());
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

int Socket::Send(std::string_view bytes, const Deadline& deadline) const {
  while (!bytes.empty()) {
    const ssize_t count =
        send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      bytes.remove_prefix(count);
    } else if (errno == EAGAIN) {
      const int waited = WaitFor(fd_, POLLOUT, deadline);
      if (waited != 0) return waited;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int Socket::Receive(std::string& bytes, const Deadline& deadline) const {
  char buffer[kReceiveBytes];
  while (true) {
    const int waited = WaitFor(fd_, POLLIN, deadline);
    if (waited != 0) return waited;
    const ssize_t count = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (count >= 0) {
      bytes.append(buffer, count);
      return 0;
    }
    if (errno != EAGAIN && errno != EINTR) return errno;
  }
}

absl::StatusOr<std::vector<DialedAddress>> Resolve(const std::string& host,
                                                   const Deadline& deadline) {
  struct Lookup {
    std::string host;
    int error = 0;
    int system_error = 0;
    Addresses list;
    absl::Notification done;
  };
  auto lookup = std::make_shared<Lookup>();
  lookup->host = host;
  // The resolver knows no deadline: where it is late, its thread ends by
  // itself, with what it shares.
  std::thread([lookup] {
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    lookup->error = getaddrinfo(lookup->host.c_str(), nullptr, &hints, &list);
    lookup->system_error = errno;
    if (lookup->error == 0) lookup->list.reset(list);
    lookup->done.Notify();
  }).detach();
  if (!lookup->done.WaitForNotificationWithTimeout(deadline.Left())) {
    return absl::DeadlineExceededError(
        absl::StrCat("no name server answered for ", host));
  }
  if (lookup->error != 0) {
    const std::string words =
        lookup->error == EAI_SYSTEM
            ? std::generic_category().message(lookup->system_error)
            : gai_strerror(lookup->error);
    const std::string text = absl::StrCat(host, " cannot be resolved: ", words);
    return lookup->error == EAI_NONAME || lookup->error == EAI_NODATA
               ? absl::NotFoundError(text)
               : absl::UnavailableError(text);
  }
  std::vector<DialedAddress> addresses;
  for (const addrinfo* entry = lookup->list.get();
       entry != nullptr && addresses.size() < kMaxAddresses;
       entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    DialedAddress address;
    address.address = NumericText(entry->ai_addr, entry->ai_addrlen);
    address.source = SourceFor(address.address);
    addresses.push_back(std::move(address));
  }
  if (addresses.empty()) {
    return absl::NotFoundError(absl::StrCat(host, " has no address"));
  }
  return addresses;
}

Socket Dial(std::vector<DialedAddress>& addresses, int port,
            const Deadline& deadline) {
  Socket socket;
  for (size_t i = 0; i < addresses.size() && !socket.open(); ++i) {
    const Deadline share(
        deadline.clock(),
        deadline.Left() / static_cast<int64_t>(addresses.size() - i));
    addresses[i].tried = true;
    addresses[i].error = DialOne(addresses[i].address, port, share, socket);
  }
  return socket;
}

ProxyAnswer Connect(const Socket& socket, const HttpProxy& proxy,
                    const std::string& host, int port,
                    const Deadline& deadline) {
  const std::string target = HostPort(host, port);
  std::string request =
      absl::StrCat("CONNECT ", target, " HTTP/1.1\r\nHost: ", target, "\r\n");
  if (!proxy.user_name.empty()) {
    absl::StrAppend(
        &request, "Proxy-Authorization: Basic ",
        absl::Base64Escape(absl::StrCat(proxy.user_name, ":", proxy.password)),
        "\r\n");
  }
  request += "\r\n";
  ProxyAnswer answer;
  answer.error = socket.Send(request, deadline);
  if (answer.error != 0) return answer;
  std::string received;
  size_t end = std::string::npos;
  while (end == std::string::npos && received.size() < kMaxHeaderBytes) {
    const size_t before = received.size();
    answer.error = socket.Receive(received, deadline);
    if (answer.error != 0) return answer;
    if (received.size() == before) {
      // What it said before it hung up may still be an answer.
      if (received.empty()) answer.error = ECONNRESET;
      break;
    }
    end = received.find("\r\n\r\n");
  }
  ReadHead(std::string_view(received).substr(0, end), answer);
  return answer;
}

std::string HostPort(const std::string& host, int port) {
  return host.find(':') == std::string::npos
             ? absl::StrCat(host, ":", port)
             : absl::StrCat("[", host, "]:", port);
}

absl::StatusOr<std::pair<std::string, int>> SplitHostPort(
    const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon != std::string::npos && colon > 0 &&
      absl::SimpleAtoi(address.substr(colon + 1), &port) && port > 0 &&
      port <= 65535) {
    std::string host = address.substr(0, colon);
    const bool brackets =
        host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    if (brackets == (host.find(':') != std::string::npos)) {
      return std::make_pair(std::move(host), port);
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", address, "\" is not host:port"));
}

bool IsNumericAddress(const std::string& host) {
  in6_addr storage;
  return inet_pton(AF_INET, host.c_str(), &storage) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &storage) == 1;
}

}  // namespace mc
