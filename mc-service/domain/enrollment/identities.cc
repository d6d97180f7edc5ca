#include "mc-service/domain/enrollment/identities.h"

#include <algorithm>

#include "common/crypto/digest.h"

namespace mc::service {

absl::StatusOr<Identities> Identities::Load(Reader& reader,
                                            std::string_view cluster_id) {
  absl::StatusOr<Cluster> cluster = reader.GetCluster(cluster_id);
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<std::vector<IssuedIdentity>> issued =
      reader.ListIssuedIdentities(cluster_id);
  if (!issued.ok()) return issued.status();
  return Identities(*std::move(cluster), *std::move(issued));
}

absl::Status Identities::Save(Writer& writer) const {
  if (absl::Status put = writer.PutCluster(cluster_); !put.ok()) return put;
  return writer.PutIssuedIdentities(cluster_.id, issued_);
}

// What belongs to a registration that other keys took over is lost. Times are
// compared for being the same: clocks can be set.
Identities::Standing Identities::StandingOf(
    const IssuedIdentity& issued) const {
  if (issued.registered_at != cluster_.registered_at) return Standing::kLost;
  switch (issued.state) {
    case IdentityState::kIssued:
      return Standing::kIssued;
    case IdentityState::kActive:
      return Standing::kCurrent;
    case IdentityState::kReplaced:
      return Standing::kReplaced;
    case IdentityState::kLost:
      break;
  }
  return Standing::kLost;
}

const IssuedIdentity* Identities::Newest(std::string_view key_digest) const {
  const auto found = std::find_if(issued_.rbegin(), issued_.rend(),
                                  [&](const IssuedIdentity& issued) {
                                    return issued.tls_key_digest == key_digest;
                                  });
  return found == issued_.rend() ? nullptr : &*found;
}

IssuedIdentity* Identities::Newest(std::string_view key_digest) {
  return const_cast<IssuedIdentity*>(std::as_const(*this).Newest(key_digest));
}

Identities::Standing Identities::OfKey(std::string_view key_digest) const {
  if (key_digest == cluster_.tls_key_digest) return Standing::kCurrent;
  const IssuedIdentity* newest = Newest(key_digest);
  return newest == nullptr ? Standing::kUnknown : StandingOf(*newest);
}

std::optional<Identities::Match> Identities::OfPassword(
    std::string_view password_digest) const {
  const IssuedIdentity* match = nullptr;
  // As many comparisons whatever is there, and without a way out.
  for (size_t i = 0; i < std::max(kKept, issued_.size()); ++i) {
    const bool there = i < issued_.size();
    const bool equal = ConstantTimeEqual(
        there ? issued_[i].password_digest : cluster_.password_digest,
        password_digest);
    if (there && equal) match = &issued_[i];
  }
  if (ConstantTimeEqual(cluster_.password_digest, password_digest)) {
    return Match{Standing::kCurrent, cluster_.tls_key_digest};
  }
  if (match == nullptr) return std::nullopt;
  return Match{StandingOf(*match), match->tls_key_digest};
}

bool Identities::IsNewer(absl::Time not_after) const {
  return not_after > cluster_.certificate_not_after &&
         std::all_of(issued_.begin(), issued_.end(),
                     [&](const IssuedIdentity& issued) {
                       return not_after > issued.certificate_not_after;
                     });
}

std::optional<std::vector<std::string>> Identities::Add(IssuedIdentity issued,
                                                        absl::Time now) {
  const bool known = OfKey(issued.tls_key_digest) == Standing::kCurrent;
  issued.state = known ? IdentityState::kActive : IdentityState::kIssued;
  issued.registered_at = cluster_.registered_at;
  bool copied = false;
  std::vector<std::string> agents;
  // A key that is certified anew at its own request follows none.
  const auto follows = [](const IssuedIdentity& identity) {
    return identity.predecessor_key_digest != identity.tls_key_digest;
  };
  for (const IssuedIdentity& other : issued_) {
    if (other.predecessor_key_digest != issued.predecessor_key_digest ||
        other.tls_key_digest == issued.tls_key_digest || !follows(other) ||
        !follows(issued)) {
      continue;
    }
    const Standing standing = StandingOf(other);
    // One that was never used, and cannot be any more, is nobody's.
    if (standing == Standing::kLost ||
        (standing == Standing::kIssued && other.certificate_not_after < now)) {
      continue;
    }
    copied = true;
    if (!other.agent_instance_id.empty()) {
      agents.push_back(other.agent_instance_id);
    }
  }
  if (copied && !issued.agent_instance_id.empty()) {
    agents.push_back(issued.agent_instance_id);
  }
  if (issued.tls_key_digest == cluster_.tls_key_digest) {
    KeepOwn();
    cluster_.certificate_serial = issued.certificate_serial;
    cluster_.certificate_not_after = issued.certificate_not_after;
  }
  issued_.push_back(std::move(issued));
  Forget();
  if (!copied) return std::nullopt;
  return agents;
}

Identities::Used Identities::Use(std::string_view key_digest) {
  if (OfKey(key_digest) != Standing::kIssued) return Used::kNothing;
  const IssuedIdentity used = *Newest(key_digest);
  KeepOwn();
  if (used.predecessor_key_digest != key_digest) {
    Replace(used.predecessor_key_digest);
  }
  for (IssuedIdentity& issued : issued_) {
    if (issued.tls_key_digest == key_digest &&
        issued.state == IdentityState::kIssued) {
      issued.state = IdentityState::kActive;
    }
  }
  MakeOwn(used);
  Forget();
  if (cluster_.adopted_instance_id.empty() ||
      used.agent_instance_id != cluster_.adopted_instance_id) {
    return Used::kPromoted;
  }
  // Whatever the copy may have is worth nothing from now on.
  for (IssuedIdentity& issued : issued_) {
    if (issued.tls_key_digest != key_digest) {
      issued.state = IdentityState::kLost;
    }
  }
  cluster_.adopted_instance_id.clear();
  cluster_.adopted_at = absl::InfinitePast();
  return Used::kAdopted;
}

void Identities::Accept(std::string_view key_digest,
                        std::string_view certificate_serial,
                        absl::Time not_after, absl::Time now) {
  KeepOwn();
  IssuedIdentity accepted;
  accepted.tls_key_digest = key_digest;
  accepted.predecessor_key_digest = cluster_.tls_key_digest;
  accepted.certificate_serial = certificate_serial;
  accepted.certificate_not_after = not_after;
  accepted.issued_at = now;
  accepted.registered_at = cluster_.registered_at;
  accepted.state = IdentityState::kActive;
  Replace(cluster_.tls_key_digest);
  MakeOwn(accepted);
  issued_.push_back(std::move(accepted));
  Forget();
}

std::optional<IssuedIdentity> Identities::OwnToKeep() const {
  if (cluster_.tls_key_digest.empty()) return std::nullopt;
  const bool kept = std::any_of(
      issued_.begin(), issued_.end(), [&](const IssuedIdentity& issued) {
        return issued.tls_key_digest == cluster_.tls_key_digest &&
               issued.password_digest == cluster_.password_digest;
      });
  if (kept) return std::nullopt;
  IssuedIdentity own;
  own.tls_key_digest = cluster_.tls_key_digest;
  own.password_digest = cluster_.password_digest;
  own.certificate_serial = cluster_.certificate_serial;
  own.certificate_not_after = cluster_.certificate_not_after;
  own.issued_at = cluster_.registered_at;
  own.registered_at = cluster_.registered_at;
  own.state = IdentityState::kActive;
  return own;
}

void Identities::KeepOwn() {
  if (std::optional<IssuedIdentity> own = OwnToKeep()) {
    issued_.insert(issued_.begin(), *std::move(own));
  }
}

void Identities::Register(std::string_view password_digest,
                          std::string_view certificate_serial,
                          absl::Time not_after) {
  if (!cluster_.password_digest.empty()) {
    if (std::optional<IssuedIdentity> own = OwnToKeep()) {
      issued_.push_back(*std::move(own));
      Forget();
    }
  }
  cluster_.password_digest = password_digest;
  cluster_.certificate_serial = certificate_serial;
  cluster_.certificate_not_after = not_after;
}

void Identities::Adopt(std::string_view agent_instance_id, absl::Time now) {
  cluster_.adopted_instance_id = agent_instance_id;
  cluster_.adopted_at = agent_instance_id.empty() ? absl::InfinitePast() : now;
  for (IssuedIdentity& issued : issued_) {
    if (issued.agent_instance_id == agent_instance_id) {
      issued.agent_instance_id.clear();
    }
  }
}

void Identities::Replace(std::string_view key_digest) {
  for (IssuedIdentity& issued : issued_) {
    if (issued.tls_key_digest == key_digest &&
        issued.state != IdentityState::kLost) {
      issued.state = IdentityState::kReplaced;
    }
  }
}

void Identities::MakeOwn(const IssuedIdentity& issued) {
  cluster_.tls_key_digest = issued.tls_key_digest;
  cluster_.password_digest = issued.password_digest;
  cluster_.certificate_serial = issued.certificate_serial;
  cluster_.certificate_not_after = issued.certificate_not_after;
}

// First what is good for telling its holder alone. The newest stays, and so
// does the one whose certificate ends last: what is forgotten is not IsNewer.
void Identities::Forget() {
  while (issued_.size() > kKept) {
    const auto last = std::max_element(
        issued_.begin(), issued_.end(),
        [](const IssuedIdentity& a, const IssuedIdentity& b) {
          return a.certificate_not_after < b.certificate_not_after;
        });
    auto oldest = issued_.begin();
    while (oldest != issued_.end() &&
           (oldest == last || oldest->state != IdentityState::kReplaced)) {
      ++oldest;
    }
    if (oldest == issued_.end()) {
      oldest = issued_.begin() + (last == issued_.begin() ? 1 : 0);
    }
    issued_.erase(oldest);
  }
}

}  // namespace mc::service
