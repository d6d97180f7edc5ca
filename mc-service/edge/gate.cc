#include "mc-service/edge/gate.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mc::service {
namespace {

// Clients ask for this reflection first, and for the older one, which we have,
// only when they are told that it is not there.
constexpr std::string_view kNewerReflection =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

class Gate : public grpc::AuthMetadataProcessor {
 public:
  Gate(Listener listener, bool reflection, AdmitCall admit)
      : listener_(listener),
        reflection_(reflection),
        admit_(std::move(admit)) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* context, OutputMetadata* /*consumed*/,
                       OutputMetadata* /*response*/) override {
    if (admit_ && !admit_(*context)) {
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                          "RATE_LIMITED: too many calls; wait for the retry "
                          "delay.");
    }
    const auto found = metadata.find(":path");
    if (found != metadata.end()) {
      const std::string_view path(found->second.data(), found->second.size());
      if (FindPolicy(path, listener_, reflection_) != nullptr) {
        return grpc::Status::OK;
      }
      if (reflection_ && path == kNewerReflection) {
        return grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                            "Reflection is v1alpha here.");
      }
    }
    const std::string_view name = ListenerName(listener_);
    return grpc::Status(
        grpc::StatusCode::PERMISSION_DENIED,
        absl::StrCat("METHOD_NOT_ALLOWED: this method is not served on the ",
                     absl::string_view(name.data(), name.size()),
                     " listener."));
  }

 private:
  const Listener listener_;
  const bool reflection_;
  const AdmitCall admit_;
};

}  // namespace

std::shared_ptr<grpc::AuthMetadataProcessor> MakeGate(Listener listener,
                                                      bool reflection,
                                                      AdmitCall admit) {
  return std::make_shared<Gate>(listener, reflection, std::move(admit));
}

}  // namespace mc::service
