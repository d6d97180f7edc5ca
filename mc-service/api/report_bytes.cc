#include "mc-service/api/report_bytes.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>

namespace mc::service {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

CodedInputStream Over(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const uint8_t*>(bytes.data()),
                          static_cast<int>(bytes.size()));
}

uint32_t Tag(int field, WireFormatLite::WireType type) {
  return WireFormatLite::MakeTag(field, type);
}

// The bytes of the outer field, cut where the message is.
std::optional<std::string_view> FindReport(std::string_view request) {
  CodedInputStream in = Over(request);
  const uint32_t wanted = Tag(v1::StreamReportsRequest::kReportFieldNumber,
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  while (const uint32_t tag = in.ReadTag()) {
    if (tag != wanted) {
      if (!WireFormatLite::SkipField(&in, tag)) return std::nullopt;
      continue;
    }
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) return std::nullopt;
    return request.substr(static_cast<size_t>(in.CurrentPosition()), size);
  }
  return std::nullopt;
}

}  // namespace

std::optional<LenientKey> ReadKey(std::string_view request) {
  const std::optional<std::string_view> report = FindReport(request);
  if (!report.has_value()) return std::nullopt;
  std::optional<uint64_t> lane, epoch, sequence;
  CodedInputStream in = Over(*report);
  while (const uint32_t tag = in.ReadTag()) {
    std::optional<uint64_t>* number = nullptr;
    if (tag == Tag(v1::ReportEnvelope::kLaneFieldNumber,
                   WireFormatLite::WIRETYPE_VARINT)) {
      number = &lane;
    } else if (tag == Tag(v1::ReportEnvelope::kEpochFieldNumber,
                          WireFormatLite::WIRETYPE_VARINT)) {
      number = &epoch;
    } else if (tag == Tag(v1::ReportEnvelope::kSequenceFieldNumber,
                          WireFormatLite::WIRETYPE_VARINT)) {
      number = &sequence;
    }
    if (number == nullptr) {
      if (!WireFormatLite::SkipField(&in, tag)) break;
      continue;
    }
    uint64_t value = 0;
    if (!in.ReadVarint64(&value)) break;
    *number = value;
  }
  if (!lane.has_value() || !sequence.has_value()) return std::nullopt;
  return LenientKey{static_cast<v1::Lane>(*lane), epoch.value_or(0), *sequence};
}

}  // namespace mc::service
