// Files that come from elsewhere: backups and what is in them, invoices.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/invoice/evidence.h"
#include "cluster-agent/domain/invoice/invoice.h"
#include "common/age/stream.h"
#include "common/crypto/key.h"
#include "mc-service/backup/backup_file.h"
#include "mc-service/backup/manifest.h"
#include "mc-service/backup/tar.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"

namespace mc::fuzz {
namespace {

const age::Identity& Key() {
  static const auto& identity = *new age::Identity([] {
    auto parsed = age::Identity::Parse(kAgeKey);
    Require(parsed.ok(), "the key of the target is one");
    return *std::move(parsed);
  }());
  return identity;
}

void Tar(std::string_view bytes) {
  std::string block(bytes.substr(0, service::kTarBlock));
  block.resize(service::kTarBlock);
  const auto read = service::ParseTarHeader(block);
  if (!read.ok() || !read->has_value()) return;
  const service::TarEntry& entry = **read;
  Require(service::IsPlainName(entry.name) && entry.size >= 0,
          "an entry stays in its folder, and has a size");
  Require(service::TarPadding(entry.size).size() < service::kTarBlock,
          "what is padded is less than a block");
  const auto header = service::TarHeader(entry);
  Require(header.ok(), "an entry that is accepted can be written");
  const auto again = service::ParseTarHeader(*header);
  Require(again.ok() && again->has_value() && (*again)->name == entry.name &&
              (*again)->size == entry.size,
          "and says the same again");
}

void Manifest(std::string_view json) {
  const auto manifest = service::ParseManifest(json);
  if (!manifest.ok()) return;
  Require(manifest->TotalBytes() >= 0, "files have a size in total");
  const auto again = service::ParseManifest(service::ToJson(*manifest));
  Require(again.ok() && again->files.size() == manifest->files.size() &&
              again->service_epoch == manifest->service_epoch &&
              again->TotalBytes() == manifest->TotalBytes(),
          "a manifest that is accepted is accepted again");
}

// An encrypted file as it came.
void Age(std::string_view bytes) {
  size_t at = 0;
  auto opened = age::Decryptor::Start(
      Key(), [&](char* to, size_t size) -> absl::StatusOr<size_t> {
        const size_t count = std::min(size, bytes.size() - at);
        std::copy_n(bytes.data() + at, count, to);
        at += count;
        return count;
      });
  if (!opened.ok()) return;
  while (true) {
    const auto piece = (*opened)->Read(1000);
    if (!piece.ok() || piece->empty()) return;
  }
}

class Ignore : public service::BackupVisitor {
 public:
  absl::Status Begin(const service::Manifest& manifest) override {
    left_ = manifest.files.size();
    return absl::OkStatus();
  }
  absl::Status BeginFile(const service::BackedUpFile&) override {
    Require(left_-- > 0, "there are no more files than the manifest names");
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view) override { return absl::OkStatus(); }
  absl::Status EndFile() override { return absl::OkStatus(); }

 private:
  size_t left_ = 0;
};

// The archive of a backup whose encryption is right.
void Backup(std::string_view archive) {
  const service::OpenedFile file(::memfd_create("backup", MFD_CLOEXEC));
  const auto encryptor =
      age::Encryptor::Start(Key().recipient(), [&](std::string_view bytes) {
        return service::WriteAll(file.get(), bytes, "memory");
      });
  Require(encryptor.ok() && (*encryptor)->Write(archive).ok() &&
              (*encryptor)->Finish().ok(),
          "a backup can be encrypted");
  Ignore visitor;
  service::ReadBackup(absl::StrCat("/proc/self/fd/", file.get()), Key(),
                      visitor, nullptr)
      .status()
      .IgnoreError();
}

void Invoice(std::string_view csv) {
  const auto lines = agent::ParseInvoice(csv);
  if (!lines.ok()) return;
  agent::Evidence evidence;
  for (const agent::InvoiceLine& line : *lines) {
    Require(line.number > 1, "the header is line 1");
    Require(line.meter != missioncontrol::v1::METER_UNSPECIFIED,
            "a line has a meter");
    missioncontrol::v1::ConsumptionReceiptDocument receipt;
    receipt.set_epoch(line.epoch);
    receipt.set_sequence(line.sequence);
    *receipt.mutable_time_frame() = agent::ToProto(line.time_frame);
    evidence.AddReceipt(receipt);
    evidence.Check(line);
  }
}

constexpr Parser kParsers[] = {
    {"tar", Tar},       {"manifest", Manifest}, {"age", Age},
    {"backup", Backup}, {"invoice", Invoice},
};

}  // namespace

std::span<const Parser> Parsers() { return kParsers; }

}  // namespace mc::fuzz
