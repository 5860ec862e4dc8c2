// What is left of images when what they show is taken away on the CPU: an image at a time, whose
// intermediate results stay in the cache. No gradients: residues are only looked at.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace deconfound {

constexpr int64_t kOrders = 4;
// Differences of order 1 to 4, five taps around a pixel.
constexpr float kTaps[kOrders][5] = {{0, 0, -1, 1, 0}, {0, 1, -2, 1, 0}, {0, -1, 3, -3, 1}, {1, -4, 6, -4, 1}};
constexpr float kLeast = 1e-4f;

struct Size {
  int64_t channels, height, width;  // even sides: odd ones count as one longer, their border repeated
};

static int64_t within(int64_t at, int64_t length) { return std::min(std::max<int64_t>(at, 0), length - 1); }

// Places of one image's results and of what is needed on the way.
struct Sheet {
  std::vector<float> planes;   // [channels, height, width], borders repeated to even sides
  std::vector<float> gray;     // [height, width]
  std::vector<float> squares;  // [height, width], of one difference
  std::vector<float> column;   // [width], sums over six rows
  explicit Sheet(Size s) : planes(s.channels * s.height * s.width), gray(s.height * s.width), squares(gray.size()), column(s.width) {}
};

static void laplacians(Size s, const Sheet& sheet, float* out, int64_t outChannels) {
  for (int64_t c = 0; c < s.channels; ++c) {
    const float* plane = sheet.planes.data() + c * s.height * s.width;
    for (int64_t y = 0; y < s.height; ++y) {
      const float *row = plane + y * s.width, *above = plane + within(y - 1, s.height) * s.width,
                  *below = plane + within(y + 1, s.height) * s.width;
      for (int64_t x = 0; x < s.width; ++x) {
        const float value = above[x] + below[x] + row[within(x - 1, s.width)] + row[within(x + 1, s.width)] - 4 * row[x];
        // A place is 2×2 pixels, one channel each.
        out[((y / 2) * (s.width / 2) + x / 2) * outChannels + 4 * c + 2 * (y % 2) + x % 2] = value;
      }
    }
  }
}

// Squares of the difference of one order along x or y.
static void squaredDifference(Size s, Sheet& sheet, const float* taps, bool alongX) {
  for (int64_t y = 0; y < s.height; ++y) {
    float* to = sheet.squares.data() + y * s.width;
    std::fill(to, to + s.width, 0.0f);
    for (int64_t tap = 0; tap < 5; ++tap) {
      if (taps[tap] == 0) continue;
      if (alongX) {
        const float* row = sheet.gray.data() + y * s.width;
        for (int64_t x = 0; x < s.width; ++x) to[x] += taps[tap] * row[within(x + tap - 2, s.width)];
      } else {
        const float* row = sheet.gray.data() + within(y + tap - 2, s.height) * s.width;
        for (int64_t x = 0; x < s.width; ++x) to[x] += taps[tap] * row[x];
      }
    }
    for (int64_t x = 0; x < s.width; ++x) to[x] *= to[x];
  }
}

// Logarithms of the means over the 6×6 pixels around each place, as far as they lie in the image.
static void energies(Size s, Sheet& sheet, float* out, int64_t outChannels, int64_t channel) {
  for (int64_t i = 0; i < s.height / 2; ++i) {
    const int64_t top = std::max<int64_t>(0, 2 * i - 2), bottom = std::min(s.height, 2 * i + 4);
    std::fill(sheet.column.begin(), sheet.column.end(), 0.0f);
    for (int64_t y = top; y < bottom; ++y) {
      const float* row = sheet.squares.data() + y * s.width;
      for (int64_t x = 0; x < s.width; ++x) sheet.column[x] += row[x];
    }
    for (int64_t j = 0; j < s.width / 2; ++j) {
      const int64_t left = std::max<int64_t>(0, 2 * j - 2), right = std::min(s.width, 2 * j + 4);
      float sum = 0;
      for (int64_t x = left; x < right; ++x) sum += sheet.column[x];
      out[(i * (s.width / 2) + j) * outChannels + channel] = std::log(sum / ((bottom - top) * (right - left)) + kLeast);
    }
  }
}

// Images [batch, channels, height, width] in fp32, to [batch, 4·channels + 8, ⌈height/2⌉, ⌈width/2⌉], channels last.
static at::Tensor residue(const at::Tensor& given) {
  TORCH_CHECK(given.dim() == 4 && given.scalar_type() == at::kFloat && given.device().is_cpu(), "residues are of fp32 images on the CPU");
  const at::Tensor images = given.detach().contiguous(at::MemoryFormat::ChannelsLast);
  const int64_t batch = images.size(0), channels = images.size(1), height = images.size(2), width = images.size(3);
  const Size s{channels, height + height % 2, width + width % 2};
  const int64_t outChannels = 4 * channels + 2 * kOrders, places = (s.height / 2) * (s.width / 2);
  at::Tensor result = at::empty({batch, outChannels, s.height / 2, s.width / 2}, images.options().memory_format(at::MemoryFormat::ChannelsLast));
  const float* from = images.data_ptr<float>();
  float* to = result.data_ptr<float>();
  at::parallel_for(0, batch, 4, [&](int64_t begin, int64_t end) {
    Sheet sheet(s);
    for (int64_t b = begin; b < end; ++b) {
      const float* image = from + b * height * width * channels;
      float* out = to + b * places * outChannels;
      for (int64_t y = 0; y < s.height; ++y) {
        for (int64_t x = 0; x < s.width; ++x) {
          const float* pixel = image + (within(y, height) * width + within(x, width)) * channels;
          float sum = 0;
          for (int64_t c = 0; c < channels; ++c) {
            sheet.planes[(c * s.height + y) * s.width + x] = pixel[c];
            sum += pixel[c];
          }
          sheet.gray[y * s.width + x] = sum / channels;
        }
      }
      laplacians(s, sheet, out, outChannels);
      for (int64_t order = 0; order < 2 * kOrders; ++order) {
        squaredDifference(s, sheet, kTaps[order % kOrders], order < kOrders);
        energies(s, sheet, out, outChannels, 4 * channels + order);
      }
    }
  });
  return result;
}

TORCH_LIBRARY_FRAGMENT(deconfound, library) { library.def("residue(Tensor images) -> Tensor", residue); }

}  // namespace deconfound
