#include "mc-service/domain/access/operator_desk.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/fleet/licensing.h"

namespace mc::service {
namespace {

constexpr size_t kMaxNameBytes = 64;
// The service's clock may be ahead of the one that checks.
constexpr absl::Duration kBackdating = absl::Minutes(5);

absl::Status CheckOperatorName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name.front() < 'a' ||
      name.front() > 'z' ||
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") !=
          std::string_view::npos) {
    return InvalidField("name",
                        "must be 1 to 64 of a-z, 0-9, '.', '_' and '-', and "
                        "start with a letter");
  }
  return absl::OkStatus();
}

absl::StatusOr<Role> CheckedRole(v1::OperatorRole role) {
  switch (role) {
    case v1::OPERATOR_ROLE_VIEWER:
      return Role::kViewer;
    case v1::OPERATOR_ROLE_OPERATOR:
      return Role::kOperator;
    case v1::OPERATOR_ROLE_ADMIN:
      return Role::kAdmin;
    default:
      return InvalidField("role", "must be VIEWER, OPERATOR or ADMIN");
  }
}

absl::StatusOr<Operator> Existing(Reader& reader, const std::string& name) {
  absl::StatusOr<Operator> op = reader.GetOperator(name);
  if (!op.ok()) return ExplainMissing(op.status(), "operator " + name);
  return op;
}

// Without any admin nobody could make one again.
absl::Status CheckNotLastAdmin(Reader& reader, const Operator& op,
                               std::string_view field) {
  if (op.role != Role::kAdmin) return absl::OkStatus();
  const absl::StatusOr<int64_t> admins = reader.CountOperators(Role::kAdmin);
  if (!admins.ok()) return admins.status();
  if (*admins > 1) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(op.name,
                                          " is the last admin; make another "
                                          "operator an admin first"));
}

}  // namespace

absl::Status OperatorDesk::Certify(const std::string& csr_der, absl::Time now,
                                   Certified& certified) const {
  absl::StatusOr<CsrInfo> csr = ParseCsrDer(csr_der);
  if (!csr.ok()) return csr.status();
  if (absl::Status allowed = CheckClusterCsr(*csr); !allowed.ok()) {
    return allowed;
  }
  const absl::Time from = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
  IssueSpec spec;
  spec.spki_der = std::move(csr->spki_der);
  spec.uri_sans = {absl::StrCat("spiffe://", options_.trust_domain,
                                "/operator/", certified.op.name)};
  spec.client_auth = true;
  spec.not_before = from - kBackdating;
  spec.not_after = from + options_.certificate_lifetime;
  absl::StatusOr<std::string> der = options_.authority->Issue(spec);
  if (!der.ok()) return der.status();
  const absl::StatusOr<CertificateInfo> info = ParseCertificateDer(*der);
  if (!info.ok()) return info.status();
  certified.op.certificate_not_after = info->not_after;
  certified.certificate = *std::move(der);
  certified.issuer = options_.authority->IssuerOf(certified.certificate);
  return absl::OkStatus();
}

absl::StatusOr<OperatorDesk::Certified> OperatorDesk::Create(
    const v1::CreateOperatorRequest& request) const {
  if (absl::Status valid = CheckOperatorName(request.name()); !valid.ok()) {
    return valid;
  }
  const absl::StatusOr<Role> role = CheckedRole(request.role());
  if (!role.ok()) return role.status();
  const absl::Time now = options_.clock->Now();
  Certified made;
  made.op.name = request.name();
  made.op.role = *role;
  made.op.created_at = now;
  absl::Status status =
      Certify(request.certificate_signing_request(), now, made);
  if (!status.ok()) return status;
  const auto taken = [&] {
    return Error(absl::StatusCode::kAlreadyExists,
                 v1::ERROR_REASON_ALREADY_PRESENT,
                 absl::StrCat("operator ", made.op.name,
                              " exists, or did and was deleted; choose "
                              "another name"));
  };
  status = options_.store->WriteAndWait([&](Writer& writer) -> absl::Status {
    const absl::Status found = writer.GetOperator(made.op.name).status();
    if (found.ok()) return taken();
    if (!absl::IsNotFound(found)) return found;
    const absl::Status put = writer.PutOperator(made.op);
    return absl::IsAlreadyExists(put) ? taken() : put;
  });
  options_.directory->Invalidate(made.op.name);
  if (!status.ok()) return status;
  return made;
}

absl::StatusOr<Operator> OperatorDesk::ChangeRole(std::string_view name,
                                                  v1::OperatorRole role) const {
  const absl::StatusOr<Role> wanted = CheckedRole(role);
  if (!wanted.ok()) return wanted.status();
  Operator changed;
  const absl::Status status = options_.store->WriteAndWait(
      [&, key = std::string(name)](Writer& writer) -> absl::Status {
        absl::StatusOr<Operator> op = Existing(writer, key);
        if (!op.ok()) return op.status();
        if (*wanted != op->role) {
          absl::Status allowed = CheckNotLastAdmin(writer, *op, "role");
          if (!allowed.ok()) return allowed;
        }
        op->role = *wanted;
        changed = *op;
        return writer.PutOperator(*op);
      });
  // Also after an error: the outcome of a failed commit is unknown.
  options_.directory->Invalidate(name);
  if (!status.ok()) return status;
  return changed;
}

absl::Status OperatorDesk::Delete(std::string_view name) const {
  const absl::Status status = options_.store->WriteAndWait(
      [key = std::string(name)](Writer& writer) -> absl::Status {
        const absl::StatusOr<Operator> op = Existing(writer, key);
        if (!op.ok()) return op.status();
        absl::Status allowed = CheckNotLastAdmin(writer, *op, "name");
        return allowed.ok() ? writer.DeleteOperator(key) : allowed;
      });
  options_.directory->Invalidate(name);
  return status;
}

absl::StatusOr<OperatorDesk::Certified> OperatorDesk::Issue(
    const std::string& caller, Role role,
    const v1::IssueOperatorCertificateRequest& request) const {
  const std::string& name = request.name().empty() ? caller : request.name();
  if (name != caller && role < Role::kAdmin) {
    return Error(absl::StatusCode::kPermissionDenied,
                 v1::ERROR_REASON_ROLE_NOT_SUFFICIENT,
                 "Your role allows a certificate for yourself alone; ask an "
                 "admin.");
  }
  Certified issued;
  issued.op.name = name;
  absl::Status status = Certify(request.certificate_signing_request(),
                                options_.clock->Now(), issued);
  if (!status.ok()) return status;
  status = options_.store->WriteAndWait([&](Writer& writer) -> absl::Status {
    absl::StatusOr<Operator> op = Existing(writer, name);
    if (!op.ok()) return op.status();
    op->certificate_not_after = issued.op.certificate_not_after;
    issued.op = *op;
    return writer.PutOperator(*op);
  });
  if (!status.ok()) return status;
  return issued;
}

}  // namespace mc::service
