// Each activation and its derivative, adjacent; formulas as in activations.py.
// Included inside the unnamed namespace of kernels.inl. Elementwise ones run over the padding too, where z is 0.

// Buffers have room for a whole vector past their last row. Each rule: value(z) and slope(z, a) = da/dz.
template <class T>
struct ReluRule {
    T slope_below, maximum, threshold;
    Vector<T> value(Vector<T> z) const {
        Vector<T> a = z <= threshold ? Vector<T>{} : z;
        if (maximum != T(__builtin_inf())) a = at_most(broadcast(maximum), at_least(Vector<T>{}, a));
        if (slope_below != 0) a += slope_below * at_most(Vector<T>{}, z - threshold);  // not 0 * z: z may be infinite
        return a;
    }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        Vector<T> above = broadcast(T(1));
        if (maximum != T(__builtin_inf())) {
            above = z < 0 ? Vector<T>{} : above;
            above = z >= maximum ? Vector<T>{} : above;
        }
        return z <= threshold ? broadcast(slope_below) : above;
    }
};

template <class T>
struct EluRule {
    T alpha, factor;  // elu: factor 1; selu: alpha 1.673..., factor 1.0507...
    Vector<T> value(Vector<T> z) const {
        return factor * (z > 0 ? z : alpha * exponential_minus_one<T>(at_most(Vector<T>{}, z)));
    }
    Vector<T> slope(Vector<T> z, Vector<T> a) const { return z > 0 ? broadcast(factor) : a + factor * alpha; }
};

template <class T>
struct GeluRule {  // z Phi(z), Phi the normal distribution
    Vector<T> distribution(Vector<T> z) const {
        Vector<T> phi;
        for (int lane = 0; lane < Lanes<T>::count; ++lane)
            phi[lane] = T(0.5) * erfc_of(z[lane] * T(-0.70710678118654752440));
        return phi;
    }
    Vector<T> value(Vector<T> z) const { return z * distribution(z); }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        const Vector<T> density = T(0.39894228040143267794) * exponential<T>(T(-0.5) * z * z);
        return distribution(z) + z * density;
    }
};

template <class T>
struct ApproximateGeluRule {  // 0.5 z (1 + tanh u), u = sqrt(2 / pi) (z + 0.044715 z^3)
    static Vector<T> inner(Vector<T> z) { return T(0.79788456080286535588) * (z + T(0.044715) * z * z * z); }
    Vector<T> value(Vector<T> z) const { return T(0.5) * z * (T(1) + hyperbolic_tangent<T>(inner(z))); }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        const Vector<T> t = hyperbolic_tangent<T>(inner(z));
        const Vector<T> du = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * z * z);
        return T(0.5) * (T(1) + t) + T(0.5) * z * (T(1) - t * t) * du;
    }
};

template <class T>
struct SiluRule {
    Vector<T> value(Vector<T> z) const { return z * sigmoid<T>(z); }
    Vector<T> slope(Vector<T> z, Vector<T> a) const {
        const Vector<T> s = sigmoid<T>(z);
        return s + a * (T(1) - s);
    }
};

template <class T>
struct MishRule {  // z tanh(softplus(z))
    Vector<T> value(Vector<T> z) const { return z * hyperbolic_tangent<T>(softplus<T>(z)); }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        const Vector<T> t = hyperbolic_tangent<T>(softplus<T>(z));
        return t + z * (T(1) - t * t) * sigmoid<T>(z);
    }
};

template <class T>
struct SigmoidRule {
    Vector<T> value(Vector<T> z) const { return sigmoid<T>(z); }
    Vector<T> slope(Vector<T>, Vector<T> a) const { return a * (T(1) - a); }
};

template <class T>
struct HardSigmoidRule {  // relu6(z + 3) / 6
    Vector<T> value(Vector<T> z) const { return at_most(broadcast(T(6)), at_least(Vector<T>{}, z + T(3))) / T(6); }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        const Vector<T> inside = z < T(3) ? broadcast(T(1) / T(6)) : Vector<T>{};
        return z > T(-3) ? inside : Vector<T>{};
    }
};

template <class T>
struct TanhRule {
    Vector<T> value(Vector<T> z) const { return hyperbolic_tangent<T>(z); }
    Vector<T> slope(Vector<T>, Vector<T> a) const { return T(1) - a * a; }
};

template <class T>
struct SoftsignRule {
    Vector<T> value(Vector<T> z) const { return z / (T(1) + magnitude(z)); }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        const Vector<T> size = T(1) + magnitude(z);
        return T(1) / (size * size);
    }
};

template <class T>
struct SoftplusRule {
    Vector<T> value(Vector<T> z) const { return softplus<T>(z); }
    Vector<T> slope(Vector<T> z, Vector<T>) const { return sigmoid<T>(z); }
};

template <class T>
struct ExponentialRule {
    Vector<T> value(Vector<T> z) const { return exponential<T>(z); }
    Vector<T> slope(Vector<T>, Vector<T> a) const { return a; }
};

// Calls `use` with the rule of an elementwise activation; false if it is not elementwise.
template <class T, class Use>
inline bool with_rule(const ActivationRule& rule, Use use) {
    switch (rule.kind) {
        case Activation::relu: use(ReluRule<T>{T(rule.first), T(rule.second), T(rule.third)}); return true;
        case Activation::elu: use(EluRule<T>{T(rule.first), T(1)}); return true;
        case Activation::selu: use(EluRule<T>{T(1.6732632423543772848), T(1.0507009873554804934)}); return true;
        case Activation::gelu:
            if (rule.first != 0)
                use(ApproximateGeluRule<T>{});
            else
                use(GeluRule<T>{});
            return true;
        case Activation::silu: use(SiluRule<T>{}); return true;
        case Activation::mish: use(MishRule<T>{}); return true;
        case Activation::sigmoid: use(SigmoidRule<T>{}); return true;
        case Activation::hard_sigmoid: use(HardSigmoidRule<T>{}); return true;
        case Activation::tanh: use(TanhRule<T>{}); return true;
        case Activation::softsign: use(SoftsignRule<T>{}); return true;
        case Activation::softplus: use(SoftplusRule<T>{}); return true;
        case Activation::exponential: use(ExponentialRule<T>{}); return true;
        default: return false;
    }
}

template <class T, bool logarithm>
inline void softmax(long B, long O, const T* z, T* a) {
    constexpr int lanes = Lanes<T>::count;
    const long width = row_stride(O);
    if (O == 1) {
        for (long row = 0; row < B; ++row) a[row] = logarithm ? T(0) : T(1);
        return;
    }
    for (long row = 0; row < B; ++row, z += width, a += width) {
        T top = z[0];
        for (long o = 1; o < O; ++o) top = z[o] > top ? z[o] : top;
        for (long o = 0; o < O; o += lanes) {
            const Vector<T> shifted = load<T>(z + o) - top;
            store<T>(a + o, logarithm ? shifted : exponential<T>(shifted));
        }
        T sum = 0;
        if (logarithm) {
            T powers[lanes];
            for (long o = 0; o < O; o += lanes) {
                store<T>(powers, exponential<T>(load<T>(a + o)));
                for (long lane = 0; lane < smaller<long>(lanes, O - o); ++lane) sum += powers[lane];
            }
            sum = log_of(sum);
            for (long o = 0; o < O; ++o) a[o] -= sum;
        } else {
            for (long o = 0; o < O; ++o) sum += a[o];
            for (long o = 0; o < O; ++o) a[o] /= sum;
        }
        for (long o = O; o < width; ++o) a[o] = 0;
    }
}

template <class T>
void activate(const ActivationRule& rule, long B, long O, const T* z, T* a) {
    constexpr int lanes = Lanes<T>::count;
    const long count = B * row_stride(O);
    if (with_rule<T>(rule, [&](auto f) {
            for (long k = 0; k < count; k += lanes) store<T>(a + k, f.value(load<T>(z + k)));
        }))
        return;
    if (rule.kind == Activation::softmax)
        softmax<T, false>(B, O, z, a);
    else if (rule.kind == Activation::log_softmax)
        softmax<T, true>(B, O, z, a);
    else
        for (long k = 0; k < count; ++k) a[k] = z[k];
}

template <class T>
void activate_backward(const ActivationRule& rule, long B, long O, const T* z, const T* a, T* d) {
    constexpr int lanes = Lanes<T>::count;
    const long width = row_stride(O), count = B * width;
    if (with_rule<T>(rule, [&](auto f) {
            for (long k = 0; k < count; k += lanes)
                store<T>(d + k, load<T>(d + k) * f.slope(load<T>(z + k), load<T>(a + k)));
        }))
        return;
    if (rule.kind == Activation::softmax) {  // dz = a (da - sum of a da)
        for (long row = 0; row < B; ++row, a += width, d += width) {
            T sum = 0;
            for (long o = 0; o < O; ++o) sum += a[o] * d[o];
            for (long o = 0; o < O; ++o) d[o] = a[o] * (d[o] - sum);
        }
    } else if (rule.kind == Activation::log_softmax) {  // dz = da - e^a (sum of da)
        for (long row = 0; row < B; ++row, a += width, d += width) {
            T sum = 0;
            for (long o = 0; o < O; ++o) sum += d[o];
            for (long o = 0; o < O; ++o) d[o] -= exp_of(a[o]) * sum;
        }
    }
}
