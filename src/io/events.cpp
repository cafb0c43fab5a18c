#include "gen/io/events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>

#include "io/crc32c.h"
#include "io/posix.h"

namespace gen {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 16;
constexpr auto kFlushInterval = std::chrono::seconds(2);  // somebody watches
constexpr std::string_view kPrefix = "events.out.tfevents.";

// The little of protocol buffers' wire format that an Event needs. Field numbers are those of tensorflow's
// event.proto, summary.proto, tensor.proto and tensor_shape.proto.
class Message {
 public:
  Message& varint(int field, uint64_t value) {
    tag(field, 0);
    return raw_varint(value);
  }
  Message& bytes(int field, std::string_view value) {
    tag(field, 2);
    raw_varint(value.size());
    text_.append(value);
    return *this;
  }
  Message& number(int field, double value) { return tag(field, 1).fixed(std::bit_cast<uint64_t>(value)); }
  Message& number(int field, float value) { return tag(field, 5).fixed(std::bit_cast<uint32_t>(value)); }
  Message& message(int field, const Message& value) { return bytes(field, value.text_); }
  const std::string& text() const { return text_; }

 private:
  Message& tag(int field, int wire_type) { return raw_varint(static_cast<uint64_t>(field << 3 | wire_type)); }
  Message& raw_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_.push_back(static_cast<char>(value | 0x80));
    text_.push_back(static_cast<char>(value));
    return *this;
  }
  template <class T>
  Message& fixed(T value) {
    for (size_t i = 0; i < sizeof value; ++i) text_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  std::string text_;
};

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Message summary_event(const Message& value, int64_t step) {
  Message event;
  event.number(1, now()).varint(2, static_cast<uint64_t>(step)).message(5, Message().message(1, value));
  return event;
}

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

/// The greatest <seconds> of the event files in a folder; 0: none.
int64_t newest_file(const std::filesystem::path& folder) {
  int64_t newest = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    int64_t seconds = 0;
    if (name.starts_with(kPrefix) &&
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), seconds).ec == std::errc())
      newest = std::max(newest, seconds);
  }
  return newest;
}

}  // namespace

struct EventWriter::State {
  std::filesystem::path path;
  posix::Descriptor file;
  std::string buffer;
  std::chrono::steady_clock::time_point flushed = std::chrono::steady_clock::now();

  void add(const Message& event) {
    buffer += tfrecord(event.text());
    if (buffer.size() >= kBufferBytes) flush();
  }
  void flush() {
    flushed = std::chrono::steady_clock::now();  // also of a disk that refuses: not at every step again
    if (buffer.empty()) return;
    posix::append_whole(file.get(), path, buffer);
    buffer.clear();
  }
};

EventWriter::EventWriter(const std::filesystem::path& folder) : state_(std::make_unique<State>()) {
  int64_t seconds = std::max(static_cast<int64_t>(now()), newest_file(folder) + 1);
  for (; state_->file.get() < 0; ++seconds) {
    state_->path = folder / fmt::format("{}{:010}.{}", kPrefix, seconds, host_name());
    state_->file = posix::Descriptor(
        ::open(state_->path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666));
    if (state_->file.get() < 0 && errno != EEXIST) posix::fail(state_->path, "create the event file");
  }
  Message version;
  version.number(1, now()).bytes(3, "brain.Event:2");
  state_->add(version);
  state_->flush();
}

EventWriter::~EventWriter() {
  try {
    state_->flush();
  } catch (const std::exception&) {
    // The last lines of a log are not worth ending the program; flush() reports.
  }
}

void EventWriter::scalar(const std::string& tag, double value, int64_t step) {
  Message message;
  message.bytes(1, tag).number(2, static_cast<float>(value));
  state_->add(summary_event(message, step));
}

void EventWriter::image(const std::string& tag, const Image& image, int64_t step) {
  Message picture;  // colorspace 1 is grey, 3 is RGB
  picture.varint(1, static_cast<uint64_t>(image.height)).varint(2, static_cast<uint64_t>(image.width));
  picture.varint(3, static_cast<uint64_t>(image.channels)).bytes(4, encode_png(image));
  state_->add(summary_event(Message().bytes(1, tag).message(4, picture), step));
}

void EventWriter::text(const std::string& tag, const std::string& markdown, int64_t step) {
  constexpr uint64_t kString = 7, kTensorClass = 2;  // DT_STRING, DATA_CLASS_TENSOR
  Message tensor, metadata;
  tensor.varint(1, kString).message(2, Message().message(2, Message().varint(1, 1))).bytes(8, markdown);
  metadata.message(1, Message().bytes(1, "text")).varint(4, kTensorClass);
  state_->add(summary_event(Message().bytes(1, tag).message(8, tensor).message(9, metadata), step));
}

void EventWriter::restart(int64_t step) {
  constexpr uint64_t kStart = 1;  // SessionLog::START; readers drop events of its step and later ones
  Message event;
  event.number(1, now()).varint(2, static_cast<uint64_t>(step + 1)).message(7, Message().varint(1, kStart));
  state_->add(event);
  state_->flush();
}

void EventWriter::flush() { state_->flush(); }

void EventWriter::flush_if_due() {
  if (std::chrono::steady_clock::now() - state_->flushed >= kFlushInterval) state_->flush();
}

const std::filesystem::path& EventWriter::path() const { return state_->path; }

}  // namespace gen
