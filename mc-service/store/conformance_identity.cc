// Issued identities, and two agents with one identity.
#include <gmock/gmock.h>

#include "mc-service/store/conformance.h"

namespace mc::service {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kNotFound = absl::StatusCode::kNotFound;

IssuedIdentity MakeIdentity(const std::string& name, absl::Time at,
                            IdentityState state) {
  return {.tls_key_digest = std::string("k\0", 2) + name,
          .password_digest = "\x80p" + name,
          .predecessor_key_digest = "\xffq" + name,
          .certificate_serial = "serial of " + name,
          .certificate_not_after = at + absl::Hours(1),
          .issued_at = at + absl::Microseconds(1),
          .registered_at = at - absl::Hours(1),
          .agent_instance_id = "instance-" + name,
          .state = state};
}

void ExpectSame(const IssuedIdentity& expected, const IssuedIdentity& actual) {
  EXPECT_EQ(expected.tls_key_digest, actual.tls_key_digest);
  EXPECT_EQ(expected.password_digest, actual.password_digest);
  EXPECT_EQ(expected.predecessor_key_digest, actual.predecessor_key_digest);
  EXPECT_EQ(expected.certificate_serial, actual.certificate_serial);
  EXPECT_EQ(expected.certificate_not_after, actual.certificate_not_after);
  EXPECT_EQ(expected.issued_at, actual.issued_at);
  EXPECT_EQ(expected.registered_at, actual.registered_at);
  EXPECT_EQ(expected.agent_instance_id, actual.agent_instance_id);
  EXPECT_EQ(expected.state, actual.state);
}

}  // namespace

TEST_P(StoreConformance, IssuedIdentitiesTakeThePlaceOfThoseBefore) {
  AddFleet();
  const auto list = [this](const char* id) {
    return *Read([id](Reader& r) { return r.ListIssuedIdentities(id); });
  };
  EXPECT_THAT(list("c1"), IsEmpty());
  IssuedIdentity unknown = MakeIdentity("b", At(3), IdentityState::kActive);
  unknown.password_digest.clear();
  unknown.predecessor_key_digest.clear();
  unknown.agent_instance_id.clear();
  // The same key twice: it was certified twice.
  const std::vector<IssuedIdentity> all = {
      MakeIdentity("a", At(1), IdentityState::kReplaced),
      MakeIdentity("a", At(2), IdentityState::kLost), unknown,
      MakeIdentity("c", At(4), IdentityState::kIssued)};
  WriteOk([&](Writer& w) {
    absl::Status done = w.PutIssuedIdentities(
        "c1", {MakeIdentity("x", At(0), IdentityState::kIssued)});
    done.Update(w.PutIssuedIdentities("c1", all));
    done.Update(w.PutIssuedIdentities(
        "c2", {MakeIdentity("y", At(0), IdentityState::kIssued)}));
    return done;
  });
  const std::vector<IssuedIdentity> read = list("c1");
  ASSERT_EQ(read.size(), all.size());
  for (size_t i = 0; i < all.size(); ++i) ExpectSame(all[i], read[i]);
  WriteOk([](Writer& w) { return w.PutIssuedIdentities("c1", {}); });
  EXPECT_THAT(list("c1"), IsEmpty());
  EXPECT_EQ(list("c2").size(), 1u);
  EXPECT_THAT(list("c9"), IsEmpty());
  EXPECT_EQ(
      Write([](Writer& w) { return w.PutIssuedIdentities("c9", {}); }).code(),
      kNotFound);
}

TEST_P(StoreConformance, CloneSuspectedKeepsTheNewerTimeAndAllAgents) {
  AddFleet();
  const auto overview = [this](const char* id) {
    return *Read([id](Reader& r) { return r.GetClusterOverview(id); });
  };
  EXPECT_EQ(overview("c1").clone_suspected_at, absl::InfinitePast());
  WriteOk([](Writer& w) {
    absl::Status done = w.SetCloneSuspected("c1", At(20), {"b", "a"});
    done.Update(w.SetCloneSuspected("c1", At(10), {"c", "b"}));
    return done;
  });
  EXPECT_EQ(overview("c1").clone_suspected_at, At(20));
  EXPECT_THAT(overview("c1").clone_instance_ids, ElementsAre("a", "b", "c"));
  EXPECT_EQ(overview("c2").clone_suspected_at, absl::InfinitePast());
  EXPECT_THAT(overview("c2").clone_instance_ids, IsEmpty());
  const auto listed =
      Read([](Reader& r) { return r.ListClusters({}, {.limit = 1}); });
  EXPECT_THAT(listed->items[0].clone_instance_ids, ElementsAre("a", "b", "c"));
  for (size_t i = 0; i < kMaxCloneInstances; ++i) {
    WriteOk([&](Writer& w) {
      return w.SetCloneSuspected("c1", At(20), {"n" + std::to_string(i), "a"});
    });
  }
  const std::vector<std::string> last = overview("c1").clone_instance_ids;
  EXPECT_EQ(last.size(), kMaxCloneInstances);
  EXPECT_EQ(last.front(), "a");
  EXPECT_THAT(last, Not(Contains("b")));
  EXPECT_THAT(last, Not(Contains("n0")));
  WriteOk([](Writer& w) { return w.EndCloneSuspicion("c1"); });
  EXPECT_EQ(overview("c1").clone_suspected_at, absl::InfinitePast());
  EXPECT_THAT(overview("c1").clone_instance_ids, IsEmpty());
  for (const bool begin : {true, false}) {
    EXPECT_EQ(Write([begin](Writer& w) {
                return begin ? w.SetCloneSuspected("c9", At(1), {"a"})
                             : w.EndCloneSuspicion("c9");
              }).code(),
              kNotFound);
  }
}

}  // namespace mc::service
