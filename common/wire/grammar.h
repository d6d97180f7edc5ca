// The grammars of missioncontrol.v1.Format (options.proto).
#ifndef COMMON_WIRE_GRAMMAR_H_
#define COMMON_WIRE_GRAMMAR_H_

#include <string_view>

#include "missioncontrol/v1/options.pb.h"

namespace mc {

// Null where `text` obeys the format, else what it must be, as a phrase for
// people that does not hold the text. An empty text obeys every format.
// FREE_TEXT counts code points; protobuf has checked the UTF-8 of strings.
const char* FormatProblem(missioncontrol::v1::Format format,
                          std::string_view text);

}  // namespace mc

#endif  // COMMON_WIRE_GRAMMAR_H_
