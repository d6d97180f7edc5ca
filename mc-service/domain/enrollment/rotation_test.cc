// Rotation over a long time, and cut off everywhere.
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "mc-service/domain/enrollment/renewal_fixture.h"

namespace mc::service {
namespace {

// An agent as the contract asks for it: the key is durable before the request,
// the answer before its use, and the old identity goes when the new one was
// accepted.
class Agent {
 public:
  explicit Agent(HeldIdentity registered) : own_(std::move(registered)) {}

  // What is on its disk.
  HeldIdentity own_;
  std::optional<std::string> next_key_pem_;
  std::optional<HeldIdentity> next_;
};

// Chance says at which steps something is cut off.
class RotationTest : public RenewalTest {
 protected:
  bool Cut() { return chance_(random_) < cut_; }

  // A run of the agent that ends when it has a certificate that it has used,
  // or is cut off. Returns whether it may be called in order.
  bool Run(Agent& agent) {
    if (!agent.next_key_pem_.has_value()) {
      agent.next_key_pem_ = NewKey().ToPem();
    }
    if (Cut()) return false;
    const PrivateKey key = *PrivateKey::FromPem(*agent.next_key_pem_);
    if (!agent.next_.has_value()) {
      // The commit may fail, and then nothing is answered.
      store_.FailCommits(Cut() ? absl::UnavailableError("cut off")
                               : absl::OkStatus());
      absl::StatusOr<HeldIdentity> answer = Renew(agent.own_, key);
      if (ReasonOf(answer.status()) == v1::ERROR_REASON_MUST_RECOVER) {
        answer = Recover(agent.own_, key);
      }
      store_.FailCommits(absl::OkStatus());
      if (absl::IsUnavailable(answer.status())) return false;
      EXPECT_TRUE(answer.ok()) << answer.status();
      if (!answer.ok()) return false;
      // It is durable there, and the answer is lost.
      if (Cut()) return false;
      agent.next_ = *std::move(answer);
    }
    if (Cut()) return false;
    store_.FailCommits(Cut() ? absl::UnavailableError("cut off")
                             : absl::OkStatus());
    const absl::Status used = Call(*agent.next_);
    store_.FailCommits(absl::OkStatus());
    if (ReasonOf(used) == v1::ERROR_REASON_MUST_RECOVER) {
      // It expired before it was ever used: its password is good.
      agent.own_ = *agent.next_;
      agent.next_.reset();
      agent.next_key_pem_.reset();
      return false;
    }
    EXPECT_TRUE(used.ok()) << used;
    // It was accepted, and the agent does not know.
    if (Cut()) return false;
    agent.own_ = *agent.next_;
    agent.next_.reset();
    agent.next_key_pem_.reset();
    return true;
  }

  double cut_ = 0;
  std::mt19937 random_{20261121};
  std::uniform_real_distribution<double> chance_{0, 1};
};

TEST_F(RotationTest, NinetyDaysWithoutARefusedCall) {
  Agent agent(Register());
  std::optional<absl::Time> renew_at;
  int calls = 0;
  int renewals = 0;
  const absl::Time end = clock_.Now() + absl::Hours(24 * 90);
  while (clock_.Now() < end) {
    if (!renew_at.has_value()) {
      // From half of the lifetime on, with jitter.
      renew_at = clock_.Now() + kLifetime * (0.5 + 0.1 * chance_(random_));
    }
    if (clock_.Now() >= *renew_at) {
      ASSERT_TRUE(Run(agent));
      renew_at.reset();
      ++renewals;
    }
    ASSERT_TRUE(Call(agent.own_).ok()) << Call(agent.own_);
    ++calls;
    clock_.Advance(absl::Minutes(30));
  }
  EXPECT_EQ(calls, 90 * 48);
  EXPECT_GE(renewals, 4);
  EXPECT_EQ(clones_, 0);
}

TEST_F(RotationTest, WhateverIsCutOffItConvergesWithoutALockOut) {
  Agent agent(Register());
  cut_ = 0.25;
  int cut_off = 0;
  int renewals = 0;
  while (cut_off < 1000) {
    if (Run(agent)) {
      ++renewals;
      clock_.Advance(kLifetime / 2);
    } else {
      ++cut_off;
      // Sometimes it stays off until its certificate has expired.
      clock_.Advance(chance_(random_) < 0.05 ? absl::Hours(24 * 100)
                                             : absl::Minutes(1));
    }
    // Whatever happened, one of what it holds is good, or its password is.
    const bool in = Call(agent.own_).ok() ||
                    (agent.next_.has_value() && Call(*agent.next_).ok()) ||
                    Recover(agent.next_.value_or(agent.own_),
                            *PrivateKey::FromPem(agent.next_key_pem_.value_or(
                                agent.own_.key_pem)))
                        .ok();
    ASSERT_TRUE(in) << "after " << cut_off << " times";
  }
  cut_ = 0;
  Run(agent);
  EXPECT_TRUE(Run(agent));
  EXPECT_TRUE(Call(agent.own_).ok());
  EXPECT_GT(renewals, 100);
}

}  // namespace
}  // namespace mc::service
