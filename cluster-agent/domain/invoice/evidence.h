// What the site has in hand against an invoice: signed receipts, and the
// reports themselves as long as they are kept.
#ifndef MC_CLUSTER_AGENT_DOMAIN_INVOICE_EVIDENCE_H_
#define MC_CLUSTER_AGENT_DOMAIN_INVOICE_EVIDENCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "cluster-agent/domain/invoice/invoice.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "missioncontrol/v1/consumption.pb.h"

namespace mc::agent {

// What was found of one line.
struct LineVerdict {
  // Empty: nothing speaks against it. For people, one sentence each.
  std::vector<std::string> problems;
  // Whether the quantity could be compared with what was reported; host units
  // are only compared with whether the host was reported.
  bool compared = false;
};

// Not thread-safe.
class Evidence {
 public:
  // One whose signature was verified.
  void AddReceipt(
      const missioncontrol::v1::ConsumptionReceiptDocument& receipt);
  // There is one, but it is not to be believed.
  void AddBadReceipt(uint64_t epoch, uint64_t sequence, std::string why);
  // A report whose receipt was added and names its bytes.
  void AddReport(uint64_t epoch,
                 const missioncontrol::v1::Consumption& consumption);

  // A line of this cluster. The ledger sums up the reports of one epoch for
  // the same time frame; where frames of several epochs meet, each usage counts
  // once, so the quantity lies between the largest and the sum.
  LineVerdict Check(const InvoiceLine& line) const;

 private:
  struct Receipt {
    TimeFrame time_frame;
    absl::Time accepted_at;
  };
  // environment, meter, meter ID, unit, resource
  using Identity = std::tuple<std::string, missioncontrol::v1::Meter,
                              std::string, std::string, std::string>;
  // What is known of the reports of one epoch for one time frame.
  struct Frame {
    int64_t receipts = 0;
    int64_t reports = 0;
    std::map<Identity, int64_t> quantities;
    // Environment and host.
    std::set<std::pair<std::string, std::string>> hosts;
  };
  // start, end, epoch
  using FrameKey = std::tuple<absl::Time, absl::Time, uint64_t>;

  std::optional<Receipt> FindReceipt(const InvoiceLine& line,
                                     LineVerdict& verdict) const;
  void CheckQuantity(const InvoiceLine& line, LineVerdict& verdict) const;
  void CheckHost(const InvoiceLine& line, LineVerdict& verdict) const;
  // Those within a time frame; none where a report of it is not kept any more.
  std::vector<const Frame*> CompleteFrames(const TimeFrame& within) const;

  std::map<std::pair<uint64_t, uint64_t>, Receipt> receipts_;
  std::map<std::pair<uint64_t, uint64_t>, std::string> bad_receipts_;
  std::map<FrameKey, Frame> frames_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_INVOICE_EVIDENCE_H_
