// The arithmetic of a training step, compiled once for each instruction set (isa/*.cpp define HILLWALKER_ISA and include this).
// Everything is in an unnamed namespace but one function, which hands out the table.

#include <utility>  // types only, see vector.inl

#if defined(__x86_64__)
#include <immintrin.h>  // single instructions, which leave no function behind
#endif

#include "kernels.hpp"
#include "random.hpp"

namespace hillwalker {
namespace {

#include "vector.inl"
#include "transcendental.inl"

#include "optimizers.inl"
#include "products.inl"
#include "activations.inl"
#include "losses.inl"
#include "layers.inl"
#include "lanes.inl"

template <class T>
constexpr Kernels<T> table = {
    gather<T>,
    forward<T>,
    input_gradient<T>,
    weight_gradient<T>,
    bias_gradient<T>,
    activate<T>,
    activate_backward<T>,
    loss<T>,
    dropout<T>,
    noise<T>,
    multiply<T>,
    normalize<T>,
    normalize_backward<T>,
    penalty<T>,
    penalty_gradient<T>,
    sum_of_squares<T>,
    clip<T>,
    scale<T>,
    update<T>,
    Lanes<T>::count,
    lane_forward<T>,
    lane_weight_gradient<T>,
    lane_input_gradient<T>,
    lane_loss<T>,
    lane_update<T>,
};

}  // namespace

#define HILLWALKER_JOIN_(a, b) a##b
#define HILLWALKER_JOIN(a, b) HILLWALKER_JOIN_(a, b)

const Kernels<float>& HILLWALKER_JOIN(kernels_float_, HILLWALKER_ISA)() { return table<float>; }
const Kernels<double>& HILLWALKER_JOIN(kernels_double_, HILLWALKER_ISA)() { return table<double>; }

}  // namespace hillwalker
