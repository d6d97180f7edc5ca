// Invoices against receipts and reports.
#include "cluster-agent/domain/invoice/invoice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster-agent/domain/invoice/evidence.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kHeader[] =
    "account_id,license_id,cluster_id,environment_id,meter,meter_id,unit,"
    "resource_id,time_frame_start,time_frame_end,quantity,epoch,sequence,"
    "accepted_at\n";
// 2026-05-04T10:00:00Z
const absl::Time kTen = absl::FromUnixSeconds(1777888800);

std::string Line(const std::string& meter, int64_t quantity,
                 const std::string& more = ",,") {
  return "a,l,cluster,env," + meter + "," + more +
         ",2026-05-04T10:00:00Z,2026-05-04T11:00:00Z," +
         std::to_string(quantity) + ",7,1,2026-05-04T11:00:01.000Z\n";
}

InvoiceLine Parsed(const std::string& line) {
  const auto lines = ParseInvoice(kHeader + line);
  EXPECT_TRUE(lines.ok()) << lines.status();
  EXPECT_EQ(lines->size(), 1u);
  return lines->front();
}

v1::ConsumptionReceiptDocument Receipt(uint64_t epoch, uint64_t sequence) {
  v1::ConsumptionReceiptDocument receipt;
  receipt.set_epoch(epoch);
  receipt.set_sequence(sequence);
  *receipt.mutable_time_frame() =
      ToProto(TimeFrame{kTen, kTen + absl::Hours(1)});
  *receipt.mutable_accepted_at() = mc::ToProto(kTen + absl::Seconds(3601));
  return receipt;
}

v1::Consumption Report(int64_t sessions) {
  v1::Consumption consumption;
  *consumption.mutable_time_frame() =
      ToProto(TimeFrame{kTen, kTen + absl::Hours(1)});
  v1::EnvironmentConsumption& env = *consumption.add_environments();
  env.set_environment_id("env");
  env.set_rum_sessions(sessions);
  v1::SyntheticMonitorConsumption& monitor = *env.add_synthetic_monitors();
  monitor.set_monitor_id("monitor");
  monitor.set_success_count(3);
  monitor.set_failure_count(4);
  env.add_hosts()->set_host_id("host");
  return consumption;
}

TEST(Invoice, ColumnsComeInAnyOrderAndFieldsMayBeQuoted) {
  const auto lines = ParseInvoice(
      "cluster_id,environment_id,unit,meter,meter_id,resource_id,sequence,"
      "epoch,quantity,time_frame_start,time_frame_end,more\r\n"
      "c,\"a, \"\"b\"\"\",GiB,generic,logs,,2,1,5,2026-05-04T10:00:00Z,"
      "2026-05-04T12:00:00+01:00,x\r\n");
  ASSERT_TRUE(lines.ok()) << lines.status();
  ASSERT_EQ(lines->size(), 1u);
  const InvoiceLine& line = lines->front();
  EXPECT_EQ(line.number, 2);
  EXPECT_EQ(line.environment_id, "a, \"b\"");
  EXPECT_EQ(line.meter, v1::METER_GENERIC);
  EXPECT_EQ(line.meter_id, "logs");
  EXPECT_EQ(line.unit, "GiB");
  EXPECT_EQ(line.quantity, 5);
  EXPECT_EQ(line.time_frame.end - line.time_frame.start, absl::Hours(1));
  EXPECT_FALSE(line.accepted_at.has_value());
}

TEST(Invoice, WhatIsWrongIsNamedWithItsLineAndColumn) {
  const auto message = [](const std::string& csv) {
    const auto lines = ParseInvoice(csv);
    EXPECT_TRUE(absl::IsInvalidArgument(lines.status())) << csv;
    return std::string(lines.status().message());
  };
  EXPECT_THAT(message(""), HasSubstr("column cluster_id"));
  EXPECT_THAT(message(kHeader + std::string("a,b\n")), HasSubstr("line 2"));
  EXPECT_THAT(message(kHeader + Line("NO_METER", 1)), HasSubstr("meter"));
  EXPECT_THAT(message(kHeader + Line("PROBLEMS", 1) + "\"open"),
              HasSubstr("line 3"));
}

TEST(Evidence, ABilledReportNeedsItsReceipt) {
  Evidence evidence;
  EXPECT_THAT(evidence.Check(Parsed(Line("RUM_SESSIONS", 5))).problems,
              ElementsAre(HasSubstr("no receipt of report 1 of epoch 7")));
  evidence.AddBadReceipt(7, 1, "it is damaged");
  EXPECT_THAT(evidence.Check(Parsed(Line("RUM_SESSIONS", 5))).problems,
              ElementsAre(HasSubstr("it is damaged")));
}

TEST(Evidence, AReceiptAloneProvesTheTimeFrameAndNotTheQuantity) {
  Evidence evidence;
  evidence.AddReceipt(Receipt(7, 1));
  const LineVerdict verdict = evidence.Check(Parsed(Line("RUM_SESSIONS", 5)));
  EXPECT_THAT(verdict.problems, IsEmpty());
  EXPECT_FALSE(verdict.compared);
  InvoiceLine other = Parsed(Line("RUM_SESSIONS", 5));
  other.time_frame.start += absl::Hours(1);
  other.time_frame.end += absl::Hours(1);
  EXPECT_THAT(evidence.Check(other).problems,
              ElementsAre(HasSubstr("time frame")));
  InvoiceLine late = Parsed(Line("RUM_SESSIONS", 5));
  *late.accepted_at += absl::Minutes(1);
  EXPECT_THAT(evidence.Check(late).problems,
              ElementsAre(HasSubstr("accepted at")));
}

TEST(Evidence, QuantitiesAreComparedWithWhatWasReported) {
  Evidence evidence;
  evidence.AddReceipt(Receipt(7, 1));
  evidence.AddReport(7, Report(5));
  const LineVerdict good = evidence.Check(Parsed(Line("RUM_SESSIONS", 5)));
  EXPECT_THAT(good.problems, IsEmpty());
  EXPECT_TRUE(good.compared);
  EXPECT_THAT(evidence.Check(Parsed(Line("RUM_SESSIONS", 6))).problems,
              ElementsAre(HasSubstr("quantity is 6")));
  EXPECT_THAT(
      evidence.Check(Parsed(Line("SYNTHETIC_EXECUTIONS", 7, ",,monitor")))
          .problems,
      IsEmpty());
  EXPECT_THAT(evidence.Check(Parsed(Line("SYNTHETIC_EXECUTIONS", 7, ",,other")))
                  .problems,
              ElementsAre(HasSubstr("what was reported is 0")));
  EXPECT_THAT(
      evidence.Check(Parsed(Line("HOST_UNIT_HOURS_MILLI", 500, ",,host")))
          .problems,
      IsEmpty());
  EXPECT_THAT(
      evidence.Check(Parsed(Line("HOST_UNIT_HOURS_MILLI", 500, ",,ghost")))
          .problems,
      ElementsAre(HasSubstr("ghost was not reported")));
}

TEST(Evidence, LateUsageOfATimeFrameAddsUp) {
  Evidence evidence;
  evidence.AddReceipt(Receipt(7, 1));
  evidence.AddReport(7, Report(5));
  evidence.AddReceipt(Receipt(7, 2));
  // The second report is not kept any more: nothing can be said of the sum.
  EXPECT_FALSE(evidence.Check(Parsed(Line("RUM_SESSIONS", 8))).compared);
  evidence.AddReport(7, Report(3));
  EXPECT_THAT(evidence.Check(Parsed(Line("RUM_SESSIONS", 8))).problems,
              IsEmpty());
  EXPECT_THAT(evidence.Check(Parsed(Line("RUM_SESSIONS", 5))).problems,
              ElementsAre(HasSubstr("what was reported is 8")));
}

TEST(Evidence, WhatCameInTwoEpochsMayCountOnce) {
  Evidence evidence;
  evidence.AddReceipt(Receipt(7, 1));
  evidence.AddReport(7, Report(5));
  evidence.AddReceipt(Receipt(8, 1));
  evidence.AddReport(8, Report(5));
  EXPECT_THAT(evidence.Check(Parsed(Line("RUM_SESSIONS", 5))).problems,
              IsEmpty());
  EXPECT_THAT(evidence.Check(Parsed(Line("RUM_SESSIONS", 11))).problems,
              ElementsAre(HasSubstr("quantity is 11")));
}

}  // namespace
}  // namespace mc::agent
