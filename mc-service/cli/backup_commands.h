// `mc-service backup`, `backup inspect` and `restore`.
#ifndef MC_SERVICE_CLI_BACKUP_COMMANDS_H_
#define MC_SERVICE_CLI_BACKUP_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"

namespace mc::service {

class BackupCommands {
 public:
  // Adds them; the application and this object live as long as each other.
  BackupCommands(CLI::App& app, std::string program_version);
  BackupCommands(const BackupCommands&) = delete;
  BackupCommands& operator=(const BackupCommands&) = delete;

  // Whether one of them was given; then what to run.
  bool parsed() const;
  absl::Status Run() const;

 private:
  absl::Status MakeBackup() const;
  absl::Status Inspect() const;
  absl::Status Restore() const;

  const std::string program_version_;
  std::string config_ = "mc-service.yaml";
  std::string to_;
  std::string recipient_;
  std::string from_;
  std::string key_;
  std::string output_ = "text";
  CLI::App* backup_ = nullptr;
  CLI::App* inspect_ = nullptr;
  CLI::App* restore_ = nullptr;
};

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_BACKUP_COMMANDS_H_
