#include "cluster-agent/mastership/kubernetes_lease.h"

#include <httplib.h>

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLease[] =
    R"({"kind":"Lease","metadata":{"resourceVersion":"7"},)"
    R"("spec":{"holderIdentity":"somebody","leaseDurationSeconds":15}})";

// An API server on a free port that answers every request in one way.
class KubernetesLeaseTest : public testing::Test {
 protected:
  using Handler =
      std::function<void(const httplib::Request&, httplib::Response&)>;

  KubernetesLeaseTest() {
    const absl::Time now = clock_.Now();
    const auto ca = CertificateAuthority::Create(
        "kubernetes", now - absl::Hours(1), now + absl::Hours(1));
    const PrivateKey key = PrivateKey::GenerateP256();
    IssueSpec spec;
    spec.spki_der = key.PublicSpkiDer();
    spec.ip_sans = {"127.0.0.1"};
    spec.server_auth = true;
    spec.not_before = now - absl::Hours(1);
    spec.not_after = now + absl::Hours(1);
    Write("ca.crt", ca->cert_pem());
    Write("server.crt", *CertificateDerToPem(*ca->Issue(spec)));
    Write("server.key", key.ToPem());
    Write("token", "secret\n");
    server_ = std::make_unique<httplib::SSLServer>(
        dir_.File("server.crt").c_str(), dir_.File("server.key").c_str());
    const auto answer = [this](const httplib::Request& request,
                               httplib::Response& response) {
      seen_ = absl::StrCat(request.method, " ", request.path, " ",
                           request.get_header_value("Authorization"));
      body_ = request.body;
      handler_(request, response);
    };
    server_->Get(".*", answer);
    server_->Post(".*", answer);
    server_->Put(".*", answer);
    const int port = server_->bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
    options_ = {.host = "127.0.0.1",
                .port = port,
                .name_space = "site",
                .name = "cluster-agent",
                .token_file = dir_.File("token"),
                .ca_file = dir_.File("ca.crt"),
                .timeout = absl::Seconds(20),
                .clock = &clock_};
  }
  ~KubernetesLeaseTest() override {
    over_.Notify();
    server_->stop();
    thread_.join();
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(dir_.File(name)) << text;
  }
  void Answer(int status, const std::string& body) {
    handler_ = [=](const httplib::Request&, httplib::Response& response) {
      response.status = status;
      response.set_content(body, "application/json");
    };
  }
  absl::StatusOr<Lease> Get() { return MakeKubernetesLease(options_)->Get(); }
  absl::Status GetStatus() { return Get().status(); }

  RealClock clock_;
  TempDir dir_;
  absl::Notification over_;
  Handler handler_;
  std::string seen_, body_;
  std::unique_ptr<httplib::SSLServer> server_;
  std::thread thread_;
  KubernetesLeaseOptions options_;
};

TEST_F(KubernetesLeaseTest, CallsAreThoseOfTheApi) {
  Answer(200, kLease);
  auto lease = Get();
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->holder, "somebody");
  const std::string all = "/apis/coordination.k8s.io/v1/namespaces/site/leases";
  EXPECT_EQ(seen_, absl::StrCat("GET ", all, "/cluster-agent Bearer secret"));
  lease->holder = "me";
  auto api = MakeKubernetesLease(options_);
  ASSERT_TRUE(api->Update(*lease).ok());
  EXPECT_EQ(seen_, absl::StrCat("PUT ", all, "/cluster-agent Bearer secret"));
  EXPECT_THAT(body_, HasSubstr(R"("holderIdentity":"me")"));
  EXPECT_THAT(body_, HasSubstr(R"("resourceVersion":"7")"));
  Answer(201, kLease);
  ASSERT_TRUE(api->Create(Lease()).ok());
  EXPECT_EQ(seen_, absl::StrCat("POST ", all, " Bearer secret"));
}

TEST_F(KubernetesLeaseTest, ATokenIsReadForEachCall) {
  Answer(200, kLease);
  auto api = MakeKubernetesLease(options_);
  ASSERT_TRUE(api->Get().ok());
  Write("token", "fresh");
  ASSERT_TRUE(api->Get().ok());
  EXPECT_THAT(seen_, HasSubstr("Bearer fresh"));
  options_.token_file = dir_.File("nothing");
  EXPECT_THAT(std::string(GetStatus().message()), HasSubstr("nothing"));
}

TEST_F(KubernetesLeaseTest, RefusalsSayWhatToDo) {
  const struct {
    int status;
    absl::StatusCode code;
    const char* text;
  } cases[] = {
      {401, absl::StatusCode::kUnauthenticated, "token"},
      {403, absl::StatusCode::kPermissionDenied, "get, create and update"},
      {404, absl::StatusCode::kNotFound, "namespace site"},
      {409, absl::StatusCode::kAborted, "meanwhile"},
      {429, absl::StatusCode::kUnavailable, "could not"},
      {500, absl::StatusCode::kUnavailable, "could not"},
      {302, absl::StatusCode::kUnavailable, "could not"},
  };
  for (const auto& c : cases) {
    Answer(c.status, R"({"kind":"Status","message":"because"})");
    const absl::Status status = GetStatus();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.text));
    EXPECT_THAT(std::string(status.message()), HasSubstr("because"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  }
}

TEST_F(KubernetesLeaseTest, GarbageIsAnError) {
  for (const char* body : {"", "<html>", "{}", "{\"kind\":\"Lease\"}"}) {
    Answer(200, body);
    EXPECT_TRUE(absl::IsDataLoss(GetStatus())) << body;
    Answer(500, body);
    EXPECT_TRUE(absl::IsUnavailable(GetStatus())) << body;
  }
  Answer(200, std::string(2 << 20, 'x'));
  EXPECT_TRUE(absl::IsUnavailable(GetStatus()));
}

TEST_F(KubernetesLeaseTest, ACutConnectionIsAnError) {
  handler_ = [](const httplib::Request&, httplib::Response& response) {
    response.set_content_provider(1000, "application/json",
                                  [](size_t, size_t, httplib::DataSink& sink) {
                                    sink.write("{", 1);
                                    return false;
                                  });
  };
  EXPECT_TRUE(absl::IsUnavailable(GetStatus()));
}

TEST_F(KubernetesLeaseTest, ASlowAnswerIsNotWaitedFor) {
  handler_ = [this](const httplib::Request&, httplib::Response&) {
    over_.WaitForNotification();
  };
  options_.timeout = absl::Milliseconds(200);
  EXPECT_TRUE(absl::IsUnavailable(GetStatus()));
}

TEST_F(KubernetesLeaseTest, NorOneThatComesByteByByte) {
  handler_ = [this](const httplib::Request&, httplib::Response& response) {
    response.set_content_provider(
        100'000, "application/json",
        [this](size_t, size_t, httplib::DataSink& sink) {
          sink.write("{", 1);
          return !over_.WaitForNotificationWithTimeout(absl::Milliseconds(20));
        });
  };
  options_.timeout = absl::Milliseconds(300);
  const absl::Duration began = clock_.SinceBoot();
  EXPECT_TRUE(absl::IsUnavailable(GetStatus()));
  EXPECT_LT(clock_.SinceBoot() - began, absl::Seconds(20));
}

TEST_F(KubernetesLeaseTest, AnotherCaIsRefused) {
  Answer(200, kLease);
  const auto other = CertificateAuthority::Create(
      "other", clock_.Now() - absl::Hours(1), clock_.Now() + absl::Hours(1));
  Write("ca.crt", other->cert_pem());
  EXPECT_TRUE(absl::IsUnavailable(GetStatus()));
  EXPECT_EQ(seen_, "") << "it has not seen the token";
  Write("ca.crt", "garbage");
  EXPECT_TRUE(absl::IsUnavailable(GetStatus()));
}

TEST_F(KubernetesLeaseTest, AnotherNameIsRefused) {
  Answer(200, kLease);
  // It leads to the same server, whose certificate does not say so.
  options_.host = "localhost";
  EXPECT_TRUE(absl::IsUnavailable(GetStatus()));
  EXPECT_EQ(seen_, "");
}

TEST_F(KubernetesLeaseTest, ThePodTellsWhatTheConfigurationLeavesOut) {
  missioncontrol::config::v1::KubernetesLease values;
  values.set_name("cluster-agent");
  PodEnvironment pod{.service_host = "fd00::1",
                     .service_port = "6443",
                     .account_directory = dir_.path()};
  Write("namespace", "site\n");
  const auto inside = ResolveKubernetesLease(values, pod);
  ASSERT_TRUE(inside.ok()) << inside.status();
  EXPECT_EQ(inside->host, "fd00::1");
  EXPECT_EQ(inside->port, 6443);
  EXPECT_EQ(inside->name_space, "site");
  EXPECT_EQ(inside->token_file, dir_.File("token"));
  EXPECT_EQ(inside->ca_file, dir_.File("ca.crt"));
  values.set_namespace_("other");
  values.set_api_server("https://api:1");
  values.set_token_file("t");
  values.set_ca_file("c");
  const auto outside = ResolveKubernetesLease(values, PodEnvironment());
  ASSERT_TRUE(outside.ok()) << outside.status();
  EXPECT_EQ(outside->host, "api");
  EXPECT_EQ(outside->name_space, "other");
  EXPECT_EQ(outside->token_file, "t");
  values.clear_api_server();
  EXPECT_TRUE(absl::IsInvalidArgument(
      ResolveKubernetesLease(values, PodEnvironment()).status()));
}

}  // namespace
}  // namespace mc::agent
