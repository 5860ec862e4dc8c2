// Any operator of libtorch, looked up by name and called boxed: autograd, autocast and devices are
// dispatch keys and come along by themselves.
#include <sstream>

#include "convert.h"

namespace deconfound {

static bool holdsTensors(const c10::TypePtr& type) {
  if (type->kind() == c10::TypeKind::TensorType) return true;
  for (const auto& inner : type->containedTypes()) {
    if (holdsTensors(inner)) return true;
  }
  return false;
}

// find("conv2d") or find("add.Tensor") -> [the operator's number for `call`, for each result whether it is tensors].
static napi_value find(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments arguments(env, info);
    const std::string full = text(env, arguments[0]);
    const auto space = full.find("::");
    const std::string qualified = space == std::string::npos ? "aten::" + full : full;
    const auto dot = qualified.find('.');
    const auto name = qualified.substr(0, dot);
    const auto overload = dot == std::string::npos ? "" : qualified.substr(dot + 1);
    auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!handle) throw std::runtime_error("this libtorch has no operator '" + full + "'");
    const auto& schema = handle->schema();
    const auto& first = schema.arguments();
    const bool inPlace = !first.empty() && first[0].alias_info() && first[0].alias_info()->isWrite() &&
                         schema.returns().size() == 1 && schema.returns()[0].alias_info() &&
                         schema.returns()[0].alias_info()->isWrite();
    auto& operators = state(env).operators;
    operators.push_back({*handle, inPlace});
    const auto& returns = handle->schema().returns();
    napi_value kinds, result;
    napi_create_array_with_length(env, returns.size(), &kinds);
    for (size_t i = 0; i < returns.size(); ++i) napi_set_element(env, kinds, i, toBoolean(env, holdsTensors(returns[i].type())));
    napi_create_array_with_length(env, 2, &result);
    napi_set_element(env, result, 0, toNumber(env, static_cast<double>(operators.size() - 1)));
    napi_set_element(env, result, 1, kinds);
    return result;
  });
}

static std::string describe(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments) {
  std::ostringstream out;
  const auto& schema = op.schema();
  out << "Cannot compute " << schema.name().substr(schema.name().find("::") + 2);
  const char* separator = " of ";
  for (const auto& argument : arguments) {
    if (argument.isTensor() && argument.toTensor().defined()) {
      out << separator << argument.toTensor().dtype() << " " << argument.toTensor().sizes();
      separator = ", ";
    } else if (argument.isTensorList()) {
      out << separator << argument.toTensorVector().size() << " tensors";
      separator = ", ";
    }
  }
  return out.str();
}

// call(operator, ...arguments) -> what it returns; missing arguments take the schema's defaults.
static napi_value call(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  auto& owner = state(env);
  uint32_t number = 0;
  napi_get_value_uint32(env, given[0], &number);
  if (number >= owner.operators.size()) {
    napi_throw_error(env, nullptr, "no such operator");
    return nullptr;
  }
  const Operator& op = owner.operators[number];
  const auto& schema = op.handle.schema();
  torch::jit::Stack stack;
  std::vector<c10::IValue> shown;  // kept only for the message, should it fail
  try {
    const auto& parameters = schema.arguments();
    if (given.count - 1 > parameters.size()) throw std::runtime_error("it takes at most " + std::to_string(parameters.size()) + " arguments");
    stack.reserve(parameters.size() + 1);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const bool missing = i + 1 >= given.count || isMissing(env, given[i + 1]);
      if (!missing) {
        stack.push_back(toIValue(env, given[i + 1], parameters[i].type()));
      } else if (parameters[i].default_value()) {
        stack.push_back(*parameters[i].default_value());
      } else if (parameters[i].type()->kind() == c10::TypeKind::OptionalType) {
        stack.emplace_back();
      } else {
        throw std::runtime_error("argument '" + parameters[i].name() + "' is missing");
      }
    }
    shown.assign(stack.begin(), stack.begin() + std::min<size_t>(stack.size(), 4));
    op.handle.callBoxed(stack);
    if (op.returnsFirstArgument) return given[1];
    if (stack.empty()) return nullptr;
    if (stack.size() == 1) return fromIValue(env, stack[0]);
    napi_value result;
    napi_create_array_with_length(env, stack.size(), &result);
    for (size_t i = 0; i < stack.size(); ++i) napi_set_element(env, result, i, fromIValue(env, stack[i]));
    return result;
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    napi_throw_error(env, nullptr, (describe(op.handle, shown) + ": " + message.substr(0, message.find("\nException raised from"))).c_str());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, (describe(op.handle, shown.empty() ? stack : shown) + ": " + error.what()).c_str());
  }
  return nullptr;
}

void addDispatchArea(napi_env env, napi_value exports) {
  define(env, exports, "find", find);
  define(env, exports, "call", call);
}

}  // namespace deconfound
