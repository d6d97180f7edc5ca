#include "mc-service/backup/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "mc-service/backup/tar.h"

namespace mc::service {
namespace {

constexpr int64_t kMaxManifest = 4 << 20;
constexpr int64_t kPiece = 1 << 20;

absl::Status NotWhole() {
  return absl::DataLossError(
      "the backup does not hold what it says; take another copy of it");
}

// Reads the archive in a backup.
class ArchiveReader {
 public:
  explicit ArchiveReader(age::Decryptor* bytes) : bytes_(*bytes) {}

  // Absent at the end.
  absl::StatusOr<std::optional<TarEntry>> Next() {
    const absl::StatusOr<std::string> block = bytes_.ReadExactly(kTarBlock);
    if (!block.ok()) return block.status();
    return ParseTarHeader(*block);
  }

  // Calls `take` with the contents of an entry, piece by piece; returns their
  // SHA-256.
  absl::StatusOr<std::string> Contents(
      int64_t size, const std::function<absl::Status(std::string_view)>& take) {
    Sha256Stream digest;
    for (int64_t left = size; left > 0;) {
      const absl::StatusOr<std::string> piece =
          bytes_.ReadExactly(std::min(left, kPiece));
      if (!piece.ok()) return piece.status();
      digest.Update(*piece);
      if (absl::Status taken = take(*piece); !taken.ok()) return taken;
      left -= static_cast<int64_t>(piece->size());
    }
    const absl::StatusOr<std::string> padding =
        bytes_.ReadExactly(TarPadding(size).size());
    if (!padding.ok()) return padding.status();
    return Hex(digest.Finish());
  }

  // After the first block of the end.
  absl::Status Finish() {
    const absl::StatusOr<std::string> block = bytes_.ReadExactly(kTarBlock);
    if (!block.ok()) return block.status();
    const absl::StatusOr<std::string> rest = bytes_.Read(1);
    if (!rest.ok()) return rest.status();
    return rest->empty() ? absl::OkStatus() : NotWhole();
  }

 private:
  age::Decryptor& bytes_;
};

absl::StatusOr<Manifest> ReadManifest(ArchiveReader& archive) {
  const absl::StatusOr<std::optional<TarEntry>> entry = archive.Next();
  if (!entry.ok()) return entry.status();
  if (!entry->has_value() || (*entry)->name != kManifestName ||
      (*entry)->size > kMaxManifest) {
    return NotWhole();
  }
  std::string text;
  const absl::StatusOr<std::string> digest =
      archive.Contents((*entry)->size, [&](std::string_view piece) {
        text.append(piece);
        return absl::OkStatus();
      });
  if (!digest.ok()) return digest.status();
  return ParseManifest(text);
}

}  // namespace

OpenedFile::~OpenedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status FileError(std::string_view what, const std::string& path) {
  const int error = errno;
  return absl::Status(
      absl::ErrnoToStatusCode(error),
      absl::StrCat("cannot ", absl::string_view(what.data(), what.size()), " ",
                   path, ": ", std::generic_category().message(error),
                   error == ENOSPC ? "; free space there, or choose another "
                                     "place"
                                   : ""));
}

absl::Status WriteAll(int descriptor, std::string_view bytes,
                      const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("write", path);
    bytes.remove_prefix(count);
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const OpenedFile directory(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) {
    return FileError("write", path);
  }
  return absl::OkStatus();
}

absl::Status CheckSpace(const std::string& directory, int64_t bytes) {
  struct statvfs info = {};
  if (statvfs(directory.c_str(), &info) != 0) {
    return FileError("use", directory);
  }
  const auto left =
      static_cast<int64_t>(info.f_frsize) * static_cast<int64_t>(info.f_bavail);
  if (left >= bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("there is too little space in ", directory, ": ", bytes,
                   " bytes are needed, ", left,
                   " are left; free space there, or choose another place"));
}

BackupWriter::BackupWriter(std::string path, int descriptor, absl::Time now)
    : path_(std::move(path)),
      draft_(path_ + ".partial"),
      file_(descriptor),
      now_(now) {}

absl::StatusOr<std::unique_ptr<BackupWriter>> BackupWriter::Create(
    const std::string& path, const age::Recipient& recipient, absl::Time now) {
  const std::string draft = path + ".partial";
  const int descriptor =
      open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return FileError("create", draft);
  std::unique_ptr<BackupWriter> writer(new BackupWriter(path, descriptor, now));
  auto encryptor =
      age::Encryptor::Start(recipient, [descriptor, draft](std::string_view b) {
        return WriteAll(descriptor, b, draft);
      });
  if (!encryptor.ok()) return encryptor.status();
  writer->encryptor_ = *std::move(encryptor);
  return writer;
}

BackupWriter::~BackupWriter() {
  if (!finished_) unlink(draft_.c_str());
}

absl::Status BackupWriter::BeginFile(const std::string& name, int64_t bytes) {
  const absl::StatusOr<std::string> header =
      TarHeader({.name = name, .size = bytes, .modified_at = now_});
  if (!header.ok()) return header.status();
  size_ = bytes;
  return encryptor_->Write(*header);
}

absl::Status BackupWriter::Write(std::string_view bytes) {
  return encryptor_->Write(bytes);
}

absl::Status BackupWriter::EndFile() {
  return encryptor_->Write(TarPadding(size_));
}

absl::Status BackupWriter::Finish() {
  absl::Status status = encryptor_->Write(TarEnd());
  if (status.ok()) status = encryptor_->Finish();
  if (!status.ok()) return status;
  if (fsync(file_.get()) != 0) return FileError("write", draft_);
  if (rename(draft_.c_str(), path_.c_str()) != 0) {
    return FileError("replace", path_);
  }
  finished_ = true;
  return SyncDirectory(DirectoryOf(path_));
}

absl::StatusOr<Manifest> ReadBackup(const std::string& path,
                                    const age::Identity& identity,
                                    BackupVisitor& visitor,
                                    const BackupProgress& progress) {
  const OpenedFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FileError("read", path);
  auto bytes = age::Decryptor::Start(
      identity, [&](char* to, size_t size) -> absl::StatusOr<size_t> {
        ssize_t count = 0;
        do {
          count = read(file.get(), to, size);
        } while (count < 0 && errno == EINTR);
        if (count < 0) return FileError("read", path);
        return count;
      });
  if (!bytes.ok()) {
    return absl::Status(bytes.status().code(),
                        absl::StrCat(path, ": ", bytes.status().message()));
  }
  ArchiveReader archive(bytes->get());
  absl::StatusOr<Manifest> manifest = ReadManifest(archive);
  if (!manifest.ok()) return manifest;
  if (absl::Status begun = visitor.Begin(*manifest); !begun.ok()) return begun;
  const int64_t total = manifest->TotalBytes();
  int64_t done = 0;
  for (const BackedUpFile& listed : manifest->files) {
    const absl::StatusOr<std::optional<TarEntry>> entry = archive.Next();
    if (!entry.ok()) return entry.status();
    if (!entry->has_value() || (*entry)->name != listed.name ||
        (*entry)->size != listed.bytes) {
      return NotWhole();
    }
    if (absl::Status s = visitor.BeginFile(listed); !s.ok()) return s;
    const absl::StatusOr<std::string> digest =
        archive.Contents(listed.bytes, [&](std::string_view piece) {
          done += static_cast<int64_t>(piece.size());
          if (progress) progress(done, total);
          return visitor.Write(piece);
        });
    if (!digest.ok()) return digest.status();
    if (*digest != listed.sha256) return NotWhole();
    if (absl::Status s = visitor.EndFile(); !s.ok()) return s;
  }
  const absl::StatusOr<std::optional<TarEntry>> end = archive.Next();
  if (!end.ok()) return end.status();
  if (end->has_value()) return NotWhole();
  if (absl::Status s = archive.Finish(); !s.ok()) return s;
  return manifest;
}

}  // namespace mc::service
