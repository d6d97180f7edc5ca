#include "cluster-agent/domain/invoice/evidence.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

// The ledger's times may be rounded.
constexpr absl::Duration kRounding = absl::Seconds(1);

TimeFrame FrameOf(const v1::TimeFrame& frame) {
  return {FromProto(frame.start()).value_or(absl::InfinitePast()),
          FromProto(frame.end()).value_or(absl::InfiniteFuture())};
}

std::string Text(const TimeFrame& frame) {
  return absl::StrCat(FormatUtc(frame.start), " to ", FormatUtc(frame.end));
}

bool IsWithin(const TimeFrame& inner, const TimeFrame& outer) {
  return inner.start >= outer.start && inner.end <= outer.end;
}

}  // namespace

void Evidence::AddReceipt(const v1::ConsumptionReceiptDocument& receipt) {
  const TimeFrame frame = FrameOf(receipt.time_frame());
  receipts_[{receipt.epoch(), receipt.sequence()}] = {
      frame, FromProto(receipt.accepted_at()).value_or(absl::InfinitePast())};
  ++frames_[{frame.start, frame.end, receipt.epoch()}].receipts;
}

void Evidence::AddBadReceipt(uint64_t epoch, uint64_t sequence,
                             std::string why) {
  bad_receipts_[{epoch, sequence}] = std::move(why);
}

void Evidence::AddReport(uint64_t epoch, const v1::Consumption& consumption) {
  const TimeFrame time = FrameOf(consumption.time_frame());
  Frame& frame = frames_[{time.start, time.end, epoch}];
  ++frame.reports;
  for (const v1::EnvironmentConsumption& e : consumption.environments()) {
    const std::string& id = e.environment_id();
    frame.quantities[{id, v1::METER_PROBLEMS, "", "", ""}] += e.new_problems();
    frame.quantities[{id, v1::METER_RUM_SESSIONS, "", "", ""}] +=
        e.rum_sessions();
    for (const v1::SyntheticMonitorConsumption& m : e.synthetic_monitors()) {
      frame.quantities[{id, v1::METER_SYNTHETIC_EXECUTIONS, "", "",
                        m.monitor_id()}] +=
          m.success_count() + m.failure_count();
    }
    for (const v1::MeterConsumption& m : e.meters()) {
      frame.quantities[{id, v1::METER_GENERIC, m.meter_id(), m.unit(), ""}] +=
          m.quantity();
    }
    for (const v1::HostConsumption& h : e.hosts()) {
      frame.hosts.insert({id, h.host_id()});
    }
  }
}

LineVerdict Evidence::Check(const InvoiceLine& line) const {
  LineVerdict verdict;
  const std::optional<Receipt> receipt = FindReceipt(line, verdict);
  if (!receipt.has_value()) return verdict;
  const bool host = line.meter == v1::METER_HOST_UNIT_HOURS_MILLI;
  if (host ? !IsWithin(receipt->time_frame, line.time_frame)
           : !(receipt->time_frame == line.time_frame)) {
    verdict.problems.push_back(absl::StrCat(
        "its time frame is ", Text(line.time_frame),
        ", but the receipt was given for ", Text(receipt->time_frame)));
    return verdict;
  }
  if (line.accepted_at.has_value() &&
      absl::AbsDuration(*line.accepted_at - receipt->accepted_at) > kRounding) {
    verdict.problems.push_back(absl::StrCat(
        "it says accepted at ", FormatUtc(*line.accepted_at),
        ", but the receipt says ", FormatUtc(receipt->accepted_at)));
  }
  if (host) {
    CheckHost(line, verdict);
  } else {
    CheckQuantity(line, verdict);
  }
  return verdict;
}

std::optional<Evidence::Receipt> Evidence::FindReceipt(
    const InvoiceLine& line, LineVerdict& verdict) const {
  const std::string report =
      absl::StrCat("report ", line.sequence, " of epoch ", line.epoch);
  const auto bad = bad_receipts_.find({line.epoch, line.sequence});
  if (bad != bad_receipts_.end()) {
    verdict.problems.push_back(absl::StrCat("the receipt of ", report,
                                            " proves nothing: ", bad->second));
    return std::nullopt;
  }
  const auto found = receipts_.find({line.epoch, line.sequence});
  if (found == receipts_.end()) {
    verdict.problems.push_back(absl::StrCat("there is no receipt of ", report));
    return std::nullopt;
  }
  return found->second;
}

std::vector<const Evidence::Frame*> Evidence::CompleteFrames(
    const TimeFrame& within) const {
  std::vector<const Frame*> frames;
  auto next = frames_.lower_bound({within.start, absl::InfinitePast(), 0});
  for (; next != frames_.end() && std::get<0>(next->first) < within.end;
       ++next) {
    if (std::get<1>(next->first) > within.end) continue;
    if (next->second.reports != next->second.receipts) return {};
    frames.push_back(&next->second);
  }
  return frames;
}

void Evidence::CheckQuantity(const InvoiceLine& line,
                             LineVerdict& verdict) const {
  const std::vector<const Frame*> frames = CompleteFrames(line.time_frame);
  if (frames.empty()) return;
  const Identity identity{line.environment_id, line.meter, line.meter_id,
                          line.unit, line.resource_id};
  int64_t largest = 0;
  int64_t sum = 0;
  for (const Frame* frame : frames) {
    const auto found = frame->quantities.find(identity);
    if (found == frame->quantities.end()) continue;
    largest = std::max(largest, found->second);
    sum += found->second;
  }
  verdict.compared = true;
  if (line.quantity >= largest && line.quantity <= sum) return;
  verdict.problems.push_back(absl::StrCat("its quantity is ", line.quantity,
                                          ", but what was reported is ", sum));
}

void Evidence::CheckHost(const InvoiceLine& line, LineVerdict& verdict) const {
  const std::vector<const Frame*> frames = CompleteFrames(line.time_frame);
  if (frames.empty()) return;
  verdict.compared = true;
  for (const Frame* frame : frames) {
    if (frame->hosts.contains({line.environment_id, line.resource_id})) return;
  }
  verdict.problems.push_back(absl::StrCat("host ", line.resource_id,
                                          " was not reported in this hour"));
}

}  // namespace mc::agent
