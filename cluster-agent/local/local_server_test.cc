#include "cluster-agent/local/local_server.h"

#include <sys/stat.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/site/fixture.h"
#include "cluster-agent/outbox/fixture.h"
#include "common/files/temp_dir.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Stub = v1::AgentService::Stub;

class LocalServerTest : public testing::Test {
 protected:
  LocalServerTest() {
    outbox_.Open();
    description_ = *Description::Open(dir_.path());
    deps_ = {.outbox = &outbox_.outbox(),
             .description = description_.get(),
             .executor = &executor_,
             .clock = &outbox_.clock,
             .other_environments = {"inventory"},
             .status =
                 [] {
                   v1::GetStatusResponse status;
                   status.set_cluster_id("ours");
                   return status;
                 },
             .on_described = [this] { ++described_; }};
    product_ = Start(LocalSocket::kProduct);
    admin_ = Start(LocalSocket::kAdmin);
  }
  ~LocalServerTest() override {
    product_ = nullptr;
    admin_ = nullptr;
    executor_.Shutdown();
  }

  std::string Path(LocalSocket socket) const {
    return dir_.File(socket == LocalSocket::kAdmin ? "admin" : "agent");
  }
  std::unique_ptr<LocalServer> Start(LocalSocket socket) {
    auto server = LocalServer::Start(
        {.socket = socket, .path = Path(socket), .group = {}, .deps = deps_});
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }
  template <typename Request, typename Response>
  absl::Status Call(LocalSocket socket,
                    grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response) {
    const auto stub = v1::AgentService::NewStub(
        grpc::CreateChannel(absl::StrCat("unix:", Path(socket)),
                            grpc::experimental::LocalCredentials(UDS)));
    grpc::ClientContext context;
    context.set_deadline(gpr_time_from_seconds(30, GPR_TIMESPAN));
    return FromGrpc(((*stub).*method)(&context, request, response));
  }

  TempDir dir_;
  OutboxFixture outbox_;
  std::unique_ptr<Description> description_;
  Executor executor_{2, 100};
  LocalDeps deps_;
  int described_ = 0;
  std::unique_ptr<LocalServer> product_;
  std::unique_ptr<LocalServer> admin_;
};

TEST_F(LocalServerTest, SocketsAreForThoseWhoMayUseThem) {
  struct stat info = {};
  ASSERT_EQ(stat(Path(LocalSocket::kProduct).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  ASSERT_EQ(stat(Path(LocalSocket::kAdmin).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(LocalServerTest, UsageIsRecordedOnce) {
  v1::RecordUsageRequest request;
  *request.add_records() =
      SessionsRecord("key-1", "env-1", 3, outbox_.clock.Now());
  v1::RecordUsageResponse response;
  for (const int recorded : {1, 0}) {
    ASSERT_TRUE(
        Call(LocalSocket::kProduct, &Stub::RecordUsage, request, &response)
            .ok());
    EXPECT_EQ(response.recorded(), recorded);
    EXPECT_EQ(response.repeated(), 1 - recorded);
  }
  EXPECT_EQ(outbox_.outbox().reader().Stats()->open_usage_records, 1);
}

TEST_F(LocalServerTest, EventsAreRecordedOnceAndListed) {
  v1::RecordEventsRequest request;
  v1::ClusterEvent& named = *request.add_events();
  named.set_type(v1::CLUSTER_EVENT_TYPE_UPDATE_STARTED);
  named.set_event_id("event-1");
  v1::RecordEventsResponse response;
  for (const int recorded : {1, 0}) {
    ASSERT_TRUE(
        Call(LocalSocket::kProduct, &Stub::RecordEvents, request, &response)
            .ok());
    EXPECT_EQ(response.recorded(), recorded);
    EXPECT_EQ(response.repeated(), 1 - recorded);
  }
  // Without an ID it gets its own, each time.
  named.clear_event_id();
  ASSERT_TRUE(
      Call(LocalSocket::kProduct, &Stub::RecordEvents, request, &response)
          .ok());
  ASSERT_TRUE(
      Call(LocalSocket::kProduct, &Stub::RecordEvents, request, &response)
          .ok());
  v1::ListRecordedEventsRequest list;
  list.set_page_size(2);
  v1::ListRecordedEventsResponse listed;
  ASSERT_TRUE(
      Call(LocalSocket::kAdmin, &Stub::ListRecordedEvents, list, &listed).ok());
  EXPECT_EQ(listed.events_size(), 2);
  list.set_page_token(listed.next_page_token());
  ASSERT_TRUE(
      Call(LocalSocket::kAdmin, &Stub::ListRecordedEvents, list, &listed).ok());
  ASSERT_EQ(listed.events_size(), 1);
  const v1::ClusterEvent& event = listed.events(0).event();
  EXPECT_EQ(event.event_id(), "event-1");
  EXPECT_EQ(event.severity(), v1::SEVERITY_INFO);
  EXPECT_EQ(*FromProto(event.occurred_at()), outbox_.clock.Now());
  EXPECT_EQ(listed.next_page_token(), "");
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kProduct, &Stub::ListRecordedEvents,
                          list, &listed)),
            v1::ERROR_REASON_METHOD_NOT_ALLOWED);
}

TEST_F(LocalServerTest, EventsThatAreNotValidAreNotRecorded) {
  v1::RecordEventsResponse response;
  const auto reason = [&](const v1::RecordEventsRequest& request) {
    return ReasonOf(
        Call(LocalSocket::kProduct, &Stub::RecordEvents, request, &response));
  };
  v1::RecordEventsRequest request;
  request.add_events();
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD) << "no type";
  request.mutable_events(0)->set_type(v1::CLUSTER_EVENT_TYPE_NODE_STOPPED);
  request.mutable_events(0)->set_event_id("no id");
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD);
  request.mutable_events(0)->clear_event_id();
  for (int i = 0; i < 100; ++i) *request.add_events() = request.events(0);
  EXPECT_EQ(reason(request), v1::ERROR_REASON_INVALID_FIELD) << "101";
  EXPECT_TRUE(outbox_.outbox().reader().ListEvents(0, "")->events.empty());
}

TEST_F(LocalServerTest, WhatIsNotValidIsNotRecorded) {
  v1::RecordUsageRequest request;
  *request.add_records() =
      SessionsRecord("key-1", "no environment!", 3, outbox_.clock.Now());
  v1::RecordUsageResponse response;
  const absl::Status status =
      Call(LocalSocket::kProduct, &Stub::RecordUsage, request, &response);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD) << status;
  EXPECT_EQ(outbox_.outbox().reader().Stats()->open_usage_records, 0);
}

TEST_F(LocalServerTest, TheProductMayNotCallTheAdministratorsMethods) {
  v1::GetStatusResponse status;
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kProduct, &Stub::GetStatus,
                          v1::GetStatusRequest(), &status)),
            v1::ERROR_REASON_METHOD_NOT_ALLOWED);
  EXPECT_TRUE(Call(LocalSocket::kAdmin, &Stub::GetStatus,
                   v1::GetStatusRequest(), &status)
                  .ok());
  EXPECT_EQ(status.cluster_id(), "ours");
  v1::ListOutboxResponse listed;
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kProduct, &Stub::ListOutbox,
                          v1::ListOutboxRequest(), &listed)),
            v1::ERROR_REASON_METHOD_NOT_ALLOWED);
  v1::SetUpdateWindowResponse window;
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kProduct, &Stub::SetUpdateWindow,
                          v1::SetUpdateWindowRequest(), &window)),
            v1::ERROR_REASON_METHOD_NOT_ALLOWED);
}

TEST_F(LocalServerTest, TheAdministratorMayCallTheProductsMethods) {
  v1::RecordTrafficRequest request;
  request.set_bytes(10);
  v1::RecordTrafficResponse response;
  EXPECT_TRUE(
      Call(LocalSocket::kAdmin, &Stub::RecordTraffic, request, &response).ok());
}

TEST_F(LocalServerTest, DescriptionsAreKept) {
  v1::DescribeNodeRequest node;
  node.set_product_version("7.7.7");
  v1::DescribeNodeResponse described;
  ASSERT_TRUE(
      Call(LocalSocket::kProduct, &Stub::DescribeNode, node, &described).ok());
  EXPECT_EQ(described_, 1);
  EXPECT_EQ(description_->node().product_version(), "7.7.7");
  v1::DescribeEnvironmentsRequest environments;
  environments.add_environment_ids("quiet");
  v1::DescribeEnvironmentsResponse response;
  ASSERT_TRUE(Call(LocalSocket::kProduct, &Stub::DescribeEnvironments,
                   environments, &response)
                  .ok());
  EXPECT_EQ(*outbox_.outbox().reader().Environments(),
            (std::vector<std::string>{"inventory", "quiet"}));
}

TEST_F(LocalServerTest, ANodeIsDescribedAndSendsTheRestToItsMaster) {
  product_ = nullptr;
  admin_ = nullptr;
  deps_.outbox = nullptr;
  product_ = Start(LocalSocket::kProduct);
  admin_ = Start(LocalSocket::kAdmin);
  v1::DescribeNodeResponse node;
  EXPECT_TRUE(Call(LocalSocket::kProduct, &Stub::DescribeNode,
                   v1::DescribeNodeRequest(), &node)
                  .ok());
  v1::DescribeActiveGatesResponse gates;
  EXPECT_TRUE(Call(LocalSocket::kProduct, &Stub::DescribeActiveGates,
                   v1::DescribeActiveGatesRequest(), &gates)
                  .ok());
  // Both are reported at once.
  EXPECT_EQ(described_, 2);
  v1::GetStatusResponse status;
  EXPECT_TRUE(Call(LocalSocket::kAdmin, &Stub::GetStatus,
                   v1::GetStatusRequest(), &status)
                  .ok());
  const auto is_masters = [](const absl::Status& refused) {
    return refused.code() == absl::StatusCode::kFailedPrecondition &&
           ReasonOf(refused) == v1::ERROR_REASON_NOT_MASTER;
  };
  v1::RecordUsageResponse usage;
  EXPECT_TRUE(is_masters(Call(LocalSocket::kProduct, &Stub::RecordUsage,
                              v1::RecordUsageRequest(), &usage)));
  v1::RecordTrafficResponse traffic;
  EXPECT_TRUE(is_masters(Call(LocalSocket::kProduct, &Stub::RecordTraffic,
                              v1::RecordTrafficRequest(), &traffic)));
  v1::DescribeEnvironmentsResponse environments;
  EXPECT_TRUE(
      is_masters(Call(LocalSocket::kProduct, &Stub::DescribeEnvironments,
                      v1::DescribeEnvironmentsRequest(), &environments)));
  v1::GetLicenseStateResponse license;
  EXPECT_TRUE(is_masters(Call(LocalSocket::kProduct, &Stub::GetLicenseState,
                              v1::GetLicenseStateRequest(), &license)));
  v1::ListOutboxResponse listed;
  EXPECT_TRUE(is_masters(Call(LocalSocket::kAdmin, &Stub::ListOutbox,
                              v1::ListOutboxRequest(), &listed)));
}

TEST_F(LocalServerTest, NodesAreTheAdministratorsOfAMastersSite) {
  v1::ListNodesResponse listed;
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kProduct, &Stub::ListNodes,
                          v1::ListNodesRequest(), &listed)),
            v1::ERROR_REASON_METHOD_NOT_ALLOWED);
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kAdmin, &Stub::ListNodes,
                          v1::ListNodesRequest(), &listed)),
            v1::ERROR_REASON_NOT_MASTER)
      << "it has no line of its own in the list";
  v1::CreateJoinTokenResponse token;
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kAdmin, &Stub::CreateJoinToken,
                          v1::CreateJoinTokenRequest(), &token)),
            v1::ERROR_REASON_NOT_MASTER)
      << "there is no site";
}

TEST_F(LocalServerTest, AMasterLooksAfterItsNodes) {
  SiteFixture site;
  site.Open();
  deps_.nodes = site.registry.get();
  deps_.own_node = [] {
    v1::NodeEntry entry;
    entry.set_node_id(kMaster);
    entry.set_master(true);
    return entry;
  };
  admin_ = nullptr;
  admin_ = Start(LocalSocket::kAdmin);
  v1::CreateJoinTokenRequest create;
  create.mutable_lifetime()->set_seconds(60);
  create.set_uses(-1);
  v1::CreateJoinTokenResponse token;
  EXPECT_EQ(ReasonOf(Call(LocalSocket::kAdmin, &Stub::CreateJoinToken, create,
                          &token)),
            v1::ERROR_REASON_INVALID_FIELD);
  create.set_uses(1);
  ASSERT_TRUE(
      Call(LocalSocket::kAdmin, &Stub::CreateJoinToken, create, &token).ok());
  EXPECT_EQ(*FromProto(token.expires_at()),
            site.clock.Now() + absl::Seconds(60));
  ASSERT_TRUE(site.Join(token.token(), kNodeA).ok());
  v1::ListNodesResponse listed;
  ASSERT_TRUE(Call(LocalSocket::kAdmin, &Stub::ListNodes,
                   v1::ListNodesRequest(), &listed)
                  .ok());
  ASSERT_EQ(listed.nodes_size(), 2);
  EXPECT_TRUE(listed.nodes(0).master());
  EXPECT_EQ(listed.nodes(1).node_id(), kNodeA);
  v1::RemoveNodeRequest remove;
  remove.set_node_id(kNodeA);
  v1::RemoveNodeResponse removed;
  ASSERT_TRUE(
      Call(LocalSocket::kAdmin, &Stub::RemoveNode, remove, &removed).ok());
  EXPECT_EQ(
      ReasonOf(Call(LocalSocket::kAdmin, &Stub::RemoveNode, remove, &removed)),
      v1::ERROR_REASON_UNKNOWN_RESOURCE);
  admin_ = nullptr;
  site.executor.Shutdown();
}

TEST_F(LocalServerTest, WhatIsNotBuiltYetSaysSo) {
  v1::ListSentMessagesResponse response;
  const absl::Status status = Call(LocalSocket::kAdmin, &Stub::ListSentMessages,
                                   v1::ListSentMessagesRequest(), &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NOT_SUPPORTED_YET);
}

}  // namespace
}  // namespace mc::agent
