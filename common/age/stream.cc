#include "common/age/stream.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/age/primitives.h"
#include "common/crypto/digest.h"

// https://age-encryption.org/v1 says what each step is.
namespace mc::age {
namespace {

constexpr char kVersion[] = "age-encryption.org/v1";
constexpr char kX25519[] = "X25519";
constexpr char kWrapInfo[] = "age-encryption.org/v1/X25519";
constexpr size_t kFileKeyBytes = 16;
constexpr size_t kPayloadNonceBytes = 16;
constexpr size_t kChunk = 64 << 10;
constexpr size_t kColumns = 64;
constexpr size_t kMaxHeader = 64 << 10;

absl::Status Damaged() {
  return absl::DataLossError(
      "the encrypted file was changed or cut off; take another copy of it");
}

Nonce ChunkNonce(uint64_t chunk, bool last) {
  Nonce nonce = {};
  for (int i = 0; i < 8; ++i) {
    nonce[10 - i] = static_cast<unsigned char>(chunk >> (8 * i));
  }
  nonce[11] = last ? 1 : 0;
  return nonce;
}

std::string WrapKey(std::string_view secret, std::string_view share,
                    std::string_view recipient) {
  return HkdfSha256(secret, std::string(share).append(recipient), kWrapInfo);
}

std::string HeaderCode(std::string_view file_key, std::string_view header) {
  return HmacSha256(HkdfSha256(file_key, "", "header"), header);
}

// Reads the header line by line, and no byte more.
class HeaderReader {
 public:
  explicit HeaderReader(const Decryptor::Source& source) : source_(source) {}

  absl::StatusOr<std::string> Line() {
    std::string line;
    while (text_.size() < kMaxHeader) {
      char byte = 0;
      const absl::StatusOr<size_t> count = source_(&byte, 1);
      if (!count.ok()) return count.status();
      if (*count == 0) return Damaged();
      text_.push_back(byte);
      if (byte == '\n') return line;
      line.push_back(byte);
    }
    return absl::InvalidArgumentError("the header of the file has no end");
  }

  const std::string& text() const { return text_; }

 private:
  const Decryptor::Source& source_;
  std::string text_;
};

struct Stanza {
  std::vector<std::string> words;
  std::string body;
};

absl::StatusOr<Stanza> ReadStanza(const std::string& first,
                                  HeaderReader& header) {
  Stanza stanza;
  stanza.words = absl::StrSplit(first.substr(3), ' ');
  while (true) {
    const absl::StatusOr<std::string> line = header.Line();
    if (!line.ok()) return line.status();
    const std::optional<std::string> bytes = FromBase64(*line);
    if (!bytes.has_value() || line->size() > kColumns) return Damaged();
    stanza.body.append(*bytes);
    if (line->size() < kColumns) return stanza;
  }
}

// Absent: the stanza is for another key.
std::optional<std::string> Unwrap(const Identity& identity,
                                  const Stanza& stanza) {
  if (stanza.words.size() != 2 || stanza.words[0] != kX25519) {
    return std::nullopt;
  }
  const std::optional<std::string> share = FromBase64(stanza.words[1]);
  if (!share.has_value() || share->size() != kKeyBytes ||
      stanza.body.size() != kFileKeyBytes + kTagBytes) {
    return std::nullopt;
  }
  const absl::StatusOr<std::string> secret = X25519(identity.bytes(), *share);
  if (!secret.ok()) return std::nullopt;
  return Open(WrapKey(*secret, *share, identity.recipient().bytes()), Nonce{},
              stanza.body);
}

// The file key.
absl::StatusOr<std::string> ReadHeader(const Identity& identity,
                                       const Decryptor::Source& source) {
  HeaderReader header(source);
  absl::StatusOr<std::string> line = header.Line();
  if (!line.ok() || *line != kVersion) {
    return absl::InvalidArgumentError(
        "this is no encrypted file of the format " + std::string(kVersion));
  }
  std::optional<std::string> file_key;
  while (true) {
    const size_t before = header.text().size();
    line = header.Line();
    if (!line.ok()) return line.status();
    if (absl::StartsWith(*line, "-> ")) {
      const absl::StatusOr<Stanza> stanza = ReadStanza(*line, header);
      if (!stanza.ok()) return stanza.status();
      if (!file_key.has_value()) file_key = Unwrap(identity, *stanza);
      continue;
    }
    if (!absl::StartsWith(*line, "--- ")) return Damaged();
    if (!file_key.has_value()) {
      return absl::PermissionDeniedError(
          "it is encrypted to another key than the one that was given");
    }
    const std::optional<std::string> code = FromBase64(line->substr(4));
    const std::string covered = header.text().substr(0, before) + "---";
    if (!code.has_value() ||
        !ConstantTimeEqual(*code, HeaderCode(*file_key, covered))) {
      return Damaged();
    }
    return *file_key;
  }
}

// Fewer only at the end.
absl::StatusOr<std::string> ReadUpTo(const Decryptor::Source& source,
                                     size_t size) {
  std::string bytes(size, '\0');
  size_t filled = 0;
  while (filled < size) {
    const absl::StatusOr<size_t> count =
        source(bytes.data() + filled, size - filled);
    if (!count.ok()) return count.status();
    if (*count == 0) break;
    filled += *count;
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Encryptor>> Encryptor::Start(
    const Recipient& recipient, Sink sink) {
  const std::string file_key = RandomBytes(kFileKeyBytes);
  const std::string ephemeral = RandomBytes(kKeyBytes);
  const std::string share = PublicKeyOf(ephemeral);
  const absl::StatusOr<std::string> secret =
      X25519(ephemeral, recipient.bytes());
  if (!secret.ok()) return secret.status();
  const std::string body =
      Seal(WrapKey(*secret, share, recipient.bytes()), Nonce{}, file_key);
  std::string header = absl::StrCat(kVersion, "\n-> ", kX25519, " ",
                                    Base64(share), "\n", Base64(body), "\n---");
  absl::StrAppend(&header, " ", Base64(HeaderCode(file_key, header)), "\n");
  const std::string nonce = RandomBytes(kPayloadNonceBytes);
  absl::Status status = sink(header + nonce);
  if (!status.ok()) return status;
  return std::unique_ptr<Encryptor>(
      new Encryptor(HkdfSha256(file_key, nonce, "payload"), std::move(sink)));
}

absl::Status Encryptor::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    // A full chunk waits: it may be the last.
    if (waiting_.size() == kChunk) {
      absl::Status status = WriteChunk(/*last=*/false);
      if (!status.ok()) return status;
    }
    const size_t taken = std::min(bytes.size(), kChunk - waiting_.size());
    waiting_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
  }
  return absl::OkStatus();
}

absl::Status Encryptor::Finish() { return WriteChunk(/*last=*/true); }

absl::Status Encryptor::WriteChunk(bool last) {
  absl::Status status = sink_(Seal(key_, ChunkNonce(chunk_++, last), waiting_));
  waiting_.clear();
  return status;
}

absl::StatusOr<std::unique_ptr<Decryptor>> Decryptor::Start(
    const Identity& identity, Source source) {
  const absl::StatusOr<std::string> file_key = ReadHeader(identity, source);
  if (!file_key.ok()) return file_key.status();
  const absl::StatusOr<std::string> nonce =
      ReadUpTo(source, kPayloadNonceBytes);
  if (!nonce.ok()) return nonce.status();
  if (nonce->size() != kPayloadNonceBytes) return Damaged();
  std::unique_ptr<Decryptor> decryptor(new Decryptor(
      HkdfSha256(*file_key, *nonce, "payload"), std::move(source)));
  absl::StatusOr<std::string> first = decryptor->Sealed();
  if (!first.ok()) return first.status();
  decryptor->ahead_ = *std::move(first);
  return decryptor;
}

absl::StatusOr<std::string> Decryptor::Sealed() {
  return ReadUpTo(source_, kChunk + kTagBytes);
}

absl::Status Decryptor::NextChunk() {
  absl::StatusOr<std::string> next = Sealed();
  if (!next.ok()) return next.status();
  const bool last = next->empty();
  std::optional<std::string> text =
      Open(key_, ChunkNonce(chunk_, last), ahead_);
  // An empty last chunk is for an empty file alone.
  if (!text.has_value() || (text->empty() && chunk_ > 0)) return Damaged();
  ++chunk_;
  opened_ = *std::move(text);
  ahead_ = *std::move(next);
  over_ = last;
  return absl::OkStatus();
}

absl::StatusOr<std::string> Decryptor::Read(size_t size) {
  while (opened_.empty() && !over_) {
    absl::Status status = NextChunk();
    if (!status.ok()) return status;
  }
  std::string bytes = opened_.substr(0, size);
  opened_.erase(0, bytes.size());
  return bytes;
}

absl::StatusOr<std::string> Decryptor::ReadExactly(size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const absl::StatusOr<std::string> more = Read(size - bytes.size());
    if (!more.ok()) return more.status();
    if (more->empty()) return Damaged();
    bytes.append(*more);
  }
  return bytes;
}

}  // namespace mc::age
