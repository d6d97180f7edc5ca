// The front with a real listener and a real socket; behind it a service that
// answers as the test says.
#include "mc-service/enroll/enroll_front.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/crypto/license_key.h"
#include "common/files/temp_dir.h"
#include "common/lifecycle/lifecycle.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "mc-service/enroll/client_address.h"
#include "mc-service/enroll/front_link.h"
#include "mc-service/testing/service_folder.h"
#include "missioncontrol/v1/enrollment_service.grpc.pb.h"

namespace mc::service {
namespace {

using ::testing::HasSubstr;
namespace v1 = missioncontrol::v1;

// A test that hangs fails in the end.
std::chrono::system_clock::time_point Soon() {
  return absl::ToChronoTime(RealClock().Now() + absl::Seconds(30));
}

// Answers Install with the address that it was told; refuses Register.
class FakeService final : public v1::EnrollmentService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Install(grpc::CallbackServerContext* context,
                                    const v1::InstallRequest*,
                                    v1::InstallResponse* response) override {
    ++calls;
    response->set_account_name(AddressFromFront(*context));
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const v1::RegisterRequest*,
                                     v1::RegisterResponse*) override {
    ++calls;
    auto* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpc(Error(absl::StatusCode::kFailedPrecondition,
                                 v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT,
                                 "No more of them.")));
    return reactor;
  }

  std::atomic<int> calls{0};
};

class EnrollFrontTest : public ::testing::Test {
 protected:
  void SetUp() override {
    configuration_ = folder_.Load();
    configuration_.values.mutable_enrollment_front()->set_socket(socket_);
    configuration_.values.mutable_limits()
        ->set_enrollments_per_minute_per_address(kPerMinute);
  }

  void StartService() {
    auto link = FrontLink::Start({.socket = socket_, .service = &service_});
    ASSERT_TRUE(link.ok()) << link.status();
    link_ = *std::move(link);
  }

  void StartFront() {
    auto front = EnrollFront::Start({.configuration = configuration_,
                                     .metrics_address = "127.0.0.1:0",
                                     .clock = &clock_});
    ASSERT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
    stub_ = v1::EnrollmentService::NewStub(
        folder_.Connect(front_->ports().enrollment));
  }

  absl::Status Install(v1::InstallResponse& response, bool wait = false,
                       const std::string& version = "1.0") {
    v1::InstallRequest request;
    request.set_license_key(GenerateLicenseKey());
    request.set_agent_version(version);
    request.set_product_version("1.0");
    grpc::ClientContext context;
    context.set_deadline(Soon());
    context.set_wait_for_ready(wait);
    // Nobody is who he says.
    context.AddMetadata(kClientAddressKey, "198.51.100.9");
    return FromGrpc(stub_->Install(&context, request, &response));
  }

  static constexpr int kPerMinute = 5;
  RealClock clock_;
  testing::ServiceFolder folder_;
  TempDir temp_;
  const std::string socket_ = temp_.File("front.sock");
  Configuration configuration_;
  FakeService service_;
  std::unique_ptr<FrontLink> link_;
  std::unique_ptr<EnrollFront> front_;
  std::unique_ptr<v1::EnrollmentService::Stub> stub_;
};

// They are one process's: no other listener has a share of them.
TEST_F(EnrollFrontTest, EveryDescriptorIsForItsListener) {
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const absl::Cleanup restore = [&] { ::setrlimit(RLIMIT_NOFILE, &before); };
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(OpenDescriptors()) + 160;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  StartService();
  StartFront();
  std::vector<int> silent;
  for (int i = 0; i < 12; ++i) {
    silent.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(front_->ports().enrollment));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(
        ::connect(silent.back(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof(address)),
        0);
  }
  // It came last; who had to give way has gone by now.
  v1::InstallResponse response;
  EXPECT_TRUE(Install(response, /*wait=*/true).ok());
  for (const int fd : silent) {
    char byte;
    EXPECT_EQ(::recv(fd, &byte, 1, MSG_DONTWAIT), -1) << "it was ended";
    ::close(fd);
  }
}

TEST_F(EnrollFrontTest, CallsReachTheServiceWithTheClientsAddress) {
  StartService();
  StartFront();
  v1::InstallResponse response;
  const absl::Status status = Install(response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.account_name(), "127.0.0.1");
}

TEST_F(EnrollFrontTest, TheServicesErrorsKeepTheirReasons) {
  StartService();
  StartFront();
  v1::RegisterRequest request;
  v1::RegisterResponse response;
  request.set_license_key(GenerateLicenseKey());
  request.set_cluster_id("0b9f3c52-6a0e-4d0e-9f64-1f6f3f2f0a11");
  grpc::ClientContext context;
  context.set_deadline(Soon());
  const absl::Status status =
      FromGrpc(stub_->Register(&context, request, &response));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT) << status;
}

TEST_F(EnrollFrontTest, WhatBreaksItsFormatDoesNotReachTheService) {
  StartService();
  StartFront();
  v1::InstallResponse response;
  const absl::Status status = Install(response, false, "1.0\n2.0");
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD) << status;
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(EnrollFrontTest, MoreThanAMinutesWorthIsRefusedWithADelay) {
  StartService();
  StartFront();
  v1::InstallResponse response;
  for (int i = 0; i < kPerMinute; ++i) {
    EXPECT_TRUE(Install(response).ok());
  }
  const absl::Status status = Install(response);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_RATE_LIMITED);
  EXPECT_GT(RetryDelayOf(status).value_or(absl::ZeroDuration()),
            absl::ZeroDuration());
  EXPECT_EQ(service_.calls, kPerMinute);
}

TEST_F(EnrollFrontTest, WithoutTheServiceCallsAreRefusedUntilItIsThere) {
  configuration_.values.mutable_limits()
      ->set_enrollments_per_minute_per_address(1'000'000);
  StartFront();
  v1::InstallResponse response;
  const absl::Status status = Install(response);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_OVERLOADED);
  EXPECT_TRUE(RetryDelayOf(status).has_value());
  StartService();
  const absl::Time deadline = clock_.Now() + absl::Seconds(30);
  absl::Status again;
  do {
    again = Install(response);
  } while (!again.ok() && clock_.Now() < deadline);
  EXPECT_TRUE(again.ok()) << again;
}

TEST_F(EnrollFrontTest, TheSocketIsTheOwnUsersAloneWithoutAGroup) {
  StartService();
  struct stat info = {};
  ASSERT_EQ(::stat(socket_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  link_ = nullptr;
  EXPECT_NE(::stat(socket_.c_str(), &info), 0);
}

TEST_F(EnrollFrontTest, TheSocketIsTheGroupsWhereThereIsOne) {
  auto link = FrontLink::Start({.socket = socket_,
                                .group = absl::StrCat(::getegid()),
                                .service = &service_});
  ASSERT_TRUE(link.ok()) << link.status();
  struct stat info = {};
  ASSERT_EQ(::stat(socket_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  EXPECT_EQ(info.st_gid, ::getegid());
}

TEST_F(EnrollFrontTest, AGroupThatIsNotThereIsTold) {
  const auto link = FrontLink::Start(
      {.socket = socket_, .group = "no-such-group", .service = &service_});
  EXPECT_THAT(link.status().message(), HasSubstr("enrollment_front.group"));
}

}  // namespace
}  // namespace mc::service
