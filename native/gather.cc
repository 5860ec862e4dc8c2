// A batch of images cut from a set that lies on the CPU: rows and columns chosen, shown or black, bytes to [0, 1]. One pass.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

namespace deconfound {

// One axis of a batch, each [batch, length]: where a place comes from, whether it lies inside the image, and in the cutout.
struct Axis {
  const int64_t* from;
  const float *inside, *cut;
};

static Axis axisOf(const at::Tensor& from, const at::Tensor& inside, const at::Tensor& cut, at::IntArrayRef sizes) {
  TORCH_CHECK(from.sizes() == sizes && inside.sizes() == sizes && cut.sizes() == sizes, "an axis is [batch, length]");
  TORCH_CHECK(from.is_contiguous() && inside.is_contiguous() && cut.is_contiguous(), "axes are contiguous");
  return {from.data_ptr<int64_t>(), inside.data_ptr<float>(), cut.data_ptr<float>()};
}

// Of uint8 pixels [count, height, width, channels] the images at `indices` as float32 [batch, channels, height, width], channels
// last. What lies outside the image, or in the cutout of both axes, is 0.
static at::Tensor gather(const at::Tensor& pixels, const at::Tensor& indices, const at::Tensor& rowFrom, const at::Tensor& rowInside,
                         const at::Tensor& rowCut, const at::Tensor& columnFrom, const at::Tensor& columnInside,
                         const at::Tensor& columnCut) {
  TORCH_CHECK(pixels.dim() == 4 && pixels.is_contiguous() && pixels.device().is_cpu(), "pixels lie on the CPU, channels last");
  const int64_t count = pixels.size(0), height = pixels.size(1), width = pixels.size(2), channels = pixels.size(3);
  const int64_t batch = indices.size(0);
  const Axis rows = axisOf(rowFrom, rowInside, rowCut, {batch, height});
  const Axis columns = axisOf(columnFrom, columnInside, columnCut, {batch, width});
  at::Tensor result = at::empty({batch, channels, height, width},
                                at::TensorOptions().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  const uint8_t* source = pixels.data_ptr<uint8_t>();
  const int64_t* images = indices.data_ptr<int64_t>();
  float* to = result.data_ptr<float>();
  at::parallel_for(0, batch, 8, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      TORCH_CHECK(images[b] >= 0 && images[b] < count, "there is no image ", images[b]);
      for (int64_t y = 0; y < height; ++y) {
        const int64_t row = b * height + y;
        TORCH_CHECK(rows.from[row] >= 0 && rows.from[row] < height, "there is no row ", rows.from[row]);
        const uint8_t* line = source + (images[b] * height + rows.from[row]) * width * channels;
        float* out = to + row * width * channels;
        for (int64_t x = 0; x < width; ++x) {
          const int64_t column = b * width + x;
          TORCH_CHECK(columns.from[column] >= 0 && columns.from[column] < width, "there is no column ", columns.from[column]);
          const uint8_t* pixel = line + columns.from[column] * channels;
          const float visible = rows.inside[row] * columns.inside[column] * (1 - rows.cut[row] * columns.cut[column]);
          for (int64_t c = 0; c < channels; ++c) out[x * channels + c] = pixel[c] / 255.0f * visible;
        }
      }
    }
  });
  return result;
}

TORCH_LIBRARY_FRAGMENT(deconfound, library) {
  library.def(
      "gather(Tensor pixels, Tensor indices, Tensor row_from, Tensor row_inside, Tensor row_cut, Tensor column_from, Tensor "
      "column_inside, Tensor column_cut) -> Tensor",
      gather);
}

}  // namespace deconfound
