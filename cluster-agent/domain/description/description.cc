#include "cluster-agent/domain/description/description.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr char kNodeFile[] = "described-node.json";
constexpr char kActiveGatesFile[] = "described-active-gates.json";
constexpr char kEnvironmentsFile[] = "described-environments.json";

absl::Status Load(const std::string& path, google::protobuf::Message* out) {
  const absl::StatusOr<std::string> text = ReadPrivateFile(path);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  google::protobuf::util::JsonParseOptions json;
  json.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(*text, out, json).ok()) {
    return absl::DataLossError(absl::StrCat(
        path,
        " is damaged; move it away and start the agent, the product "
        "describes itself again"));
  }
  return absl::OkStatus();
}

absl::Status Save(const std::string& path,
                  const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions json;
  json.add_whitespace = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, json).ok()) {
    return absl::InternalError(absl::StrCat("cannot write ", path, " as JSON"));
  }
  return AtomicWrite(path, text, 0600);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Description>> Description::Open(
    const std::string& directory) {
  std::unique_ptr<Description> result(new Description(directory));
  absl::MutexLock lock(&result->mutex_);
  absl::Status status =
      Load(absl::StrCat(directory, "/", kNodeFile), &result->node_);
  status.Update(Load(absl::StrCat(directory, "/", kActiveGatesFile),
                     &result->active_gates_));
  status.Update(Load(absl::StrCat(directory, "/", kEnvironmentsFile),
                     &result->environments_));
  if (!status.ok()) return status;
  return result;
}

absl::Status Description::SetNode(const v1::DescribeNodeRequest& node) {
  absl::MutexLock write(&write_mutex_);
  absl::Status status = Save(absl::StrCat(directory_, "/", kNodeFile), node);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  node_ = node;
  return absl::OkStatus();
}

absl::Status Description::SetActiveGates(
    const v1::DescribeActiveGatesRequest& active_gates) {
  absl::MutexLock write(&write_mutex_);
  absl::Status status =
      Save(absl::StrCat(directory_, "/", kActiveGatesFile), active_gates);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  active_gates_ = active_gates;
  return absl::OkStatus();
}

absl::Status Description::SetEnvironments(
    const v1::DescribeEnvironmentsRequest& environments) {
  absl::MutexLock write(&write_mutex_);
  absl::Status status =
      Save(absl::StrCat(directory_, "/", kEnvironmentsFile), environments);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  environments_ = environments;
  return absl::OkStatus();
}

v1::DescribeNodeRequest Description::node() const {
  absl::MutexLock lock(&mutex_);
  return node_;
}
v1::DescribeActiveGatesRequest Description::active_gates() const {
  absl::MutexLock lock(&mutex_);
  return active_gates_;
}
v1::DescribeEnvironmentsRequest Description::environments() const {
  absl::MutexLock lock(&mutex_);
  return environments_;
}

}  // namespace mc::agent
