#include <memory>
#include <optional>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/executor/executor.h"
#include "common/metrics/metrics.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/tls/identity.h"
#include "mc-service/api/fleet_convert.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/api/stream_registry.h"
#include "mc-service/domain/exchanges/exchange_log.h"
#include "mc-service/domain/fleet/page_token.h"
#include "mc-service/edge/guard.h"

namespace mc::service {
namespace {

constexpr std::string_view kWatchMethod =
    "/missioncontrol.v1.FleetService/WatchExchanges";

// Of a watcher's certificate and role.
constexpr absl::Duration kCheckInterval = absl::Seconds(10);

// One watcher: it writes what its watch holds, one record at a time, until the
// caller cancels, may not watch any more, or the service drains.
class WatchStream : public grpc::ServerWriteReactor<v1::WatchExchangesResponse>,
                    public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(const FleetService::Options& options, std::string cluster_id)
      : options_(options),
        cluster_id_(std::move(cluster_id)),
        started_(options.clock->Now()) {}

  // gRPC's own reference lasts until OnDone.
  void Launch(grpc::CallbackServerContext* context) {
    auto self = shared_from_this();
    {
      absl::MutexLock lock(&mutex_);
      self_ = self;
    }
    const bool queued = options_.executor->TryRun([self, context] {
      if (absl::Status status = self->Open(*context); !status.ok()) {
        self->End(status);
      }
    });
    if (!queued) {
      End(Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
                "The service is busy; try again."));
    }
  }

  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!end_) end_ = status;
    Proceed();
  }

 private:
  // Checks the caller and subscribes; on the executor.
  absl::Status Open(grpc::CallbackServerContext& context)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto caller = options_.guard->Check(context, kWatchMethod);
    if (!caller.ok()) return caller.status();
    auto identity = PeerIdentityOf(*context.auth_context());
    if (!identity.ok()) return identity.status();
    {
      absl::MutexLock lock(&mutex_);
      identity_ = *std::move(identity);
      peer_ = caller->peer;
      check_at_ = options_.clock->SinceBoot() + kCheckInterval;
    }
    std::weak_ptr<WatchStream> weak = weak_from_this();
    auto id = options_.streams->Add(
        StreamKind::kWatch, caller->id,
        [weak](const absl::Status& status) {
          if (auto self = weak.lock()) self->End(status);
        },
        [weak] {
          if (auto self = weak.lock()) self->Tick();
        });
    if (!id.ok()) return id.status();
    auto watch = options_.exchanges->Subscribe(cluster_id_, [weak] {
      if (auto self = weak.lock()) self->Wake();
    });
    absl::MutexLock lock(&mutex_);
    registered_ = *id;
    if (!watch.ok()) return watch.status();
    watch_ = *std::move(watch);
    // The caller sees at once that the watch has begun.
    context.AddInitialMetadata("watching", "true");
    StartSendInitialMetadata();
    Proceed();
    return absl::OkStatus();
  }

  // Has the executor look whether the caller may still watch, now and then.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      const absl::Duration now = options_.clock->SinceBoot();
      if (end_ || now < check_at_) return;
      check_at_ = now + kCheckInterval;
    }
    // Where the executor is full, the next tick asks again.
    if (!options_.executor->TryRun(
            [self = shared_from_this()] { self->CheckAgain(); })) {
      absl::MutexLock lock(&mutex_);
      check_at_ = -absl::InfiniteDuration();
    }
  }

  // On the executor.
  void CheckAgain() ABSL_LOCKS_EXCLUDED(mutex_) {
    PeerIdentity identity;
    std::string peer;
    {
      absl::MutexLock lock(&mutex_);
      identity = identity_;
      peer = peer_;
    }
    const absl::Status status =
        options_.guard->Check(identity, peer, kWatchMethod).status();
    // A store that does not answer ends nothing: the next look may succeed.
    if (absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status)) {
      End(status);
    }
  }

  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    Proceed();
  }

  // Writes the next record or finishes, where nothing is under way.
  void Proceed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    if (end_) {
      finished_ = true;
      Finish(ToGrpc(*end_));
      return;
    }
    if (watch_ == nullptr) return;
    std::optional<v1::WatchExchangesResponse> next = watch_->Next();
    if (!next) return;
    record_ = *std::move(next);
    writing_ = true;
    StartWrite(&record_);
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok && !end_) end_ = absl::CancelledError("The watcher is gone.");
    Proceed();
  }

  void OnCancel() override {
    End(absl::CancelledError("The watcher is gone."));
  }

  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<WatchStream> self;
    std::shared_ptr<ExchangeWatch> watch;
    std::optional<StreamRegistry::Id> registered;
    absl::StatusCode code = absl::StatusCode::kOk;
    {
      absl::MutexLock lock(&mutex_);
      self = std::move(self_);
      watch = std::move(watch_);
      registered = registered_;
      if (end_) code = end_->code();
    }
    if (watch != nullptr) watch->Close();
    if (registered) options_.streams->Remove(*registered);
    options_.metrics->Observe(kWatchMethod, code,
                              options_.clock->Now() - started_);
  }

  const FleetService::Options& options_;
  const std::string cluster_id_;
  const absl::Time started_;
  absl::Mutex mutex_;
  std::shared_ptr<WatchStream> self_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ExchangeWatch> watch_ ABSL_GUARDED_BY(mutex_);
  std::optional<StreamRegistry::Id> registered_ ABSL_GUARDED_BY(mutex_);
  // What the handshake proved.
  PeerIdentity identity_ ABSL_GUARDED_BY(mutex_);
  std::string peer_ ABSL_GUARDED_BY(mutex_);
  // Since boot: a clock that is set back keeps nobody in.
  absl::Duration check_at_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  // Written by gRPC while `writing_`.
  v1::WatchExchangesResponse record_;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchExchangesResponse>*
FleetService::WatchExchanges(grpc::CallbackServerContext* context,
                             const v1::WatchExchangesRequest* request) {
  auto stream = std::make_shared<WatchStream>(options_, request->cluster_id());
  stream->Launch(context);
  return stream.get();
}

grpc::ServerUnaryReactor* FleetService::ListExchangeCounts(
    grpc::CallbackServerContext* context,
    const v1::ListExchangeCountsRequest* request,
    v1::ListExchangeCountsResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListExchangeCounts",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing = "exchanges of " + request->cluster_id();
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto counts =
              reader.ListExchangeCounts(request->cluster_id(), *page);
          if (!counts.ok()) return counts.status();
          for (const ExchangeCount& count : counts->items) {
            *response->add_counts() = ToProto(count);
          }
          response->set_next_page_token(MakePageToken(listing, counts->next));
          return absl::OkStatus();
        });
      });
}

}  // namespace mc::service
