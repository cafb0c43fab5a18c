// What every registered bijector promises: inverse undoes forward, log_det is that of the Jacobian, weights
// can be saved and loaded. In double, with random parameters.
#include "models/flow/bijector.h"

#include "gen/config/load.h"
#include "models/flow/coupling.h"
#include "support/support.h"

namespace gen::flow {
namespace {

struct Case {
  std::string name, type, options;  // options as JSON
  Shape shape;
  int64_t context_dim = 0;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

constexpr const char* kMlp = R"("network": {"type": "mlp", "hidden_sizes": [8, 8]})";
constexpr const char* kResnet = R"("network": {"type": "resnet", "hidden_channels": 6, "num_blocks": 1})";

std::vector<Case> cases() {
  const auto with = [](const char* mask, bool swap, const char* network) {
    return fmt::format(R"({{"mask": "{}", "swap": {}, {}}})", mask, swap, network);
  };
  return {
      {"additive_odd_even", "additive_coupling", with("odd_even", false, kMlp), {4}},
      {"additive_odd_even_swapped_odd_size", "additive_coupling", with("odd_even", true, kMlp), {5}},
      {"additive_checkerboard", "additive_coupling", with("checkerboard", false, kResnet), {1, 2, 4}},
      {"affine_odd_even", "affine_coupling", with("odd_even", false, kMlp), {7}},
      {"affine_halves_swapped", "affine_coupling", with("halves", true, kMlp), {3}},
      {"affine_channels", "affine_coupling", with("halves", false, kResnet), {4, 1, 2}},
      {"affine_checkerboard", "affine_coupling", with("checkerboard", false, kResnet), {1, 4, 2}},
      {"affine_checkerboard_swapped", "affine_coupling", with("checkerboard", true, kResnet), {2, 2, 2}},
      {"affine_conditional", "affine_coupling", with("odd_even", true, kMlp), {4}, 3},
      {"affine_conditional_image", "affine_coupling", with("checkerboard", false, kResnet), {1, 2, 4}, 3},
      {"scaling_points", "scaling", "{}", {5}},
      {"scaling_image", "scaling", "{}", {2, 2, 2}},
      {"actnorm_points", "actnorm", "{}", {5}},
      {"actnorm_image", "actnorm", "{}", {2, 2, 2}},
      {"batch_norm_points", "batch_norm", "{}", {5}},
      {"batch_norm_image", "batch_norm", "{}", {2, 2, 2}},
      {"permutation_points", "permutation", R"({"seed": 3})", {6}},
      {"permutation_reverse_image", "permutation", R"({"reverse": true})", {3, 2, 1}},
      {"squeeze", "squeeze", "{}", {2, 2, 2}},
      {"flatten", "flatten", "{}", {2, 2, 2}},
      {"logit", "logit", R"({"alpha": 0.05})", {2, 2, 2}},
  };
}

std::shared_ptr<Bijector> make(const Case& c) {
  Issues issues;
  auto json = Json::parse(c.options);
  json["type"] = c.type;
  struct Holder {
    Component bijector;
    void visit(OptionVisitor& v) { v.component("bijector", bijector, bijectors(), "the one under test"); }
  } holder;
  load(Document::from_json(Json{{"bijector", json}}, c.name), holder, issues);
  issues.throw_if_any();
  return bijectors().make(holder.bijector, BijectorContext{c.shape, c.context_dim});
}

void to_double(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& p : module.parameters()) p.set_data(p.to(at::kDouble));
  for (auto& b : module.buffers())
    if (b.is_floating_point()) b.set_data(b.to(at::kDouble));
}

// Away from the identity that a new bijector is.
void randomize(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& p : module.parameters()) p.normal_(0, 0.5);
  for (const auto& entry : module.named_buffers()) {
    if (entry.key() == "running_mean") entry.value().normal_(0, 0.5);
    if (entry.key() == "running_var") entry.value().uniform_(0.5, 2.0);
  }
}

struct BijectorContract : testing::TestWithParam<Case> {
  void SetUp() override {
    torch::manual_seed(7);
    bijector = make(GetParam());
    to_double(*bijector);
    randomize(*bijector);
    bijector->eval();
    Shape batch = GetParam().shape;
    batch.insert(batch.begin(), kRows);
    // Inside (0, 1), which every bijector accepts, the logit included.
    x = torch::rand(batch, at::kDouble) * 0.9 + 0.05;
    if (GetParam().context_dim > 0)
      condition.context = torch::rand({kRows, GetParam().context_dim}, at::kDouble);
  }
  static constexpr int64_t kRows = 3;
  std::shared_ptr<Bijector> bijector;
  at::Tensor x;
  Condition condition;
};

TEST_P(BijectorContract, InverseUndoesForwardAndLogDetsCancel) {
  torch::NoGradGuard no_grad;
  const auto there = bijector->forward(x, condition);
  const auto back = bijector->inverse(there.y, condition);
  EXPECT_LE(test::max_abs_diff(back.y, x), 1e-9);
  EXPECT_EQ(there.log_det.sizes(), at::IntArrayRef({kRows}));
  EXPECT_LE(test::max_abs_diff(there.log_det, -back.log_det), 1e-9);
}

TEST_P(BijectorContract, OutputHasTheShapeItDeclares) {
  torch::NoGradGuard no_grad;
  Shape expected = bijector->output_shape(GetParam().shape);
  expected.insert(expected.begin(), kRows);
  EXPECT_EQ(bijector->forward(x, condition).y.sizes(), at::IntArrayRef(expected));
}

TEST_P(BijectorContract, LogDetIsThatOfTheAutogradJacobian) {
  for (int64_t row = 0; row < kRows; ++row) {
    Condition c;
    if (condition.context.defined()) c.context = condition.context.narrow(0, row, 1);
    const auto input = x.narrow(0, row, 1).clone().requires_grad_();
    const auto mapped = bijector->forward(input, c);
    const auto flat = mapped.y.flatten();
    std::vector<at::Tensor> rows;
    for (int64_t i = 0; i < flat.size(0); ++i)
      rows.push_back(torch::autograd::grad({flat[i]}, {input}, {}, /*retain_graph=*/true)[0].flatten());
    const auto log_abs_det = std::get<1>(torch::linalg_slogdet(torch::stack(rows)));
    EXPECT_NEAR(mapped.log_det.item<double>(), log_abs_det.item<double>(), 1e-8);
  }
}

// Central differences of a random projection of (y, log_det) against autograd, for every parameter.
TEST_P(BijectorContract, GradientsOfParametersMatchFiniteDifferences) {
  const auto probe = torch::randn_like(bijector->forward(x, condition).y).detach();
  const auto value = [&] {
    const auto mapped = bijector->forward(x, condition);
    return (mapped.y * probe).sum() + mapped.log_det.sum() * 0.7;
  };
  const auto parameters = bijector->parameters();
  if (parameters.empty()) return;
  const auto gradients = torch::autograd::grad({value()}, parameters);
  torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto flat = parameters[i].view(-1);
    const auto index = flat.size(0) / 2;
    const double before = flat[index].item<double>();
    flat[index] = before + kStep;
    const double above = value().item<double>();
    flat[index] = before - kStep;
    const double below = value().item<double>();
    flat[index] = before;
    EXPECT_NEAR(gradients[i].reshape(-1)[index].item<double>(), (above - below) / (2 * kStep), 1e-5)
        << "parameter " << i;
  }
}

TEST_P(BijectorContract, SavedWeightsGiveTheSameMap) {
  torch::NoGradGuard no_grad;
  auto other = make(GetParam());
  to_double(*other);
  other->eval();
  torch::serialize::OutputArchive out;
  bijector->save(out);
  std::stringstream file;
  out.save_to(file);
  torch::serialize::InputArchive in;
  in.load_from(file);
  other->load(in);
  EXPECT_TRUE(torch::equal(bijector->forward(x, condition).y, other->forward(x, condition).y));
}

INSTANTIATE_TEST_SUITE_P(All, BijectorContract, testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

TEST(BijectorKind, EveryTypeIsUnderContract) {
  for (const auto& type : bijectors().types()) {
    const auto all = cases();
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Case& c) { return c.type == type; })) << type;
  }
}

}  // namespace
}  // namespace gen::flow
