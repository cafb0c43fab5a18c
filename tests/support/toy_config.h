// The smallest config that trains: a second's worth of a run, for tests of what surrounds it.
#pragma once

namespace gen::test {

constexpr const char* kToyConfig = R"({
  "model": {"type": "vae", "latent_dim": 2, "likelihood": {"type": "gaussian"},
            "encoder": {"type": "mlp", "hidden_sizes": [8]}},
  "data": {"type": "toy2d", "num_examples": 64, "num_held_out": 16},
  "train": {"steps": 1, "batch_size": 8, "sample_count": 0}
})";

}  // namespace gen::test
