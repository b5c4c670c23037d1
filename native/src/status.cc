#include "kvbm/status.h"

#include <cerrno>
#include <string>

#include "text.h"

namespace kvbm {
namespace {

std::string ErrorName(int error) {
  switch (error) {
    case ENOSPC:
      return "ENOSPC";
#ifdef EDQUOT
    case EDQUOT:
      return "EDQUOT";
#endif
    case EIO:
      return "EIO";
    case ENOENT:
      return "ENOENT";
    case EACCES:
      return "EACCES";
    case EPERM:
      return "EPERM";
    case EEXIST:
      return "EEXIST";
    case EISDIR:
      return "EISDIR";
    case ENOTDIR:
      return "ENOTDIR";
    case ELOOP:
      return "ELOOP";
    case EINVAL:
      return "EINVAL";
    case EBADF:
      return "EBADF";
    case EFBIG:
      return "EFBIG";
    case EMFILE:
      return "EMFILE";
    case ENFILE:
      return "ENFILE";
    case EROFS:
      return "EROFS";
    case ENOMEM:
      return "ENOMEM";
    case EAGAIN:
      return "EAGAIN";
    case ENOLCK:
      return "ENOLCK";
    default:
      return Text("errno ", error);
  }
}

bool IsFull(int error) {
#ifdef EDQUOT
  if (error == EDQUOT) return true;
#endif
  return error == ENOSPC;
}

}  // namespace

Status InvalidArgument(std::string message) {
  return {StatusCode::kInvalidArgument, std::move(message)};
}

Status SystemFailure(const std::string& what, int error) {
  if (IsFull(error)) {
    return {
        StatusCode::kStorageFull,
        Text(what, ": no space is left (", ErrorName(error), "). Free space or lower numBlocks."),
        error};
  }
  return {StatusCode::kStorageIo,
          Text(what, ": ", ErrorName(error), ". Check the disk and the permissions."), error};
}

}  // namespace kvbm
