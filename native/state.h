// What one Node environment owns: its tensors and the operators it has looked up.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <node_api.h>

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace deconfound {

// JavaScript holds a tensor as a number: generation * 2^24 + slot. A freed slot gets a new
// generation, so a stale number is recognized instead of reaching another tensor.
using Handle = int64_t;
constexpr int kSlotBits = 24;

struct Slot {
  at::Tensor tensor;
  uint32_t generation = 0;
  bool used = false;
};

struct Operator {
  c10::OperatorHandle handle;
  bool returnsFirstArgument;  // an in-place operator gives back the tensor it was called on
};

struct State {
  std::vector<Slot> slots;
  std::vector<uint32_t> vacant;
  int64_t live = 0;
  std::vector<Operator> operators;

  Handle put(at::Tensor tensor);
  at::Tensor& get(Handle handle);  // throws when the tensor was freed
  bool release(Handle handle);     // false when it was freed before
};

State& state(napi_env env);

// Registers `name` on `exports` as a function.
void define(napi_env env, napi_value exports, const char* name, napi_callback function);

// Runs `body`, turning any C++ exception into a JavaScript error.
napi_value guarded(napi_env env, const std::function<napi_value()>& body);

// The arguments of a call; missing ones are undefined.
constexpr size_t kMaxArguments = 24;
struct Arguments {
  napi_value values[kMaxArguments];
  size_t count = kMaxArguments;
  Arguments(napi_env env, napi_callback_info info);
  napi_value operator[](size_t i) const { return values[i]; }
};

void addTensorArea(napi_env env, napi_value exports);
void addDispatchArea(napi_env env, napi_value exports);
void addAutogradArea(napi_env env, napi_value exports);
void addDeviceArea(napi_env env, napi_value exports);
void addMemoryArea(napi_env env, napi_value exports);

}  // namespace deconfound
