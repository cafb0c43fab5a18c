// The fields of an object that a file holds. Files are edited, cut short and forged, so no field's type is assumed.
#pragma once

#include <string>

#include "gen/config/json.h"

namespace gen {

class JsonFields {
 public:
  /// `file` and `pointer` begin every message: "runs/x/run.json: /data: expected ...". Throws DataError where
  /// `object`, which must outlive this, is no object.
  JsonFields(const Json& object, std::string file, std::string pointer = "");

  bool has(const char* key) const;
  bool is_null(const char* key) const;
  /// "FILE: /pointer/key", to begin a message about the field.
  std::string where(const char* key) const;
  /// T: bool, int64_t, double (also of "nan", "inf", "-inf", as write_json writes them), std::string, or a vector of
  /// int64_t or std::string. Throws DataError where the key is missing or its value is of another type.
  template <class T>
  T get(const char* key) const;
  /// `fallback` where the key is missing.
  template <class T>
  T get_or(const char* key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }
  JsonFields object(const char* key) const;

 private:
  const Json* find(const char* key) const;
  const Json& object_;
  std::string file_, pointer_;
};

}  // namespace gen
