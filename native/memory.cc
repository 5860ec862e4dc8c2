// Bytes that lie elsewhere: a file mapped into memory, and a tensor over an array of JavaScript's. Neither is copied.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "convert.h"

namespace deconfound {

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

static Bytes bytesOf(napi_env env, napi_value array) {
  Bytes bytes;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, array, &type, &bytes.length, reinterpret_cast<void**>(&bytes.data), nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    throw std::runtime_error("expected a Uint8Array");
  }
  return bytes;
}

static std::runtime_error failure(const std::string& path) {
  return std::runtime_error("Cannot map '" + path + "' into memory: " + std::strerror(errno));
}

// mapFile(path) -> ArrayBuffer over the file's pages. What JavaScript writes there is its own and never reaches the file.
static napi_value mapFile(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    const std::string path = text(env, arguments[0]);
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw failure(path);
    struct stat facts;
    void* data = MAP_FAILED;
    if (fstat(file, &facts) == 0) data = mmap(nullptr, facts.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    close(file);
    if (data == MAP_FAILED) throw failure(path);
    const auto length = static_cast<size_t>(facts.st_size);
    const auto unmap = [](napi_env, void* pages, void* size) { munmap(pages, reinterpret_cast<size_t>(size)); };
    napi_value buffer;
    if (napi_create_external_arraybuffer(env, data, length, unmap, reinterpret_cast<void*>(length), &buffer) != napi_ok) {
      munmap(data, length);
      throw std::runtime_error("Cannot map '" + path + "' into memory: it has " + std::to_string(length) + " bytes");
    }
    return buffer;
  });
}

// borrow(Uint8Array, shape) -> a uint8 tensor over the array's own bytes, which must outlive it.
static napi_value borrow(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    const Bytes bytes = bytesOf(env, arguments[0]);
    const auto sizes = integers(env, arguments[1]);
    int64_t count = 1;
    for (const int64_t size : sizes) count *= size;
    if (count != static_cast<int64_t>(bytes.length)) {
      throw std::runtime_error("Cannot borrow " + std::to_string(bytes.length) + " bytes as a tensor of " + std::to_string(count));
    }
    at::Tensor tensor = count == 0 ? at::empty(sizes, at::kByte) : at::from_blob(bytes.data, sizes, at::kByte);
    return toNumber(env, static_cast<double>(state(env).put(std::move(tensor))));
  });
}

// willNeed(Uint8Array, from, length): tells the system that these bytes are about to be read.
static napi_value willNeed(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    const Bytes bytes = bytesOf(env, arguments[0]);
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const size_t from = std::min(static_cast<size_t>(integer(env, arguments[1])), bytes.length);
    const size_t length = std::min(static_cast<size_t>(integer(env, arguments[2])), bytes.length - from);
    const auto begin = reinterpret_cast<uintptr_t>(bytes.data + from) / page * page;
    // A hint: whether it is taken is the system's affair.
    madvise(reinterpret_cast<void*>(begin), reinterpret_cast<uintptr_t>(bytes.data + from + length) - begin, MADV_WILLNEED);
    return nullptr;
  });
}

void addMemoryArea(napi_env env, napi_value exports) {
  define(env, exports, "mapFile", mapFile);
  define(env, exports, "borrow", borrow);
  define(env, exports, "willNeed", willNeed);
}

}  // namespace deconfound
