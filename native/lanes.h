// Sixteen numbers at a time, computed in fp32 whatever they are stored as. Written with the compiler's vectors, which
// become whatever instructions the machine has.
#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <cstring>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace deconfound {

constexpr int64_t kLanes = 16;
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Masks __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));

inline Floats widen(Halves bits) { return (Floats)(__builtin_convertvector(bits, Words) << 16); }

// To the nearest bf16, ties to even; what is not a number stays that.
inline Halves narrow(Floats values) {
#ifdef __AVX512BF16__
  return (Halves)_mm512_cvtneps_pbh((__m512)values);
#else
  const Words bits = (Words)values;
  const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Masks odd = values != values;
  return __builtin_convertvector(odd ? (Words)((Words){} + 0x7fc0) : rounded, Halves);
#endif
}

// The first `count` lanes from memory, the others 0.
inline Floats load(const float* from, int64_t count = kLanes) {
  Floats result = {};
  std::memcpy(&result, from, count == kLanes ? sizeof(result) : count * sizeof(float));
  return result;
}
inline Floats load(const c10::BFloat16* from, int64_t count = kLanes) {
  Halves bits = {};
  std::memcpy(&bits, from, count == kLanes ? sizeof(bits) : count * sizeof(c10::BFloat16));
  return widen(bits);
}

inline void store(float* to, Floats values, int64_t count = kLanes) {
  std::memcpy(to, &values, count == kLanes ? sizeof(values) : count * sizeof(float));
}
inline void store(c10::BFloat16* to, Floats values, int64_t count = kLanes) {
  const Halves bits = narrow(values);
  std::memcpy(to, &bits, count == kLanes ? sizeof(bits) : count * sizeof(c10::BFloat16));
}

// What a number is after it was stored and loaded again.
inline Floats asStored(Floats values, const float*) { return values; }
inline Floats asStored(Floats values, const c10::BFloat16*) { return widen(narrow(values)); }

}  // namespace deconfound
