// JavaScript value <-> IValue by the types of an operator's schema: the only conversions.
#pragma once

#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>

#include "state.h"

namespace deconfound {

double number(napi_env env, napi_value value);
int64_t integer(napi_env env, napi_value value);
bool boolean(napi_env env, napi_value value);
std::string text(napi_env env, napi_value value);
std::vector<Handle> handles(napi_env env, napi_value array);
std::vector<int64_t> integers(napi_env env, napi_value array);

napi_value toNumber(napi_env env, double value);
napi_value toText(napi_env env, const std::string& value);
napi_value toBoolean(napi_env env, bool value);

bool isMissing(napi_env env, napi_value value);  // undefined or null

c10::IValue toIValue(napi_env env, napi_value value, const c10::TypePtr& type);
napi_value fromIValue(napi_env env, const c10::IValue& value);

}  // namespace deconfound
