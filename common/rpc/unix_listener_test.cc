#include "common/rpc/unix_listener.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"

namespace mc {
namespace {

using grpc::health::v1::Health;

class EchoHealth : public Health::CallbackService {
 public:
  grpc::ServerUnaryReactor* Check(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest*,
      grpc::health::v1::HealthCheckResponse* response) override {
    response->set_status(grpc::health::v1::HealthCheckResponse::SERVING);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class UnixListenerTest : public testing::Test {
 protected:
  ~UnixListenerTest() override { Stop(); }

  UnixListener::Options Options() {
    return {.path = dir_.File("s"),
            .mode = 0600,
            .group = {},
            .allow = [](const PeerCredentials&) { return true; }};
  }
  absl::Status Serve(UnixListener::Options options) {
    auto listener = UnixListener::Bind(std::move(options));
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    grpc::ServerBuilder builder;
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::experimental::LocalServerCredentials(UDS));
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    return listener_->Start(acceptor_.get());
  }
  void Stop() {
    listener_ = nullptr;
    if (server_ != nullptr) server_->Shutdown(gpr_time_0(GPR_TIMESPAN));
    server_ = nullptr;
  }
  grpc::StatusCode Call() {
    const auto channel =
        grpc::CreateChannel(absl::StrCat("unix:", dir_.File("s")),
                            grpc::experimental::LocalCredentials(UDS));
    grpc::ClientContext context;
    context.set_deadline(gpr_time_from_seconds(20, GPR_TIMESPAN));
    grpc::health::v1::HealthCheckResponse response;
    return Health::NewStub(channel)
        ->Check(&context, {}, &response)
        .error_code();
  }

  TempDir dir_;
  EchoHealth service_;
  std::unique_ptr<UnixListener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(UnixListenerTest, ServesWhoIsAllowed) {
  PeerCredentials seen;
  UnixListener::Options options = Options();
  options.allow = [&seen](const PeerCredentials& peer) {
    seen = peer;
    return true;
  };
  ASSERT_TRUE(Serve(options).ok());
  struct stat info = {};
  ASSERT_EQ(stat(options.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(Call(), grpc::StatusCode::OK);
  EXPECT_EQ(seen.uid, getuid());
  EXPECT_TRUE(seen.InGroup(getgid()));
  EXPECT_EQ(seen.pid, getpid());
}

TEST_F(UnixListenerTest, RefusesOthersBeforeTheyReachTheServer) {
  UnixListener::Options options = Options();
  options.allow = [](const PeerCredentials&) { return false; };
  ASSERT_TRUE(Serve(options).ok());
  EXPECT_EQ(Call(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(UnixListenerTest, RemovesItsSocketAtTheEnd) {
  ASSERT_TRUE(Serve(Options()).ok());
  Stop();
  EXPECT_FALSE(FileExists(dir_.File("s")));
}

TEST_F(UnixListenerTest, TakesOverFromAnEndedProcess) {
  const std::string path = dir_.File("s");
  // A process that was killed leaves its socket behind.
  const pid_t child = fork();
  if (child == 0) {
    auto left = UnixListener::Bind(Options());
    _exit(left.ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(FileExists(path));
  EXPECT_TRUE(Serve(Options()).ok());
  EXPECT_EQ(Call(), grpc::StatusCode::OK);
}

TEST_F(UnixListenerTest, RefusesTheSocketOfARunningProcess) {
  ASSERT_TRUE(Serve(Options()).ok());
  EXPECT_EQ(UnixListener::Bind(Options()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Call(), grpc::StatusCode::OK);
}

TEST_F(UnixListenerTest, RefusesWhatIsNoSocket) {
  ASSERT_TRUE(AtomicWrite(dir_.File("s"), "precious", 0600).ok());
  EXPECT_FALSE(Serve(Options()).ok());
  EXPECT_EQ(*ReadFile(dir_.File("s")), "precious");
}

TEST_F(UnixListenerTest, APathMayBeTooLong) {
  UnixListener::Options options = Options();
  options.path = dir_.File(std::string(120, 'x'));
  EXPECT_EQ(UnixListener::Bind(options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mc
