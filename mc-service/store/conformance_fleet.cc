// Accounts, licenses, clusters and their presence.
#include <gmock/gmock.h>

#include "mc-service/store/conformance.h"
#include "tests/support/message_filler.h"

namespace mc::service {
namespace {

using testing::Difference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MessageFiller;

constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kAlreadyExists = absl::StatusCode::kAlreadyExists;

void ExpectSame(const License& expected, const License& actual) {
  EXPECT_EQ(expected.id, actual.id);
  EXPECT_EQ(expected.account_id, actual.account_id);
  EXPECT_EQ(expected.name, actual.name);
  EXPECT_EQ(expected.key_digest, actual.key_digest);
  EXPECT_EQ(expected.key_hint, actual.key_hint);
  EXPECT_EQ(expected.state, actual.state);
  EXPECT_EQ(expected.model, actual.model);
  EXPECT_EQ(expected.enrollment_policy, actual.enrollment_policy);
  EXPECT_EQ(expected.created_at, actual.created_at);
  EXPECT_EQ(expected.starts_at, actual.starts_at);
  EXPECT_EQ(expected.ends_at, actual.ends_at);
  EXPECT_EQ(Difference(expected.limits, actual.limits), "");
  ASSERT_EQ(expected.entitlements.size(), actual.entitlements.size());
  for (size_t i = 0; i < expected.entitlements.size(); ++i) {
    EXPECT_EQ(Difference(expected.entitlements[i], actual.entitlements[i]), "");
  }
  EXPECT_EQ(expected.grace_period, actual.grace_period);
  EXPECT_EQ(expected.one_agent_installation, actual.one_agent_installation);
}

void ExpectSame(const Cluster& expected, const Cluster& actual) {
  EXPECT_EQ(expected.id, actual.id);
  EXPECT_EQ(expected.license_id, actual.license_id);
  EXPECT_EQ(expected.registration, actual.registration);
  EXPECT_EQ(expected.registered_at, actual.registered_at);
  EXPECT_EQ(expected.user_name, actual.user_name);
  EXPECT_EQ(expected.password_digest, actual.password_digest);
  EXPECT_EQ(expected.tls_key_digest, actual.tls_key_digest);
  EXPECT_EQ(expected.site_public_key, actual.site_public_key);
  EXPECT_EQ(expected.certificate_serial, actual.certificate_serial);
  EXPECT_EQ(expected.certificate_not_after, actual.certificate_not_after);
  EXPECT_EQ(expected.remote_ui_requested, actual.remote_ui_requested);
  EXPECT_EQ(expected.adopted_instance_id, actual.adopted_instance_id);
  EXPECT_EQ(expected.adopted_at, actual.adopted_at);
}

}  // namespace

TEST_P(StoreConformance, AccountsAreUniqueByIdAndByName) {
  WriteOk([](Writer& w) { return w.InsertAccount(MakeAccount("a1")); });
  auto same_id = MakeAccount("a1");
  same_id.name = "other";
  auto same_name = MakeAccount("a2");
  same_name.name = "name of a1";
  EXPECT_EQ(Write([&](Writer& w) { return w.InsertAccount(same_id); }).code(),
            kAlreadyExists);
  EXPECT_EQ(Write([&](Writer& w) { return w.InsertAccount(same_name); }).code(),
            kAlreadyExists);
  const auto account = Read([](Reader& r) { return r.GetAccount("a1"); });
  ASSERT_TRUE(account.ok()) << account.status();
  EXPECT_EQ(account->name, "name of a1");
  EXPECT_EQ(account->created_at, At(1));
  EXPECT_EQ(Read([](Reader& r) { return r.GetAccount("a2"); }).status().code(),
            kNotFound);
}

TEST_P(StoreConformance, LicenseComesBackAsItWasWritten) {
  AddFleet();
  MessageFiller filler;
  auto full = MakeLicense("full", "a1");
  full.state = v1::LICENSE_STATE_SUSPENDED;
  full.model = v1::LICENSE_MODEL_SUBSCRIPTION;
  full.enrollment_policy = v1::ENROLLMENT_POLICY_APPROVE;
  full.ends_at = At(7) + absl::Microseconds(1);
  full.limits = filler.Make<v1::LicenseLimits>();
  // A limit of 0 is not the absence of a limit.
  full.limits.set_clusters(0);
  full.limits.mutable_meters(0)->set_quantity(0);
  full.limits.mutable_meters(1)->clear_quantity();
  full.entitlements = {filler.Make<v1::Entitlement>(),
                       filler.Make<v1::Entitlement>()};
  full.entitlements.emplace_back().set_enabled(false);
  full.entitlements.emplace_back().set_name("neither");
  full.grace_period = absl::Hours(5) + absl::Nanoseconds(3);
  full.one_agent_installation = true;
  const auto sparse = MakeLicense("sparse", "a1");
  WriteOk([&](Writer& w) {
    absl::Status done = w.InsertLicense(full);
    done.Update(w.InsertLicense(sparse));
    return done;
  });
  for (const License& license : {full, sparse}) {
    SCOPED_TRACE(license.id);
    const auto read = Read([&](Reader& r) { return r.GetLicense(license.id); });
    ASSERT_TRUE(read.ok()) << read.status();
    ExpectSame(license, *read);
    const auto by_key =
        Read([&](Reader& r) { return r.FindLicenseByKey(license.key_digest); });
    ASSERT_TRUE(by_key.ok()) << by_key.status();
    ExpectSame(license, *by_key);
  }
}

TEST_P(StoreConformance, LicensesAreUniqueByIdKeyAndNameInTheAccount) {
  AddFleet();
  auto same_id = MakeLicense("l1", "a2");
  same_id.name = "n";
  same_id.key_digest = "k";
  auto same_key = MakeLicense("x", "a1");
  same_key.key_digest = MakeLicense("l1", "a1").key_digest;
  auto same_name = MakeLicense("y", "a1");
  same_name.name = "name of l1";
  for (const License& license : {same_id, same_key, same_name}) {
    EXPECT_EQ(Write([&](Writer& w) { return w.InsertLicense(license); }).code(),
              kAlreadyExists);
  }
  auto elsewhere = same_name;
  elsewhere.account_id = "a2";
  WriteOk([&](Writer& w) { return w.InsertLicense(elsewhere); });
  EXPECT_EQ(Write([](Writer& w) {
              return w.InsertLicense(MakeLicense("z", "nobody"));
            }).code(),
            kNotFound);
  EXPECT_EQ(Read([](Reader& r) { return r.GetLicense("z"); }).status().code(),
            kNotFound);
  EXPECT_EQ(
      Read([](Reader& r) { return r.FindLicenseByKey("z"); }).status().code(),
      kNotFound);
}

TEST_P(StoreConformance, LicenseStateIsSet) {
  AddFleet();
  WriteOk([](Writer& w) {
    return w.SetLicenseState("l1", v1::LICENSE_STATE_REVOKED);
  });
  EXPECT_EQ(Read([](Reader& r) { return r.GetLicense("l1"); })->state,
            v1::LICENSE_STATE_REVOKED);
  EXPECT_EQ(Read([](Reader& r) { return r.GetLicense("l2"); })->state,
            v1::LICENSE_STATE_VALID);
  EXPECT_EQ(Write([](Writer& w) {
              return w.SetLicenseState("l9", v1::LICENSE_STATE_REVOKED);
            }).code(),
            kNotFound);
}

TEST_P(StoreConformance, ClusterIsReplacedInItsPlace) {
  AddFleet();
  auto cluster = MakeCluster("c1", "l2");
  cluster.registration = v1::REGISTRATION_STATUS_REOPENED;
  cluster.registered_at = At(100);
  cluster.user_name = "another";
  cluster.password_digest = "p2";
  cluster.tls_key_digest = "t2";
  cluster.site_public_key = "s2";
  cluster.certificate_serial = "ff";
  cluster.certificate_not_after = At(101);
  cluster.remote_ui_requested = true;
  cluster.adopted_instance_id = "agent-1";
  cluster.adopted_at = At(102);
  WriteOk([&](Writer& w) {
    absl::Status done =
        w.InsertHealth(MakeHealth("c1", 9, v1::HEALTH_STATUS_WARNING), 3);
    done.Update(w.AddPresence({"c1", "n1", v1::SOURCE_TYPE_SERVER, At(8), 1}));
    done.Update(w.PutCluster(cluster));
    return done;
  });
  const auto read = Read([](Reader& r) { return r.GetCluster("c1"); });
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(cluster, *read);
  const auto overview =
      Read([](Reader& r) { return r.GetClusterOverview("c1"); });
  ASSERT_TRUE(overview.ok()) << overview.status();
  ExpectSame(cluster, overview->cluster);
  EXPECT_EQ(overview->account_id, "a2");
  EXPECT_EQ(overview->account_name, "name of a2");
  EXPECT_EQ(overview->license_name, "name of l2");
  EXPECT_EQ(overview->last_heartbeat_at, At(8));
  EXPECT_EQ(overview->health, v1::HEALTH_STATUS_WARNING);
  EXPECT_EQ(overview->last_health_at, At(9));
  EXPECT_THAT(
      Walk([](Reader& r, const Page& page) { return r.ListClusters({}, page); },
           [](const ClusterOverview& c) { return c.cluster.id; }, [] {}),
      ElementsAre("c1", "c2", "c3"));

  EXPECT_EQ(Read([](Reader& r) { return r.GetCluster("c9"); }).status().code(),
            kNotFound);
  EXPECT_EQ(Read([](Reader& r) { return r.GetClusterOverview("c9"); })
                .status()
                .code(),
            kNotFound);
  EXPECT_EQ(Write([](Writer& w) {
              return w.PutCluster(MakeCluster("c9", "l9"));
            }).code(),
            kNotFound);
}

TEST_P(StoreConformance, RevokedClustersDoNotCount) {
  AddFleet();
  auto revoked = MakeCluster("c2", "l1");
  revoked.registration = v1::REGISTRATION_STATUS_REVOKED;
  WriteOk([&](Writer& w) { return w.PutCluster(revoked); });
  EXPECT_EQ(*Read([](Reader& r) { return r.CountClusters("l1"); }), 1);
  EXPECT_EQ(*Read([](Reader& r) { return r.CountClusters("nobody's"); }), 0);
}

TEST_P(StoreConformance, ClustersAreFiltered) {
  AddFleet();
  WriteOk([](Writer& w) {
    absl::Status done =
        w.AddPresence({"c1", "n", v1::SOURCE_TYPE_SERVER, At(10), 1});
    done.Update(w.AddPresence({"c3", "n", v1::SOURCE_TYPE_SERVER, At(20), 1}));
    done.Update(
        w.InsertHealth(MakeHealth("c3", 1, v1::HEALTH_STATUS_CRITICAL), 3));
    done.Update(
        w.InsertHealth(MakeHealth("c1", 1, v1::HEALTH_STATUS_CRITICAL), 3));
    done.Update(
        w.InsertHealth(MakeHealth("c1", 2, v1::HEALTH_STATUS_HEALTHY), 3));
    return done;
  });
  const auto list = [&](const ClusterFilter& filter) {
    return Walk([&](Reader& r,
                    const Page& page) { return r.ListClusters(filter, page); },
                [](const ClusterOverview& c) { return c.cluster.id; }, [] {});
  };
  EXPECT_THAT(list({.account_id = "a1"}), ElementsAre("c1", "c2"));
  EXPECT_THAT(list({.license_id = "l2"}), ElementsAre("c3"));
  EXPECT_THAT(list({.health = v1::HEALTH_STATUS_CRITICAL}), ElementsAre("c3"));
  EXPECT_THAT(list({.heartbeat_since = At(10)}), ElementsAre("c1", "c3"));
  EXPECT_THAT(list({.heartbeat_since = At(11)}), ElementsAre("c3"));
  EXPECT_THAT(list({.heartbeat_before = At(20)}), ElementsAre("c1"));
  EXPECT_THAT(list({.never_seen = true}), ElementsAre("c2"));
  EXPECT_THAT(list({.account_id = "a1", .heartbeat_since = At(11)}), IsEmpty());
  EXPECT_THAT(list({.account_id = "nobody"}), IsEmpty());
}

TEST_P(StoreConformance, PresenceKeepsTheNewestBeatAndCountsAll) {
  AddFleet();
  WriteOk([](Writer& w) {
    absl::Status done =
        w.AddPresence({"c1", "n1", v1::SOURCE_TYPE_SERVER, At(10), 2});
    done.Update(
        w.AddPresence({"c1", "g1", v1::SOURCE_TYPE_ACTIVE_GATE, At(30), 1}));
    done.Update(
        w.AddPresence({"c1", "n1", v1::SOURCE_TYPE_SERVER, At(20), 3, "new"}));
    done.Update(
        w.AddPresence({"c1", "n1", v1::SOURCE_TYPE_SERVER, At(15), 1, "old"}));
    return done;
  });
  const auto nodes = Read([](Reader& r) { return r.ListPresence("c1"); });
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  ASSERT_EQ(nodes->size(), 2u);
  EXPECT_EQ((*nodes)[0].cluster_id, "c1");
  EXPECT_EQ((*nodes)[0].node_id, "n1");
  EXPECT_EQ((*nodes)[0].source_type, v1::SOURCE_TYPE_SERVER);
  EXPECT_EQ((*nodes)[0].last_heartbeat_at, At(20));
  EXPECT_EQ((*nodes)[0].heartbeats, 6);
  EXPECT_EQ((*nodes)[0].agent_instance_id, "new");
  EXPECT_EQ((*nodes)[1].node_id, "g1");
  EXPECT_EQ(Read([](Reader& r) {
              return r.GetClusterOverview("c1");
            })->last_heartbeat_at,
            At(30));
  EXPECT_EQ(Read([](Reader& r) {
              return r.GetClusterOverview("c2");
            })->last_heartbeat_at,
            absl::InfinitePast());
  EXPECT_THAT(*Read([](Reader& r) { return r.ListPresence("c9"); }), IsEmpty());
  EXPECT_EQ(
      Write([](Writer& w) {
        return w.AddPresence({"c9", "n", v1::SOURCE_TYPE_SERVER, At(1), 1});
      }).code(),
      kNotFound);
}

TEST_P(StoreConformance, PagesLoseAndDoubleNoRowWhileRowsAreAdded) {
  int count = 0;
  const auto add = [&] {
    const std::string n = std::to_string(++count);
    WriteOk([&](Writer& w) {
      absl::Status done = w.InsertAccount(MakeAccount("a" + n));
      done.Update(w.InsertLicense(MakeLicense("l" + n, "a1")));
      done.Update(w.PutCluster(MakeCluster("c" + n, "l1")));
      done.Update(w.AddExchangeCount(
          {"c" + n, v1::EXCHANGE_LICENSE, 1, 0, At(1), "OK"}));
      return done;
    });
  };
  // Rows are added while the pages are read, up to nine.
  const auto add_some = [&] {
    if (count < 9) add();
  };
  const auto expect_all = [&](const std::vector<std::string>& names,
                              const std::string& prefix) {
    ASSERT_EQ(names.size(), static_cast<size_t>(count)) << prefix;
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(names[i], prefix + std::to_string(i + 1));
    }
  };
  for (int i = 0; i < 3; ++i) add();
  expect_all(
      Walk([](Reader& r, const Page& page) { return r.ListAccounts(page); },
           [](const Account& account) { return account.id; }, add_some),
      "a");
  const int after_first_walk = count;
  EXPECT_GT(after_first_walk, 3);
  for (const std::string account : {"", "a1"}) {
    expect_all(
        Walk([&](Reader& r,
                 const Page& page) { return r.ListLicenses(account, page); },
             [](const License& license) { return license.id; }, add_some),
        "l");
  }
  expect_all(
      Walk([](Reader& r, const Page& page) { return r.ListClusters({}, page); },
           [](const ClusterOverview& c) { return c.cluster.id; }, add_some),
      "c");
  expect_all(
      Walk([](Reader& r,
              const Page& page) { return r.ListExchangeCounts("", page); },
           [](const ExchangeCount& c) { return c.cluster_id; }, add_some),
      "c");
  EXPECT_THAT(Read([](Reader& r) { return r.ListLicenses("a2", {}); })->items,
              IsEmpty());
}

}  // namespace mc::service
