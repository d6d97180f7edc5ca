#include "tests/bench/cluster.h"

#include <utility>

#include "common/rpc/byte_buffer.h"
#include "missioncontrol/v1/license.pb.h"
#include "missioncontrol/v1/updates.pb.h"
#include "tests/bench/messages.h"
#include "tests/bench/report_flow.h"

namespace mc::bench {
namespace {

constexpr char kCheckLicense[] =
    "/missioncontrol.v1.ClusterService/CheckLicense";
constexpr char kCheckUpdates[] =
    "/missioncontrol.v1.ClusterService/CheckUpdates";
constexpr char kReports[] = "/missioncontrol.v1.ClusterService/StreamReports";
constexpr absl::Duration kReopenAfter = absl::Seconds(1);
// As an agent's channel with the default schedule (cluster-agent/exchange).
constexpr int kChannelBackoffMs = 400;
constexpr int kMaxChannelBackoffMs = 120'000;
constexpr int kConnectTimeoutMs = 10'000;

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const Target& target,
                                           const Identity& identity) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = target.root_pem;
  tls.pem_cert_chain = identity.certificate_pem;
  tls.pem_private_key = identity.key_pem;
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  // Otherwise channels to one address share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 40'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kChannelBackoffMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxChannelBackoffMs);
  arguments.SetString(GRPC_ARG_SERVICE_CONFIG, "{}");
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return grpc::CreateCustomChannel(target.address, grpc::SslCredentials(tls),
                                   arguments);
}

class Cluster::BeatStream {
 public:
  explicit BeatStream(Cluster* cluster) : cluster_(cluster) {
    call_ = cluster->stub_.PrepareCall(&context_, cluster->target_.beat_method,
                                       cluster->worker_->queue());
    call_->StartCall(&started_);
  }

  // One at a time; each after the answer to the one before.
  void SendBeat() {
    beat_waits_ = true;
    MaybeWrite();
  }
  void HalfClose() {
    half_close_waits_ = true;
    MaybeWrite();
  }
  // Reads without pause from now on, as agents do: the end is heard of when it
  // comes, and not at the next beat.
  void Watch() {
    watches_ = true;
    if (open_) Read();
  }

 private:
  void OnStarted(bool ok) {
    if (!ok) return Finish();
    open_ = true;
    if (watches_) Read();
    cluster_->SendBeat(cluster_->worker_->now());
    MaybeWrite();
  }
  void OnRead(bool ok) {
    reading_ = false;
    if (!ok) return Finish();
    if (watches_) Read();
    cluster_->OnAnswer();
    MaybeWrite();
  }
  void Read() {
    if (reading_) return;
    reading_ = true;
    call_->Read(&answer_, &read_);
  }
  void Finish() {
    open_ = false;
    call_->Finish(&status_, &finished_);
  }
  // The queue can return a write after its answer, and after the end.
  void OnWritten(bool /*ok*/) {
    writing_ = false;
    MaybeEnd();
    MaybeWrite();
  }
  void MaybeWrite() {
    if (!open_ || writing_ || (reading_ && !watches_)) return;
    if (beat_waits_) {
      beat_waits_ = false;
      writing_ = true;
      call_->Write(cluster_->beat_, &written_);
      // Only now: the queue looks through all operations that are under way
      // at each completion, where gRPC is built as Debian does.
      Read();
    } else if (half_close_waits_) {
      half_close_waits_ = false;
      writing_ = true;
      call_->WritesDone(&written_);
      Read();
    }
  }
  void OnFinished(bool /*ok*/) {
    over_ = true;
    MaybeEnd();
  }
  void MaybeEnd() {
    if (over_ && !writing_) cluster_->OnStreamOver(status_);
  }

  Cluster* const cluster_;
  grpc::ClientContext context_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  bool beat_waits_ = false;
  bool half_close_waits_ = false;
  bool watches_ = false;
  // Started, and without an end so far.
  bool open_ = false;
  bool writing_ = false;
  bool reading_ = false;
  bool over_ = false;
  Tag<BeatStream, &BeatStream::OnStarted> started_{this};
  Tag<BeatStream, &BeatStream::OnRead> read_{this};
  Tag<BeatStream, &BeatStream::OnWritten> written_{this};
  Tag<BeatStream, &BeatStream::OnFinished> finished_{this};
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// Deletes itself when it is answered.
class Cluster::UnaryCall final : public Event {
 public:
  // Without `what` it is a beat.
  UnaryCall(Cluster* cluster, const char* what, const std::string& method,
            const grpc::ByteBuffer& request)
      : cluster_(cluster), what_(what), start_(cluster->worker_->now()) {
    ++cluster_->calls_;
    context_.set_deadline(
        absl::ToChronoTime(start_ + cluster->target_.deadline));
    call_ = cluster->stub_.PrepareUnaryCall(&context_, method, request,
                                            cluster->worker_->queue());
    call_->StartCall();
    call_->Finish(&answer_, &status_, this);
  }

  void Run(bool /*ok*/) override {
    const std::unique_ptr<UnaryCall> self(this);
    --cluster_->calls_;
    Tally& tally = cluster_->worker_->tally();
    if (!status_.ok()) {
      tally.Fail(what_ == nullptr ? "beat" : what_, status_);
      if (what_ == nullptr) cluster_->awaited_ = false;
    } else if (what_ == nullptr) {
      cluster_->OnAnswer();
    } else {
      tally.Count(what_, cluster_->worker_->now() - start_);
    }
  }

 private:
  Cluster* const cluster_;
  const char* const what_;
  const absl::Time start_;
  grpc::ClientContext context_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> call_;
};

// Hello, Welcome, one report, its receipt. Deletes itself.
class Cluster::ReportCall {
 public:
  ReportCall(Cluster* cluster, const char* what,
             const v1::StreamReportsRequest& report)
      : cluster_(cluster),
        what_(what),
        start_(cluster->worker_->now()),
        report_(ToByteBuffer(report)) {
    ++cluster_->calls_;
    context_.set_deadline(
        absl::ToChronoTime(start_ + cluster->target_.deadline));
    call_ = cluster->stub_.PrepareCall(&context_, kReports,
                                       cluster->worker_->queue());
    call_->StartCall(&started_);
  }

 private:
  void OnStarted(bool ok) {
    if (!ok) return Finish();
    ++writes_;
    call_->Write(
        ToByteBuffer(MakeHello(cluster_->id_, cluster_->target_.epoch)),
        &written_);
    call_->Read(&answer_, &read_);
  }
  // The answer can come before the queue returns the write.
  void OnWritten(bool /*ok*/) {
    --writes_;
    if (over_) return MaybeEnd();
    MaybeSendReport();
  }
  void OnRead(bool ok) {
    v1::StreamReportsResponse response;
    const bool read = ok && WithBytes(answer_, [&](std::string_view bytes) {
                        parsed_ = response.ParseFromArray(
                            bytes.data(), static_cast<int>(bytes.size()));
                      });
    if (!read || !parsed_) return Finish();
    if (response.has_welcome()) {
      welcomed_ = true;
      return MaybeSendReport();
    }
    accepted_ = response.has_receipt() && !response.receipt().has_rejection();
    rejection_ = response.receipt().rejection().message();
    Finish();
  }
  void MaybeSendReport() {
    if (!welcomed_ || sent_ || writes_ > 0) return;
    sent_ = true;
    ++writes_;
    call_->WriteLast(report_, grpc::WriteOptions(), &written_);
    call_->Read(&answer_, &read_);
  }
  void Finish() { call_->Finish(&status_, &finished_); }
  void OnFinished(bool /*ok*/) {
    over_ = true;
    MaybeEnd();
  }
  void MaybeEnd() {
    if (!over_ || writes_ > 0) return;
    const std::unique_ptr<ReportCall> self(this);
    --cluster_->calls_;
    if (status_.ok() && !accepted_) {
      status_ = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                             "not accepted: " + rejection_);
    }
    Tally& tally = cluster_->worker_->tally();
    if (status_.ok()) {
      tally.Count(what_, cluster_->worker_->now() - start_);
    } else {
      tally.Fail(what_, status_);
    }
  }

  Cluster* const cluster_;
  const char* const what_;
  const absl::Time start_;
  const grpc::ByteBuffer report_;
  grpc::ClientContext context_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  int writes_ = 0;
  bool over_ = false;
  bool welcomed_ = false;
  bool sent_ = false;
  bool parsed_ = false;
  bool accepted_ = false;
  std::string rejection_;
  Tag<ReportCall, &ReportCall::OnStarted> started_{this};
  Tag<ReportCall, &ReportCall::OnWritten> written_{this};
  Tag<ReportCall, &ReportCall::OnRead> read_{this};
  Tag<ReportCall, &ReportCall::OnFinished> finished_{this};
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// Deletes itself.
class Cluster::LargeStream {
 public:
  LargeStream(Cluster* cluster, const std::string& method,
              const std::string& message, absl::Time until)
      : cluster_(cluster), until_(until) {
    const grpc::Slice slice(message);
    message_ = grpc::ByteBuffer(&slice, 1);
    ++cluster_->calls_;
    call_ = cluster->stub_.PrepareCall(&context_, method,
                                       cluster->worker_->queue());
    call_->StartCall(&started_);
  }

 private:
  void OnStarted(bool ok) {
    if (!ok) return Finish();
    Send();
  }
  void Send() {
    start_ = cluster_->worker_->now();
    steps_ = 2;
    call_->Write(message_, &written_);
    call_->Read(&answer_, &read_);
  }
  void OnWritten(bool ok) { Step(ok); }
  void OnRead(bool ok) { Step(ok); }
  void Step(bool ok) {
    failed_ = failed_ || !ok;
    if (--steps_ > 0) return;
    if (failed_) return Finish();
    cluster_->worker_->tally().Count("large",
                                     cluster_->worker_->now() - start_);
    if (cluster_->worker_->now() < until_) return Send();
    call_->WritesDone(&done_);
  }
  void OnWritesDone(bool /*ok*/) { Finish(); }
  void Finish() { call_->Finish(&status_, &finished_); }
  void OnFinished(bool /*ok*/) {
    const std::unique_ptr<LargeStream> self(this);
    --cluster_->calls_;
    if (!status_.ok()) cluster_->worker_->tally().Fail("large", status_);
  }

  Cluster* const cluster_;
  const absl::Time until_;
  absl::Time start_;
  int steps_ = 0;
  bool failed_ = false;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  Tag<LargeStream, &LargeStream::OnStarted> started_{this};
  Tag<LargeStream, &LargeStream::OnWritten> written_{this};
  Tag<LargeStream, &LargeStream::OnRead> read_{this};
  Tag<LargeStream, &LargeStream::OnWritesDone> done_{this};
  Tag<LargeStream, &LargeStream::OnFinished> finished_{this};
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

Cluster::Cluster(const Target& target, const Identity& identity, Worker* worker)
    : target_(target),
      id_(identity.cluster_id),
      worker_(worker),
      stub_(MakeChannel(target, identity)),
      beat_(ToByteBuffer(MakeBeat(id_))) {}

Cluster::~Cluster() = default;

void Cluster::Connect(std::function<void()> done) {
  on_connected_ = std::move(done);
  OpenStream();
}

void Cluster::OpenStream() {
  if (target_.unary) return SendBeat(worker_->now());
  stream_ = std::make_unique<BeatStream>(this);
  if (backoff_.has_value()) stream_->Watch();
}

void Cluster::SendBeat(absl::Time due) {
  // The one before is still on its way: this one is left out, and missed.
  if (awaited_) return;
  awaited_ = true;
  due_ = due;
  sent_ = worker_->now();
  if (target_.unary) {
    new UnaryCall(this, nullptr, target_.beat_method, beat_);
  } else if (stream_ != nullptr) {
    stream_->SendBeat();
  } else {
    awaited_ = false;
  }
}

void Cluster::OnAnswer() {
  awaited_ = false;
  connected_ = true;
  if (backoff_.has_value()) backoff_->Reset();
  if (on_connected_) return std::exchange(on_connected_, nullptr)();
  const absl::Time now = worker_->now();
  worker_->tally().Count("beat", now - sent_);
  worker_->tally().from_due.Add(now - due_);
  if (without_pause_) SendBeat(now);
}

void Cluster::ComeBackAsAgents(const Backoff::Options& options) {
  backoff_.emplace(options, RandomDraw());
  if (stream_ != nullptr) stream_->Watch();
}

void Cluster::OnStreamOver(const grpc::Status& status) {
  connected_ = false;
  // The stream calls from its last event.
  worker_->At(worker_->now(), [this] {
    stream_ = nullptr;
    awaited_ = false;
    if (closing_) return on_closed_();
    const absl::Duration pause =
        backoff_.has_value() ? backoff_->Next() : kReopenAfter;
    worker_->At(worker_->now() + pause, [this] {
      if (closing_) return on_closed_();
      OpenStream();
    });
  });
  if (backoff_.has_value()) return;
  if (!closing_ || !status.ok()) worker_->tally().Fail("stream", status);
}

void Cluster::BeatWithoutPause() {
  without_pause_ = true;
  SendBeat(worker_->now());
}

void Cluster::BeatEvery(absl::Time first, absl::Duration interval) {
  worker_->At(first, [=, this, generation = beats_generation_] {
    if (generation != beats_generation_) return;
    // Who comes back beats when it is connected.
    if (connected_ || !backoff_.has_value()) SendBeat(first);
    BeatEvery(first + interval, interval);
  });
}

void Cluster::StopBeats() {
  without_pause_ = false;
  ++beats_generation_;
}

void Cluster::ScheduleNext(uint64_t generation, absl::Time when,
                           absl::Duration interval, std::function<void()> run) {
  worker_->At(when, [=, this] {
    if (generation != generation_) return;
    run();
    ScheduleNext(generation, when + interval, interval, run);
  });
}

void Cluster::Exchange(absl::Time first, const Schedule& schedule) {
  // Spread by the cluster's number, each exchange differently.
  const auto spread = [&, number = std::hash<std::string>()(id_)](
                          absl::Duration interval, uint64_t salt) {
    return first +
           interval * ((number * (2 * salt + 1) >> 8) % 10'000) / 10'000;
  };
  const auto add = [&](absl::Duration interval, uint64_t salt, auto run) {
    ScheduleNext(generation_, spread(interval, salt), interval, run);
  };
  add(schedule.license, 1,
      [this] { Call("license", kCheckLicense, v1::CheckLicenseRequest()); });
  add(schedule.health, 2, [this] { Report(/*billing=*/false); });
  add(schedule.consumption, 3, [this] { Report(/*billing=*/true); });
  add(schedule.updates, 4,
      [this] { Call("updates", kCheckUpdates, MakeUpdatesRequest()); });
}

void Cluster::Call(const char* what, const char* method,
                   const google::protobuf::Message& request) {
  new UnaryCall(this, what, method, ToByteBuffer(request));
}

void Cluster::Report(bool billing) {
  const absl::Time now = worker_->now();
  if (billing) {
    new ReportCall(
        this, "consumption",
        MakeConsumption(id_, target_.epoch, ++billing_sequence_, now));
  } else {
    new ReportCall(this, "health",
                   MakeHealth(id_, target_.epoch, ++health_sequence_, now));
  }
}

void Cluster::SendLarge(const std::string& method, const std::string& message,
                        absl::Time until) {
  new LargeStream(this, method, message, until);
}

void Cluster::SendReports(const std::string& method, size_t window, int hosts,
                          ReportKind kind, absl::Time until) {
  if (reports_created_at_ == absl::InfinitePast()) {
    reports_created_at_ = worker_->now();
  }
  if (kind == ReportKind::kRepeats && billing_sequence_ == 0) {
    kind = ReportKind::kNew;
  }
  ++calls_;
  new ReportFlow(
      stub_, worker_,
      {.cluster_id = id_,
       .method = method,
       .epoch = target_.epoch,
       .window = window,
       .hosts = hosts,
       .until = until,
       .created_at = reports_created_at_,
       .last_sequence =
           kind == ReportKind::kEvents ? &events_sequence_ : &billing_sequence_,
       .kind = kind,
       .over = [this] { --calls_; }});
}

void Cluster::Close(std::function<void()> done) {
  StopBeats();
  StopExchanges();
  closing_ = true;
  on_closed_ = std::move(done);
  if (stream_ != nullptr) return stream_->HalfClose();
  if (target_.unary) on_closed_();
}

}  // namespace mc::bench
