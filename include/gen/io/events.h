// TensorBoard event files: TFRecord framing around tensorflow.Event messages, encoded by hand (no protobuf).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "gen/io/image.h"

namespace gen {

class EventWriter {
 public:
  /// Creates DIR/events.out.tfevents.<seconds>.<host>. A resumed run opens a new file; TensorBoard reads them all in the
  /// order of their names, so <seconds> is greater than that of any file there, whatever the clock says.
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();
  void scalar(const std::string& tag, double value, int64_t step);
  void image(const std::string& tag, const Image& image, int64_t step);
  void text(const std::string& tag, const std::string& markdown, int64_t step);
  /// Readers forget what they have of later steps than `step`: the run goes on from there.
  void restart(int64_t step);
  void flush();
  /// Where the last flush is a few seconds ago. To be called at every step.
  void flush_if_due();
  const std::filesystem::path& path() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gen
