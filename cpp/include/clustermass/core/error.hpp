#pragma once
#include <stdexcept>

namespace clustermass {

/// A parameter lies outside its domain. Becomes clustermass.errors.DomainError.
class DomainError : public std::domain_error {
    using std::domain_error::domain_error;
};

/// An array has the wrong dtype, shape or layout. Becomes clustermass.errors.ArrayError.
class ArrayError : public std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// A CUDA call failed. Becomes clustermass.errors.DeviceError.
class DeviceError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace clustermass
