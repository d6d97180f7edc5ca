#include "cluster-agent/mastership/kubernetes_lease.h"

#include <httplib.h>

#include <chrono>
#include <exception>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/mastership/lease_config.h"
#include "cluster-agent/mastership/lease_json.h"
#include "common/files/files.h"
#include "common/time/timer_queue.h"

namespace mc::agent {
namespace {

constexpr size_t kMaxAnswerBytes = 1 << 20;
constexpr size_t kMaxTokenBytes = 64 << 10;
constexpr char kJson[] = "application/json";

struct Answer {
  int status = 0;
  std::string body;
};

class KubernetesLease : public LeaseApi {
 public:
  explicit KubernetesLease(KubernetesLeaseOptions options)
      : options_(std::move(options)), timers_(options_.clock) {}

  absl::StatusOr<Lease> Get() override {
    return Explain("get", Call("GET", Path(true), ""));
  }
  absl::StatusOr<Lease> Create(const Lease& lease) override {
    return Write("create", "POST", Path(false), lease);
  }
  absl::StatusOr<Lease> Update(const Lease& lease) override {
    return Write("update", "PUT", Path(true), lease);
  }

 private:
  std::string Path(bool named) const {
    return absl::StrCat("/apis/coordination.k8s.io/v1/namespaces/",
                        options_.name_space, "/leases", named ? "/" : "",
                        named ? options_.name : "");
  }
  std::string Address() const {
    const bool v6 = options_.host.find(':') != std::string::npos;
    return absl::StrCat(v6 ? "[" : "", options_.host, v6 ? "]:" : ":",
                        options_.port);
  }

  absl::StatusOr<Lease> Write(const char* verb, const char* method,
                              const std::string& path, const Lease& lease) {
    absl::StatusOr<std::string> body =
        LeaseJson(lease, options_.name_space, options_.name);
    if (!body.ok()) return body.status();
    return Explain(verb, Call(method, path, *std::move(body)));
  }

  absl::StatusOr<Answer> Call(const char* method, const std::string& path,
                              std::string body) {
    absl::StatusOr<std::string> token =
        ReadFile(options_.token_file, kMaxTokenBytes);
    if (!token.ok()) return token.status();
    absl::StripAsciiWhitespace(&*token);
    // Its path is handed on: a missing one would be told as a fault of TLS.
    const absl::StatusOr<std::string> ca = ReadFile(options_.ca_file);
    if (!ca.ok()) return ca.status();
    try {
      return CallWith(*token, method, path, std::move(body));
    } catch (const std::exception& error) {
      return absl::UnavailableError(absl::StrCat(
          "the API server ", Address(), " cannot be asked: ", error.what()));
    }
  }

  absl::StatusOr<Answer> CallWith(const std::string& token, const char* method,
                                  const std::string& path, std::string body) {
    auto client =
        std::make_shared<httplib::SSLClient>(options_.host, options_.port);
    client->set_ca_cert_path(options_.ca_file);
    const auto timeout = absl::ToChronoMicroseconds(options_.timeout);
    client->set_connection_timeout(timeout);
    client->set_read_timeout(timeout);
    client->set_write_timeout(timeout);
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.set_header("Host", Address());
    request.set_header("Authorization", absl::StrCat("Bearer ", token));
    request.set_header("Accept", kJson);
    if (!body.empty()) request.set_header("Content-Type", kJson);
    request.body = std::move(body);
    Answer answer;
    request.content_receiver = [&answer](const char* data, size_t size,
                                         uint64_t, uint64_t) {
      if (answer.body.size() + size > kMaxAnswerBytes) return false;
      answer.body.append(data, size);
      return true;
    };
    // The client's timeouts are those of each read: who sends a byte now and
    // then must not hold us either.
    const TimerQueue::TimerId limit =
        timers_.ScheduleAfter(options_.timeout, [client] { client->stop(); });
    const httplib::Result result = client->send(request);
    timers_.Cancel(limit);
    if (!result) {
      return absl::UnavailableError(
          absl::StrCat("the API server ", Address(),
                       " does not answer; check the network and ca_file (",
                       httplib::to_string(result.error()), ")"));
    }
    answer.status = result->status;
    return answer;
  }

  absl::StatusOr<Lease> Explain(const char* verb,
                                const absl::StatusOr<Answer>& answer) const {
    if (!answer.ok()) return answer.status();
    if (answer->status >= 200 && answer->status < 300) {
      return ParseLease(answer->body);
    }
    const std::string said = MessageOf(answer->body);
    const std::string detail =
        absl::StrCat(" (", answer->status, said.empty() ? "" : " ", said, ")");
    switch (answer->status) {
      case 401:
        return absl::UnauthenticatedError(
            absl::StrCat("the API server does not accept the token in ",
                         options_.token_file, detail));
      case 403:
        return absl::PermissionDeniedError(absl::StrCat(
            "this agent may not ", verb, " the Lease ", options_.name,
            "; allow its service account get, create and update of leases in "
            "coordination.k8s.io",
            detail));
      case 404:
        return absl::NotFoundError(
            absl::StrCat("there is no Lease ", options_.name,
                         ", or no namespace ", options_.name_space, detail));
      case 409:
        return absl::AbortedError(absl::StrCat(
            "the Lease ", options_.name, " was written meanwhile", detail));
      default:
        return absl::UnavailableError(absl::StrCat("the API server could not ",
                                                   verb, " the Lease ",
                                                   options_.name, detail));
    }
  }

  const KubernetesLeaseOptions options_;
  TimerQueue timers_;
};

}  // namespace

absl::StatusOr<KubernetesLeaseOptions> ResolveKubernetesLease(
    const missioncontrol::config::v1::KubernetesLease& values,
    const PodEnvironment& pod) {
  KubernetesLeaseOptions options;
  options.name = values.name();
  options.name_space = values.namespace_();
  options.token_file = values.token_file();
  options.ca_file = values.ca_file();
  if (options.token_file.empty()) {
    options.token_file = absl::StrCat(pod.account_directory, "/token");
  }
  if (options.ca_file.empty()) {
    options.ca_file = absl::StrCat(pod.account_directory, "/ca.crt");
  }
  std::string url = values.api_server();
  if (url.empty()) {
    if (pod.service_host.empty() || pod.service_port.empty()) {
      return absl::InvalidArgumentError(
          "mastership.kubernetes_lease: this is no pod of Kubernetes; set "
          "api_server, token_file, ca_file and namespace, or leave mastership "
          "out");
    }
    const bool v6 = pod.service_host.find(':') != std::string::npos;
    url = absl::StrCat("https://", v6 ? "[" : "", pod.service_host,
                       v6 ? "]:" : ":", pod.service_port);
  }
  const absl::StatusOr<ApiServer> server = ParseApiServer(url);
  if (!server.ok()) return server.status();
  options.host = server->host;
  options.port = server->port;
  if (options.name_space.empty()) {
    absl::StatusOr<std::string> text =
        ReadFile(absl::StrCat(pod.account_directory, "/namespace"));
    if (!text.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "mastership.kubernetes_lease.namespace is missing, and the pod does "
          "not tell its own: ",
          text.status().message()));
    }
    absl::StripAsciiWhitespace(&*text);
    options.name_space = *std::move(text);
  }
  return options;
}

std::unique_ptr<LeaseApi> MakeKubernetesLease(KubernetesLeaseOptions options) {
  return std::make_unique<KubernetesLease>(std::move(options));
}

}  // namespace mc::agent
