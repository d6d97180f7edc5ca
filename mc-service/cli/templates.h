// The configuration files that `mc-service init` writes.
#ifndef MC_SERVICE_CLI_TEMPLATES_H_
#define MC_SERVICE_CLI_TEMPLATES_H_

#include <string>
#include <string_view>

namespace mc::service {

struct TemplateOptions {
  std::string trust_domain;
  bool free_ports = false;
  // Empty: there is no enrollment front.
  std::string front_socket;
  std::string front_group;
};

// mc-service.yaml, with a comment for each key.
std::string ServiceConfigTemplate(const TemplateOptions& options);

// mcctl.yaml; its paths are relative to itself.
std::string McctlConfigTemplate();

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_TEMPLATES_H_
