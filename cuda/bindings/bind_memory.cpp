#include <pybind11/pybind11.h>

#include "address.hpp"
#include "clustermass_cuda/launch_math.hpp"
#include "clustermass_cuda/ops.hpp"

namespace py = pybind11;

namespace clustermass::bindings {
namespace {

/// Bytes of a host array in C order.
py::buffer_info bytes_of(const py::buffer& host, bool writable) {
    py::buffer_info info = host.request(writable);
    if (!PyBuffer_IsContiguous(info.view(), 'C')) throw ArrayError("the host array must be in C order");
    return info;
}

void upload(std::uintptr_t address, const py::buffer& host, int device, std::uintptr_t stream) {
    const py::buffer_info info = bytes_of(host, false);
    const py::gil_scoped_release nogil;
    cuda::upload({at<unsigned char>(address), info.size * info.itemsize}, static_cast<const unsigned char*>(info.ptr),
                 {device, at<void>(stream)});
}

void download(const py::buffer& host, std::uintptr_t address, int device, std::uintptr_t stream) {
    const py::buffer_info info = bytes_of(host, true);
    const py::gil_scoped_release nogil;
    cuda::download({static_cast<unsigned char*>(info.ptr), info.size * info.itemsize}, at<const unsigned char>(address),
                   {device, at<void>(stream)});
}

}  // namespace

void bind_memory(py::module_& m) {
    using namespace py::literals;
    m.def("upload", &upload, "address"_a, "host"_a, "device"_a, "stream"_a);
    m.def("download", &download, "host"_a, "address"_a, "device"_a, "stream"_a);
    m.def("device_of", [](std::uintptr_t address) { return cuda::device_of(at<void>(address)); }, "address"_a);
    m.def(
        "wait",
        [](std::uintptr_t waiting, std::uintptr_t awaited, int device) {
            cuda::wait(at<void>(waiting), at<void>(awaited), device);
        },
        "waiting"_a, "awaited"_a, "device"_a);
    m.def(
        "items_at_once",
        [](std::int64_t n, std::int64_t bytes_each, int device) {
            return cuda::items_at_once(n, bytes_each, cuda::free_memory(device));
        },
        "n"_a, "bytes_each"_a, "device"_a);
}

}  // namespace clustermass::bindings
