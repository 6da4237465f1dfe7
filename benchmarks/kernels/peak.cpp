// The floor's other half: how many multiply-adds a second one core can do when nothing else is in their way.
#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "timing.hpp"

namespace hillwalker {
namespace {
#include "vector.inl"
}

// Twelve chains, none waiting for another: enough to hide a latency of four to six cycles in two units.
template <class T>
double peak() {
    constexpr int chains = 12;
    constexpr long links = 4000;
    static volatile T factor = T(0.999), summand = T(0.001);
    T last = 0;
    const Timing timing = measure(0.02, [&] {
        const Vector<T> a = broadcast<T>(factor), b = broadcast<T>(summand);
        Vector<T> value[chains];
        HILLWALKER_UNROLL for (int chain = 0; chain < chains; ++chain) value[chain] = a * T(chain);  // or they were one
        for (long link = 0; link < links; ++link)
            HILLWALKER_UNROLL for (int chain = 0; chain < chains; ++chain) value[chain] = value[chain] * a + b;
        HILLWALKER_UNROLL for (int chain = 1; chain < chains; ++chain) value[0] += value[chain];
        last = sum_of_lanes<T>(value[0]);
        __asm__ volatile("" : : "g"(&last) : "memory");  // so that somebody seems to want it
    });
    return 2e-3 * chains * links * Lanes<T>::count / timing.best;
}

template double peak<float>();
template double peak<double>();

}  // namespace hillwalker
