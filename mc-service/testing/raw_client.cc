#include "mc-service/testing/raw_client.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <utility>

#include "common/status/grpc_status.h"
#include "common/time/clock.h"

namespace mc::service::testing {
namespace {

constexpr char kReflection[] =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

// The messages of reflection are in its library, without a header.
std::unique_ptr<google::protobuf::Message> NewReflectionMessage(
    const std::string& name) {
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
          "grpc.reflection.v1alpha." + name);
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(descriptor)
          ->New());
}

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

RawClient::Answer RawClient::Call(const std::string& full_method,
                                  const std::string& request,
                                  absl::Duration patience,
                                  size_t max_messages) {
  Answer answer;
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(RealClock().Now() + patience));
  // One operation at a time: each ends before the next begins.
  const auto done = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto call = stub_.PrepareCall(&context, full_method, &queue);
  call->StartCall(nullptr);
  if (done()) {
    call->WriteLast(ToBuffer(request), grpc::WriteOptions(), nullptr);
    done();
    for (;;) {
      grpc::ByteBuffer message;
      call->Read(&message, nullptr);
      if (!done()) break;
      answer.messages.push_back(ToString(message));
      if (answer.messages.size() == max_messages) {
        context.TryCancel();
        break;
      }
    }
  }
  call->Finish(&answer.status, nullptr);
  done();
  queue.Shutdown();
  while (done()) {
  }
  return answer;
}

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> RawClient::Reflect(
    const std::string& field, const std::string& value) {
  auto request = NewReflectionMessage("ServerReflectionRequest");
  request->GetReflection()->SetString(
      request.get(), request->GetDescriptor()->FindFieldByName(field), value);
  const Answer answer = Call(kReflection, request->SerializeAsString());
  if (!answer.status.ok()) return FromGrpc(answer.status);
  auto response = NewReflectionMessage("ServerReflectionResponse");
  if (answer.messages.size() != 1 ||
      !response->ParseFromString(answer.messages[0])) {
    return absl::DataLossError("reflection gave no answer");
  }
  return response;
}

absl::StatusOr<std::set<std::string>> RawClient::ListServices() {
  auto response = Reflect("list_services", "");
  if (!response.ok()) return response.status();
  const auto* reflection = (*response)->GetReflection();
  const google::protobuf::Message& list = reflection->GetMessage(
      **response,
      (*response)->GetDescriptor()->FindFieldByName("list_services_response"));
  const auto* field = list.GetDescriptor()->FindFieldByName("service");
  std::set<std::string> names;
  for (int i = 0; i < list.GetReflection()->FieldSize(list, field); ++i) {
    const google::protobuf::Message& service =
        list.GetReflection()->GetRepeatedMessage(list, field, i);
    names.insert(service.GetReflection()->GetString(
        service, service.GetDescriptor()->FindFieldByName("name")));
  }
  return names;
}

absl::StatusOr<std::set<std::string>> RawClient::ListMethods() {
  const auto services = ListServices();
  if (!services.ok()) return services.status();
  std::set<std::string> methods;
  for (const std::string& name : *services) {
    auto response = Reflect("file_containing_symbol", name);
    if (!response.ok()) return response.status();
    const google::protobuf::Message& files =
        (*response)->GetReflection()->GetMessage(
            **response, (*response)->GetDescriptor()->FindFieldByName(
                            "file_descriptor_response"));
    const auto* field =
        files.GetDescriptor()->FindFieldByName("file_descriptor_proto");
    for (int i = 0; i < files.GetReflection()->FieldSize(files, field); ++i) {
      google::protobuf::FileDescriptorProto file;
      if (!file.ParseFromString(
              files.GetReflection()->GetRepeatedString(files, field, i))) {
        return absl::DataLossError("reflection gave a broken descriptor");
      }
      for (const auto& service : file.service()) {
        if (file.package() + "." + service.name() != name) continue;
        for (const auto& method : service.method()) {
          methods.insert("/" + name + "/" + method.name());
        }
      }
    }
  }
  return methods;
}

}  // namespace mc::service::testing
