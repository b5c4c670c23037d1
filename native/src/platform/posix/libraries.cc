#include <dlfcn.h>

#include <algorithm>

#include "platform/platform.h"

namespace kvbm::platform {
namespace {

const void* ImageOf(void* symbol) {
  Dl_info facts = {};
  return dladdr(symbol, &facts) == 0 ? nullptr : facts.dli_fbase;
}

}  // namespace

void* OpenLibrary(const char* name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }

void* FindSymbol(void* library, const char* name) { return dlsym(library, name); }

void* FindProgramSymbol(const char* name) { return dlsym(RTLD_DEFAULT, name); }

bool FromOneImage(std::span<void* const> symbols) {
  return std::ranges::all_of(symbols, [&](void* symbol) {
    return symbol != nullptr && ImageOf(symbol) != nullptr &&
           ImageOf(symbol) == ImageOf(symbols.front());
  });
}

}  // namespace kvbm::platform
