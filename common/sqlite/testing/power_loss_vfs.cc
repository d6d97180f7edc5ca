#include "common/sqlite/testing/power_loss_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <utility>

namespace mc::sqlite::testing {
namespace {

constexpr size_t kSector = 512;

void Must(bool done, const char* what) {
  if (done) return;
  fprintf(stderr, "PowerLossVfs: %s\n", what);
  abort();
}

// What SQLite has of an open file; the system's own follows it in memory.
struct OpenFile {
  sqlite3_file base;
  PowerLossVfs* vfs;
  std::string* path;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

OpenFile* Of(sqlite3_file* file) { return reinterpret_cast<OpenFile*>(file); }

template <typename... Parameters, typename... Arguments>
int Forward(int (*sqlite3_io_methods::*method)(sqlite3_file*, Parameters...),
            sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* real = Of(file)->real();
  return (real->pMethods->*method)(real, arguments...);
}

int Close(sqlite3_file* file) {
  const int code = Forward(&sqlite3_io_methods::xClose, file);
  delete Of(file)->path;
  return code;
}

int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  return Forward(&sqlite3_io_methods::xRead, file, to, size, offset);
}

int Write(sqlite3_file* file, const void* from, int size,
          sqlite3_int64 offset) {
  const int code =
      Forward(&sqlite3_io_methods::xWrite, file, from, size, offset);
  if (code == SQLITE_OK) {
    Of(file)->vfs->Changed(
        *Of(file)->path,
        {.offset = offset,
         .bytes = std::string(static_cast<const char*>(from), size)});
  }
  return code;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int code = Forward(&sqlite3_io_methods::xTruncate, file, size);
  if (code == SQLITE_OK) {
    Of(file)->vfs->Changed(*Of(file)->path,
                           {.truncate = true, .offset = size, .bytes = ""});
  }
  return code;
}

int Sync(sqlite3_file* file, int flags) {
  Of(file)->vfs->Syncing(*Of(file)->path);
  const int code = Forward(&sqlite3_io_methods::xSync, file, flags);
  if (code == SQLITE_OK) Of(file)->vfs->Synced(*Of(file)->path);
  return code;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Forward(&sqlite3_io_methods::xFileSize, file, size);
}
int Lock(sqlite3_file* file, int level) {
  return Forward(&sqlite3_io_methods::xLock, file, level);
}
int Unlock(sqlite3_file* file, int level) {
  return Forward(&sqlite3_io_methods::xUnlock, file, level);
}
int CheckReservedLock(sqlite3_file* file, int* result) {
  return Forward(&sqlite3_io_methods::xCheckReservedLock, file, result);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Forward(&sqlite3_io_methods::xFileControl, file, operation, argument);
}
int SectorSize(sqlite3_file* /*file*/) { return kSector; }
// It promises nothing: neither atomic writes nor writes in order.
int DeviceCharacteristics(sqlite3_file* /*file*/) { return 0; }
int ShmMap(sqlite3_file* file, int page, int size, int extend,
           void volatile** memory) {
  return Forward(&sqlite3_io_methods::xShmMap, file, page, size, extend,
                 memory);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Forward(&sqlite3_io_methods::xShmLock, file, offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) {
  sqlite3_file* real = Of(file)->real();
  real->pMethods->xShmBarrier(real);
}
int ShmUnmap(sqlite3_file* file, int remove) {
  return Forward(&sqlite3_io_methods::xShmUnmap, file, remove);
}

// Version 2: with shared memory, without memory-mapped reading and writing,
// which would go past us.
constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

PowerLossVfs* Of(sqlite3_vfs* vfs) {
  return static_cast<PowerLossVfs*>(vfs->pAppData);
}

int Open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags,
         int* out_flags) {
  PowerLossVfs* self = Of(vfs);
  auto* opened = new (file) OpenFile{};
  const int code =
      self->real()->xOpen(self->real(), name, opened->real(), flags, out_flags);
  if (code != SQLITE_OK) return code;
  opened->vfs = self;
  opened->path = new std::string(name == nullptr ? "" : name);
  opened->base.pMethods = &kMethods;
  self->Opened(*opened->path);
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  const int code = Of(vfs)->real()->xDelete(Of(vfs)->real(), name, sync_folder);
  if (code == SQLITE_OK) Of(vfs)->Deleted(name);
  return code;
}

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void Apply(const PowerLossVfs::Change& change, size_t from, size_t to,
           std::string& contents) {
  if (change.truncate) {
    contents.resize(change.offset);
    return;
  }
  contents.resize(std::max(contents.size(), change.offset + to));
  contents.replace(change.offset + from, to - from, change.bytes, from,
                   to - from);
}

void ApplyWhole(const PowerLossVfs::Change& change, std::string& contents) {
  Apply(change, 0, change.bytes.size(), contents);
}

}  // namespace

PowerLossVfs::PowerLossVfs(std::string folder, AtSync at_sync)
    : folder_(std::move(folder)),
      at_sync_(std::move(at_sync)),
      real_(sqlite3_vfs_find(nullptr)),
      vfs_(std::make_unique<sqlite3_vfs>(*real_)) {
  vfs_->zName = "power_loss";
  vfs_->pAppData = this;
  vfs_->szOsFile = static_cast<int>(sizeof(OpenFile)) + real_->szOsFile;
  vfs_->xOpen = Open;
  vfs_->xDelete = Delete;
  Must(sqlite3_vfs_register(vfs_.get(), /*makeDflt=*/1) == SQLITE_OK,
       "cannot be registered");
}

PowerLossVfs::~PowerLossVfs() {
  sqlite3_vfs_unregister(vfs_.get());
  sqlite3_vfs_register(real_, /*makeDflt=*/1);
}

bool PowerLossVfs::Watches(const char* path) const {
  return std::string_view(path).substr(0, folder_.size() + 1) == folder_ + "/";
}

void PowerLossVfs::Opened(const std::string& path) {
  if (!Watches(path.c_str())) return;
  absl::MutexLock lock(&mutex_);
  // What was there before is durable.
  const auto [file, is_new] = files_.try_emplace(path);
  if (is_new) file->second.durable = Contents(path);
}

void PowerLossVfs::Changed(const std::string& path, Change change) {
  if (!Watches(path.c_str())) return;
  absl::MutexLock lock(&mutex_);
  files_[path].pending.push_back(std::move(change));
}

void PowerLossVfs::Syncing(const std::string& path) {
  if (Watches(path.c_str()) && at_sync_) at_sync_();
}

void PowerLossVfs::Synced(const std::string& path) {
  if (!Watches(path.c_str())) return;
  {
    absl::MutexLock lock(&mutex_);
    File& file = files_[path];
    for (const Change& change : file.pending) ApplyWhole(change, file.durable);
    file.pending.clear();
    ++syncs_;
  }
  if (at_sync_) at_sync_();
}

void PowerLossVfs::Deleted(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  files_.erase(path);
}

std::string PowerLossVfs::After(const File& file, Loss loss,
                                std::mt19937_64& draw) {
  std::string contents = file.durable;
  if (loss == Loss::kAll || file.pending.empty()) return contents;
  if (loss == Loss::kTail) {
    const size_t whole = draw() % file.pending.size();
    for (size_t i = 0; i < whole; ++i) ApplyWhole(file.pending[i], contents);
    const Change& torn = file.pending[whole];
    const size_t sectors = torn.bytes.size() / kSector;
    if (sectors > 0) Apply(torn, 0, draw() % sectors * kSector, contents);
    return contents;
  }
  for (const Change& change : file.pending) {
    if (change.truncate) {
      if (draw() % 2 == 0) ApplyWhole(change, contents);
      continue;
    }
    for (size_t from = 0; from < change.bytes.size(); from += kSector) {
      if (draw() % 2 == 0) continue;
      Apply(change, from, std::min(from + kSector, change.bytes.size()),
            contents);
    }
  }
  return contents;
}

void PowerLossVfs::MakeImage(const std::string& folder, Loss loss,
                             uint64_t seed) const {
  std::mt19937_64 draw(seed);
  std::filesystem::remove_all(folder);
  Must(std::filesystem::create_directory(folder), "cannot make a folder");
  absl::MutexLock lock(&mutex_);
  for (const auto& [path, file] : files_) {
    const std::string to =
        folder + "/" + std::filesystem::path(path).filename().string();
    const std::string contents = After(file, loss, draw);
    std::ofstream out(to, std::ios::binary);
    out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
    out.close();
    Must(out.good(), "cannot write an image");
  }
}

int64_t PowerLossVfs::syncs() const {
  absl::MutexLock lock(&mutex_);
  return syncs_;
}

int64_t PowerLossVfs::unsynced_writes() const {
  absl::MutexLock lock(&mutex_);
  int64_t writes = 0;
  for (const auto& [path, file] : files_) {
    writes += static_cast<int64_t>(file.pending.size());
  }
  return writes;
}

}  // namespace mc::sqlite::testing
