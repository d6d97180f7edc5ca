#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/sqlite/database.h"
#include "mc-service/backup/backup.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/cli/state_layout.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

namespace fs = std::filesystem;
using sqlite::Database;

// Puts the files of a backup below a folder.
class Unpacker final : public BackupVisitor {
 public:
  explicit Unpacker(std::string root) : root_(std::move(root)) {}

  absl::Status Begin(const Manifest& manifest) override {
    if (manifest.schema_version > NewestStoreVersion()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the backup's store has schema version ", manifest.schema_version,
          ", this program knows versions up to ", NewestStoreVersion(),
          "; restore it with mc-service ", manifest.program_version,
          " or a newer one"));
    }
    return CheckSpace(root_, manifest.TotalBytes());
  }

  absl::Status BeginFile(const BackedUpFile& file) override {
    path_ = root_ + "/" + file.name;
    absl::Status made = MakeFolders(DirectoryOf(file.name));
    if (!made.ok()) return made;
    file_ = std::make_unique<OpenedFile>(
        open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    return file_->get() < 0 ? FileError("create", path_) : absl::OkStatus();
  }

  absl::Status Write(std::string_view bytes) override {
    return WriteAll(file_->get(), bytes, path_);
  }

  absl::Status EndFile() override {
    if (fsync(file_->get()) != 0) return FileError("write", path_);
    file_ = nullptr;
    return absl::OkStatus();
  }

 private:
  absl::Status MakeFolders(const std::string& name) {
    std::string path = root_;
    for (absl::string_view part : absl::StrSplit(name, '/')) {
      if (part == ".") continue;
      absl::StrAppend(&path, "/", part);
      if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return FileError("make", path);
      }
    }
    return absl::OkStatus();
  }

  const std::string root_;
  std::string path_;
  std::unique_ptr<OpenedFile> file_;
};

absl::Status CheckStore(Database& store) {
  absl::StatusOr<sqlite::Statement> check =
      store.Prepare("PRAGMA integrity_check(1)");
  if (!check.ok()) return check.status();
  absl::StatusOr<bool> row = check->Step();
  if (!row.ok()) return row.status();
  if (!*row || check->Text(0) != "ok") {
    return absl::DataLossError(
        absl::StrCat("the store in the backup is damaged: ", check->Text(0),
                     "; take an older backup"));
  }
  absl::StatusOr<sqlite::Statement> references =
      store.Prepare("PRAGMA foreign_key_check");
  if (!references.ok()) return references.status();
  row = references->Step();
  if (!row.ok()) return row.status();
  if (*row) {
    return absl::DataLossError(absl::StrCat(
        "the store in the backup is damaged: rows of ", references->Text(0),
        " refer to nothing; take an older backup"));
  }
  return absl::OkStatus();
}

// Clusters tell by it that the service may have forgotten what it confirmed.
absl::Status DrawEpoch(Database& store) {
  const std::string random = RandomBytes(sizeof(uint64_t));
  uint64_t epoch = 0;
  memcpy(&epoch, random.data(), sizeof(epoch));
  epoch = (epoch & 0x7fffffffffffffff) | 1;
  return store.InTransaction([&] {
    absl::StatusOr<sqlite::Statement> update =
        store.Prepare("UPDATE store_info SET service_epoch = ?");
    if (!update.ok()) return update.status();
    return update->BindAll(epoch).Run();
  });
}

absl::Status PrepareStore(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> store =
      Database::Open(path, {.create = false});
  if (!store.ok()) return store.status();
  absl::Status status = CheckStore(**store);
  if (status.ok()) status = DrawEpoch(**store);
  if (status.ok()) status = (*store)->Exec("PRAGMA wal_checkpoint(TRUNCATE)");
  return status;
}

absl::Status CheckKeys(const StateLayout& state) {
  for (const AuthorityKind kind :
       {AuthorityKind::kServer, AuthorityKind::kCluster,
        AuthorityKind::kOperator}) {
    const auto authority = LoadAuthority(state, kind);
    if (!authority.ok()) return authority.status();
    const auto known = KnownAuthorities(state, kind);
    if (!known.ok()) return known.status();
  }
  const absl::StatusOr<std::string> key =
      ReadPrivateFile(state.DocumentKeyFile());
  if (!key.ok()) return key.status();
  return PrivateKey::FromPem(*key).status();
}

// A state directory that the configuration names is the old one: two services
// must not share it.
absl::Status MoveState(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  bool changed = false;
  for (std::string& line : lines) {
    if (!absl::StartsWith(line, "state_directory:")) continue;
    line = absl::StrCat("# Before it was restored: ", line);
    changed = true;
  }
  if (!changed) return absl::OkStatus();
  return AtomicWrite(file, absl::StrJoin(lines, "\n"), 0600);
}

absl::Status SyncFolders(const std::string& root) {
  absl::Status status = SyncDirectory(root);
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(root, error)) {
    if (entry.is_directory()) status.Update(SyncDirectory(entry.path()));
  }
  return status;
}

absl::Status CheckTarget(const std::string& to) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(to, error))) return absl::OkStatus();
  if (fs::is_directory(fs::symlink_status(to, error)) &&
      fs::is_empty(to, error) && !error) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(to,
                   " is not an empty directory; nothing was changed. "
                   "Choose another --to"));
}

}  // namespace

absl::StatusOr<Manifest> Restore(const RestoreOptions& options) {
  std::string to = options.to;
  while (to.size() > 1 && to.back() == '/') to.pop_back();
  absl::Status status = CheckTarget(to);
  if (!status.ok()) return status;
  const std::string draft = to + ".restoring";
  if (mkdir(draft.c_str(), 0700) != 0 && errno != EEXIST) {
    return FileError("make", draft);
  }
  const OpenedFile folder(
      open(draft.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return FileError("use", draft);
  if (flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("another process restores to ", to, "; wait for its end"));
  }
  absl::Cleanup remove = [&draft] {
    std::error_code ignored;
    fs::remove_all(draft, ignored);
  };
  // What a killed process left.
  for (const auto& entry : fs::directory_iterator(draft)) {
    std::error_code ignored;
    fs::remove_all(entry, ignored);
  }
  Unpacker unpacker(draft);
  absl::StatusOr<Manifest> manifest =
      ReadBackup(options.from, *options.identity, unpacker, options.progress);
  if (!manifest.ok()) return manifest;
  const StateLayout state(draft);
  status = PrepareStore(state.StoreFile());
  if (status.ok()) status = CheckKeys(state);
  if (status.ok()) status = MoveState(state.ConfigFile());
  if (status.ok()) status = SyncFolders(draft);
  if (!status.ok()) return status;
  // An empty directory gives way.
  if (rename(draft.c_str(), to.c_str()) != 0) {
    return FileError("put the restored directory to", to);
  }
  std::move(remove).Cancel();
  status = SyncDirectory(DirectoryOf(to));
  if (!status.ok()) return status;
  return manifest;
}

}  // namespace mc::service
