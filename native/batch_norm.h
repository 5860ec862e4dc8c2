// The loops of batch normalization, followed by ReLU or not, on rows of channels: memory is read as seldom as statistics allow.
#pragma once

#include <ATen/ATen.h>

namespace deconfound {

// Normalization of a channel is y = x * scale + shift, and the larger of that and 0 where ReLU follows. All are fp32, one per
// channel.
struct Affine {
  const float* scale;
  const float* shift;
  bool relu;
};

// Each tensor is a matrix of rows (batch, height, width) by channels, contiguous, bf16 or fp32.
struct Rows {
  int64_t count;
  int64_t channels;
};

// Mean and biased variance of each channel of x, or of x + addend, which is stored into sum.
template <class T>
void statistics(Rows rows, const T* x, const T* addend, T* sum, float* mean, float* variance);

// sum = x + addend.
template <class T>
void add(Rows rows, const T* x, const T* addend, T* sum);

// y from x.
template <class T>
void normalize(Rows rows, const T* x, Affine affine, T* y);

// With g the gradient of y, 0 where ReLU holds y at 0: the sums over rows of g and of g * (x - mean), by channel.
template <class T>
void reduceGradient(Rows rows, const T* x, const T* gradient, Affine affine, const float* mean, float* sum, float* product);

// g * ofGradient + x * ofInput + constant, and to that the gradient of the sum where there is one.
struct InputGradient {
  const float* ofGradient;
  const float* ofInput;
  const float* constant;
};
template <class T>
void inputGradient(Rows rows, const T* x, const T* gradient, const T* sumGradient, Affine affine, InputGradient by, T* result);

}  // namespace deconfound
