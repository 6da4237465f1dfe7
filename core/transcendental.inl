// exp, expm1, log, log1p, tanh, sigmoid, softplus, the normal distribution and the cosine, on vectors. NaN stays NaN,
// infinities have their limits, and denormal numbers count as zero, coming and going. Included after vector.inl, inside an
// unnamed namespace. Error bounds: docs/numerics.md, held by tests/test_kernels_accuracy.py.
//
// Method (Muller, Elementary Functions, 3rd ed., chapter 11): an argument is split so that what is left is small, and of that
// a polynomial is taken, highest power first. Its coefficients are minimax for the relative error of the whole function (the
// Remez exchange algorithm in 50 digits, leading terms fixed); the error that they leave stands beside each.

template <class T>
struct Binary;  // how a number of this precision is made of bits

template <>
struct Binary<float> {
    typedef std::int32_t Integer;
    typedef std::uint32_t Word;
    typedef Word Bits __attribute__((vector_size(vector_bytes)));
    static constexpr int mantissa = 23, bias = 127;
    static constexpr Integer sign = INT32_MIN, root_half = 0x3f3504f3;  // the bits of sqrt(1/2)
    static constexpr Integer upper_half = ~0xfff;                       // 12 bits of mantissa: their square is exact
    static constexpr float first_integer = 8388608.0f;                  // 2^23: whatever is added sits in the low bits
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // few bits: exact times an exponent
    static constexpr float huge = 0x1.fffffep127f;
    static constexpr float largest = 89.0f, smallest = -88.0f;  // beyond, e^x is infinity and zero
    static constexpr float one_below = 10.0f;                   // tanh x is 1 from here on
    static constexpr float normal_below = 14.0f;                // x P(X < -x) is 0 from here on
};

template <>
struct Binary<double> {
    typedef std::int64_t Integer;
    typedef std::uint64_t Word;
    typedef Word Bits __attribute__((vector_size(vector_bytes)));
    static constexpr int mantissa = 52, bias = 1023;
    static constexpr Integer sign = INT64_MIN, root_half = 0x3fe6a09e667f3bcd;
    static constexpr Integer upper_half = ~0x7ffffff;
    static constexpr double first_integer = 4503599627370496.0;  // 2^52
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr double huge = 0x1.fffffffffffffp1023;
    static constexpr double largest = 710.0, smallest = -709.0;
    static constexpr double one_below = 20.0;
    static constexpr double normal_below = 38.5;
};

// The polynomial with these coefficients, highest power first.
template <class T, class... Coefficients>
inline Vector<T> polynomial(Vector<T> x, T highest, Coefficients... lower) {
    Vector<T> value = broadcast(highest);
    ((value = value * x + T(lower)), ...);
    return value;
}

template <class T>
inline Vector<T> with_sign_of(Vector<T> sign, Vector<T> size) {
    using I = typename Lanes<T>::I;
    return (Vector<T>)(((I)sign & Binary<T>::sign) | (I)size);
}

// e^r - 1 for -ln 2 / 2 <= r <= ln 2, as r + r^2 p(r); 2^-27.6 and 2^-60.4
inline Vector<float> small_exponential_minus_one(Vector<float> r) {
    return r + r * r *
                   polynomial(r, 2.3025005518004568e-4f, 1.3853904202147318e-3f, 8.3274822122221206e-3f,
                              0.041667639695996932f, 0.16666693962715245f, 0.49999997353309507f);
}
inline Vector<double> small_exponential_minus_one(Vector<double> r) {
    return r + r * r *
                   polynomial(r, 1.883871047772447e-10, 2.0699763629759774e-9, 2.5049146125821558e-8,
                              2.7557947535831578e-7, 2.7557310518009073e-6, 2.4801586558327227e-5,
                              1.9841269857560603e-4, 1.3888888889273915e-3, 8.3333333333246252e-3, 0.041666666666665802,
                              0.1666666666666668, 0.5);
}

// x = n ln 2 + r, n the whole number next to x / ln 2; returns r and 2^n, which is 0 for the least n. With `capped`, n stops at the
// largest exponent and r grows on, so that e^x overflows just where it should; without, x has to stay below that.
template <class T, bool capped>
inline Vector<T> reduce(Vector<T> x, Vector<T>& power) {
    using B = Binary<T>;
    constexpr T round_to_integer = T(1.5) * B::first_integer + B::bias;  // adding it leaves n + bias in the low bits
    Vector<T> shifted = x * T(1.44269504088896340736) + round_to_integer;
    if (capped) shifted = at_most(broadcast(round_to_integer + B::bias), shifted);
    const Vector<T> n = shifted - round_to_integer;
    power = (Vector<T>)((typename B::Bits)shifted << B::mantissa);
    return x - n * B::ln2_high - n * B::ln2_low;
}

template <class T>
inline Vector<T> exponential(Vector<T> x) {
    Vector<T> power;
    const Vector<T> r = reduce<T, true>(at_least(broadcast(Binary<T>::smallest), x), power);
    return power * (T(1) + small_exponential_minus_one(r));
}

// e^x - 1 for x <= 0
template <class T>
inline Vector<T> exponential_minus_one(Vector<T> x) {
    Vector<T> power;
    const Vector<T> less_one = small_exponential_minus_one(reduce<T, false>(at_least(broadcast(T(-40)), x), power));
    return power * less_one + (power - T(1));
}

// e^(-z^2 / 2) for 0 <= z <= normal_below. An error of the exponent is one of the power: what x was rounded by is added to r.
template <class T>
inline Vector<T> bell(Vector<T> z) {
    using I = typename Lanes<T>::I;
    const Vector<T> high = (Vector<T>)((I)z & Binary<T>::upper_half), low = z - high;
    const Vector<T> x = at_least(broadcast(Binary<T>::smallest), T(-0.5) * z * z);
    const Vector<T> error = (T(-0.5) * high * high - x) - T(0.5) * low * (z + high);
    Vector<T> power;
    const Vector<T> r = reduce<T, false>(x, power);
    return power * (T(1) + small_exponential_minus_one(r + error));
}

template <class T>
inline Vector<T> sigmoid(Vector<T> x) {
    Vector<T> power;
    const Vector<T> r = reduce<T, true>(at_least(broadcast(Binary<T>::smallest), -x), power);
    return T(1) / (power + (power * small_exponential_minus_one(r) + T(1)));
}

// sigmoid(x) and its slope sigmoid(x) sigmoid(-x), both from e^-|x|, so that neither cancels
template <class T>
inline Vector<T> sigmoid(Vector<T> x, Vector<T>& slope) {
    const Vector<T> power = exponential<T>(-magnitude(x)), inverse = T(1) / (T(1) + power), other = power * inverse;
    slope = inverse * other;
    return x < 0 ? other : inverse;
}

// tanh |x| = (1 - t) / (1 + t), t = e^(-2 |x|), each from t - 1, so that nothing cancels.
template <class T>
inline Vector<T> hyperbolic_tangent(Vector<T> x) {
    Vector<T> power;
    const Vector<T> size = at_most(broadcast(Binary<T>::one_below), magnitude(x));
    const Vector<T> less_one = small_exponential_minus_one(reduce<T, false>(T(-2) * size, power));
    return with_sign_of<T>(x, ((T(1) - power) - power * less_one) / ((T(1) + power) + power * less_one));
}

// R(z) / z, where log(1 + f) = f - s (f - R(s^2)), s = f / (f + 2) (by atanh s); for sqrt(1/2) <= 1 + f <= sqrt(2);
// of log(1 + f), 2^-37.6 and 2^-58.6
inline Vector<float> logarithm_curve(Vector<float> z) {
    return polynomial(z, 0.23584308537619831f, 0.28537206471181315f, 0.40000336591943197f, 0.66666665640319337f);
}
inline Vector<double> logarithm_curve(Vector<double> z) {
    return polynomial(z, 0.1481351513756747, 0.15312884273525599, 0.18183581551796236, 0.22222198920444101,
                      0.28571428730691106, 0.39999999999514688, 0.66666666666667102);
}
// The same for 1 <= 1 + f <= 2; 2^-33.1 and 2^-59.4
inline Vector<float> unit_logarithm_curve(Vector<float> z) {
    return polynomial(z, 0.24289553512603348f, 0.21430741915612807f, 0.28616596641427499f, 0.39998888357864392f,
                      0.66666675500356393f);
}
inline Vector<double> unit_logarithm_curve(Vector<double> z) {
    return polynomial(z, 0.17009738356198193, 0.083449809397974837, 0.12104942886093689, 0.13301121607912366,
                      0.15386548378144267, 0.18181744479561087, 0.22222223953640737, 0.28571428548117897,
                      0.4000000000015512, 0.6666666666666631);
}

// log x of positive numbers: x = 2^k (1 + f)
template <class T>
inline Vector<T> logarithm_of_positive(Vector<T> x) {
    using B = Binary<T>;
    using Bits = typename B::Bits;
    using Word = typename B::Word;
    constexpr Word exponents = Word(-1) << B::mantissa;
    const Bits exponent = ((Bits)x - Word(B::root_half)) & exponents;  // k, where a number has its exponent
    const Bits biased = (exponent + (Word(B::bias) << B::mantissa)) >> B::mantissa;
    const Vector<T> k = (Vector<T>)(biased | (Bits)broadcast(B::first_integer)) - (B::first_integer + B::bias);
    const Vector<T> f = (Vector<T>)((Bits)x - exponent) - T(1), s = f / (f + T(2)), z = s * s;
    const Vector<T> value = k * B::ln2_high + (f - (s * (f - z * logarithm_curve(z)) - k * B::ln2_low));
    return x < T(__builtin_inf()) ? value : x;
}

template <class T>
inline Vector<T> logarithm(Vector<T> x) {
    const Vector<T> none = x < 0 ? broadcast(T(__builtin_nan(""))) : broadcast(T(-__builtin_inf()));
    return x <= 0 ? none : logarithm_of_positive<T>(x);
}

// log(1 + x) for 0 <= x <= 1
template <class T>
inline Vector<T> logarithm_one_plus_unit(Vector<T> x) {
    const Vector<T> s = x / (x + T(2)), z = s * s;
    return x - s * (x - z * unit_logarithm_curve(z));
}

template <class T>
inline Vector<T> softplus(Vector<T> x) {
    return at_least(Vector<T>{}, x) + logarithm_one_plus_unit<T>(exponential<T>(-magnitude(x)));
}

// P(X < -t) e^(t^2 / 2) for X standard normal and 0 <= t <= normal_below, a quotient of polynomials; 2^-26.8 and 2^-58.6
inline Vector<float> normal_tail(Vector<float> t) {
    return polynomial(t, 3.9797414023868021e-3f, 0.0397465209143613798f, 0.18065484966782442f, 0.434888427469689146f,
                      0.50000000119060373f) /
           polynomial(t, 9.97558936431259984e-3f, 0.0996371645419782457f, 0.462643579893246651f, 1.19190826417760129f,
                      1.66766163026999472f, 1.0f);
}
inline Vector<double> normal_tail(Vector<double> t) {
    return polynomial(t, 2.2124115148781033e-7, 6.90505752400452745e-6, 1.05719591146652992e-4, 1.03314231261371179e-3,
                      7.0875273580896679e-3, 0.0355309893793975982, 0.13166574034666739, 0.356610465240056251,
                      0.678709690456915651, 0.827384624195731729, 0.5) /
           polynomial(t, 5.54569325831146019e-7, 1.73084124276513644e-5, 2.6555428567345433e-4, 2.60701214513866848e-3,
                      0.0180296870419675952, 0.0916180697969602169, 0.347278403179168136, 0.97794667370035202,
                      1.99838514202069483, 2.81435398826431975, 2.45265380919432889, 1.0);
}

// P(X < z) = erfc(-z / sqrt 2) / 2, and e^(-z^2 / 2)
template <class T>
inline Vector<T> normal_distribution(Vector<T> z, Vector<T>& density) {
    const Vector<T> t = at_most(broadcast(Binary<T>::normal_below), magnitude(z));
    density = bell<T>(t);
    const Vector<T> below = density * normal_tail(t);
    return z > 0 ? T(1) - below : below;
}

// cos(2 pi u) for 0 <= u <= 1: sin(2 pi a), a = |u - 1/2| - 1/4; 2^-61.8
inline Vector<double> cosine_of_turns(Vector<double> u) {
    const Vector<double> a = magnitude(u - 0.5) - 0.25;
    return a * polynomial(a * a, 0.10085632474360905, -0.71772357866690022, 3.8199270503300838, -15.094641620502254,
                          42.058693923785017, -76.705859752798494, 81.605249276073406, -41.341702240399756,
                          6.2831853071795865);
}
