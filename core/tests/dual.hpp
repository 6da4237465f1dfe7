// A number that carries its derivative along (forward-mode differentiation), so that the naive code needs each formula
// once and its derivative is not one that somebody wrote. Where there is none: |x|' = 0 and max's is the mean of both sides.
#pragma once

#include <cmath>

namespace hillwalker::tests {

struct Dual {
    double value, slope;
    Dual(double value, double slope = 0) : value(value), slope(slope) {}
};

inline Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
inline Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
inline Dual operator-(Dual a) { return {-a.value, -a.slope}; }
inline Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.slope * b.value + a.value * b.slope}; }
inline Dual operator/(Dual a, Dual b) { return {a.value / b.value, (a.slope - a.value / b.value * b.slope) / b.value}; }

inline Dual exp(Dual x) { return {std::exp(x.value), std::exp(x.value) * x.slope}; }
inline Dual expm1(Dual x) { return {std::expm1(x.value), std::exp(x.value) * x.slope}; }
inline Dual log(Dual x) { return {std::log(x.value), x.slope / x.value}; }
inline Dual log1p(Dual x) { return {std::log1p(x.value), x.slope / (1 + x.value)}; }
inline Dual sqrt(Dual x) { return {std::sqrt(x.value), x.slope / (2 * std::sqrt(x.value))}; }
inline Dual erfc(Dual x) {
    return {std::erfc(x.value), -1.12837916709551257390 * std::exp(-x.value * x.value) * x.slope};
}
inline Dual tanh(Dual x) {
    const double cosh = std::cosh(x.value);
    return {std::tanh(x.value), x.slope / (cosh * cosh)};
}
inline Dual abs(Dual x) { return {std::fabs(x.value), x.value > 0 ? x.slope : x.value < 0 ? -x.slope : 0}; }
inline Dual max(Dual a, Dual b) {
    if (a.value == b.value) return {a.value, (a.slope + b.slope) / 2};
    return a.value > b.value ? a : b;
}

}  // namespace hillwalker::tests
