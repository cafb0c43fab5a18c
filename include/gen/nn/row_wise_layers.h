// Torch's layers with the functions of row_wise.h.
#pragma once

#include <torch/torch.h>

#include "gen/nn/row_wise.h"

namespace gen {

struct RowWiseLinearImpl : torch::nn::LinearImpl {
  using torch::nn::LinearImpl::LinearImpl;
  at::Tensor forward(const at::Tensor& x) {
    return row_wise::linear(x, weight, bias.defined() ? bias : at::zeros({weight.size(0)}, weight.options()));
  }
};
TORCH_MODULE(RowWiseLinear);

/// For square kernels and strides.
struct RowWiseConv2dImpl : torch::nn::Conv2dImpl {
  using torch::nn::Conv2dImpl::Conv2dImpl;
  at::Tensor forward(const at::Tensor& x) {
    return row_wise::conv2d(x, weight, bias, options.stride()->at(0),
                            std::get<torch::ExpandingArray<2>>(options.padding())->at(0));
  }
};
TORCH_MODULE(RowWiseConv2d);

/// For square kernels and strides.
struct RowWiseConvTranspose2dImpl : torch::nn::ConvTranspose2dImpl {
  using torch::nn::ConvTranspose2dImpl::ConvTranspose2dImpl;
  at::Tensor forward(const at::Tensor& x) {
    return row_wise::conv_transpose2d(x, weight, bias, options.stride()->at(0), padding(),
                                      *options.output_padding());
  }

 private:
  int64_t padding() const { return std::get<torch::ExpandingArray<2>>(options.padding())->at(0); }
};
TORCH_MODULE(RowWiseConvTranspose2d);

}  // namespace gen
