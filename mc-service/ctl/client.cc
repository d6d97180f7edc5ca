#include "mc-service/ctl/client.h"

#include <cstdlib>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cli/output.h"
#include "common/config/yaml_config.h"
#include "common/files/files.h"
#include "common/status/grpc_status.h"
#include "common/time/clock.h"
#include "common/tls/credentials.h"

namespace mc::service {

std::string Client::DefaultConfigFile() {
  if (const char* file = std::getenv("MCCTL_CONFIG"); file != nullptr) {
    return file;
  }
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "" : home, "/.config/mcctl/mcctl.yaml");
}

absl::StatusOr<const missioncontrol::config::v1::CtlConfig*> Client::Config() {
  if (config_.has_value()) return &*config_;
  missioncontrol::config::v1::CtlConfig config;
  absl::Status status = LoadYaml(options_.config_file, &config);
  if (status.code() == absl::StatusCode::kNotFound) {
    // A missing configuration is wrong usage; NOT_FOUND is the service's word.
    return absl::InvalidArgumentError(
        absl::StrCat(status.message(),
                     ": name it with --config or $MCCTL_CONFIG; "
                     "`mc-service init` writes one"));
  }
  if (!status.ok()) return status;
  if (config.operator_address().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.config_file, ": operator_address is missing"));
  }
  const std::string directory = DirectoryOf(options_.config_file);
  for (std::string* path :
       {config.mutable_ca_file(), config.mutable_certificate_file(),
        config.mutable_key_file()}) {
    *path = ResolvePath(directory, *path);
  }
  config_ = std::move(config);
  return &*config_;
}

absl::StatusOr<FleetStub*> Client::Fleet() {
  if (stub_ != nullptr) return stub_.get();
  const auto loaded = Config();
  if (!loaded.ok()) return loaded.status();
  const missioncontrol::config::v1::CtlConfig& config = **loaded;
  ClientTls tls;
  const auto read = [](const std::string& path, bool is_private,
                       std::string& into) -> absl::Status {
    if (path.empty()) return absl::OkStatus();
    auto text = is_private ? ReadPrivateFile(path) : ReadFile(path);
    if (!text.ok()) {
      return absl::InvalidArgumentError(text.status().message());
    }
    into = *std::move(text);
    return absl::OkStatus();
  };
  for (const absl::Status& done :
       {read(config.ca_file(), false, tls.root_pem),
        read(config.certificate_file(), false, tls.cert_chain_pem),
        read(config.key_file(), true, tls.key_pem)}) {
    if (!done.ok()) return done;
  }
  if (!tls.cert_chain_pem.empty()) {
    const absl::Status valid =
        CheckValidity(tls.cert_chain_pem, RealClock().Now());
    if (!valid.ok()) return valid;
  }
  const auto credentials = MakeChannelCredentials(tls);
  if (!credentials.ok()) return credentials.status();
  address_ = config.operator_address();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  stub_ = v1::FleetService::NewStub(
      grpc::CreateCustomChannel(address_, *credentials, arguments));
  return stub_.get();
}

void Client::SetDeadline(grpc::ClientContext& context) const {
  context.set_deadline(
      absl::ToChronoTime(RealClock().Now() + options_.timeout));
}

absl::Status Client::Explain(const grpc::Status& status) const {
  absl::Status result = FromGrpc(status);
  if (result.code() == absl::StatusCode::kUnavailable &&
      status.error_details().empty()) {
    // A refused certificate looks like this too.
    return absl::UnavailableError(absl::StrCat(
        "no answer from ", address_, " (", result.message(),
        "): does the service run there, and do the ca_file and the "
        "certificate of ",
        options_.config_file, " belong to it?"));
  }
  return result;
}

absl::Status Client::Print(const google::protobuf::Message& response,
                           const std::function<std::string()>& table) const {
  if (options_.csv) {
    return absl::InvalidArgumentError(
        "this command does not know --output csv; use table or json");
  }
  if (!options_.json) {
    std::cout << table() << std::flush;
    return absl::OkStatus();
  }
  const auto json = ToJson(response, /*one_line=*/false);
  if (!json.ok()) return json.status();
  std::cout << *json << std::flush;
  return absl::OkStatus();
}

}  // namespace mc::service
