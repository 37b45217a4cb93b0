#pragma once
#include "clustermass/ops/views.hpp"
#include "grid.hpp"

namespace clustermass::ops {

/// Particles [begin, end) of the index, seen from `centre`: that of the view, moved by whole boxes.
struct Run {
    std::int64_t begin, end;
    std::int64_t before;  ///< candidates in the runs before this one
    double centre[3];
};

/// Hot loop of `project_views`, one table per instruction set: candidates [begin, end) of the runs, in their order.
struct ViewsLoops {
    void (*f32)(const ParticleIndex<const float>&, const math::View&, const ViewsParams&, Span<const Run>,
                std::int64_t begin, std::int64_t end, const DepositGrid&);
    void (*f64)(const ParticleIndex<const double>&, const math::View&, const ViewsParams&, Span<const Run>,
                std::int64_t begin, std::int64_t end, const DepositGrid&);
};

namespace baseline {
extern const ViewsLoops kViewsLoops;
}
namespace avx2 {
extern const ViewsLoops kViewsLoops;
}
namespace avx512 {
extern const ViewsLoops kViewsLoops;
}

}  // namespace clustermass::ops
