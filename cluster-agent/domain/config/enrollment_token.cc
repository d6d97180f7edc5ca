#include "cluster-agent/domain/config/enrollment_token.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/wire/check.h"
#include "missioncontrol/v1/registration.pb.h"

namespace mc::agent {

absl::StatusOr<std::string> EnrollmentTokenSource::Read() const {
  std::string token = environment;
  std::string source = "MC_ENROLLMENT_TOKEN";
  if (token.empty()) {
    source = file;
    absl::StatusOr<std::string> text = ReadPrivateFile(file, 1 << 10);
    if (!text.ok()) return text.status();
    token = *std::move(text);
  }
  absl::StripAsciiWhitespace(&token);
  missioncontrol::v1::RegisterRequest request;
  request.set_enrollment_token(token);
  if (token.empty() || !CheckMessage(request).ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source, " holds no enrollment token; copy it from your vendor"));
  }
  return token;
}

}  // namespace mc::agent
