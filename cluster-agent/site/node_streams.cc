#include "cluster-agent/site/node_streams.h"

#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

absl::Status Stopping() {
  return Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
               "the master stops; try again");
}

}  // namespace

uint64_t NodeStreams::Add(const std::string& node_id, End end) {
  End older;
  absl::Status status;
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    number = ++last_number_;
    if (draining_) {
      older = std::move(end);
      status = Stopping();
    } else {
      auto& stream = streams_[node_id];
      older = std::exchange(stream.second, std::move(end));
      stream.first = number;
      status = Error(absl::StatusCode::kAborted, v1::ERROR_REASON_SUPERSEDED,
                     "this node has opened a newer stream; two agents with one "
                     "state directory take turns so");
    }
  }
  if (older) older(status);
  return number;
}

void NodeStreams::Remove(const std::string& node_id, uint64_t number) {
  absl::MutexLock lock(&mutex_);
  const auto stream = streams_.find(node_id);
  if (stream != streams_.end() && stream->second.first == number) {
    streams_.erase(stream);
  }
}

void NodeStreams::EndStreamOf(const std::string& node_id,
                              const absl::Status& status) {
  End end;
  {
    absl::MutexLock lock(&mutex_);
    const auto stream = streams_.find(node_id);
    if (stream == streams_.end()) return;
    end = stream->second.second;
  }
  end(status);
}

void NodeStreams::Drain() {
  std::map<std::string, std::pair<uint64_t, End>> streams;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    streams.swap(streams_);
  }
  for (const auto& [node_id, stream] : streams) stream.second(Stopping());
}

}  // namespace mc::agent
