#pragma once
#include <cstdint>

namespace clustermass::bindings {

/// A device address as Python holds it. Nothing here reads the memory.
template <class T>
T* at(std::uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

}  // namespace clustermass::bindings
