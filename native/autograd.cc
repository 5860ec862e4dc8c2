// Gradients: backward, gradients with respect to inputs, and the grad mode.
#include <torch/csrc/autograd/autograd.h>

#include "convert.h"

namespace deconfound {

static napi_value toHandles(napi_env env, const std::vector<at::Tensor>& tensors) {
  napi_value result;
  napi_create_array_with_length(env, tensors.size(), &result);
  for (size_t i = 0; i < tensors.size(); ++i) napi_set_element(env, result, i, fromIValue(env, tensors[i]));
  return result;
}

static std::vector<at::Tensor> tensors(napi_env env, napi_value array) {
  std::vector<at::Tensor> result;
  for (Handle handle : handles(env, array)) result.push_back(state(env).get(handle));
  return result;
}

// backward(loss): adds to the gradient of every leaf.
static napi_value backward(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    torch::autograd::backward({state(env).get(integer(env, arguments[0]))}, {});
    return nullptr;
  });
}

// gradients(output, inputs) -> the gradients, leaving those of leaves alone.
static napi_value gradients(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    return toHandles(env, torch::autograd::grad({state(env).get(integer(env, arguments[0]))}, tensors(env, arguments[1])));
  });
}

// gradientsOf(leaves) -> the accumulated gradients, null where there is none.
static napi_value gradientsOf(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    std::vector<at::Tensor> result;
    for (const auto& leaf : tensors(env, arguments[0])) result.push_back(leaf.grad());
    return toHandles(env, result);
  });
}

static napi_value clearGradients(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    for (auto& leaf : tensors(env, arguments[0])) leaf.mutable_grad() = at::Tensor();
    return nullptr;
  });
}

static napi_value requiresGradient(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    return toBoolean(env, state(env).get(integer(env, arguments[0])).requires_grad());
  });
}

// setGradMode(enabled) -> what it was.
static napi_value setGradMode(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    const bool before = at::GradMode::is_enabled();
    at::GradMode::set_enabled(boolean(env, arguments[0]));
    return toBoolean(env, before);
  });
}

void addAutogradArea(napi_env env, napi_value exports) {
  define(env, exports, "backward", backward);
  define(env, exports, "gradients", gradients);
  define(env, exports, "gradientsOf", gradientsOf);
  define(env, exports, "clearGradients", clearGradients);
  define(env, exports, "requiresGradient", requiresGradient);
  define(env, exports, "setGradMode", setGradMode);
}

}  // namespace deconfound
