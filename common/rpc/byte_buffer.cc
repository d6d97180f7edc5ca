#include "common/rpc/byte_buffer.h"

#include <grpcpp/support/slice.h>

#include <vector>

namespace mc {
namespace {

std::string_view Bytes(const grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

}  // namespace

grpc::ByteBuffer ToByteBuffer(const google::protobuf::MessageLite& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

bool WithBytes(const grpc::ByteBuffer& buffer,
               absl::FunctionRef<void(std::string_view)> use) {
  if (!buffer.Valid()) return false;
  grpc::Slice single;
  if (buffer.TrySingleSlice(&single).ok()) {
    use(Bytes(single));
    return true;
  }
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  std::string whole;
  whole.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) whole += Bytes(slice);
  use(whole);
  return true;
}

}  // namespace mc
