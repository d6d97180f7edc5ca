#include "mc-service/cli/weak_settings.h"

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/crypto/certificate.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"
#include "mc-service/cli/authorities.h"

namespace mc::service {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);
// What `init` issues, with the hour before now.
constexpr absl::Duration kMaxLeafLifetime = absl::Hours(24 * 826);
// NIST SP 800-57: RSA of 2048 bits, which is the least that is still allowed.
constexpr int kMinSecurityBits = 112;

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

// Whether a network is so wide that it means everybody.
bool IsEverybody(std::string_view network) {
  const size_t slash = network.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view bits = network.substr(slash + 1);
  int prefix = 0;
  return absl::SimpleAtoi(absl::string_view(bits.data(), bits.size()),
                          &prefix) &&
         prefix < (network.find(':') == std::string_view::npos ? 8 : 16);
}

class WeakSettings {
 public:
  WeakSettings(const Configuration& configuration,
               std::vector<Problem>& problems)
      : configuration_(configuration),
        values_(configuration.values),
        problems_(problems) {}

  void Run() {
    Listeners();
    Limits();
    Lifetimes();
    Certificates();
  }

 private:
  void Warn(std::string_view key, std::string message) {
    problems_.push_back(
        {Problem::Severity::kWarning,
         absl::StrCat(configuration_.file, ": ",
                      absl::string_view(key.data(), key.size())),
         std::move(message)});
  }
  void WarnOfFile(const std::string& file, std::string message) {
    problems_.push_back(
        {Problem::Severity::kWarning, file, std::move(message)});
  }

  void Listeners() {
    const config::Listeners& listeners = values_.listeners();
    const absl::StatusOr<HostPort> enrollment =
        ParseHostPort(listeners.enrollment().address());
    if (!values_.has_enrollment_front() && enrollment.ok() &&
        !IsLoopback(enrollment->host)) {
      Warn("enrollment_front",
           "strangers reach the process that has the store and the CA keys; "
           "set enrollment_front.socket and run `mc-service enroll-front` "
           "beside it");
    }
    for (const auto& [name, listener] :
         {std::pair("enrollment", &listeners.enrollment()),
          std::pair("cluster", &listeners.cluster()),
          std::pair("operator", &listeners.operator_())}) {
      for (const std::string& network : listener->proxy_protocol_from()) {
        if (!IsEverybody(network)) continue;
        Warn(absl::StrCat("listeners.", name, ".proxy_protocol_from"),
             absl::StrCat(network,
                          " lets everybody claim any address, and so have the "
                          "limits of others; name the balancers alone"));
      }
    }
  }

  void Limits() {
    const config::Limits& limits = values_.limits();
    // Absent ones have defaults that are bounds.
    for (const auto& [name, value, most] :
         {std::tuple("max_connections", int64_t{limits.max_connections()},
                     int64_t{1'000'000}),
          std::tuple("max_connections_per_address",
                     int64_t{limits.max_connections_per_address()},
                     int64_t{50'000}),
          std::tuple("handshakes_per_second",
                     int64_t{limits.handshakes_per_second()}, int64_t{20'000}),
          std::tuple("max_handshakes", int64_t{limits.max_handshakes()},
                     int64_t{10'000}),
          std::tuple("enrollments_per_minute_per_address",
                     int64_t{limits.enrollments_per_minute_per_address()},
                     int64_t{10'000}),
          std::tuple("enrollments_per_minute_per_license",
                     int64_t{limits.enrollments_per_minute_per_license()},
                     int64_t{10'000}),
          std::tuple("recoveries_per_hour",
                     int64_t{limits.recoveries_per_hour()}, int64_t{1000}),
          std::tuple("calls_per_second_per_cluster",
                     int64_t{limits.calls_per_second_per_cluster()},
                     int64_t{10'000}),
          std::tuple("memory_quota_bytes", limits.memory_quota_bytes(),
                     int64_t{1} << 38),
          std::tuple("max_bytes_per_second_per_connection",
                     limits.max_bytes_per_second_per_connection(),
                     int64_t{1} << 32)}) {
      if (value <= most) continue;
      Warn(absl::StrCat("limits.", name),
           absl::StrCat("over ", most,
                        " it limits nobody; remove it for the "
                        "default, or set what one client may need"));
    }
    for (const auto& [name, value, most] :
         {std::tuple("handshake_timeout", &limits.handshake_timeout(),
                     absl::Minutes(1)),
          std::tuple("slow_reader_timeout", &limits.slow_reader_timeout(),
                     absl::Minutes(30))}) {
      const absl::StatusOr<absl::Duration> time = FromProto(*value);
      if (!time.ok() || *time <= most) continue;
      Warn(absl::StrCat("limits.", name),
           absl::StrCat("for over ", absl::FormatDuration(most),
                        " whoever does nothing keeps a connection from "
                        "others; remove it for the default"));
    }
  }

  void Lifetimes() {
    const absl::StatusOr<absl::Duration> operators =
        FromProto(values_.certificates().operator_lifetime());
    if (operators.ok() && *operators > 398 * kDay) {
      Warn("certificates.operator_lifetime",
           "over 398 days a stolen key stays useful for long; 90 days are the "
           "default");
    }
  }

  void Certificates() {
    const config::Listeners& listeners = values_.listeners();
    for (const config::Listener* listener :
         {&listeners.enrollment(), &listeners.cluster(),
          &listeners.operator_()}) {
      Certificate(listener->certificate_file(), /*ca=*/false);
    }
    for (const AuthorityKind kind :
         {AuthorityKind::kServer, AuthorityKind::kCluster,
          AuthorityKind::kOperator}) {
      Certificate(FilesOf(configuration_.state(), kind).certificate,
                  /*ca=*/true);
    }
  }

  void Certificate(const std::string& file, bool ca) {
    if (!seen_.insert(file).second) return;
    const absl::StatusOr<std::string> pem = ReadFile(file);
    if (!pem.ok()) return;
    const absl::StatusOr<CertificateInfo> info = ParseCertificatePem(*pem);
    if (!info.ok()) return;
    if (info->key_security_bits < kMinSecurityBits) {
      WarnOfFile(file, absl::StrCat("has a weak ", info->key_type,
                                    " key; replace it and its key by one of "
                                    "P-256, or RSA of 2048 bits or more"));
    }
    if (info->signature_digest == "SHA1" || info->signature_digest == "MD5") {
      WarnOfFile(file, absl::StrCat("was signed with ", info->signature_digest,
                                    ", which can be forged; have it issued "
                                    "with SHA-256"));
    }
    const absl::Duration lifetime = info->not_after - info->not_before;
    absl::Duration rest;
    if (!ca && lifetime > kMaxLeafLifetime) {
      WarnOfFile(file, absl::StrCat("is valid for ",
                                    absl::IDivDuration(lifetime, kDay, &rest),
                                    " days; one of 398 days or less limits "
                                    "what a stolen key is good for"));
    }
  }

  const Configuration& configuration_;
  const config::ServiceConfig& values_;
  std::vector<Problem>& problems_;
  std::set<std::string> seen_;
};

}  // namespace

void CheckWeakSettings(const Configuration& configuration,
                       std::vector<Problem>& problems) {
  WeakSettings(configuration, problems).Run();
}

}  // namespace mc::service
