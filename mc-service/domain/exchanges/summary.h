// One line about an exchange, for people who watch. Never a secret, and
// nothing that was not checked is longer than it may be.
#ifndef MC_SERVICE_DOMAIN_EXCHANGES_SUMMARY_H_
#define MC_SERVICE_DOMAIN_EXCHANGES_SUMMARY_H_

#include <string>
#include <string_view>

#include "missioncontrol/v1/heartbeat.pb.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// "1 node, cpu 0.42, memory 3.1 of 23.5 GiB free", or
// "2026-11-21T10:00Z/1h, 2 environments, 3 hosts, 120 sessions".
std::string Summarize(const v1::ReportEnvelope& report);

// "node 5d2f0c1e SERVER"; long IDs are cut.
std::string Summarize(const v1::StreamHeartbeatsRequest& beat);

// The summary of a report with what became of it: "HEALTHY, 1 node, ...", or
// the message of its rejection.
std::string SummaryWith(const v1::ReportReceipt& receipt,
                        std::string_view summary);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_EXCHANGES_SUMMARY_H_
