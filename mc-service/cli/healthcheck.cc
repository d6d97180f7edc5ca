#include "mc-service/cli/healthcheck.h"

#include <httplib.h>

#include "absl/strings/str_cat.h"
#include "mc-service/edge/ports.h"

namespace mc::service {

namespace {

absl::Status AskWhetherReady(HostPort address) {
  // Where it listens on every address, it is asked on loopback.
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  httplib::Client client(address.host, address.port);
  client.set_connection_timeout(5);
  client.set_read_timeout(5);
  const httplib::Result answer = client.Get("/readyz");
  if (!answer) {
    return absl::UnavailableError(absl::StrCat(
        "The service does not answer on ", address.host, " port ", address.port,
        ": ", httplib::to_string(answer.error()), "."));
  }
  if (answer->status != 200) {
    return absl::UnavailableError(
        "The service is not ready; its log says what it waits for.");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Healthcheck(const Configuration& configuration) {
  absl::StatusOr<HostPort> address =
      ParseHostPort(configuration.values.listeners().metrics().address());
  if (!address.ok()) return address.status();
  if (address->port == 0) {
    const absl::StatusOr<Ports> ports =
        ReadPorts(configuration.state().PortsFile());
    if (!ports.ok()) {
      return absl::UnavailableError("The service does not run.");
    }
    address->port = ports->metrics;
  }
  return AskWhetherReady(*address);
}

absl::Status FrontHealthcheck(const std::string& metrics) {
  const absl::StatusOr<HostPort> address = ParseHostPort(metrics);
  if (!address.ok()) return address.status();
  return AskWhetherReady(*address);
}

}  // namespace mc::service
