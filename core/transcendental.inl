// exp, expm1, log1p, tanh and sigmoid on vectors; NaN stays NaN, infinities have their limits.
// Included after vector.inl, inside an unnamed namespace. Method: x = n ln 2 + r, |r| <= ln 2 / 2, and e^x = 2^n e^r, with
// e^r - 1 as a Taylor polynomial long enough for the precision (Muller, Elementary Functions, 3rd ed., chapter 11).

template <class T>
struct Binary;  // how a number of this precision is made of bits

template <>
struct Binary<float> {
    static constexpr float round_to_integer = 12582912.0f;  // 1.5 * 2^23: adding it leaves the integer in the low bits
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr float largest = 89.0f, smallest = -104.0f;
    static constexpr int mantissa = 23, bias = 127;
};

template <>
struct Binary<double> {
    static constexpr double round_to_integer = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr double largest = 710.0, smallest = -746.0;
    static constexpr int mantissa = 52, bias = 1023;
};

// e^r - 1 for |r| <= ln 2 / 2
inline Vector<float> exponential_less_one(Vector<float> r) {
    Vector<float> p = broadcast(1.0f / 5040) * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    return r + (r * r) * p;
}
inline Vector<double> exponential_less_one(Vector<double> r) {
    Vector<double> p = broadcast(1.0 / 6227020800.0) * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    return r + (r * r) * p;
}

// x = n ln 2 + r; returns e^r - 1 and 2^n as a product of two factors, each of which fits the precision
template <class T>
inline void split_exponential(Vector<T> x, Vector<T>& less_one, Vector<T>& scale, Vector<T>& rest) {
    using B = Binary<T>;
    using I = typename Lanes<T>::I;
    x = at_most(broadcast(B::largest), at_least(broadcast(B::smallest), x));
    const Vector<T> shifted = x * T(1.44269504088896340736) + B::round_to_integer;
    const Vector<T> n = shifted - B::round_to_integer;
    less_one = exponential_less_one(x - n * B::ln2_high - n * B::ln2_low);
    const I whole = (I)shifted - (I)broadcast(B::round_to_integer);
    const I half = whole >> 1;
    scale = (Vector<T>)((half + B::bias) << B::mantissa);
    rest = (Vector<T>)((whole - half + B::bias) << B::mantissa);
}

template <class T>
inline Vector<T> exponential(Vector<T> x) {
    Vector<T> less_one, scale, rest;
    split_exponential<T>(x, less_one, scale, rest);
    return (scale + scale * less_one) * rest;
}

template <class T>
inline Vector<T> exponential_minus_one(Vector<T> x) {
    Vector<T> less_one, scale, rest;
    split_exponential<T>(x, less_one, scale, rest);
    const Vector<T> power = scale * rest;
    const Vector<T> small = power * less_one + (power - T(1));
    return x > Binary<T>::largest - 1 ? (scale + scale * less_one) * rest : small;
}

// log(1 + x) for 0 <= x <= 1, by atanh: log u = 2 atanh((u - 1) / (u + 1)), s = x / (2 + x) in [0, 1/3]
template <class T>
inline Vector<T> log_one_plus_unit(Vector<T> x) {
    const Vector<T> s = x / (x + T(2));
    const Vector<T> square = s * s;
    constexpr int terms = sizeof(T) == 4 ? 8 : 17;
    Vector<T> p = broadcast(T(1.0 / (2 * terms + 1)));
    for (int term = terms - 1; term > 0; --term) p = p * square + T(1.0 / (2 * term + 1));
    return T(2) * (s + s * square * p);
}

template <class T>
inline Vector<T> sigmoid(Vector<T> x) {
    return T(1) / (T(1) + exponential<T>(-x));
}

// tanh x = e / (e + 2) with e = e^{2x} - 1; of |x|, so that e never cancels
template <class T>
inline Vector<T> hyperbolic_tangent(Vector<T> x) {
    const Vector<T> size = at_most(broadcast(T(20)), magnitude(x));
    const Vector<T> e = exponential_minus_one<T>(size + size);
    const Vector<T> value = e / (e + T(2));
    return x < 0 ? -value : value;
}

template <class T>
inline Vector<T> softplus(Vector<T> x) {
    return at_least(Vector<T>{}, x) + log_one_plus_unit<T>(exponential<T>(-magnitude(x)));
}
