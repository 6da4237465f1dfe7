// Counter-based random bits, the same as randomness.py's: a number is a function of (key, index) alone.
#pragma once

#include <cstdint>

namespace hillwalker {

inline std::uint64_t mix(std::uint64_t value) {
    value += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

inline std::uint64_t stream_key(std::uint64_t seed, std::uint64_t iteration, std::uint64_t stream) {
    return mix(mix(mix(seed) ^ iteration) ^ stream);
}

}  // namespace hillwalker
