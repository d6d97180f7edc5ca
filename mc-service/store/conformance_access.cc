// Enrollment tokens, clusters that wait to be registered, operators.
#include <gmock/gmock.h>

#include "mc-service/store/conformance.h"

namespace mc::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kAlreadyExists = absl::StatusCode::kAlreadyExists;

EnrollmentToken MakeToken(const std::string& id) {
  EnrollmentToken token;
  token.id = id;
  token.license_id = "l1";
  token.digest = "digest of " + id;
  token.created_at = StoreConformance::At(10);
  token.expires_at = StoreConformance::At(20);
  return token;
}

std::vector<std::string> NamesOf(
    const absl::StatusOr<std::vector<Operator>>& operators) {
  std::vector<std::string> names;
  EXPECT_TRUE(operators.ok()) << operators.status();
  if (!operators.ok()) return names;
  for (const Operator& op : *operators) names.push_back(op.name);
  return names;
}

}  // namespace

TEST_P(StoreConformance, TokenComesBackAsItWasPut) {
  AddFleet();
  EnrollmentToken token = MakeToken("t1");
  WriteOk([&](Writer& w) { return w.PutEnrollmentToken(token); });
  auto stored = Read([](Reader& r) { return r.GetEnrollmentToken("t1"); });
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->license_id, "l1");
  EXPECT_EQ(stored->digest, token.digest);
  EXPECT_EQ(stored->created_at, token.created_at);
  EXPECT_EQ(stored->expires_at, token.expires_at);
  EXPECT_FALSE(stored->used_at.has_value());
  EXPECT_EQ(stored->cluster_id, "");
  EXPECT_FALSE(stored->deleted);

  token.used_at = At(15);
  token.cluster_id = "c1";
  token.deleted = true;
  WriteOk([&](Writer& w) { return w.PutEnrollmentToken(token); });
  stored = Read([&](Reader& r) { return r.FindEnrollmentToken(token.digest); });
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->id, "t1");
  EXPECT_EQ(stored->used_at, At(15));
  EXPECT_EQ(stored->cluster_id, "c1");
  EXPECT_TRUE(stored->deleted);

  EXPECT_EQ(Read([](Reader& r) { return r.GetEnrollmentToken("t2"); })
                .status()
                .code(),
            kNotFound);
  EXPECT_EQ(Read([](Reader& r) { return r.FindEnrollmentToken("other"); })
                .status()
                .code(),
            kNotFound);
}

TEST_P(StoreConformance, TokenNeedsItsLicenseAndADigestOfItsOwn) {
  AddFleet();
  EnrollmentToken token = MakeToken("t1");
  WriteOk([&](Writer& w) { return w.PutEnrollmentToken(token); });
  EnrollmentToken same_digest = token;
  same_digest.id = "t2";
  EXPECT_EQ(Write([&](Writer& w) {
              return w.PutEnrollmentToken(same_digest);
            }).code(),
            kAlreadyExists);
  EnrollmentToken nowhere = MakeToken("t3");
  nowhere.license_id = "nowhere";
  EXPECT_EQ(
      Write([&](Writer& w) { return w.PutEnrollmentToken(nowhere); }).code(),
      kNotFound);
}

TEST_P(StoreConformance, TokensOfALicenseAreListedWithoutDeletedOnes) {
  AddFleet();
  WriteOk([](Writer& w) {
    absl::Status done;
    for (const char* id : {"t1", "t2", "t3", "t4", "t5"}) {
      EnrollmentToken token = MakeToken(id);
      token.deleted = token.id == "t3";
      if (token.id == "t4") token.license_id = "l2";
      done.Update(w.PutEnrollmentToken(token));
    }
    return done;
  });
  const auto names =
      Walk([](Reader& r,
              const Page& page) { return r.ListEnrollmentTokens("l1", page); },
           [](const EnrollmentToken& token) { return token.id; },
           [&] {
             WriteOk([](Writer& w) {
               return w.PutEnrollmentToken(MakeToken("newer"));
             });
           });
  EXPECT_THAT(names, ElementsAre("t5", "t2", "t1"));
}

TEST_P(StoreConformance, EnrollmentPolicyOfALicenseCanChange) {
  AddFleet();
  WriteOk([](Writer& w) {
    auto license = w.GetLicense("l1");
    if (!license.ok()) return license.status();
    license->enrollment_policy = v1::ENROLLMENT_POLICY_APPROVE;
    return w.UpdateLicense(*license, StoreConformance::At(5));
  });
  EXPECT_EQ(
      Read([](Reader& r) { return r.GetLicense("l1"); })->enrollment_policy,
      v1::ENROLLMENT_POLICY_APPROVE);
}

TEST_P(StoreConformance, ErasedAccountTakesItsTokensAlong) {
  AddFleet();
  WriteOk([](Writer& w) { return w.PutEnrollmentToken(MakeToken("t1")); });
  WriteOk([](Writer& w) { return w.BeginErasure("a1"); });
  bool finished = false;
  while (!finished) {
    WriteOk([&](Writer& w) {
      ErasedRows rows;
      const auto done = w.EraseSome("a1", 100, rows);
      finished = !done.ok() || *done;
      return done.status();
    });
  }
  EXPECT_EQ(Read([](Reader& r) { return r.GetEnrollmentToken("t1"); })
                .status()
                .code(),
            kNotFound);
}

TEST_P(StoreConformance, ClusterThatWaitsDoesNotCountButIsFound) {
  AddFleet();
  const auto clusters = [&] {
    return *Read([](Reader& r) { return r.CountClusters("l1"); });
  };
  const auto pending = [&] {
    return *Read([](Reader& r) { return r.CountPendingClusters("l1"); });
  };
  EXPECT_EQ(clusters(), 2);
  EXPECT_EQ(pending(), 0);
  Cluster waiting = MakeCluster("waiting", "l1");
  waiting.registration = v1::REGISTRATION_STATUS_PENDING;
  waiting.password_digest = "";
  waiting.certificate_serial = "";
  waiting.certificate_not_after = absl::UnixEpoch();
  WriteOk([&](Writer& w) { return w.PutCluster(waiting); });
  EXPECT_EQ(clusters(), 2);
  EXPECT_EQ(pending(), 1);
  const auto stored = Read([](Reader& r) { return r.GetCluster("waiting"); });
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->password_digest, "");
  EXPECT_EQ(stored->tls_key_digest, waiting.tls_key_digest);

  ClusterFilter filter;
  filter.registration = v1::REGISTRATION_STATUS_PENDING;
  const auto listed =
      Read([&](Reader& r) { return r.ListClusters(filter, {}); });
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->items.size(), 1u);
  EXPECT_EQ(listed->items[0].cluster.id, "waiting");
}

TEST_P(StoreConformance, OperatorsAreReplaced) {
  WriteOk([](Writer& w) { return w.PutOperator({"ann", Role::kViewer}); });
  auto ann = Read([](Reader& r) { return r.GetOperator("ann"); });
  ASSERT_TRUE(ann.ok()) << ann.status();
  EXPECT_EQ(ann->created_at, absl::InfinitePast());
  EXPECT_EQ(ann->certificate_not_after, absl::InfinitePast());
  WriteOk([](Writer& w) {
    return w.PutOperator({"ann", Role::kAdmin, At(1), At(2)});
  });
  ann = Read([](Reader& r) { return r.GetOperator("ann"); });
  ASSERT_TRUE(ann.ok()) << ann.status();
  EXPECT_EQ(ann->name, "ann");
  EXPECT_EQ(ann->role, Role::kAdmin);
  EXPECT_EQ(ann->created_at, At(1));
  EXPECT_EQ(ann->certificate_not_after, At(2));
  EXPECT_EQ(
      Read([](Reader& r) { return r.GetOperator("bob"); }).status().code(),
      kNotFound);
}

TEST_P(StoreConformance, OperatorsAreListedByNameAndCountedByRole) {
  WriteOk([](Writer& w) {
    absl::Status done;
    for (const char* name : {"cleo", "ann", "dan", "bob"}) {
      done.Update(w.PutOperator({name, Role::kViewer}));
    }
    done.Update(w.PutOperator({"bob", Role::kAdmin}));
    return done;
  });
  const auto after = [&](std::string_view name, int limit) {
    return NamesOf(
        Read([&](Reader& r) { return r.ListOperators(name, limit); }));
  };
  EXPECT_THAT(after("", 3), ElementsAre("ann", "bob", "cleo"));
  EXPECT_THAT(after("cleo", 3), ElementsAre("dan"));
  EXPECT_THAT(after("dan", 3), IsEmpty());
  const auto count = [&](Role role) {
    return *Read([&](Reader& r) { return r.CountOperators(role); });
  };
  EXPECT_EQ(count(Role::kViewer), 3);
  EXPECT_EQ(count(Role::kOperator), 0);
  EXPECT_EQ(count(Role::kAdmin), 1);
}

TEST_P(StoreConformance, DeletedOperatorIsGoneAndItsNameIsNotUsedAgain) {
  WriteOk([](Writer& w) { return w.PutOperator({"ann", Role::kAdmin}); });
  const auto remove = [&] {
    return Write([](Writer& w) { return w.DeleteOperator("ann"); });
  };
  EXPECT_TRUE(remove().ok());
  EXPECT_EQ(remove().code(), kNotFound);
  EXPECT_EQ(
      Read([](Reader& r) { return r.GetOperator("ann"); }).status().code(),
      kNotFound);
  EXPECT_THAT(NamesOf(Read([](Reader& r) { return r.ListOperators("", 10); })),
              IsEmpty());
  EXPECT_EQ(*Read([](Reader& r) { return r.CountOperators(Role::kAdmin); }), 0);
  EXPECT_EQ(Write([](Writer& w) {
              return w.PutOperator({"ann", Role::kViewer});
            }).code(),
            kAlreadyExists);
}

}  // namespace mc::service
