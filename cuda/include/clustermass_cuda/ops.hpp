#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "clustermass/core/span.hpp"
#include "clustermass/ops/kde.hpp"
#include "clustermass/ops/lightcone.hpp"
#include "clustermass/ops/project.hpp"
#include "clustermass/ops/project_gradient.hpp"
#include "clustermass/ops/subsample.hpp"
#include "clustermass/ops/views.hpp"

/// What the CUDA library offers, in plain C++: the bindings include this and are compiled by the host compiler.
/// All pointers are device memory of the queue's device. A call enqueues its work and returns; data errors are not
/// reported (the caller has checked the data), launch errors are thrown as DeviceError.
namespace clustermass::cuda {

/// Where work goes: a device and one of its streams (a cudaStream_t, null for the default stream).
struct Queue {
    int device;
    void* stream;
};

struct Device {
    std::string reason;  ///< why it cannot be used; empty if it can
    std::string name;
    int major, minor, multiprocessors;       ///< compute capability; 0 where not known
    std::int64_t memory_total, memory_free;  ///< [byte]; 0 where not known
};

struct Status {
    std::string reason;  ///< why there are no devices; empty if there are
    int driver_version,
        runtime_version;  ///< newest CUDA the driver knows (0: no driver), CUDA built with: 13000 = 13.0
    std::vector<Device> devices;
};

/// What is there. Never throws for the sake of a device: each failure is a reason. Opens a context on every device.
Status query_devices();

/// Ordinal of the device that holds the memory at an address.
int device_of(const void* data);

/// [byte]
std::int64_t free_memory(int device);

/// What is queued on `waiting` from now on begins after what is now on `awaited`. The host does not wait.
void wait(void* waiting, void* awaited, int device);

/// Copy from host memory, which may be freed at once. Up to 64 KiB nobody waits; more may wait for the stream.
void upload(Span<unsigned char> to, const unsigned char* from, const Queue& queue);

/// Copy to host memory; waits for the stream.
void download(Span<unsigned char> to, const unsigned char* from, const Queue& queue);

/// Numbers of scratch that `project` needs. `form`: of ProjectPlan (launch_math.hpp), -1 for the best guess.
std::int64_t project_scratch(std::int64_t n, std::int64_t channels, std::int64_t rows, std::int64_t cols, int form,
                             int device);

/// Write the projection of the particles to `image` (channel, row, column). The sums are float64 for both types; their
/// order, and so the last bits, change from call to call. Values that mean nothing do no harm: a particle whose
/// position is NaN or far away touches no pixel, a weight that is NaN spoils the pixels it touches, a smoothing length
/// below zero or NaN is a point.
template <class Real>
void project(const ops::Particles<Real>& particles, const ops::ProjectParams& params, int form, const Queue& queue,
             Span<double> scratch, const Stack<Real>& image);

/// Pull the gradient by an image back to the particles, as ops::project_gradient: one thread each. The values of the
/// particles must have been checked.
template <class Real>
void project_gradient(const ops::Particles<Real>& particles, const ops::ProjectParams& params,
                      const Stack<const Real>& gradient, const Queue& queue, const ops::ParticleGradients<Real>& out);

/// Draw without replacement, bit for bit as ops::subsample. `max_members`: of the largest item. `scratch`: at least
/// max_members entries; as many rows are drawn at once as it holds tables of max_members.
void subsample(const ops::Subsampling& job, std::uint64_t seed, std::int64_t max_members, Span<std::uint32_t> scratch,
               const Queue& queue);

/// out[i]: the uniform number of items[i], bit for bit as ops::subsample_uniform.
void subsample_uniform(Span<const std::int64_t> items, std::uint64_t seed, const Queue& queue, double* out);

/// out = in + noise, bit for bit as ops::add_noise; `out` (item, channel, pixel) may be `in`. `sigma`: per channel.
/// `items`: the key of each image, null for 0, 1, 2, ...
template <class Real>
void add_noise(const Real* in, const double* sigma, const std::int64_t* items, std::uint64_t seed, const Queue& queue,
               const Stack<Real>& out);

/// As ops::convolve_beam; values are not looked at. `taps`: (channels, longest + 1) with `reach` of each, below its
/// length. `scratch` holds images.rows x (images.cols - 2 margin) values for each image worked on at once, at least
/// one. `out` may be the images where margin is 0.
template <class Real>
void convolve_beam(const Stack<const Real>& images, const Table<const Real>& taps, const std::int64_t* reach,
                   std::int64_t margin, const Queue& queue, Span<Real> scratch, Real* out);

/// Copy images into larger ones with `margin` zeros on each side.
template <class Real>
void pad(const Stack<const Real>& images, std::int64_t margin, const Queue& queue, Real* out);

/// Bytes of scratch that build_index needs for n particles.
std::int64_t index_scratch(std::int64_t n);

/// Sort the particles into cells, bit for bit as ops::build_index. Values are not looked at: a particle whose position
/// is NaN goes to the first cell.
template <class Real>
void build_index(const ops::Particles<Real>& particles, Span<unsigned char> scratch, const Queue& queue,
                 const ops::ParticleIndex<Real, std::int64_t>& out);

/// What galaxies are, seen before they are sorted: as ops::build_galaxy_index answers.
struct GalaxySurvey {
    ops::IndexResult result;
    double max_speed;
};

/// Sort galaxies into cells, bit for bit as ops::build_galaxy_index; nothing is sorted where the answer is not `done`.
/// `scratch`: index_scratch bytes. Waits for the stream once: the host must know the answer and the largest speed.
template <class Real>
GalaxySurvey build_galaxy_index(const ops::GalaxyTable<Real>& galaxies, Span<unsigned char> scratch, const Queue& queue,
                                const ops::GalaxyIndexOut<Real>& out);

/// Numbers of scratch that count_lightcone and fill_lightcone need.
std::int64_t lightcone_scratch(std::int64_t n_queries);

/// Count what each query of ops::select_lightcone sees; writes `offsets` (queries + 1) and returns the last of them,
/// for which it waits for the stream. The queries must have been checked; all their arrays lie on the device.
template <class Real>
std::int64_t count_lightcone(const ops::GalaxyIndexIn<Real>& index, const ops::LightconeQueries& queries,
                             Span<std::int64_t> scratch, const Queue& queue, Span<std::int64_t> offsets);

/// Write what count_lightcone counted, with the same arguments and the scratch as it left it: the galaxies, bits and
/// order of ops::select_lightcone.
template <class Real>
void fill_lightcone(const ops::GalaxyIndexIn<Real>& index, const ops::LightconeQueries& queries,
                    Span<std::int64_t> scratch, const Queue& queue, const ops::LightconeOut& out);

/// Smallest value of each column, then largest; NaN is passed over. Waits for the stream. `scratch`: at least two
/// numbers per column, and up to 1024 are of use.
template <class Real>
std::vector<double> bounds(const Table<const Real>& values, Span<double> scratch, const Queue& queue);

/// Geometry of views in device memory, unchecked.
struct ViewArrays {
    const double* centres;      ///< (n, 3) [Mpc]
    const double* rotations;    ///< (n, 3, 3)
    const double* pixel_sizes;  ///< (n_sizes) [Mpc]
    std::int64_t n, n_sizes;    ///< n_sizes: n or 1
};

/// Images (view, channel, row, column) as ops::project_views. `scratch`: for float32 images, float64 numbers of at
/// least one view; as many views are worked on at once as it holds. A view that is not a view (axes that are no unit
/// vectors, NaN, more than a million cells wide) gives an image of NaN.
template <class Real, class Out>
void project_views(const ops::ParticleIndex<const Real>& index, const ViewArrays& views, const ops::ViewsParams& params,
                   std::int64_t rows, std::int64_t cols, const Queue& queue, Span<double> scratch, Out* images);

/// As ops::estimate_density, in float64 throughout. `points` (n, dims) and `offsets` (clusters + 1) lie on the device,
/// `axes` (dims, 3) on the host, the covariances of `rule` on the device. `scratch`: for float32 grids, float64 numbers
/// of at least one grid; as many clusters are worked on at once as it holds. `form`: -1 best, 0 the plain form. A
/// cluster with a point that is NaN or infinite gives a grid of NaN; offsets must have been checked.
template <class Real>
void estimate_density(const Table<const Real>& points, const std::int64_t* offsets, const Real* weights,
                      const double* axes, const ops::KdeRule& rule, int form, const Queue& queue, Span<double> scratch,
                      const Table<Real>& out);

/// As ops::differentiate_density, cell by cell. `gradient` (clusters, cells), `by_points` (n, dims) and `by_weights`
/// (n) lie on the device, arguments beside them as for estimate_density. `scratch`: four numbers per point. A cluster
/// with a point that is NaN or infinite gives NaN.
template <class Real>
void differentiate_density(const Table<const Real>& points, const std::int64_t* offsets, const Real* weights,
                           const double* axes, const ops::KdeRule& rule, const Table<const Real>& gradient,
                           const Queue& queue, Span<double> scratch, Real* by_points, Real* by_weights);

}  // namespace clustermass::cuda
