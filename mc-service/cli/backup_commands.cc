#include "mc-service/cli/backup_commands.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/age/keys.h"
#include "common/files/files.h"
#include "common/time/clock.h"
#include "mc-service/backup/backup.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {
namespace {

constexpr char kKeys[] =
    "Keys: `age-keygen -o backup.key`, and `age-keygen -y backup.key >\n"
    "backup.pub`; or `openssl genpkey -algorithm X25519 -out backup.key`, and\n"
    "`openssl pkey -in backup.key -pubout -out backup.pub`. Keep backup.key\n"
    "away from the service: whoever has it and a backup has the CAs.\n";
// Smaller ones are done before anybody asks.
constexpr int64_t kWorthTelling = 64 << 20;

// Says each tenth, on the standard error.
BackupProgress Tell(const char* what) {
  return [what, last = int64_t{-1}](int64_t done, int64_t total) mutable {
    if (total < kWorthTelling) return;
    const int64_t tenth = done * 10 / total;
    if (std::exchange(last, tenth) == tenth) return;
    std::cerr << "mc-service: " << what << " " << tenth * 10 << " % of "
              << (total >> 20) << " MiB\n";
  };
}

template <typename Key>
absl::StatusOr<Key> KeyIn(const std::string& file,
                          const absl::StatusOr<std::string>& text) {
  if (!text.ok()) return text.status();
  absl::StatusOr<Key> key = Key::Parse(*text);
  if (key.ok()) return key;
  return absl::Status(key.status().code(),
                      absl::StrCat(file, ": ", key.status().message()));
}

std::string Summary(const Manifest& manifest) {
  std::string text =
      absl::StrCat("Made at:        ", manifest.created_at,
                   "\nBy mc-service:  ", manifest.program_version,
                   "\nTrust domain:   ", manifest.trust_domain,
                   "\nService epoch:  ", manifest.service_epoch,
                   "\nSchema version: ", manifest.schema_version,
                   "\nBytes:          ", manifest.TotalBytes(), "\n\nFiles:\n");
  for (const BackedUpFile& file : manifest.files) {
    absl::StrAppend(&text, "  ", file.name, "  (", file.bytes, " bytes)\n");
  }
  for (const std::string& path : manifest.not_included) {
    absl::StrAppend(&text, "\nNot included, for it is outside the state ",
                    "directory: ", path, "\n");
  }
  return text;
}

}  // namespace

BackupCommands::BackupCommands(CLI::App& app, std::string program_version)
    : program_version_(std::move(program_version)) {
  backup_ = app.add_subcommand(
      "backup", "Make an encrypted backup of the service, while it runs");
  backup_->require_subcommand(0, 1);
  backup_->add_option("--config", config_, "The configuration file")
      ->capture_default_str();
  backup_->add_option("--to", to_,
                      "The file to make; one that is there is replaced when "
                      "the new one is whole");
  backup_->add_option("--recipient", recipient_,
                      "The file with the public key to encrypt it to");
  backup_->footer(std::string(kKeys) +
                  "\nThe file is in the format of age-encryption.org; inside "
                  "is a tar archive:\n"
                  "`age -d -i backup.key FILE | tar t` works, too.\n"
                  "Example:\n  mc-service backup --config DIR/mc-service.yaml "
                  "--recipient backup.pub --to FILE");
  inspect_ = backup_->add_subcommand(
      "inspect", "Check a backup to its last byte, and say what is in it");
  inspect_->add_option("--from", from_, "The backup")->required();
  inspect_->add_option("--key", key_, "The file with the private key")
      ->required();
  inspect_->add_option("--output", output_, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  inspect_->footer(
      "Example:\n  mc-service backup inspect --from FILE --key backup.key");
  restore_ = app.add_subcommand(
      "restore", "Make the state directory of a service out of a backup");
  restore_->add_option("--from", from_, "The backup")->required();
  restore_->add_option("--key", key_, "The file with the private key")
      ->required();
  restore_
      ->add_option("--to", to_,
                   "The directory to make; it must be absent or empty")
      ->required();
  restore_->footer(
      "Everything is checked in DIR.restoring, which then becomes DIR.\n"
      "Example:\n"
      "  mc-service restore --from FILE --key backup.key --to DIR");
}

bool BackupCommands::parsed() const {
  return backup_->parsed() || restore_->parsed();
}

absl::Status BackupCommands::Run() const {
  if (restore_->parsed()) return Restore();
  return inspect_->parsed() ? Inspect() : MakeBackup();
}

absl::Status BackupCommands::MakeBackup() const {
  if (to_.empty() || recipient_.empty()) {
    return absl::InvalidArgumentError(
        "backup needs --to and --recipient (see --help)");
  }
  const auto recipient =
      KeyIn<age::Recipient>(recipient_, ReadFile(recipient_));
  if (!recipient.ok()) return recipient.status();
  const absl::StatusOr<Configuration> configuration =
      LoadConfiguration(config_);
  if (!configuration.ok()) return configuration.status();
  const RealClock clock;
  BackupOptions options;
  options.configuration = &*configuration;
  options.to = to_;
  options.recipient = &*recipient;
  options.clock = &clock;
  options.program_version = program_version_;
  options.progress = Tell("encrypted");
  const absl::StatusOr<Manifest> manifest = service::MakeBackup(options);
  if (!manifest.ok()) return manifest.status();
  std::cout << "Made " << to_ << ": " << manifest->files.size() << " files, "
            << manifest->TotalBytes() << " bytes, service epoch "
            << manifest->service_epoch << ".\n";
  for (const std::string& path : manifest->not_included) {
    std::cout << "Not included, for it is outside the state directory: " << path
              << "\n";
  }
  return absl::OkStatus();
}

absl::Status BackupCommands::Inspect() const {
  const auto key = KeyIn<age::Identity>(key_, ReadPrivateFile(key_));
  if (!key.ok()) return key.status();
  const absl::StatusOr<Manifest> manifest =
      InspectBackup(from_, *key, Tell("checked"));
  if (!manifest.ok()) return manifest.status();
  std::cout << (output_ == "json" ? ToJson(*manifest) : Summary(*manifest));
  return absl::OkStatus();
}

absl::Status BackupCommands::Restore() const {
  const auto key = KeyIn<age::Identity>(key_, ReadPrivateFile(key_));
  if (!key.ok()) return key.status();
  RestoreOptions options;
  options.from = from_;
  options.identity = &*key;
  options.to = to_;
  options.progress = Tell("restored");
  const absl::StatusOr<Manifest> manifest = service::Restore(options);
  if (!manifest.ok()) return manifest.status();
  const std::string config = absl::StrCat(to_, "/", kConfigName);
  std::cout << "Restored the backup of " << manifest->created_at << " to "
            << to_ << ", with a new service epoch.\n\nNext:\n";
  for (const std::string& path : manifest->not_included) {
    std::cout << "  put back what was not in the backup: " << path << "\n";
  }
  std::cout
      << "  make sure that the old service does not run any more\n"
         "  mc-service validate --config "
      << config << "\n  mc-service run --config " << config
      << "\n\nWhat happened after the backup is not in it. Clusters send the "
         "consumption that they\nkeep (outbox.keep_acknowledged) once more, by "
         "themselves; it counts once. Do again by\nhand: licenses and accounts "
         "that were made or changed, clusters that were revoked. A\ncluster "
         "that was registered since then registers anew.\n";
  return absl::OkStatus();
}

}  // namespace mc::service
