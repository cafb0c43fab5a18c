// Examples that cannot be read: what data.on_error does about them, and the account of those passed over.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gen/core/error.h"

namespace gen {

class OptionVisitor;

/// Example `index` of a split, and what is wrong with it.
struct BadExample {
  int64_t index = 0;
  std::string what;
};

enum class OnError { error, skip };

/// Options of every data set that comes from files, beside its own.
struct BadExampleOptions {
  OnError on_error = OnError::error;
  int64_t max_skipped = 100;  ///< of a split
  void visit(OptionVisitor& v);
};

/// An example that cannot be read and may not be passed over. What was done before it is as good as ever.
struct ExampleError : DataError {
  ExampleError(const std::string& message, int64_t example) : DataError(message), index(example) {}
  int64_t index;
};

/// The text of an error for `what`, an example beyond those that may be passed over.
std::string budget_spent(const std::string& what, const BadExampleOptions& options);

/// The examples of a split that were passed over, each once.
class SkippedExamples {
 public:
  explicit SkippedExamples(const BadExampleOptions& options = {}) : options_(options) {}
  /// Takes some in and returns those that are new. Throws ExampleError at the first beyond max_skipped.
  std::vector<BadExample> add(const std::vector<BadExample>& found);
  /// One that an earlier process took in, whatever max_skipped is now.
  void remember(BadExample each) { by_index_[each.index] = std::move(each.what); }
  int64_t count() const { return static_cast<int64_t>(by_index_.size()); }
  const std::map<int64_t, std::string>& by_index() const { return by_index_; }
  const BadExampleOptions& options() const { return options_; }

 private:
  BadExampleOptions options_;
  std::map<int64_t, std::string> by_index_;
};

}  // namespace gen
