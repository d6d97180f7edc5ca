// One simulated cluster: its own certificate, its own TCP connection, and the
// exchanges of an agent.
#ifndef TESTS_BENCH_CLUSTER_H_
#define TESTS_BENCH_CLUSTER_H_

#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "tests/bench/identities.h"
#include "tests/bench/report_flow.h"
#include "tests/bench/worker.h"

namespace mc::bench {

// What the clusters of a fleet have in common.
struct Target {
  // host:port
  std::string address;
  std::string root_pem;
  // "/package.Service/Method" of the beats: the product's, or a baseline's.
  std::string beat_method;
  // Whether each beat is a call of its own.
  bool unary = false;
  // Numbers the reports of this run; greater than that of any run before.
  uint64_t epoch = 0;
  // How long after the start of an exchange its answer must have come.
  absl::Duration deadline = absl::Seconds(30);
};

// How often the exchanges happen.
struct Schedule {
  absl::Duration heartbeat;
  absl::Duration license;
  absl::Duration health;
  absl::Duration consumption;
  absl::Duration updates;
};

// Lives on its worker's thread.
class Cluster {
 public:
  Cluster(const Target& target, const Identity& identity, Worker* worker);
  ~Cluster();

  const std::string& id() const { return id_; }

  // Opens the connection and the heartbeat stream, and sends a beat; `done` is
  // called when it was answered. A stream that breaks is counted as an error
  // and opened again after a second.
  void Connect(std::function<void()> done);

  // Beats, each as soon as the one before is answered.
  void BeatWithoutPause();
  // Beats at `first` and then at this interval.
  void BeatEvery(absl::Time first, absl::Duration interval);
  void StopBeats();
  bool idle() const { return !awaited_ && calls_ == 0; }

  // All exchanges but the beats, each from a time of its own within its
  // interval after `first`, until StopExchanges().
  void Exchange(absl::Time first, const Schedule& schedule);
  void StopExchanges() { ++generation_; }

  // Sends messages of this size on the method, each when the one before is
  // answered, until `until`.
  void SendLarge(const std::string& method, const std::string& message,
                 absl::Time until);

  // Sends reports on a stream, `window` under way at a time, until `until`.
  // Where there is nothing to repeat yet, they are new.
  void SendReports(const std::string& method, size_t window, int hosts,
                   ReportKind kind, absl::Time until);

  // Ends the stream; `done` is called when it has ended.
  void Close(std::function<void()> done);

 private:
  class BeatStream;
  class UnaryCall;
  class ReportCall;
  class LargeStream;

  void OpenStream();
  void SendBeat(absl::Time due);
  void OnAnswer();
  void OnStreamOver(const grpc::Status& status);
  void ScheduleNext(uint64_t generation, absl::Time when,
                    absl::Duration interval, std::function<void()> run);
  void Call(const char* what, const char* method,
            const google::protobuf::Message& request);
  void Report(bool billing);

  const Target& target_;
  const std::string id_;
  Worker* const worker_;
  grpc::GenericStub stub_;
  grpc::ByteBuffer beat_;
  std::unique_ptr<BeatStream> stream_;
  std::function<void()> on_connected_;
  std::function<void()> on_closed_;
  bool closing_ = false;
  // Calls under way besides the stream.
  int calls_ = 0;
  // When the beat without an answer was due and was sent.
  bool awaited_ = false;
  absl::Time due_;
  absl::Time sent_;
  bool without_pause_ = false;
  // Timers of an earlier generation do nothing.
  uint64_t beats_generation_ = 0;
  uint64_t generation_ = 0;
  uint64_t billing_sequence_ = 0;
  // When the reports of SendReports say that they were created.
  absl::Time reports_created_at_ = absl::InfinitePast();
  uint64_t health_sequence_ = 0;
  uint64_t events_sequence_ = 0;
};

}  // namespace mc::bench

#endif  // TESTS_BENCH_CLUSTER_H_
