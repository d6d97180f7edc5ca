// ClusterService.StreamReports.
#ifndef MC_SERVICE_API_REPORTS_STREAM_H_
#define MC_SERVICE_API_REPORTS_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <string>
#include <string_view>

#include "mc-service/api/cluster_stream.h"
#include "mc-service/api/report_shares.h"
#include "mc-service/domain/reports/report_desk.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::service {

inline constexpr std::string_view kStreamReports =
    "/missioncontrol.v1.ClusterService/StreamReports";

// Takes the messages as bytes: the digest covers what was received, and what
// does not parse gets its answer. Nothing here blocks: Hello is answered by
// the executor, reports by the store's writer. A stream whose cluster has its
// share of reports at the writer is not read.
class ReportsStream : public ClusterStream<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Desk and shares outlive the stream.
  ReportsStream(grpc::CallbackServerContext* context, const StreamDeps& deps,
                ReportDesk* desk, ReportShares* shares);

 private:
  void OnMessage(grpc::ByteBuffer& buffer) override;
  void OnBytes(std::string_view bytes);
  void OnMalformed(std::string_view bytes);
  void OnHello(v1::Hello hello);
  void OnReport(std::string_view bytes);

  // Runs on the executor.
  void Greet(const v1::Hello& hello);
  // For a report that has its place in the cluster's share.
  void Submit(Submission submission, std::string summary);
  void SendReceipt(v1::ReportReceipt receipt, std::string summary);

  ReportDesk* const desk_;
  ReportShares* const shares_;
  // Parsed into again and again.
  v1::StreamReportsRequest request_;
  bool hello_seen_ = false;
  // As Hello declared them; written before any report is read.
  std::map<v1::Lane, uint64_t> epochs_;
  // The highest sequence of LANE_BILLING that was accepted or is under way.
  uint64_t billing_mark_ = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_REPORTS_STREAM_H_
