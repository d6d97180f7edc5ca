// The baselines: a server that does nothing but answer. It has the product's
// TLS and channel arguments, so that what differs is what the product does.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/files/files.h"
#include "common/tls/credentials.h"
#include "common/tls/identity_cache.h"
#include "common/tls/idle_memory.h"
#include "common/tls/reloading_credentials.h"
#include "mc-service/cli/state_layout.h"
#include "mc-service/edge/channel_arguments.h"
#include "tests/bench/bare.grpc.pb.h"

namespace mc::bench {
namespace {

using missioncontrol::bench::v1::BareService;
using missioncontrol::v1::StreamHeartbeatsRequest;
using missioncontrol::v1::StreamHeartbeatsResponse;

// Reads, answers, reads: the smallest handler that gRPC's callbacks allow.
template <typename Request, typename Response>
class BareStream : public grpc::ServerBidiReactor<Request, Response> {
 public:
  explicit BareStream(bool mirror = false) : mirror_(mirror) {
    if constexpr (std::is_same_v<Response, grpc::ByteBuffer>) {
      // A message without content; an empty buffer would be none at all.
      const grpc::Slice nothing("");
      response_ = grpc::ByteBuffer(&nothing, 1);
    }
    this->StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::OK);
    if constexpr (std::is_same_v<Request, Response>) {
      if (mirror_) response_.Swap(&request_);
    }
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::CANCELLED);
    this->StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  // Whether requests come back as they are.
  const bool mirror_;
  Request request_;
  Response response_;
};

using BareBeats = BareStream<StreamHeartbeatsRequest, StreamHeartbeatsResponse>;
using BareBytes = BareStream<grpc::ByteBuffer, grpc::ByteBuffer>;

// Large messages are the same with either way of handling beats.
template <typename Base>
class LargeMessages : public Base {
 public:
  BareBytes* Mirror(grpc::CallbackServerContext* /*context*/) override {
    return new BareBytes(/*mirror=*/true);
  }
  BareBytes* Sink(grpc::CallbackServerContext* /*context*/) override {
    return new BareBytes;
  }
};

using Raw = BareService::WithRawCallbackMethod_Sink<
    BareService::WithRawCallbackMethod_Mirror<BareService::Service>>;
using CallbackBase = LargeMessages<BareService::WithCallbackMethod_Echo<
    BareService::WithCallbackMethod_Stream<Raw>>>;
using QueueBase = LargeMessages<BareService::WithAsyncMethod_Stream<Raw>>;

class CallbackService final : public CallbackBase {
 public:
  grpc::ServerUnaryReactor* Echo(
      grpc::CallbackServerContext* context,
      const StreamHeartbeatsRequest* /*beat*/,
      StreamHeartbeatsResponse* /*answer*/) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerBidiReactor<StreamHeartbeatsRequest, StreamHeartbeatsResponse>*
  Stream(grpc::CallbackServerContext* /*context*/) override {
    return new BareBeats;
  }
};

// The comparator: one stream on completion queues, one operation at a time.
class QueueStream {
 public:
  QueueStream(QueueBase* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), stream_(&context_) {
    service_->RequestStream(&context_, &stream_, queue_, queue_, this);
  }

  void Proceed(bool ok) {
    switch (state_) {
      case State::kRequested:
        if (!ok) return delete this;
        new QueueStream(service_, queue_);
        return Read();
      case State::kReading:
        if (!ok) {
          state_ = State::kFinishing;
          return stream_.Finish(grpc::Status::OK, this);
        }
        state_ = State::kWriting;
        return stream_.Write(response_, this);
      case State::kWriting:
        return Read();
      case State::kFinishing:
        return delete this;
    }
  }

 private:
  enum class State { kRequested, kReading, kWriting, kFinishing };

  void Read() {
    state_ = State::kReading;
    stream_.Read(&request_, this);
  }

  QueueBase* const service_;
  grpc::ServerCompletionQueue* const queue_;
  State state_ = State::kRequested;
  grpc::ServerContext context_;
  StreamHeartbeatsRequest request_;
  StreamHeartbeatsResponse response_;
  grpc::ServerAsyncReaderWriter<StreamHeartbeatsResponse,
                                StreamHeartbeatsRequest>
      stream_;
};

struct Flags {
  std::string directory;
  bool defaults = false;
  bool release_buffers = false;
  bool reloading = false;
  int queues = 0;
  std::vector<std::string> arguments;
};

absl::StatusOr<ServerTls> TlsOf(const std::string& directory) {
  const service::StateLayout state(directory);
  ServerTls tls;
  for (const auto& [file, pem] :
       {std::pair(state.ServerCertificate().certificate, &tls.cert_chain_pem),
        std::pair(state.ServerCertificate().key, &tls.key_pem),
        std::pair(state.ClusterCa().certificate, &tls.client_ca_pem)}) {
    absl::StatusOr<std::string> text = ReadFile(file);
    if (!text.ok()) return text.status();
    *pem = *std::move(text);
  }
  return tls;
}

// As the service's listeners have them: they reload, and the client is judged
// in the handshake.
absl::StatusOr<std::unique_ptr<ReloadingServerCredentials>> Reloading(
    const ServerTls& tls, PeerIdentityCache* identities) {
  static const RealClock clock;
  return ReloadingServerCredentials::Create(
      tls,
      [identities](std::string_view pem) {
        return identities->OfCertificate(pem).status();
      },
      &clock);
}

void AddArguments(const Flags& flags, grpc::ServerBuilder& builder) {
  if (!flags.defaults) {
    for (const auto& [name, value] :
         service::ChannelArguments(service::Listener::kCluster)) {
      builder.AddChannelArgument(name, value);
    }
  }
  for (const std::string& argument : flags.arguments) {
    const size_t equals = argument.find('=');
    builder.AddChannelArgument(argument.substr(0, equals),
                               std::stoi(argument.substr(equals + 1)));
  }
}

int Run(const Flags& flags) {
  if (!flags.defaults || flags.release_buffers) KeepNoIdleTlsBuffers();
  const absl::StatusOr<ServerTls> tls = TlsOf(flags.directory);
  if (!tls.ok()) {
    std::cerr << tls.status() << "\n";
    return 1;
  }
  PeerIdentityCache identities;
  const auto reloading = Reloading(*tls, &identities);
  const auto credentials = MakeServerCredentials(*tls);
  if (!credentials.ok() || !reloading.ok()) {
    std::cerr << credentials.status() << " " << reloading.status() << "\n";
    return 1;
  }
  grpc::ServerBuilder builder;
  AddArguments(flags, builder);
  int port = 0;
  builder.AddListeningPort(
      "127.0.0.1:0",
      flags.reloading ? (*reloading)->credentials() : *credentials, &port);
  CallbackService callbacks;
  QueueBase queue_service;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  if (flags.queues > 0) {
    builder.RegisterService(&queue_service);
    for (int i = 0; i < flags.queues; ++i) {
      queues.push_back(builder.AddCompletionQueue());
    }
  } else {
    builder.RegisterService(&callbacks);
  }
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::vector<std::thread> threads;
  for (const auto& queue : queues) {
    new QueueStream(&queue_service, queue.get());
    threads.emplace_back([&queue] {
      void* tag = nullptr;
      bool ok = false;
      while (queue->Next(&tag, &ok))
        static_cast<QueueStream*>(tag)->Proceed(ok);
    });
  }
  std::cout << "{\"port\": " << port << "}" << std::endl;
  // Whoever started this process ends it by closing its standard input.
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  server->Shutdown(std::chrono::system_clock::time_point::min());
  for (const auto& queue : queues) queue->Shutdown();
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace mc::bench

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  mc::bench::Flags flags;
  CLI::App app("A server that does nothing but answer, for comparison.");
  app.add_option("--directory", flags.directory,
                 "The state directory whose certificates it uses")
      ->required();
  app.add_flag("--defaults", flags.defaults,
               "gRPC's own channel arguments and buffers instead of the "
               "product's");
  app.add_flag("--release-buffers", flags.release_buffers,
               "With --defaults: no TLS buffers for idle connections");
  app.add_flag("--reloading", flags.reloading,
               "The service's TLS credentials instead of gRPC's plain ones");
  app.add_option("--queues", flags.queues,
                 "Streams on this many completion queues, with a thread each, "
                 "instead of callbacks");
  app.add_option("--argument", flags.arguments,
                 "A channel argument, name=integer; may be repeated");
  CLI11_PARSE(app, argc, argv);
  return mc::bench::Run(flags);
}
