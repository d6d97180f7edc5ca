#include "mc-service/backup/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/sqlite/database.h"

namespace mc::service {
namespace {

namespace fs = std::filesystem;
using sqlite::Database;

constexpr char kCopyName[] = ".backup-store.db";
constexpr size_t kPiece = 1 << 20;

absl::StatusOr<int64_t> Number(Database& database, std::string_view sql) {
  absl::StatusOr<sqlite::Statement> statement = database.Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::DataLossError("the store says nothing of itself");
  return statement->Int64(0);
}

// A file to be read once its place among the others is known.
struct Source {
  std::string name;
  std::string path;
};

// Whether a file of the state directory is made anew by each process, or is
// one that somebody is writing.
bool IsTransient(const std::string& name) {
  return name == kStoreName ||
         absl::StartsWith(name, absl::StrCat(kStoreName, "-")) ||
         absl::EndsWith(name, ".lock") || name == "ports.json" ||
         absl::StrContains(name, ".new-") || absl::StartsWith(name, ".backup");
}

class BackupMaker {
 public:
  explicit BackupMaker(const BackupOptions& options)
      : options_(options), state_(options.configuration->state()) {}

  absl::StatusOr<Manifest> Make() {
    const OpenedFile directory(
        open(state_.directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) return FileError("read", state_.directory());
    if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("another backup of ", state_.directory(),
                       " is being made; wait for its end"));
    }
    absl::Status status = CopyStore();
    const OpenedFile copy(open(copy_path().c_str(), O_RDONLY | O_CLOEXEC));
    // From here on it has no name: nothing of it stays, whatever happens.
    unlink(copy_path().c_str());
    if (!status.ok()) return status;
    if (copy.get() < 0) return FileError("read", copy_path());
    status = ListFiles(copy.get());
    if (!status.ok()) return status;
    return Write(copy.get());
  }

 private:
  std::string copy_path() const {
    return absl::StrCat(state_.directory(), "/", kCopyName);
  }

  absl::Status CopyStore() {
    absl::StatusOr<std::unique_ptr<Database>> store =
        Database::Open(state_.StoreFile(), {.read_only = true});
    if (!store.ok()) return store.status();
    const absl::StatusOr<int64_t> bytes =
        Number(**store,
               "SELECT page_count * page_size FROM pragma_page_count, "
               "pragma_page_size");
    if (!bytes.ok()) return bytes.status();
    absl::Status space = CheckSpace(state_.directory(), *bytes);
    if (!space.ok()) return space;
    // One that a killed process left.
    unlink(copy_path().c_str());
    const OpenedFile made(open(copy_path().c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (made.get() < 0) return FileError("create", copy_path());
    absl::StatusOr<sqlite::Statement> vacuum =
        (*store)->Prepare("VACUUM INTO ?");
    if (!vacuum.ok()) return vacuum.status();
    absl::Status copied = vacuum->Bind(1, copy_path()).Run();
    if (!copied.ok()) return copied;
    absl::StatusOr<std::unique_ptr<Database>> copy =
        Database::Open(copy_path(), {.read_only = true});
    if (!copy.ok()) return copy.status();
    const absl::StatusOr<int64_t> epoch =
        Number(**copy, "SELECT service_epoch FROM store_info");
    if (!epoch.ok()) return epoch.status();
    const absl::StatusOr<int64_t> version =
        Number(**copy, "SELECT max(version) FROM schema_migration");
    if (!version.ok()) return version.status();
    manifest_.service_epoch = static_cast<uint64_t>(*epoch);
    manifest_.schema_version = *version;
    return absl::OkStatus();
  }

  // After the store was copied: a key that the store's rows name is there.
  absl::Status ListFiles(int copy) {
    sources_ = {{kConfigName, options_.configuration->file}};
    std::error_code error;
    const fs::path root(state_.directory());
    for (auto entry = fs::recursive_directory_iterator(root, error);
         !error && entry != fs::recursive_directory_iterator();
         entry.increment(error)) {
      const std::string name = entry->path().lexically_relative(root).string();
      std::error_code ignored;
      if (!entry->is_regular_file(ignored) || entry->is_symlink(ignored) ||
          IsTransient(name) || name == kConfigName ||
          fs::equivalent(entry->path(), options_.configuration->file,
                         ignored)) {
        continue;
      }
      sources_.push_back({name, entry->path().string()});
    }
    if (error) {
      return absl::UnavailableError(absl::StrCat(
          "cannot read ", state_.directory(), ": ", error.message()));
    }
    std::sort(sources_.begin(), sources_.end(),
              [](const Source& a, const Source& b) { return a.name < b.name; });
    for (const Source& source : sources_) {
      const absl::StatusOr<std::string> contents = ReadFile(source.path);
      if (!contents.ok()) return contents.status();
      contents_.push_back(*contents);
      manifest_.files.push_back({source.name,
                                 static_cast<int64_t>(contents->size()),
                                 Hex(Sha256(*contents))});
    }
    const absl::StatusOr<BackedUpFile> store = Digest(copy);
    if (!store.ok()) return store.status();
    manifest_.files.push_back(*store);
    NameOthers();
    return absl::OkStatus();
  }

  absl::StatusOr<BackedUpFile> Digest(int copy) {
    BackedUpFile file{kStoreName, 0, ""};
    Sha256Stream digest;
    absl::Status status = ForEachPiece(copy, [&](std::string_view piece) {
      digest.Update(piece);
      file.bytes += static_cast<int64_t>(piece.size());
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    file.sha256 = Hex(digest.Finish());
    return file;
  }

  absl::Status ForEachPiece(
      int copy, const std::function<absl::Status(std::string_view)>& take) {
    std::string piece(kPiece, '\0');
    off_t at = 0;
    while (true) {
      const ssize_t count = pread(copy, piece.data(), piece.size(), at);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return FileError("read", copy_path());
      if (count == 0) return absl::OkStatus();
      at += count;
      absl::Status taken = take(std::string_view(piece).substr(0, count));
      if (!taken.ok()) return taken;
    }
  }

  void NameOthers() {
    const config::Listeners& listeners =
        options_.configuration->values.listeners();
    std::set<std::string> others;
    for (const config::Listener* listener :
         {&listeners.enrollment(), &listeners.cluster(),
          &listeners.operator_()}) {
      for (const std::string& path :
           {listener->certificate_file(), listener->key_file()}) {
        if (!absl::StartsWith(path, state_.directory() + "/")) {
          others.insert(path);
        }
      }
    }
    manifest_.not_included.assign(others.begin(), others.end());
  }

  absl::StatusOr<Manifest> Write(int copy) {
    const absl::Time now = options_.clock->Now();
    manifest_.created_at =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", now, absl::UTCTimeZone());
    manifest_.program_version = options_.program_version;
    manifest_.trust_domain = options_.configuration->values.trust_domain();
    const int64_t total = manifest_.TotalBytes();
    const std::string folder = DirectoryOf(options_.to);
    absl::Status status = CheckSpace(folder, total);
    if (!status.ok()) return status;
    absl::StatusOr<std::unique_ptr<BackupWriter>> writer =
        BackupWriter::Create(options_.to, *options_.recipient, now);
    if (!writer.ok()) return writer.status();
    status = WriteWhole(**writer, kManifestName, ToJson(manifest_));
    for (size_t i = 0; status.ok() && i < sources_.size(); ++i) {
      status = WriteWhole(**writer, sources_[i].name, contents_[i]);
    }
    const int64_t bytes = manifest_.files.back().bytes;
    if (status.ok()) status = (*writer)->BeginFile(kStoreName, bytes);
    int64_t done = total - bytes;
    if (status.ok()) {
      status = ForEachPiece(copy, [&](std::string_view piece) {
        done += static_cast<int64_t>(piece.size());
        if (options_.progress) options_.progress(done, total);
        return (*writer)->Write(piece);
      });
    }
    if (status.ok()) status = (*writer)->EndFile();
    if (status.ok()) status = (*writer)->Finish();
    if (!status.ok()) return status;
    return std::move(manifest_);
  }

  static absl::Status WriteWhole(BackupWriter& writer, const std::string& name,
                                 std::string_view contents) {
    absl::Status status =
        writer.BeginFile(name, static_cast<int64_t>(contents.size()));
    if (status.ok()) status = writer.Write(contents);
    if (status.ok()) status = writer.EndFile();
    return status;
  }

  const BackupOptions& options_;
  const StateLayout state_;
  Manifest manifest_;
  // In the order of the manifest, without the store.
  std::vector<Source> sources_;
  std::vector<std::string> contents_;
};

class NoVisitor final : public BackupVisitor {
 public:
  absl::Status Begin(const Manifest&) override { return absl::OkStatus(); }
  absl::Status BeginFile(const BackedUpFile&) override {
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view) override { return absl::OkStatus(); }
  absl::Status EndFile() override { return absl::OkStatus(); }
};

}  // namespace

absl::StatusOr<Manifest> MakeBackup(const BackupOptions& options) {
  return BackupMaker(options).Make();
}

absl::StatusOr<Manifest> InspectBackup(const std::string& from,
                                       const age::Identity& identity,
                                       const BackupProgress& progress) {
  NoVisitor visitor;
  return ReadBackup(from, identity, visitor, progress);
}

}  // namespace mc::service
