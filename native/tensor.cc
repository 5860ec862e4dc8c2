// Tensors in and out of JavaScript, their facts, and their lifetime.
#include <cstring>

#include "convert.h"

namespace deconfound {

// fromBytes(typedArray, shape, dtype) -> a CPU tensor with a copy of the bytes.
static napi_value fromBytes(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    napi_typedarray_type type;
    size_t count, offset;
    void* data;
    napi_value buffer;
    if (napi_get_typedarray_info(env, arguments[0], &type, &count, &data, &buffer, &offset) != napi_ok) {
      throw std::runtime_error("Cannot make a tensor: expected a typed array");
    }
    static const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    const size_t bytes = count * widths[type];
    auto tensor = at::empty(integers(env, arguments[1]), at::TensorOptions().dtype(static_cast<at::ScalarType>(integer(env, arguments[2]))));
    if (tensor.nbytes() != bytes) {
      throw std::runtime_error("Cannot make a tensor: its shape takes " + std::to_string(tensor.nbytes()) + " bytes, the array has " + std::to_string(bytes));
    }
    if (bytes > 0) std::memcpy(tensor.data_ptr(), data, bytes);
    return toNumber(env, static_cast<double>(state(env).put(std::move(tensor))));
  });
}

// toBytes(handle) -> ArrayBuffer with the elements in row-major order.
static napi_value toBytes(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    at::NoGradGuard guard;
    const auto tensor = state(env).get(integer(env, arguments[0])).detach().to(at::kCPU).contiguous();
    void* data;
    napi_value buffer;
    if (napi_create_arraybuffer(env, tensor.nbytes(), &data, &buffer) != napi_ok) {
      throw std::runtime_error("Cannot read a tensor of " + std::to_string(tensor.nbytes()) + " bytes: out of memory");
    }
    if (tensor.nbytes() > 0) std::memcpy(data, tensor.data_ptr(), tensor.nbytes());
    return buffer;
  });
}

static napi_value shape(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    const auto sizes = state(env).get(integer(env, arguments[0])).sizes();
    napi_value result;
    napi_create_array_with_length(env, sizes.size(), &result);
    for (size_t i = 0; i < sizes.size(); ++i) napi_set_element(env, result, i, toNumber(env, static_cast<double>(sizes[i])));
    return result;
  });
}

static napi_value dtype(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    return toNumber(env, static_cast<double>(state(env).get(integer(env, arguments[0])).scalar_type()));
  });
}

static napi_value device(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    return toText(env, state(env).get(integer(env, arguments[0])).device().str());
  });
}

static napi_value byteLength(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    return toNumber(env, static_cast<double>(state(env).get(integer(env, arguments[0])).nbytes()));
  });
}

static napi_value item(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    const auto& tensor = state(env).get(integer(env, arguments[0]));
    if (tensor.numel() != 1) throw std::runtime_error("Cannot read one number: the tensor has " + std::to_string(tensor.numel()));
    return toNumber(env, tensor.item().toDouble());
  });
}

static napi_value release(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    return toBoolean(env, state(env).release(integer(env, arguments[0])));
  });
}

static napi_value liveCount(napi_env env, napi_callback_info) {
  return toNumber(env, static_cast<double>(state(env).live));
}

// adjustMemory(bytes): tells the garbage collector about tensors that only it can free.
static napi_value adjustMemory(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    int64_t total;
    napi_adjust_external_memory(env, integer(env, arguments[0]), &total);
    return toNumber(env, static_cast<double>(total));
  });
}

void addTensorArea(napi_env env, napi_value exports) {
  define(env, exports, "fromBytes", fromBytes);
  define(env, exports, "toBytes", toBytes);
  define(env, exports, "shape", shape);
  define(env, exports, "dtype", dtype);
  define(env, exports, "device", device);
  define(env, exports, "byteLength", byteLength);
  define(env, exports, "item", item);
  define(env, exports, "release", release);
  define(env, exports, "liveCount", liveCount);
  define(env, exports, "adjustMemory", adjustMemory);
}

}  // namespace deconfound
