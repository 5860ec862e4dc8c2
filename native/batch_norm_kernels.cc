// Rows are cut into blocks that fit the first cache. A block is read channels by sixteen, so that sums stay in registers.
// Blocks are the same whatever the number of threads, and so are the sums.
#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "batch_norm.h"
#include "lanes.h"

namespace deconfound {

// Rows of a block: about 16 KiB of bf16.
static int64_t rowsPerBlock(int64_t channels) { return std::max<int64_t>(1, 8192 / channels); }
static int64_t blocksOf(Rows rows) { return (rows.count + rowsPerBlock(rows.channels) - 1) / rowsPerBlock(rows.channels); }

// Calls body(block, first, last) for all blocks of rows.
template <class Body>
static void forBlocks(Rows rows, const Body& body) {
  const int64_t size = rowsPerBlock(rows.channels);
  const int64_t worthwhile = std::max<int64_t>(1, 65536 / (size * rows.channels));
  at::parallel_for(0, blocksOf(rows), worthwhile, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) body(block, block * size, std::min(rows.count, (block + 1) * size));
  });
}

// Calls body(channel, lanes) for the channels by sixteen; the last may be fewer.
template <class Body>
static inline void forChannels(int64_t channels, const Body& body) {
  int64_t channel = 0;
  for (; channel + kLanes <= channels; channel += kLanes) body(channel, std::integral_constant<int64_t, kLanes>());
  if (channel < channels) body(channel, channels - channel);
}

// Sums two quantities of each row over all rows, by channel: takeOf(channel, lanes) makes what adds both of a place to them.
template <class Take>
static void sumRows(Rows rows, const Take& takeOf, std::vector<double>& first, std::vector<double>& second) {
  const int64_t channels = rows.channels;
  std::vector<float> partial(2 * blocksOf(rows) * channels);
  forBlocks(rows, [&](int64_t block, int64_t begin, int64_t end) {
    forChannels(channels, [&](int64_t channel, auto lanes) {
      const auto take = takeOf(channel, lanes);
      // Two sums of each, so that an addition need not wait for the one before.
      Floats a[2] = {}, b[2] = {};
      int64_t row = begin;
      for (; row + 1 < end; row += 2) {
        take(row * channels + channel, a[0], b[0]);
        take((row + 1) * channels + channel, a[1], b[1]);
      }
      if (row < end) take(row * channels + channel, a[0], b[0]);
      store(&partial[2 * block * channels + channel], a[0] + a[1], lanes);
      store(&partial[(2 * block + 1) * channels + channel], b[0] + b[1], lanes);
    });
  });
  first.assign(channels, 0);
  second.assign(channels, 0);
  for (int64_t block = 0; block < blocksOf(rows); ++block) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      first[channel] += partial[2 * block * channels + channel];
      second[channel] += partial[(2 * block + 1) * channels + channel];
    }
  }
}

template <class T>
void statistics(Rows rows, const T* x, const T* addend, T* sum, float* mean, float* variance) {
  // Deviations from the first row: sums of squares would lose the variance of values far from 0.
  std::vector<float> origin(rows.channels);
  for (int64_t channel = 0; channel < rows.channels; ++channel) {
    const float value = static_cast<float>(x[channel]) + (addend ? static_cast<float>(addend[channel]) : 0.0f);
    origin[channel] = static_cast<float>(T(value));
  }
  std::vector<double> deviations, squares;
  const auto plain = [&](int64_t channel, auto lanes) {
    const Floats center = load(&origin[channel], lanes);
    return [=](int64_t at, Floats& first, Floats& second) {
      const Floats deviation = load(x + at, lanes) - center;
      first += deviation;
      second += deviation * deviation;
    };
  };
  const auto added = [&](int64_t channel, auto lanes) {
    const Floats center = load(&origin[channel], lanes);
    return [=](int64_t at, Floats& first, Floats& second) {
      const Floats value = asStored(load(x + at, lanes) + load(addend + at, lanes), x);
      store(sum + at, value, lanes);
      const Floats deviation = value - center;
      first += deviation;
      second += deviation * deviation;
    };
  };
  if (addend) sumRows(rows, added, deviations, squares);
  else sumRows(rows, plain, deviations, squares);
  for (int64_t channel = 0; channel < rows.channels; ++channel) {
    const double away = deviations[channel] / rows.count;
    mean[channel] = static_cast<float>(origin[channel] + away);
    variance[channel] = static_cast<float>(std::max(0.0, squares[channel] / rows.count - away * away));
  }
}

template <class T>
void add(Rows rows, const T* x, const T* addend, T* sum) {
  forBlocks({rows.count, rows.channels}, [&](int64_t, int64_t begin, int64_t end) {
    const int64_t last = end * rows.channels;
    int64_t at = begin * rows.channels;
    for (; at + kLanes <= last; at += kLanes) store(sum + at, load(x + at) + load(addend + at));
    if (at < last) store(sum + at, load(x + at, last - at) + load(addend + at, last - at), last - at);
  });
}

// Calls make(channel, lanes)(at) for every place, with what depends on the channel made once a block.
template <class Make>
static void forPlaces(Rows rows, const Make& make) {
  forBlocks(rows, [&](int64_t, int64_t begin, int64_t end) {
    forChannels(rows.channels, [&](int64_t channel, auto lanes) {
      const auto body = make(channel, lanes);
      for (int64_t row = begin; row < end; ++row) body(row * rows.channels + channel);
    });
  });
}

// The least that y can be; values above it send their gradient on.
static inline Floats leastThatPasses(Affine affine) { return Floats{} + (affine.relu ? 0.0f : -INFINITY); }

template <class T>
void normalize(Rows rows, const T* x, Affine affine, T* y) {
  forPlaces(rows, [&](int64_t channel, auto lanes) {
    const Floats scale = load(affine.scale + channel, lanes), shift = load(affine.shift + channel, lanes);
    const Floats least = leastThatPasses(affine);
    return [=](int64_t at) {
      const Floats value = load(x + at, lanes) * scale + shift;
      // What is not a number stays that, for the loss to show it.
      store(y + at, value < least ? least : value, lanes);
    };
  });
}

template <class T>
void reduceGradient(Rows rows, const T* x, const T* gradient, Affine affine, const float* mean, float* sum, float* product) {
  std::vector<double> sums, products;
  const auto take = [&](int64_t channel, auto lanes) {
    const Floats scale = load(affine.scale + channel, lanes), shift = load(affine.shift + channel, lanes);
    const Floats center = load(mean + channel, lanes), least = leastThatPasses(affine);
    return [=](int64_t at, Floats& first, Floats& second) {
      const Floats value = load(x + at, lanes), given = load(gradient + at, lanes);
      const Floats g = value * scale + shift > least ? given : Floats{};
      first += g;
      second += g * (value - center);
    };
  };
  sumRows(rows, take, sums, products);
  for (int64_t channel = 0; channel < rows.channels; ++channel) {
    sum[channel] = static_cast<float>(sums[channel]);
    product[channel] = static_cast<float>(products[channel]);
  }
}

template <class T>
void inputGradient(Rows rows, const T* x, const T* gradient, const T* sumGradient, Affine affine, InputGradient by, T* result) {
  forPlaces(rows, [&](int64_t channel, auto lanes) {
    const Floats scale = load(affine.scale + channel, lanes), shift = load(affine.shift + channel, lanes);
    const Floats ofGradient = load(by.ofGradient + channel, lanes), ofInput = load(by.ofInput + channel, lanes);
    const Floats constant = load(by.constant + channel, lanes), least = leastThatPasses(affine);
    return [=](int64_t at) {
      const Floats value = load(x + at, lanes);
      const Floats g = value * scale + shift > least ? load(gradient + at, lanes) : Floats{};
      Floats own = g * ofGradient + value * ofInput + constant;
      if (sumGradient) own += load(sumGradient + at, lanes);
      store(result + at, own, lanes);
    };
  });
}

#define INSTANTIATE(T)                                                                                          \
  template void statistics<T>(Rows, const T*, const T*, T*, float*, float*);                                    \
  template void add<T>(Rows, const T*, const T*, T*);                                                           \
  template void normalize<T>(Rows, const T*, Affine, T*);                                                       \
  template void reduceGradient<T>(Rows, const T*, const T*, Affine, const float*, float*, float*);              \
  template void inputGradient<T>(Rows, const T*, const T*, const T*, Affine, InputGradient, T*);
INSTANTIATE(float)
INSTANTIATE(c10::BFloat16)

}  // namespace deconfound
