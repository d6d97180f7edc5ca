// Encrypted files of any size, in age's format (age-encryption.org/v1): what is
// written here `age -d` opens, and the other way round. X25519, HKDF-SHA-256
// and ChaCha20-Poly1305 in chunks of 64 KiB, each authenticated with its
// number, the last one as the last.
#ifndef COMMON_AGE_STREAM_H_
#define COMMON_AGE_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/age/keys.h"

namespace mc::age {

// Not thread-safe.
class Encryptor {
 public:
  using Sink = std::function<absl::Status(std::string_view bytes)>;

  // Writes the header. Errors are the sink's.
  static absl::StatusOr<std::unique_ptr<Encryptor>> Start(
      const Recipient& recipient, Sink sink);

  absl::Status Write(std::string_view bytes);
  // What is not finished cannot be decrypted: it looks cut off.
  absl::Status Finish();

 private:
  Encryptor(std::string key, Sink sink)
      : key_(std::move(key)), sink_(std::move(sink)) {}

  absl::Status WriteChunk(bool last);

  const std::string key_;
  const Sink sink_;
  uint64_t chunk_ = 0;
  std::string waiting_;
};

// Not thread-safe.
class Decryptor {
 public:
  // Reads at most `size` bytes; 0 at the end alone.
  using Source = std::function<absl::StatusOr<size_t>(char* to, size_t size)>;

  // PERMISSION_DENIED: it is encrypted to another key. INVALID_ARGUMENT: it is
  // no such file. DATA_LOSS: it was changed.
  static absl::StatusOr<std::unique_ptr<Decryptor>> Start(
      const Identity& identity, Source source);

  // The next bytes, at most `size`; none at the end, when all was there. Only
  // what is authentic is given out. DATA_LOSS: it was changed or cut off.
  absl::StatusOr<std::string> Read(size_t size);
  // Exactly `size` bytes; DATA_LOSS where there are fewer.
  absl::StatusOr<std::string> ReadExactly(size_t size);

 private:
  Decryptor(std::string key, Source source)
      : key_(std::move(key)), source_(std::move(source)) {}

  absl::StatusOr<std::string> Sealed();
  absl::Status NextChunk();

  const std::string key_;
  const Source source_;
  uint64_t chunk_ = 0;
  bool over_ = false;
  // One chunk ahead: what nothing follows is the last.
  std::string ahead_;
  std::string opened_;
};

}  // namespace mc::age

#endif  // COMMON_AGE_STREAM_H_
