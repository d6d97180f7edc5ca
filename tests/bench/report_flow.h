// One stream of reports with a window: as many under way as it takes.
#ifndef TESTS_BENCH_REPORT_FLOW_H_
#define TESTS_BENCH_REPORT_FLOW_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "tests/bench/worker.h"

namespace mc::bench {

enum class ReportKind {
  // Consumption, each of an hour of its own.
  kNew,
  // Those that were sent before, again.
  kRepeats,
  kEvents,
};

// Sends Hello, then reports. Deletes itself when the stream is over. Lives on
// its worker's thread.
class ReportFlow {
 public:
  struct Options {
    std::string cluster_id;
    // The product's, or a baseline that sends each message back.
    std::string method;
    uint64_t epoch = 0;
    size_t window = 32;
    // In each report, of some 70 bytes.
    int hosts = 1;
    // When no more is sent.
    absl::Time until;
    // Of the reports; the same for a repeat.
    absl::Time created_at;
    // The last sequence of the lane that was sent; counted up, but for
    // repeats: those are up to it.
    uint64_t* last_sequence = nullptr;
    ReportKind kind = ReportKind::kNew;
    // Called in the end.
    std::function<void()> over;
  };

  ReportFlow(grpc::GenericStub& stub, Worker* worker, Options options);

 private:
  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void OnReceipt();
  void MaybeSend();
  void Finish();
  void MaybeEnd();

  Worker* const worker_;
  const Options options_;
  grpc::ClientContext context_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  // When each that has no answer yet was sent.
  std::deque<absl::Time> under_way_;
  uint64_t repeated_ = 0;
  bool greeted_ = false;
  bool writing_ = false;
  bool half_closed_ = false;
  bool finishing_ = false;
  bool over_ = false;
  std::string rejection_;
  Tag<ReportFlow, &ReportFlow::OnStarted> started_{this};
  Tag<ReportFlow, &ReportFlow::OnRead> read_{this};
  Tag<ReportFlow, &ReportFlow::OnWritten> written_{this};
  Tag<ReportFlow, &ReportFlow::OnFinished> finished_{this};
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

}  // namespace mc::bench

#endif  // TESTS_BENCH_REPORT_FLOW_H_
