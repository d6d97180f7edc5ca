// Short texts from outside: keys, tokens, rules, dates, versions, addresses.
#include "cluster-agent/domain/mastership/lease_config.h"
#include "cluster-agent/domain/proxy/no_proxy.h"
#include "cluster-agent/domain/site/join_token.h"
#include "common/crypto/digest.h"
#include "common/crypto/license_key.h"
#include "common/time/http_date.h"
#include "common/time/proto_time.h"
#include "common/tls/dial.h"
#include "common/wire/grammar.h"
#include "mc-service/domain/fleet/page_token.h"
#include "mc-service/domain/updates/version.h"
#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

void LicenseKey(std::string_view text) {
  const bool good = CheckLicenseKey(text).ok();
  const std::string masked = MaskLicenseKey(text);
  const std::string last = LicenseKeyLastGroup(text);
  Require(good == !last.empty(), "well-formed keys alone have a last group");
  if (!good) return;
  Require(masked.find(text) == std::string::npos,
          "a masked key does not show the key");
  Require(MaskedFromLastGroup(last) == masked, "one way to mask");
}

void JoinTokens(std::string_view text) {
  const auto token = agent::ParseJoinToken(text);
  if (!token.ok()) {
    Require(token.status() == agent::ParseJoinToken("").status(),
            "an error does not repeat a secret");
    return;
  }
  const auto again = agent::ParseJoinToken(agent::FormatJoinToken(*token));
  Require(again.ok() && again->secret == token->secret &&
              again->ca_sha256 == token->ca_sha256,
          "a token that is accepted is accepted again");
}

void PageToken(std::string_view text) {
  const auto page = service::ParsePage("clusters", 0, text);
  if (!page.ok() || text.empty()) return;
  Require(service::MakePageToken("clusters", page->after) == text,
          "a page token has one form");
  Require(!service::ParsePage("accounts", 0, text).ok(),
          "a page token is good for its own listing alone");
}

void NoProxy(std::string_view text) {
  for (const agent::NoProxyRule& rule : agent::ParseNoProxyVariable(text)) {
    for (const char* host : {"example.com", "www.example.com.", "10.1.2.3",
                             "::1", "2001:db8::1", ""}) {
      const bool matches = rule.Matches(host, 443);
      Require(!rule.everything() || matches, "* matches everything");
    }
  }
  const auto rule = agent::NoProxyRule::Parse(text);
  Require(!rule.ok() || text.find('\0') == std::string_view::npos,
          "no rule holds NUL");
  const std::string host(text);
  agent::IsThisMachine(host);
  const auto address = agent::ParseNumericAddress(text);
  if (!address.has_value()) return;
  Require(text.find('\0') == std::string_view::npos, "no address holds NUL");
  const auto self = agent::NoProxyRule::Parse(text);
  Require(self.ok() && self->Matches(host, 443), "an address matches itself");
}

void HttpDates(std::string_view text) {
  const absl::Time time = ParseHttpDate(text);
  if (time == absl::InfinitePast()) return;
  Require(HttpDate(time) == text, "a date of HTTP has one form");
}

void Times(std::string_view text) {
  const auto time = ParseRfc3339(text);
  if (!time.ok()) return;
  const auto proto = FromProto(ToProto(*time));
  Require(proto.ok(), "a time that is read is one that can be sent");
  Require(absl::AbsDuration(*proto - *time) < absl::Nanoseconds(1),
          "a time stays what it was");
}

// Two versions, one in each line.
void Versions(std::string_view text) {
  const size_t end = text.find('\n');
  const std::string_view a = text.substr(0, end);
  const std::string_view b =
      end == std::string_view::npos ? a : text.substr(end + 1);
  const int forward = service::CompareVersions(a, b);
  const int backward = service::CompareVersions(b, a);
  Require((forward < 0) == (backward > 0) && (forward == 0) == (backward == 0),
          "versions have an order");
  Require(service::CompareVersions(a, a) == 0, "a version is as old as itself");
  if (service::IsReleaseVersion(a)) {
    Require(a.size() <= 64, "a version has 64 characters at most");
  }
}

void Addresses(std::string_view text) {
  const std::string address(text);
  const auto parts = SplitHostPort(address);
  if (parts.ok()) {
    Require(parts->second > 0 && parts->second <= 65535, "a port is one");
    const auto again = SplitHostPort(HostPort(parts->first, parts->second));
    Require(again.ok() && *again == *parts,
            "an address that is accepted is accepted again");
  }
  const auto server = agent::ParseApiServer(text);
  if (server.ok()) {
    Require(!server->host.empty() && server->port > 0 && server->port <= 65535,
            "an API server has a host and a port");
  }
  IsNumericAddress(address);
}

// The first byte chooses the format.
void Formats(std::string_view text) {
  if (text.empty()) return;
  const auto format = static_cast<missioncontrol::v1::Format>(
      static_cast<unsigned char>(text[0]) %
      (missioncontrol::v1::Format_MAX + 1));
  const std::string_view value = text.substr(1);
  const char* problem = FormatProblem(format, value);
  Require(!value.empty() || problem == nullptr,
          "an empty text obeys every format");
}

void HexText(std::string_view text) {
  const auto bytes = FromHex(text);
  IsUuid(text);
  if (!bytes.ok()) return;
  Require(bytes->size() * 2 == text.size() && *FromHex(Hex(*bytes)) == *bytes,
          "hexadecimal says the same again");
}

constexpr Parser kParsers[] = {
    {"license_key", LicenseKey}, {"join_token", JoinTokens},
    {"page_token", PageToken},   {"no_proxy", NoProxy},
    {"http_date", HttpDates},    {"rfc3339", Times},
    {"versions", Versions},      {"address", Addresses},
    {"format", Formats},         {"hex", HexText},
};

}  // namespace

std::span<const Parser> Parsers() { return kParsers; }

}  // namespace mc::fuzz
