// What fuzz targets are made of: parsers of bytes, or calls in a row.
#ifndef TESTS_FUZZ_FUZZ_H_
#define TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"

namespace mc::fuzz {

// Ends the process, with the words, where `holds` is false.
void Require(bool holds, std::string_view property);

// Before the first input; bytes.cc and calls.cc define it.
void Prepare();

// An input of a target of parsers: a letter that names the parser ('A' is the
// first), then the bytes that it is given. New parsers come last, so that the
// corpus stays good.
struct Parser {
  std::string_view name;
  void (*run)(std::string_view bytes);
};
// Each target of parsers (linked with bytes.cc) defines it.
std::span<const Parser> Parsers();

// An input of a target of calls: for each a letter that names it ('A' is the
// first), the size of its message in two bytes, the lower one first, and the
// message. The last one may be cut off. New calls come last.
struct Call {
  // Of an RPC the full name, and its request.
  std::string_view name;
  const google::protobuf::Message* prototype = nullptr;
};
// Each target of calls (linked with calls.cc) defines the three that follow.
std::span<const Call> Calls();

// The full names of the services of which every RPC is one of Calls(): a
// target that lacks one does not run.
std::span<const std::string_view> Services();

// What stands behind the calls of one input.
class Session {
 public:
  virtual ~Session() = default;
  // `message` is of the call's type, and has been parsed, no more.
  virtual void Run(size_t call, const google::protobuf::Message& message) = 0;
  // After the last one.
  virtual void End() = 0;
};
std::unique_ptr<Session> Begin();

struct Frame {
  size_t call = 0;
  std::string bytes;
};
std::string Join(std::span<const Frame> frames);
std::vector<Frame> Split(std::string_view input, size_t calls);

// Draws for mutations; the same seed gives the same ones.
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // Below `end`, which is not 0.
  size_t Below(size_t end) { return Next() % end; }

 private:
  uint64_t state_;
};

// Changes one field of the message, or of one below it.
void MutateMessage(google::protobuf::Message& message, Draw& draw);

}  // namespace mc::fuzz

// libFuzzer's own names.
extern "C" {
int LLVMFuzzerInitialize(int* argc, char*** argv);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Changes the bytes in place; returns their new number.
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
// Only where the target has one.
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                               unsigned int seed);
}

#endif  // TESTS_FUZZ_FUZZ_H_
