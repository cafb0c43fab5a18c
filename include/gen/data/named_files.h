// Data sets whose examples are files of their own.
#pragma once

#include <string>

namespace gen {

/// What such a data set can tell of itself without reading a file.
class NamedFiles {
 public:
  virtual ~NamedFiles() = default;
  /// The files below the data set's folder, a line each, in the order of the examples.
  virtual std::string all_names() const = 0;
};

}  // namespace gen
