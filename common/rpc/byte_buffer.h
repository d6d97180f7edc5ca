// Messages as bytes, for methods that take them raw.
#ifndef COMMON_RPC_BYTE_BUFFER_H_
#define COMMON_RPC_BYTE_BUFFER_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"

namespace mc {

// The message must be complete and below 2 GiB, as ours are.
grpc::ByteBuffer ToByteBuffer(const google::protobuf::MessageLite& message);

// Calls `use` with the bytes of the buffer; they are copied only where they
// lie in pieces. False, without a call, where they cannot be read.
bool WithBytes(const grpc::ByteBuffer& buffer,
               absl::FunctionRef<void(std::string_view)> use);

}  // namespace mc

#endif  // COMMON_RPC_BYTE_BUFFER_H_
