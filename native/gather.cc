// A batch of images cut from stores that lie on the CPU: rows and columns chosen, shown or black, bytes to [0, 1]. One pass.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace deconfound {

// Stores of images, uint8 [count, height, width, channels] each, counted through.
struct Stores {
  int64_t height, width, channels;
  std::vector<int64_t> starts;  // the number of images before each store, then of all
  std::vector<const uint8_t*> data;

  explicit Stores(const at::TensorList& stores) : starts{0} {
    TORCH_CHECK(!stores.empty(), "there is no store");
    for (const at::Tensor& store : stores) {
      TORCH_CHECK(store.dim() == 4 && store.is_contiguous() && store.device().is_cpu(), "pixels lie on the CPU, channels last");
      TORCH_CHECK(store.sizes().slice(1) == stores[0].sizes().slice(1), "stores hold images of one size");
      starts.push_back(starts.back() + store.size(0));
      data.push_back(store.data_ptr<uint8_t>());
    }
    height = stores[0].size(1), width = stores[0].size(2), channels = stores[0].size(3);
  }

  int64_t bytes() const { return height * width * channels; }

  const uint8_t* image(int64_t i) const {
    TORCH_CHECK(i >= 0 && i < starts.back(), "there is no image ", i);
    const size_t store = std::upper_bound(starts.begin(), starts.end(), i) - starts.begin() - 1;
    return data[store] + (i - starts[store]) * bytes();
  }
};

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

// The images at `indices` as float32 [batch, channels, height, width], channels last. What lies outside the image, or in the
// cutout of both axes, is 0.
static at::Tensor gather(const at::TensorList stores, const at::Tensor& indices, const at::Tensor& rowFrom,
                         const at::Tensor& rowInside, const at::Tensor& rowCut, const at::Tensor& columnFrom,
                         const at::Tensor& columnInside, const at::Tensor& columnCut) {
  const Stores from(stores);
  const int64_t height = from.height, width = from.width, channels = from.channels;
  const int64_t batch = indices.size(0);
  const Axis rows = axisOf(rowFrom, rowInside, rowCut, {batch, height});
  const Axis columns = axisOf(columnFrom, columnInside, columnCut, {batch, width});
  at::Tensor result = at::empty({batch, channels, height, width},
                                at::TensorOptions().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  const int64_t* images = indices.data_ptr<int64_t>();
  float* to = result.data_ptr<float>();
  at::parallel_for(0, batch, 8, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const uint8_t* image = from.image(images[b]);
      for (int64_t y = 0; y < height; ++y) {
        const int64_t row = b * height + y;
        TORCH_CHECK(rows.from[row] >= 0 && rows.from[row] < height, "there is no row ", rows.from[row]);
        const uint8_t* line = image + rows.from[row] * width * channels;
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

// The images at `indices` as they are, uint8 [batch, height, width, channels].
static at::Tensor take(const at::TensorList stores, const at::Tensor& indices) {
  const Stores from(stores);
  const int64_t batch = indices.size(0), bytes = from.bytes();
  at::Tensor result = at::empty({batch, from.height, from.width, from.channels}, at::kByte);
  const int64_t* images = indices.data_ptr<int64_t>();
  uint8_t* to = result.data_ptr<uint8_t>();
  at::parallel_for(0, batch, 8, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) std::memcpy(to + b * bytes, from.image(images[b]), bytes);
  });
  return result;
}

TORCH_LIBRARY_FRAGMENT(deconfound, library) {
  library.def(
      "gather(Tensor[] stores, Tensor indices, Tensor row_from, Tensor row_inside, Tensor row_cut, Tensor column_from, Tensor "
      "column_inside, Tensor column_cut) -> Tensor",
      gather);
  library.def("take(Tensor[] stores, Tensor indices) -> Tensor", take);
}

}  // namespace deconfound
