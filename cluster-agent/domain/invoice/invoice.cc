#include "cluster-agent/domain/invoice/invoice.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr const char* kColumns[] = {
    "cluster_id", "environment_id", "meter",         "meter_id",
    "unit",       "resource_id",    "quantity",      "time_frame_start",
    "epoch",      "sequence",       "time_frame_end"};

using Row = std::vector<std::string>;

absl::Status InLine(int64_t line, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("line ", line, " of the invoice: ", what));
}

class Rows {
 public:
  explicit Rows(std::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }
  // Of the row that Next has returned.
  int64_t line() const { return line_; }

  absl::StatusOr<Row> Next() {
    line_ = next_line_;
    Row row(1);
    bool quoted = false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\n') ++next_line_;
      if (quoted) {
        if (c != '"') {
          row.back() += c;
        } else if (at_ < text_.size() && text_[at_] == '"') {
          row.back() += text_[at_++];
        } else {
          quoted = false;
        }
      } else if (c == '"' && row.back().empty()) {
        quoted = true;
      } else if (c == ',') {
        row.emplace_back();
      } else if (c == '\n') {
        return row;
      } else if (c != '\r') {
        row.back() += c;
      }
    }
    if (quoted) return InLine(line_, "a quotation mark is not closed");
    return row;
  }

 private:
  const std::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 0;
  int64_t next_line_ = 1;
};

// One row with the names of its columns; the first thing that is wrong stays.
class Fields {
 public:
  Fields(const std::map<std::string, size_t>& columns, const Row& row,
         int64_t line)
      : columns_(columns), row_(row), line_(line) {}

  std::string Text(const char* column) const {
    const auto found = columns_.find(column);
    if (found == columns_.end() || found->second >= row_.size()) return "";
    return row_[found->second];
  }

  template <typename T>
  T Number(const char* column) {
    T value = 0;
    if (!absl::SimpleAtoi(Text(column), &value)) {
      Wrong(column, "is no whole number");
    }
    return value;
  }

  absl::Time Time(const char* column) {
    const absl::StatusOr<absl::Time> time = ParseRfc3339(Text(column));
    if (!time.ok()) Wrong(column, time.status().message());
    return time.value_or(absl::Time());
  }

  v1::Meter Meter(const char* column) {
    std::string name = Text(column);
    absl::AsciiStrToUpper(&name);
    if (!absl::StartsWith(name, "METER_")) name = "METER_" + name;
    v1::Meter meter = v1::METER_UNSPECIFIED;
    if (!v1::Meter_Parse(name, &meter) || meter == v1::METER_UNSPECIFIED) {
      Wrong(column, "is no meter that this version knows");
    }
    return meter;
  }

  const absl::Status& status() const { return status_; }

 private:
  void Wrong(const char* column, absl::string_view why) {
    if (!status_.ok()) return;
    status_ =
        InLine(line_, absl::StrCat(column, " \"", Text(column), "\": ", why));
  }

  const std::map<std::string, size_t>& columns_;
  const Row& row_;
  const int64_t line_;
  absl::Status status_;
};

absl::StatusOr<InvoiceLine> ToLine(Fields fields, int64_t number) {
  InvoiceLine line;
  line.number = number;
  line.cluster_id = fields.Text("cluster_id");
  line.environment_id = fields.Text("environment_id");
  line.meter = fields.Meter("meter");
  line.meter_id = fields.Text("meter_id");
  line.unit = fields.Text("unit");
  line.resource_id = fields.Text("resource_id");
  line.time_frame = {fields.Time("time_frame_start"),
                     fields.Time("time_frame_end")};
  line.quantity = fields.Number<int64_t>("quantity");
  line.epoch = fields.Number<uint64_t>("epoch");
  line.sequence = fields.Number<uint64_t>("sequence");
  if (!fields.Text("accepted_at").empty()) {
    line.accepted_at = fields.Time("accepted_at");
  }
  if (!fields.status().ok()) return fields.status();
  return line;
}

}  // namespace

absl::StatusOr<std::vector<InvoiceLine>> ParseInvoice(std::string_view csv) {
  Rows rows(csv);
  const absl::StatusOr<Row> header = rows.Next();
  if (!header.ok()) return header.status();
  std::map<std::string, size_t> columns;
  for (size_t i = 0; i < header->size(); ++i) {
    columns[std::string(absl::StripAsciiWhitespace((*header)[i]))] = i;
  }
  for (const char* column : kColumns) {
    if (columns.contains(column)) continue;
    return InLine(1, absl::StrCat("there is no column ", column,
                                  "; export it with mcctl ledger entries "
                                  "--output csv"));
  }
  std::vector<InvoiceLine> lines;
  while (!rows.done()) {
    const absl::StatusOr<Row> row = rows.Next();
    if (!row.ok()) return row.status();
    if (row->size() == 1 && row->front().empty()) continue;
    if (row->size() != header->size()) {
      return InLine(rows.line(),
                    "it has another number of columns than the "
                    "header");
    }
    absl::StatusOr<InvoiceLine> line =
        ToLine(Fields(columns, *row, rows.line()), rows.line());
    if (!line.ok()) return line.status();
    lines.push_back(*std::move(line));
  }
  return lines;
}

}  // namespace mc::agent
