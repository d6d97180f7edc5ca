#include "cluster-agent/domain/site/site_view.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

std::string Id(int number) {
  return absl::StrCat("5f9c3d1e-0000-4000-8000-00000000000", number);
}

v1::ActiveGateHealth Gate(const std::string& id, v1::RunState state) {
  v1::ActiveGateHealth gate;
  gate.set_active_gate_id(id);
  gate.set_status(state);
  return gate;
}

KnownNode Node(int number, v1::NodeState state,
               const std::vector<std::string>& gates = {}) {
  KnownNode node;
  node.node_id = Id(number);
  node.state = state;
  node.agent_version = "1.2.3";
  node.report.mutable_node()->set_server_state(v1::RUN_STATE_RUNNING);
  node.report.mutable_node()->set_cpu_cores(8);
  node.report.mutable_node()->set_master(true);
  v1::ServiceHealth& service = *node.report.mutable_node()->add_services();
  service.set_name("indexer");
  service.set_state(v1::RUN_STATE_RUNNING);
  for (const std::string& gate : gates) {
    *node.report.add_active_gates() = Gate(gate, v1::RUN_STATE_RUNNING);
  }
  return node;
}

std::vector<std::string> Sources(
    const std::vector<v1::StreamHeartbeatsRequest>& beats) {
  std::vector<std::string> sources;
  for (const v1::StreamHeartbeatsRequest& beat : beats) {
    sources.push_back(absl::StrCat(
        beat.source_type() == v1::SOURCE_TYPE_SERVER ? "node " : "gate ",
        beat.node_id()));
  }
  return sources;
}

TEST(SiteView, ASilentNodeKeepsItsFactsAndIsSilent) {
  v1::HealthCheck check;
  AddNodes({Node(1, v1::NODE_STATE_LIVE), Node(2, v1::NODE_STATE_SILENT)},
           check);
  ASSERT_EQ(check.nodes_size(), 2);
  EXPECT_EQ(check.nodes(0).node_id(), Id(1));
  EXPECT_EQ(check.nodes(0).server_state(), v1::RUN_STATE_RUNNING);
  EXPECT_FALSE(check.nodes(0).master());
  EXPECT_EQ(check.nodes(1).server_state(), v1::RUN_STATE_SILENT);
  EXPECT_EQ(check.nodes(1).services(0).state(), v1::RUN_STATE_SILENT);
  EXPECT_EQ(check.nodes(1).cpu_cores(), 8);
}

TEST(SiteView, EachActiveGateIsThereOnceByWhoKnowsItBest) {
  const std::vector<v1::ActiveGateHealth> gates = SiteActiveGates(
      {Gate("own", v1::RUN_STATE_STOPPED)},
      {Node(1, v1::NODE_STATE_SILENT, {"own", "shared", "lost"}),
       Node(2, v1::NODE_STATE_LIVE, {"shared"})});
  ASSERT_EQ(gates.size(), 3u);
  EXPECT_EQ(gates[0].status(), v1::RUN_STATE_STOPPED);
  EXPECT_EQ(gates[1].active_gate_id(), "shared");
  EXPECT_EQ(gates[1].status(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(gates[2].active_gate_id(), "lost");
  EXPECT_EQ(gates[2].status(), v1::RUN_STATE_SILENT);
}

TEST(SiteView, OneBeatForEachLiveNodeAndActiveGate) {
  EXPECT_THAT(
      Sources(SiteBeats(Id(0),
                        {Gate("own", v1::RUN_STATE_RUNNING),
                         Gate("stopped", v1::RUN_STATE_STOPPED)},
                        {Node(1, v1::NODE_STATE_LIVE, {"own", "g-1"}),
                         Node(2, v1::NODE_STATE_LIVE, {"g-1", "g-2"}),
                         Node(3, v1::NODE_STATE_SILENT, {"g-3"}),
                         Node(4, v1::NODE_STATE_JOINED, {"g-4"})})),
      testing::ElementsAre("node " + Id(0), "node " + Id(1), "node " + Id(2),
                           "gate own", "gate g-1", "gate g-2"));
}

TEST(SiteView, ListsGoOnWhereTheyEnded) {
  v1::NodeEntry master;
  // Last by its ID, and first in the list.
  master.set_node_id(Id(9));
  const std::vector<KnownNode> nodes = {Node(1, v1::NODE_STATE_LIVE),
                                        Node(2, v1::NODE_STATE_SILENT),
                                        Node(3, v1::NODE_STATE_JOINED)};
  for (const int size : {1, 2, 3, 4, 100}) {
    v1::ListNodesRequest request;
    request.set_page_size(size);
    std::vector<std::string> listed;
    int pages = 0;
    do {
      const auto page = ListNodes(master, nodes, request);
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_LE(page->nodes_size(), size);
      for (const v1::NodeEntry& node : page->nodes()) {
        listed.push_back(node.node_id());
      }
      request.set_page_token(page->next_page_token());
      ASSERT_LT(++pages, 5);
    } while (!request.page_token().empty());
    EXPECT_THAT(listed, testing::ElementsAre(Id(9), Id(1), Id(2), Id(3)))
        << size;
  }
}

TEST(SiteView, BadPagesAreRefused) {
  v1::ListNodesRequest request;
  request.set_page_size(1001);
  EXPECT_EQ(ReasonOf(ListNodes({}, {}, request).status()),
            v1::ERROR_REASON_INVALID_FIELD);
  request.set_page_size(1);
  request.set_page_token("no token");
  EXPECT_EQ(ReasonOf(ListNodes({}, {}, request).status()),
            v1::ERROR_REASON_INVALID_FIELD);
}

TEST(SiteView, TheMasterCountsAsLive) {
  v1::GetStatusResponse status;
  CountNodes({}, status);
  EXPECT_EQ(status.live_nodes(), 1);
  CountNodes({Node(1, v1::NODE_STATE_LIVE), Node(2, v1::NODE_STATE_SILENT),
              Node(3, v1::NODE_STATE_JOINED)},
             status);
  EXPECT_EQ(status.live_nodes(), 2);
  EXPECT_EQ(status.silent_nodes(), 1);
}

}  // namespace
}  // namespace mc::agent
