// Threads, devices, autocast. What needs CUDA's own headers compiles only where libtorch has CUDA.
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <dlfcn.h>
#include <torch/cuda.h>
#include <torch/version.h>

#ifdef DECONFOUND_CUDA
#include <cuda_runtime_api.h>
#endif

#include "convert.h"

namespace deconfound {

// setThreads(count): OpenMP's. OpenBLAS has one: its matrices are small here, and its own threads would wait for cores on which
// OpenMP's spin.
static napi_value setThreads(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const auto count = static_cast<int>(integer(env, arguments[0]));
    at::set_num_threads(count);
    if (auto* openblas = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) openblas(1);
    return nullptr;
  });
}

static napi_value threads(napi_env env, napi_callback_info) { return toNumber(env, at::get_num_threads()); }

// What multiplies matrices, and for which processor: OpenBLAS chooses by itself or by a variable, and roundings follow.
static std::string blas() {
  auto* config = reinterpret_cast<const char* (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_config"));
  return config ? config() : "unknown";
}

static napi_value versions(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "libtorch", toText(env, TORCH_VERSION));
  napi_set_named_property(env, result, "build", toText(env, at::show_config()));
  napi_set_named_property(env, result, "blas", toText(env, blas()));
  return result;
}

static napi_value cudaDevices(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return toNumber(env, static_cast<double>(torch::cuda::is_available() ? torch::cuda::device_count() : 0)); });
}

// cudaDevice(index) -> { name, memory (bytes), computeCapability } or null where that cannot be told.
static napi_value cudaDevice(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value result;
    napi_get_null(env, &result);
#ifdef DECONFOUND_CUDA
    const Arguments arguments(env, info);
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, static_cast<int>(integer(env, arguments[0]))) == cudaSuccess) {
      napi_create_object(env, &result);
      napi_set_named_property(env, result, "name", toText(env, properties.name));
      napi_set_named_property(env, result, "memory", toNumber(env, static_cast<double>(properties.totalGlobalMem)));
      napi_set_named_property(env, result, "computeCapability", toNumber(env, properties.major + 0.1 * properties.minor));
    }
#endif
    return result;
  });
}

static napi_value synchronize(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    if (torch::cuda::is_available()) torch::cuda::synchronize();
    return nullptr;
  });
}

// setAutocast("cpu" | "cuda", enabled) -> what it was before: bfloat16; without the cache of casted weights, which would
// keep yesterday's weights across a scope.
static napi_value setAutocast(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    const bool cuda = text(env, arguments[0]).rfind("cuda", 0) == 0;
    const bool enabled = boolean(env, arguments[1]);
    at::autocast::set_autocast_cache_enabled(false);
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    const auto device = cuda ? at::kCUDA : at::kCPU;
    const bool before = at::autocast::is_autocast_enabled(device);
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_enabled(device, enabled);
#else
    const bool before = cuda ? at::autocast::is_enabled() : at::autocast::is_cpu_enabled();
    if (cuda) {
      at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
      at::autocast::set_enabled(enabled);
    } else {
      at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
      at::autocast::set_cpu_enabled(enabled);
    }
#endif
    return toBoolean(env, before);
  });
}

void addDeviceArea(napi_env env, napi_value exports) {
  // fp32 means fp32 on a GPU too: scores and golden values are compared across devices.
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  define(env, exports, "setThreads", setThreads);
  define(env, exports, "threads", threads);
  define(env, exports, "versions", versions);
  define(env, exports, "cudaDevices", cudaDevices);
  define(env, exports, "cudaDevice", cudaDevice);
  define(env, exports, "synchronize", synchronize);
  define(env, exports, "setAutocast", setAutocast);
}

}  // namespace deconfound
