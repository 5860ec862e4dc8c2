// Module start: a list of areas, and what they share.
#include <cstdlib>
#include <functional>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "state.h"

namespace deconfound {

Handle State::put(at::Tensor tensor) {
  uint32_t slot;
  if (vacant.empty()) {
    slot = static_cast<uint32_t>(slots.size());
    TORCH_CHECK(slot < (1u << kSlotBits), "more than 16 million tensors are alive");
    slots.emplace_back();
  } else {
    slot = vacant.back();
    vacant.pop_back();
  }
  slots[slot].tensor = std::move(tensor);
  slots[slot].used = true;
  ++live;
  return (static_cast<Handle>(slots[slot].generation) << kSlotBits) | slot;
}

static Slot* find(State& state, Handle handle) {
  const auto slot = static_cast<uint64_t>(handle) & ((1u << kSlotBits) - 1);
  const auto generation = static_cast<uint32_t>(handle >> kSlotBits);
  if (handle < 0 || slot >= state.slots.size()) return nullptr;
  Slot& entry = state.slots[slot];
  return entry.used && entry.generation == generation ? &entry : nullptr;
}

at::Tensor& State::get(Handle handle) {
  Slot* entry = find(*this, handle);
  if (!entry) throw std::runtime_error("a tensor is used after it was freed");
  return entry->tensor;
}

bool State::release(Handle handle) {
  Slot* entry = find(*this, handle);
  if (!entry) return false;
  entry->tensor = at::Tensor();
  entry->used = false;
  entry->generation = (entry->generation + 1) & ((1u << 28) - 1);
  vacant.push_back(static_cast<uint32_t>(entry - slots.data()));
  --live;
  return true;
}

State& state(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<State*>(data);
}

void define(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

napi_value guarded(napi_env env, const std::function<napi_value()>& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    napi_throw_error(env, nullptr, error.what_without_backtrace());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

Arguments::Arguments(napi_env env, napi_callback_info info) {
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  if (count > kMaxArguments) count = kMaxArguments;
}

// Every step frees its results and makes them anew. What malloc gives back to the system meanwhile is zeroed and mapped
// again page by page, which halves the speed where single results exceed 32 MB. glibc shall keep it, in a process that is
// ours: a program that only uses the package decides for itself.
static napi_value keepFreedMemory(napi_env, napi_callback_info) {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
  return nullptr;
}

static napi_value initialize(napi_env env, napi_value exports) {
  napi_set_instance_data(
      env, new State, [](napi_env, void* data, void*) { delete static_cast<State*>(data); }, nullptr);
  addTensorArea(env, exports);
  addDispatchArea(env, exports);
  addAutogradArea(env, exports);
  addDeviceArea(env, exports);
  addMemoryArea(env, exports);
  define(env, exports, "keepFreedMemory", keepFreedMemory);
  return exports;
}

}  // namespace deconfound

NAPI_MODULE(deconfound, deconfound::initialize)
