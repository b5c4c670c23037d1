#ifndef KVBM_STATUS_H_
#define KVBM_STATUS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace kvbm {

enum class StatusCode : std::uint8_t {
  kOk,
  kInvalidArgument,  // A caller's mistake.
  kStorageIo,
  kStorageFull,
  kCancelled,
  kUnavailable,
};

/// What became of an operation. The core throws nothing of its own.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, int system_error = 0)
      : code_(code), system_error_(system_error), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  /// The system's error number (errno), 0 where no system call failed.
  int system_error() const { return system_error_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  int system_error_ = 0;
  std::string message_;
};

Status InvalidArgument(std::string message);

/// A failed system call: `what` was being done, `error` is its errno. Says what to do about it.
Status SystemFailure(const std::string& what, int error);

/// A value or the reason why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::move(value)) {}
  Result(Status status) : content_(std::move(status)) {}

  bool ok() const { return std::holds_alternative<T>(content_); }
  T& value() { return std::get<T>(content_); }
  const T& value() const { return std::get<T>(content_); }
  Status status() const { return ok() ? Status() : std::get<Status>(content_); }

 private:
  std::variant<T, Status> content_;
};

}  // namespace kvbm

#define KVBM_RETURN_IF_ERROR(expression)       \
  do {                                         \
    ::kvbm::Status kvbm_status = (expression); \
    if (!kvbm_status.ok()) return kvbm_status; \
  } while (false)

#define KVBM_CONCAT_INNER(a, b) a##b
#define KVBM_CONCAT(a, b) KVBM_CONCAT_INNER(a, b)
#define KVBM_ASSIGN_OR_RETURN(target, expression) \
  KVBM_ASSIGN_OR_RETURN_INNER(KVBM_CONCAT(kvbm_result_, __LINE__), target, expression)
#define KVBM_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return result.status();                     \
  target = std::move(result.value())

#endif  // KVBM_STATUS_H_
