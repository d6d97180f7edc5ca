#include "cluster-agent/node/join.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/domain/site/site_identity.h"
#include "cluster-agent/exchange/channel.h"
#include "cluster-agent/exchange/pacer.h"
#include "common/crypto/certificate.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/tls/probe.h"
#include "missioncontrol/v1/site_service.grpc.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr absl::Duration kHandshakeTimeout = absl::Seconds(5);
constexpr absl::Duration kJoinDeadline = absl::Seconds(15);
// Each attempt has a channel of its own, which need not try again by itself.
constexpr absl::Duration kReconnect = absl::Seconds(1);

absl::Status NoAnswer(const std::string& address, const absl::Status& status) {
  return absl::UnavailableError(
      absl::StrCat("the master at ", address,
                   " does not answer; check node.join_address, the network, "
                   "and that the master has site.listen (",
                   status.message(), ")"));
}

// The CA that the token names, of what the server presents.
absl::StatusOr<std::string> FindSiteCa(const JoinOptions& options,
                                       const JoinToken& token) {
  const auto address = SplitHostPort(options.address);
  if (!address.ok()) return address.status();
  ProbeOptions probe;
  std::tie(probe.host, probe.port) = *address;
  probe.server_name = kMasterName;
  probe.timeout = kHandshakeTimeout;
  // Nothing is trusted but what the token names.
  const ProbeResult seen = Probe(probe, *options.clock);
  if (seen.chain_der.empty()) return NoAnswer(options.address, seen.status);
  const auto ca = std::find_if(
      seen.chain_der.begin(), seen.chain_der.end(),
      [&](const std::string& der) { return IsTokenOf(token, der); });
  if (ca != seen.chain_der.end()) return *ca;
  return absl::UnauthenticatedError(absl::StrCat(
      options.address,
      " is not the master of the site that the join token is for; nothing was "
      "sent to it. Check node.join_address, or make a token on that master "
      "with cluster-agent node token create"));
}

absl::StatusOr<v1::JoinResponse> CallJoin(const JoinOptions& options,
                                          const std::string& site_ca_der,
                                          const v1::JoinRequest& request) {
  const absl::StatusOr<std::string> ca_pem = CertificateDerToPem(site_ca_der);
  if (!ca_pem.ok()) return ca_pem.status();
  const auto channel = SiteChannel(options.address, *ca_pem, "", "");
  if (!channel.ok()) return channel.status();
  const auto stub = v1::SiteService::NewStub(*channel);
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(kJoinDeadline));
  if (!options.in_flight->Add(&context)) {
    return absl::CancelledError("the agent stops");
  }
  const absl::Cleanup over = [&] { options.in_flight->Remove(&context); };
  v1::JoinResponse response;
  const absl::Status status =
      FromGrpc(stub->Join(&context, request, &response));
  if (status.ok()) return response;
  if (ReasonOf(status) == v1::ERROR_REASON_JOIN_TOKEN_REFUSED) {
    return Error(status.code(), v1::ERROR_REASON_JOIN_TOKEN_REFUSED,
                 "the master refuses the join token: it is unknown, used up "
                 "or expired; make a new one on the master with cluster-agent "
                 "node token create");
  }
  if (IsUnreachable(status)) return NoAnswer(options.address, status);
  return status;
}

}  // namespace

absl::StatusOr<NodeState> OpenNodeState(
    const missioncontrol::config::v1::AgentConfig& values) {
  std::string derived;
  if (!values.node().machine_id_file().empty()) {
    absl::StatusOr<std::string> id =
        ReadMachineNodeId(values.node().machine_id_file());
    if (!id.ok()) return id.status();
    derived = *std::move(id);
  }
  return NodeState::Open(values.state_directory(), derived);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> SiteChannel(
    const std::string& address, const std::string& site_ca_pem,
    const std::string& certificate_pem, const std::string& key_pem) {
  return MakeChannel({.address = address,
                      .root_pem = site_ca_pem,
                      .cert_chain_pem = certificate_pem,
                      .key_pem = key_pem,
                      .backoff_initial = kReconnect,
                      .backoff_max = kReconnect,
                      .server_name = kMasterName});
}

std::string NodeAddress(const std::string& told, const std::string& joined_at) {
  if (!absl::StartsWith(told, ":")) return told;
  return absl::StrCat(joined_at.substr(0, joined_at.rfind(':')), told);
}

absl::Status JoinSite(const JoinOptions& options) {
  const absl::StatusOr<JoinToken> token = ParseJoinToken(options.token);
  if (!token.ok()) return token.status();
  const absl::StatusOr<std::string> site_ca = FindSiteCa(options, *token);
  if (!site_ca.ok()) return site_ca.status();
  v1::JoinRequest request;
  request.set_token(FormatJoinToken(*token));
  request.set_agent_version(options.agent_version);
  {
    absl::MutexLock lock(&options.state->mutex);
    const auto pair = options.state->directory->DrawNext();
    if (!pair.ok()) return pair.status();
    request.set_node_id(options.state->directory->node_id());
    request.set_certificate_signing_request(pair->request_der());
  }
  const absl::StatusOr<v1::JoinResponse> answer =
      CallJoin(options, *site_ca, request);
  if (!answer.ok()) return answer.status();
  if (answer->site_ca() != *site_ca) {
    return absl::UnauthenticatedError(
        "the master answered with another CA than the join token names; make "
        "a new token");
  }
  absl::MutexLock lock(&options.state->mutex);
  return options.state->directory->Join(
      {answer->node_certificate(), answer->site_ca(),
       NodeAddress(answer->node_address(), options.address)},
      options.clock->Now());
}

}  // namespace mc::agent
