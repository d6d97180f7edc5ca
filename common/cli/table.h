// Aligned columns for people.
#ifndef COMMON_CLI_TABLE_H_
#define COMMON_CLI_TABLE_H_

#include <string>
#include <vector>

namespace mc {

class Table {
 public:
  // Column names, in upper case.
  explicit Table(std::vector<std::string> header);

  // As many cells as columns. Control characters are replaced: what a cluster
  // sent must not move the cursor of an operator's terminal.
  void Add(std::vector<std::string> cells);

  // Two spaces between columns, none at the end of a line; "-" for an empty
  // cell.
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mc

#endif  // COMMON_CLI_TABLE_H_
