#pragma once
#include <pybind11/pybind11.h>

#include <exception>

#include "clustermass/core/error.hpp"

namespace clustermass::bindings {

/// Exceptions of the kernels become the classes of clustermass.errors, which Python owns.
inline void register_errors() {
    pybind11::register_local_exception_translator([](std::exception_ptr p) {
        const auto raise = [](const char* name, const std::exception& e) {
            const pybind11::object type = pybind11::module_::import("clustermass.errors").attr(name);
            PyErr_SetString(type.ptr(), e.what());
        };
        try {
            if (p) std::rethrow_exception(p);
        } catch (const DomainError& e) {
            raise("DomainError", e);
        } catch (const ArrayError& e) {
            raise("ArrayError", e);
        } catch (const DeviceError& e) {
            raise("DeviceError", e);
        }
    });
}

}  // namespace clustermass::bindings
