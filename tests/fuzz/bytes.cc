// Targets of parsers.
#include <memory>

#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {

void Prepare() {}

}  // namespace mc::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsers = mc::fuzz::Parsers();
  if (size == 0) return 0;
  const size_t parser = data[0] - size_t{'A'};
  if (parser >= parsers.size()) return 0;
  // A copy of exactly these bytes: AddressSanitizer sees one that is read
  // beyond them.
  const std::unique_ptr<char[]> copy(new char[size - 1]);
  std::copy(data + 1, data + size, copy.get());
  parsers[parser].run(std::string_view(copy.get(), size - 1));
  return 0;
}
