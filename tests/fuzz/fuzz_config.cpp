// The config reader: any text gives options or a list of mistakes.
#include "gen/config/load.h"

namespace {

struct Everything {
  bool flag = false;
  int64_t integer = 1;
  double number = 1;
  std::string text = "a";
  std::vector<int64_t> integers;
  std::vector<double> numbers;
  std::vector<std::string> texts;
  std::optional<int64_t> maybe_integer;
  std::optional<double> maybe_number;
  std::optional<std::string> maybe_text;
  gen::Component component;
  std::vector<gen::Component> components;
  void visit(gen::OptionVisitor& v);
};

struct Leaf {
  int64_t size = 1;
  void visit(gen::OptionVisitor& v) { v.field("size", size, "a size", {.min = 0, .max = 10}); }
};

const gen::Kind<int()>& leaves() {
  static const auto kind = [] {
    gen::Kind<int()> k("leaf");
    k.add<Leaf>("leaf", [](const Leaf&) { return 0; }, "a leaf");
    return k;
  }();
  return kind;
}

void Everything::visit(gen::OptionVisitor& v) {
  v.field("b", flag, "");
  v.field("i", integer, "", {.min = -5, .max = 5});
  v.field("n", number, "", {.min = 0, .exclusive_min = true});
  v.field("t", text, "", {.choices = {"a", "bb"}});
  v.field("is", integers, "", {.max_size = 3});
  v.field("ns", numbers, "");
  v.field("ts", texts, "");
  v.field("mi", maybe_integer, "");
  v.field("mn", maybe_number, "");
  v.field("mt", maybe_text, "");
  v.component("c", component, leaves(), "");
  v.components("cs", components, leaves(), "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gen::Issues issues;
  Everything options;
  gen::load(gen::Document::parse(std::string(reinterpret_cast<const char*>(data), size), "fuzz", issues),
            options, issues);
  if (!issues.empty()) return 0;
  // What loads, dumps to something that loads to the same.
  const gen::Json once = gen::dump(options);
  Everything again;
  gen::load(gen::Document::from_json(once, "dumped"), again, issues);
  if (!issues.empty() || gen::dump(again) != once) std::abort();
  return 0;
}
