#include "convert.h"

#include <stdexcept>

namespace deconfound {

static napi_valuetype kind(napi_env env, napi_value value) {
  napi_valuetype result;
  napi_typeof(env, value, &result);
  return result;
}

static void expect(napi_status status, const char* what) {
  if (status != napi_ok) throw std::runtime_error(std::string("expected ") + what);
}

bool isMissing(napi_env env, napi_value value) {
  const auto type = kind(env, value);
  return type == napi_undefined || type == napi_null;
}

double number(napi_env env, napi_value value) {
  double result;
  expect(napi_get_value_double(env, value, &result), "a number");
  return result;
}

int64_t integer(napi_env env, napi_value value) {
  int64_t result;
  if (kind(env, value) == napi_bigint) {
    bool lossless;
    expect(napi_get_value_bigint_int64(env, value, &result, &lossless), "an integer");
    if (!lossless) throw std::runtime_error("expected an integer of 64 bits");
    return result;
  }
  const double given = number(env, value);
  result = static_cast<int64_t>(given);
  if (static_cast<double>(result) != given) throw std::runtime_error("expected an integer, got " + std::to_string(given));
  return result;
}

bool boolean(napi_env env, napi_value value) {
  bool result;
  expect(napi_get_value_bool(env, value, &result), "true or false");
  return result;
}

std::string text(napi_env env, napi_value value) {
  size_t length;
  expect(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a string");
  std::string result(length, '\0');
  napi_get_value_string_utf8(env, value, result.data(), length + 1, &length);
  return result;
}

template <class Element, class Convert>
static std::vector<Element> elements(napi_env env, napi_value array, Convert convert) {
  uint32_t length;
  expect(napi_get_array_length(env, array, &length), "an array");
  std::vector<Element> result;
  result.reserve(length);
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element;
    napi_get_element(env, array, i, &element);
    result.push_back(convert(element));
  }
  return result;
}

std::vector<Handle> handles(napi_env env, napi_value array) { return integers(env, array); }

std::vector<int64_t> integers(napi_env env, napi_value array) {
  return elements<int64_t>(env, array, [&](napi_value v) { return integer(env, v); });
}

napi_value toNumber(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

napi_value toText(napi_env env, const std::string& value) {
  napi_value result;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

napi_value toBoolean(napi_env env, bool value) {
  napi_value result;
  napi_get_boolean(env, value, &result);
  return result;
}

// JavaScript's 1 and 1.0 are one value: a number is a double, a bigint an integer.
static c10::Scalar scalar(napi_env env, napi_value value) {
  switch (kind(env, value)) {
    case napi_bigint: return c10::Scalar(integer(env, value));
    case napi_boolean: return c10::Scalar(boolean(env, value));
    default: return c10::Scalar(number(env, value));
  }
}

static c10::IValue toList(napi_env env, napi_value value, const c10::TypePtr& element) {
  switch (element->kind()) {
    case c10::TypeKind::TensorType: {
      c10::List<at::Tensor> result;
      for (Handle h : handles(env, value)) result.push_back(state(env).get(h));
      return result;
    }
    case c10::TypeKind::OptionalType:
    case c10::TypeKind::NumberType: {
      auto result = c10::impl::GenericList(element);
      for (const auto& each : elements<c10::IValue>(env, value, [&](napi_value v) { return toIValue(env, v, element); })) {
        result.push_back(each);
      }
      return result;
    }
    case c10::TypeKind::FloatType:
      return elements<double>(env, value, [&](napi_value v) { return number(env, v); });
    case c10::TypeKind::BoolType: {
      c10::List<bool> result;
      for (const bool each : elements<char>(env, value, [&](napi_value v) { return boolean(env, v); })) result.push_back(each);
      return result;
    }
    default: {  // Int, SymInt
      uint32_t length;
      if (napi_get_array_length(env, value, &length) != napi_ok) return std::vector<int64_t>{integer(env, value)};
      return integers(env, value);
    }
  }
}

c10::IValue toIValue(napi_env env, napi_value value, const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return state(env).get(integer(env, value));
    case c10::TypeKind::OptionalType:
      if (isMissing(env, value)) return c10::IValue();
      return toIValue(env, value, type->castRaw<c10::OptionalType>()->getElementType());
    case c10::TypeKind::ListType:
      return toList(env, value, type->castRaw<c10::ListType>()->getElementType());
    case c10::TypeKind::NumberType:
      return scalar(env, value);
    case c10::TypeKind::FloatType:
      return number(env, value);
    case c10::TypeKind::BoolType:
      return boolean(env, value);
    case c10::TypeKind::StringType:
      return text(env, value);
    case c10::TypeKind::DeviceObjType:
      return c10::Device(text(env, value));
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return integer(env, value);
    default:
      throw std::runtime_error("an argument of type " + type->str() + " has no form in JavaScript");
  }
}

napi_value fromIValue(napi_env env, const c10::IValue& value) {
  napi_value result;
  if (value.isTensor()) {
    if (!value.toTensor().defined()) {
      napi_get_null(env, &result);
      return result;
    }
    return toNumber(env, static_cast<double>(state(env).put(value.toTensor())));
  }
  if (value.isInt()) return toNumber(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return toNumber(env, value.toDouble());
  if (value.isBool()) return toBoolean(env, value.toBool());
  if (value.isString()) return toText(env, value.toStringRef());
  if (value.isNone()) {
    napi_get_null(env, &result);
    return result;
  }
  if (value.isList()) {
    const auto elements = value.toListRef();
    napi_create_array_with_length(env, elements.size(), &result);
    for (size_t i = 0; i < elements.size(); ++i) napi_set_element(env, result, i, fromIValue(env, elements[i]));
    return result;
  }
  throw std::runtime_error("a result of type " + value.tagKind() + " has no form in JavaScript");
}

}  // namespace deconfound
