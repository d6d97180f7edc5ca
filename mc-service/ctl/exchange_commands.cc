#include <signal.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/lifecycle/lifecycle.h"
#include "common/retry/backoff.h"
#include "common/time/clock.h"
#include "mc-service/ctl/commands.h"

namespace mc::service {
namespace {

// One line for people: time, exchange, cluster, result, summary.
std::string LineOf(const v1::ExchangeRecord& record) {
  std::string line = absl::StrFormat(
      "%s  %-13s %-8s  %s  %s", TimeText(record.at()),
      EnumText(record.exchange()),
      record.cluster_id().empty() ? "-" : record.cluster_id().substr(0, 8),
      record.result(), record.summary());
  // What a cluster sent must not move the cursor.
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return line + "\n";
}

// Watches until it is stopped; comes back by itself when the service does.
class Watcher {
 public:
  Watcher(Client& client, v1::WatchExchangesRequest request)
      : client_(client), request_(std::move(request)) {}

  // From the thread that waits for a signal.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }

  absl::Status Run() {
    const auto stub = client_.Fleet();
    if (!stub.ok()) return stub.status();
    RealClock clock;
    Backoff backoff({absl::Milliseconds(500), absl::Seconds(10)}, RandomDraw());
    bool connected = false;
    while (true) {
      bool spoke = false;
      const absl::Status status = WatchOnce(**stub, &spoke);
      if (stopped()) return absl::OkStatus();
      connected |= spoke;
      // Whoever was never let in has to be told; a watch that was cut waits.
      if (!connected || status.code() != absl::StatusCode::kUnavailable) {
        return status;
      }
      if (spoke) {
        backoff.Reset();
        std::cerr << "The service is gone (" << status.message()
                  << "); waiting for it\n";
      }
      absl::MutexLock lock(&mutex_);
      if (clock.WaitUntil(mutex_, absl::Condition(&stopped_),
                          clock.Now() + backoff.Next())) {
        return absl::OkStatus();
      }
    }
  }

 private:
  bool stopped() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return stopped_;
  }

  absl::Status WatchOnce(FleetStub& stub, bool* spoke) {
    grpc::ClientContext context;
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return absl::OkStatus();
      context_ = &context;
    }
    auto reader = stub.WatchExchanges(&context, request_);
    // The service sends its metadata as soon as the watch has begun.
    reader->WaitForInitialMetadata();
    v1::WatchExchangesResponse response;
    *spoke = !context.GetServerInitialMetadata().empty();
    while (reader->Read(&response)) {
      *spoke = true;
      Show(response);
    }
    const absl::Status status = client_.Explain(reader->Finish());
    absl::MutexLock lock(&mutex_);
    context_ = nullptr;
    return status;
  }

  void Show(const v1::WatchExchangesResponse& response) {
    if (client_.options().json) {
      const auto json = ToJson(response.record(), /*one_line=*/true);
      if (json.ok()) std::cout << *json << std::flush;
    } else {
      std::cout << LineOf(response.record()) << std::flush;
    }
    if (response.skipped() > 0) {
      std::cerr << response.skipped() << " exchanges were not shown: this "
                << "watcher reads too slowly\n";
    }
  }

  Client& client_;
  const v1::WatchExchangesRequest request_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

void AddExchangeCommands(CLI::App& app, Context& context) {
  Client& client = *context.client;
  auto watch = std::make_shared<v1::WatchExchangesRequest>();
  CLI::App* command =
      AddCommand(app, context, "watch",
                 "Show every exchange as it happens, until interrupted",
                 "mcctl watch --cluster ID", [&client, watch] {
                   StopSignal stop;
                   Watcher watcher(client, *watch);
                   std::thread waiting([&] {
                     stop.Wait();
                     watcher.Stop();
                   });
                   const absl::Status status = watcher.Run();
                   // Where the watch ended by itself, the thread still waits.
                   StopSignal::RequestStop();
                   waiting.join();
                   return status;
                 });
  command->add_option_function<std::string>(
      "--cluster", [watch](const std::string& v) { watch->set_cluster_id(v); },
      "Only of this cluster");

  auto counts = std::make_shared<v1::ListExchangeCountsRequest>();
  auto page = std::make_shared<PageOptions>();
  command = AddCommand(
      app, context, "exchanges",
      "Show how often each exchange took place, and how it ended last",
      "mcctl exchanges --cluster ID", [&client, counts, page] {
        counts->set_page_size(page->size);
        counts->set_page_token(page->token);
        v1::ListExchangeCountsResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListExchangeCounts, *counts, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"EXCHANGE", "CLUSTER", "SUCCEEDED", "FAILED", "LAST AT",
                       "LAST RESULT"});
          for (const v1::ExchangeCount& count : response.counts()) {
            table.Add({EnumText(count.exchange()), count.cluster_id(),
                       absl::StrCat(count.succeeded()),
                       absl::StrCat(count.failed()), TimeText(count.last_at()),
                       count.last_result()});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  command->add_option_function<std::string>(
      "--cluster",
      [counts](const std::string& v) { counts->set_cluster_id(v); },
      "Only of this cluster");
  page->AddTo(*command);
}

}  // namespace mc::service
