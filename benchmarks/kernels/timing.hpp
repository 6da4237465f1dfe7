// How a measurement is taken: many short repetitions; their minimum is what the work costs, for whatever else the machine
// does only adds; their median says how quiet it was. Also the memory and numbers that kernels are timed on.
#pragma once

#include <time.h>

#include <algorithm>
#include <new>
#include <random>
#include <vector>

namespace hillwalker {

template <class T>
double peak();  // GFLOP/s of independent multiply-add chains in the widest registers (peak.cpp)

inline double seconds_now(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

struct Timing {
    double best = 0, median = 0;  // microseconds
};

// Calls `work` over and over for so many seconds; a repetition is as many calls as the clock can tell apart. Work of more
// than a millisecond hardly ever has a core to itself from beginning to end: it is timed by its thread's own processor
// time, which stands still meanwhile, but is too coarse for anything shorter. Several threads are timed by the clock.
template <class Work>
Timing measure(double seconds, Work work, int threads = 1) {
    constexpr double repetition = 100e-6, long_work = 1e-3;
    clockid_t clock = CLOCK_MONOTONIC;
    const auto timed = [&](long calls) {
        const double began = seconds_now(clock);
        for (long call = 0; call < calls; ++call) {
            work();
            __asm__ volatile("" ::: "memory");
        }
        return (seconds_now(clock) - began) / double(calls);
    };
    timed(1);
    const double first = std::min(timed(1), timed(2));
    const long calls = std::max(1L, long(repetition / std::max(first, 1e-9)));
    if (threads == 1 && first > long_work) clock = CLOCK_THREAD_CPUTIME_ID;
    std::vector<double> times;
    const double began = seconds_now(CLOCK_MONOTONIC);
    while (times.size() < 5 || seconds_now(CLOCK_MONOTONIC) - began < seconds) times.push_back(1e6 * timed(calls));
    std::sort(times.begin(), times.end());
    return {times.front(), times[times.size() / 2]};
}

// Normal numbers on whole cache lines, with a slot beyond the last for whole vectors; freed when the program ends.
template <class T>
T* numbers(long count, double scale = 1) {
    static std::mt19937 random(1);
    std::normal_distribution<double> normal(0, scale);
    T* memory = static_cast<T*>(::operator new(std::size_t(count + 64) * sizeof(T), std::align_val_t(64)));
    for (long k = 0; k < count + 64; ++k) memory[k] = T(normal(random));
    return memory;
}

}  // namespace hillwalker
