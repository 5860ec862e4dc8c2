// Batch normalization as one operator, followed by ReLU or not, alone or after an addition. On the CPU, channels last, in bf16
// or fp32, it takes the loops of this project; elsewhere it is composed of libtorch's operators.
#include "batch_norm.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>

namespace deconfound {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Which `optional` libtorch means has changed with its versions.
using MaybeTensor = decltype(std::declval<const c10::IValue&>().toOptional<at::Tensor>());

struct Settings {
  bool relu;
  bool training;
  double momentum;
  double epsilon;
};

static bool isOurs(const at::Tensor& x) {
  const bool stored = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.device().is_cpu() && stored && x.dim() == 4 && x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

static Rows rowsOf(const at::Tensor& x) { return {x.size(0) * x.size(2) * x.size(3), x.size(1)}; }

// Runs body(pointer type) for the element type of x.
template <class Body>
static void withType(const at::Tensor& x, const Body& body) {
  if (x.scalar_type() == at::kFloat) body(static_cast<float*>(nullptr));
  else body(static_cast<c10::BFloat16*>(nullptr));
}

// Rows of `facts`, fp32 [4, channels]: scale and shift of the normalization, mean, 1 / deviation.
enum Fact { kScale, kShift, kMean, kInverse, kFacts };
static float* fact(const at::Tensor& facts, Fact which) { return facts.data_ptr<float>() + which * facts.size(1); }
static Affine affineOf(const at::Tensor& facts, bool relu) { return {fact(facts, kScale), fact(facts, kShift), relu}; }

// Fills in the facts, and moves the running statistics in training; fills `sum`, where there is an addend.
static at::Tensor prepare(const at::Tensor& x, const at::Tensor& addend, const at::Tensor& sum, const at::Tensor& weight,
                          const at::Tensor& bias, at::Tensor& runningMean, at::Tensor& runningVariance, Settings settings) {
  const Rows rows = rowsOf(x);
  for (const auto& each : {weight, bias, runningMean, runningVariance}) {
    TORCH_CHECK(each.scalar_type() == at::kFloat && each.is_contiguous() && each.numel() == rows.channels,
                "weight, bias and statistics are one fp32 number for each of ", rows.channels, " channels");
  }
  const at::Tensor facts = at::empty({kFacts, rows.channels}, at::kFloat);
  float *mean = fact(facts, kMean), *inverse = fact(facts, kInverse);
  float *keptMean = runningMean.data_ptr<float>(), *keptVariance = runningVariance.data_ptr<float>();
  withType(x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T* added = addend.defined() ? addend.data_ptr<T>() : nullptr;
    T* into = addend.defined() ? sum.data_ptr<T>() : nullptr;
    if (settings.training) statistics(rows, x.data_ptr<T>(), added, into, mean, inverse);
    else if (added) add(rows, x.data_ptr<T>(), added, into);
  });
  const double unbiased = rows.count > 1 ? static_cast<double>(rows.count) / (rows.count - 1) : 1.0;
  for (int64_t c = 0; c < rows.channels; ++c) {
    if (settings.training) {
      keptMean[c] += settings.momentum * (mean[c] - keptMean[c]);
      keptVariance[c] += settings.momentum * (inverse[c] * unbiased - keptVariance[c]);
    } else {
      mean[c] = keptMean[c];
      inverse[c] = keptVariance[c];
    }
    inverse[c] = static_cast<float>(1.0 / std::sqrt(inverse[c] + settings.epsilon));
    fact(facts, kScale)[c] = weight.data_ptr<float>()[c] * inverse[c];
    fact(facts, kShift)[c] = bias.data_ptr<float>()[c] - mean[c] * fact(facts, kScale)[c];
  }
  return facts;
}

// [y], or [x + addend, y]; gradients of both flow back.
struct BatchNorm : torch::autograd::Function<BatchNorm> {
  static variable_list forward(AutogradContext* context, at::Tensor x, MaybeTensor added, at::Tensor weight, at::Tensor bias,
                               at::Tensor runningMean, at::Tensor runningVariance, bool relu, bool training,
                               double momentum, double epsilon) {
    const at::Tensor addend = added.has_value() ? *added : at::Tensor();
    const at::Tensor sum = addend.defined() ? at::empty_like(x) : x;
    const at::Tensor facts =
        prepare(x, addend, sum, weight, bias, runningMean, runningVariance, {relu, training, momentum, epsilon});
    const at::Tensor y = at::empty_like(x);
    withType(x, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      normalize(rowsOf(x), sum.data_ptr<T>(), affineOf(facts, relu), y.data_ptr<T>());
    });
    context->set_materialize_grads(false);
    context->saved_data["relu"] = relu;
    context->saved_data["training"] = training;
    context->saved_data["wanted"] = x.requires_grad() || addend.defined();
    context->saved_data["added"] = addend.defined();
    context->save_for_backward({sum, weight, facts});
    return addend.defined() ? variable_list{sum, y} : variable_list{y};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor sum = saved[0], weight = saved[1], facts = saved[2];
    const auto said = [&](const char* name) { return context->saved_data[name].toBool(); };
    const bool training = said("training"), added = said("added");
    const auto like = [&](const at::Tensor& gradient) {
      return gradient.defined() ? gradient.to(sum.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast) : gradient;
    };
    const at::Tensor ofSum = added ? like(gradients[0]) : at::Tensor(), ofY = like(gradients.back());
    if (!ofY.defined()) return {ofSum, ofSum, {}, {}, {}, {}, {}, {}, {}, {}};

    const Rows rows = rowsOf(sum);
    at::Tensor weightGradient = at::empty_like(weight), biasGradient = at::empty_like(weight), result;
    if (said("wanted")) result = at::empty_like(sum);
    const at::Tensor factors = at::empty({3, rows.channels}, at::kFloat);
    float* by = factors.data_ptr<float>();
    float *ofGradient = by, *ofInput = by + rows.channels, *constant = by + 2 * rows.channels;
    const float *scale = fact(facts, kScale), *mean = fact(facts, kMean), *inverse = fact(facts, kInverse);
    float *total = biasGradient.data_ptr<float>(), *product = weightGradient.data_ptr<float>();
    withType(sum, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      const T *x = sum.data_ptr<T>(), *given = ofY.data_ptr<T>(), *besides = ofSum.defined() ? ofSum.data_ptr<T>() : nullptr;
      const Affine affine = affineOf(facts, said("relu"));
      reduceGradient(rows, x, given, affine, mean, total, product);
      for (int64_t c = 0; c < rows.channels; ++c) {
        product[c] *= inverse[c];
        // dx = scale * (g - mean of g - normalized x * mean of g * normalized x), the statistics being x's own in training.
        ofGradient[c] = scale[c];
        ofInput[c] = training ? -scale[c] * inverse[c] * product[c] / rows.count : 0;
        constant[c] = training ? -scale[c] * total[c] / rows.count - ofInput[c] * mean[c] : 0;
      }
      const InputGradient parts{ofGradient, ofInput, constant};
      if (result.defined()) inputGradient(rows, x, given, besides, affine, parts, result.data_ptr<T>());
    });
    return {result, added ? result : at::Tensor(), weightGradient, biasGradient, {}, {}, {}, {}, {}, {}};
  }
};

static at::Tensor composed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
                           const at::Tensor& variance, Settings settings) {
  const at::Tensor y =
      at::batch_norm(x, weight, bias, mean, variance, settings.training, settings.momentum, settings.epsilon, true);
  return settings.relu ? y.relu() : y;
}

template <bool relu>
static at::Tensor batchNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
                            const at::Tensor& variance, bool training, double momentum, double epsilon) {
  if (!isOurs(x)) return composed(x, weight, bias, mean, variance, {relu, training, momentum, epsilon});
  return BatchNorm::apply(x, MaybeTensor(), weight, bias, mean, variance, relu, training, momentum, epsilon)[0];
}

static std::tuple<at::Tensor, at::Tensor> addBatchNormRelu(const at::Tensor& x, const at::Tensor& addend,
                                                           const at::Tensor& weight, const at::Tensor& bias,
                                                           const at::Tensor& mean, const at::Tensor& variance, bool training,
                                                           double momentum, double epsilon) {
  const bool alike = addend.scalar_type() == x.scalar_type() && addend.sizes() == x.sizes();
  if (!isOurs(x) || !isOurs(addend) || !alike) {
    const at::Tensor sum = x + addend;
    return {sum, composed(sum, weight, bias, mean, variance, {true, training, momentum, epsilon})};
  }
  const auto both = BatchNorm::apply(x, MaybeTensor(addend), weight, bias, mean, variance, true, training, momentum, epsilon);
  return {both[0], both[1]};
}

#define REST \
  "Tensor weight, Tensor bias, Tensor(a!) running_mean, Tensor(b!) running_var, bool training, float momentum, float eps)"

TORCH_LIBRARY(deconfound, library) {
  library.def("batch_norm(Tensor x, " REST " -> Tensor", batchNorm<false>);
  library.def("batch_norm_relu(Tensor x, " REST " -> Tensor", batchNorm<true>);
  library.def("add_batch_norm_relu(Tensor x, Tensor addend, " REST " -> (Tensor, Tensor)", addBatchNormRelu);
}

}  // namespace deconfound
