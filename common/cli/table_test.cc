#include "common/cli/table.h"

#include <gtest/gtest.h>

namespace mc {
namespace {

TEST(Table, ColumnsAreAligned) {
  Table table({"NAME", "STATE"});
  table.Add({"a", "ONLINE"});
  table.Add({"a long name", ""});
  EXPECT_EQ(table.Text(),
            "NAME         STATE\n"
            "a            ONLINE\n"
            "a long name  -\n");
}

TEST(Table, WidthIsInCharacters) {
  Table table({"N", "S"});
  table.Add({"äöü", "x"});
  table.Add({"abc", "y"});
  EXPECT_EQ(table.Text(), "N    S\näöü  x\nabc  y\n");
}

TEST(Table, ControlCharactersDoNotReachTheTerminal) {
  Table table({"N"});
  table.Add({"\033[2Jx\n"});
  EXPECT_EQ(table.Text(), "N\n?[2Jx?\n");
}

}  // namespace
}  // namespace mc
