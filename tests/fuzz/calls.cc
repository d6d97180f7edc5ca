// Targets of calls.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

using google::protobuf::Message;

std::unique_ptr<Message> Parse(const Frame& frame) {
  std::unique_ptr<Message> message(Calls()[frame.call].prototype->New());
  if (!message->ParseFromString(frame.bytes)) return nullptr;
  return message;
}

// Changes one of the frames, or their order.
void MutateFrames(std::vector<Frame>& frames, Draw& draw) {
  const auto at = [&] { return frames.begin() + draw.Below(frames.size()); };
  if (frames.empty() || draw.Below(16) == 0) {
    frames.insert(frames.begin() + draw.Below(frames.size() + 1),
                  Frame{draw.Below(Calls().size()), ""});
    return;
  }
  switch (draw.Below(12)) {
    case 0: {
      Frame copy = *at();
      frames.insert(at(), std::move(copy));
      return;
    }
    case 1:
      if (frames.size() > 1) frames.erase(at());
      return;
    case 2:
      std::iter_swap(at(), at());
      return;
    default: {
      Frame& frame = *at();
      const std::unique_ptr<Message> message = Parse(frame);
      if (message == nullptr) return;
      const size_t changes = 1 + draw.Below(3);
      for (size_t i = 0; i < changes; ++i) MutateMessage(*message, draw);
      frame.bytes = message->SerializePartialAsString();
    }
  }
}

bool IsCalled(const google::protobuf::MethodDescriptor& method) {
  const auto calls = Calls();
  return std::any_of(calls.begin(), calls.end(), [&](const Call& call) {
    return call.name == method.full_name() &&
           call.prototype->GetDescriptor() == method.input_type();
  });
}

}  // namespace

void Prepare() {
  const auto& pool = *google::protobuf::DescriptorPool::generated_pool();
  for (const std::string_view name : Services()) {
    const auto* service = pool.FindServiceByName(std::string(name));
    Require(service != nullptr, "a service that is to be called is linked");
    for (int i = 0; i < service->method_count(); ++i) {
      Require(IsCalled(*service->method(i)),
              absl::StrCat(service->method(i)->full_name(),
                           " is one of Calls(), with its request"));
    }
  }
}

}  // namespace mc::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using mc::fuzz::Frame;
  const std::vector<Frame> frames = mc::fuzz::Split(
      std::string_view(reinterpret_cast<const char*>(data), size),
      mc::fuzz::Calls().size());
  if (frames.empty()) return 0;
  const std::unique_ptr<mc::fuzz::Session> session = mc::fuzz::Begin();
  for (const Frame& frame : frames) {
    const auto message = mc::fuzz::Parse(frame);
    if (message != nullptr) session->Run(frame.call, *message);
  }
  session->End();
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                               unsigned int seed) {
  mc::fuzz::Draw draw(seed);
  // Mostly messages that parse: what is behind the parser is ours.
  if (draw.Below(8) == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::vector<mc::fuzz::Frame> frames =
      mc::fuzz::Split(std::string_view(reinterpret_cast<char*>(data), size),
                      mc::fuzz::Calls().size());
  mc::fuzz::MutateFrames(frames, draw);
  const std::string joined = mc::fuzz::Join(frames);
  if (joined.empty() || joined.size() > max_size) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  std::copy(joined.begin(), joined.end(), data);
  return joined.size();
}
