#include "mc-service/edge/policy.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mc::service {
namespace {

using google::protobuf::DescriptorPool;

std::set<std::string> MethodsOf(const std::string& service_name) {
  const auto* service =
      DescriptorPool::generated_pool()->FindServiceByName(service_name);
  std::set<std::string> methods;
  if (service == nullptr) return methods;
  for (int i = 0; i < service->method_count(); ++i) {
    methods.insert("/" + service_name + "/" +
                   std::string(service->method(i)->name()));
  }
  return methods;
}

std::set<std::string> PoliciesOf(Listener listener) {
  std::set<std::string> methods;
  for (const MethodPolicy& policy : Policies()) {
    if (policy.listener == listener) {
      methods.insert(std::string(policy.full_method));
    }
  }
  return methods;
}

TEST(Policy, EachMethodOfTheContractHasOne) {
  EXPECT_EQ(PoliciesOf(Listener::kEnrollment),
            MethodsOf("missioncontrol.v1.EnrollmentService"));
  EXPECT_EQ(PoliciesOf(Listener::kCluster),
            MethodsOf("missioncontrol.v1.ClusterService"));
  EXPECT_EQ(PoliciesOf(Listener::kOperator),
            MethodsOf("missioncontrol.v1.FleetService"));
  std::set<std::string> every = MethodsOf("grpc.health.v1.Health");
  EXPECT_EQ(every.size(), 2);
  every.insert(
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  EXPECT_EQ(PoliciesOf(Listener::kEvery), every);
}

TEST(Policy, NoMethodIsNamedTwice) {
  std::set<std::string_view> names;
  for (const MethodPolicy& policy : Policies()) {
    EXPECT_TRUE(names.insert(policy.full_method).second) << policy.full_method;
  }
}

TEST(Policy, MethodIsServedOnItsListenerOnly) {
  constexpr std::string_view kMethod =
      "/missioncontrol.v1.ClusterService/CheckLicense";
  EXPECT_NE(FindPolicy(kMethod, Listener::kCluster, false), nullptr);
  EXPECT_EQ(FindPolicy(kMethod, Listener::kEnrollment, true), nullptr);
  EXPECT_EQ(FindPolicy(kMethod, Listener::kOperator, true), nullptr);
}

TEST(Policy, ReflectionIsDeniedWhereItIsOff) {
  constexpr std::string_view kMethod =
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  EXPECT_NE(FindPolicy(kMethod, Listener::kCluster, true), nullptr);
  EXPECT_EQ(FindPolicy(kMethod, Listener::kCluster, false), nullptr);
}

TEST(Policy, WhatClustersCallIsLimited) {
  for (const MethodPolicy& policy : Policies()) {
    EXPECT_EQ(policy.cost > 0, policy.listener == Listener::kCluster)
        << policy.full_method;
  }
}

TEST(Policy, NameThatIsOnlyAlikeIsDenied) {
  for (const std::string_view method :
       {"", "/", "//", "missioncontrol.v1.ClusterService/CheckLicense",
        "/missioncontrol.v1.ClusterService/checklicense",
        "/missioncontrol.v1.ClusterService/CheckLicense/",
        "/missioncontrol.v1.ClusterService//CheckLicense",
        "/missioncontrol.v1.ClusterService/CheckLicense?",
        "/missioncontrol.v1.ClusterService/CheckLicense ",
        "/missioncontrol.v1.ClusterService/",
        "/missioncontrol.v1.ClusterService",
        "/./missioncontrol.v1.ClusterService/CheckLicense",
        "/missioncontrol.v1.ClusterService/Check%4Cicense"}) {
    EXPECT_EQ(FindPolicy(method), nullptr) << method;
  }
}

TEST(Policy, OperatorsMethodsAreForOperators) {
  for (const MethodPolicy& policy : Policies()) {
    EXPECT_EQ(policy.caller == Caller::Kind::kOperator,
              policy.listener == Listener::kOperator)
        << policy.full_method;
    EXPECT_EQ(policy.caller == Caller::Kind::kCluster,
              policy.listener == Listener::kCluster)
        << policy.full_method;
  }
}

}  // namespace
}  // namespace mc::service
