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
    T above, below;  // elu: 1, alpha; selu: 1.0507..., 1.0507... * 1.673...
    Vector<T> value(Vector<T> z) const {
        return z > 0 ? above * z : below * exponential_minus_one<T>(at_most(Vector<T>{}, z));
    }
    Vector<T> slope(Vector<T> z, Vector<T> a) const { return z > 0 ? broadcast(above) : a + below; }
};

template <class T>
struct GeluRule {  // z P(X < z), X standard normal
    Vector<T> value(Vector<T> z) const {
        Vector<T> bell;
        z = at_least(broadcast(-Binary<T>::normal_below), z);  // the limit at minus infinity
        return z * normal_distribution<T>(z, bell);
    }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        Vector<T> bell;
        z = at_most(broadcast(Binary<T>::normal_below), at_least(broadcast(-Binary<T>::normal_below), z));
        const Vector<T> probability = normal_distribution<T>(z, bell);
        return probability + z * (T(0.39894228040143267794) * bell);
    }
};

template <class T>
struct ApproximateGeluRule {  // 0.5 z (1 + tanh u) = z sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3)
    static constexpr T root = T(2 * 0.79788456080286535588), cube = T(2 * 0.79788456080286535588 * 0.044715);
    static constexpr T least = T(-30);  // sigmoid(2 u) is 0 here already
    Vector<T> value(Vector<T> z) const {
        z = at_least(broadcast(least), z);
        return z * sigmoid<T>(z * (cube * (z * z) + root));
    }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        z = at_most(broadcast(-least), at_least(broadcast(least), z));
        const Vector<T> square = z * z;
        Vector<T> ds;
        const Vector<T> s = sigmoid<T>(z * (cube * square + root), ds);
        return s + z * ds * (T(3) * cube * square + root);
    }
};

template <class T>
struct SiluRule {
    static constexpr T least = Binary<T>::smallest - 2;  // sigmoid is 0 here already
    Vector<T> value(Vector<T> z) const {
        z = at_least(broadcast(least), z);
        return z * sigmoid<T>(z);
    }
    Vector<T> slope(Vector<T> z, Vector<T>) const {
        z = at_most(broadcast(-least), at_least(broadcast(least), z));
        Vector<T> ds;
        const Vector<T> s = sigmoid<T>(z, ds);
        return s + z * ds;
    }
};

// z tanh(log(1 + n)), n = e^z, and tanh(log(1 + n)) = w / (w + 2) with w = n (n + 2)
template <class T>
struct MishRule {
    static constexpr T least = Binary<T>::smallest - 2,
                       enough = T(30);  // n is 0, and w / (w + 2) is 1, to the last bit
    Vector<T> value(Vector<T> z) const {
        const Vector<T> n = exponential<T>(at_most(broadcast(enough), z)), w = n * (n + T(2));
        return at_least(broadcast(least), z) * (w / (w + T(2)));
    }
    Vector<T> slope(Vector<T> z, Vector<T>) const {  // w / (w + 2) + 4 z n (n + 1) / (w + 2)^2
        z = at_most(broadcast(enough), at_least(broadcast(least), z));
        const Vector<T> n = exponential<T>(z), w = n * (n + T(2)), inverse = T(1) / (w + T(2));
        return inverse * (w + T(4) * z * n * ((n + T(1)) * inverse));
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
    Vector<T> value(Vector<T> z) const {
        const Vector<T> size = at_most(broadcast(Binary<T>::huge), magnitude(z));  // infinity has a limit
        return with_sign_of<T>(z, size / (T(1) + size));
    }
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
        case Activation::elu: use(EluRule<T>{T(1), T(rule.first)}); return true;
        case Activation::selu: use(EluRule<T>{T(1.0507009873554804934), T(1.7580993408473768600)}); return true;
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

// Calls `use` with the place of each vector of a row of O columns, and which of its lanes are columns, not padding. The number of
// vectors, if known to the compiler (else 0), lets it keep a row in registers.
template <class T, int vectors = 0, class Use>
inline void each_vector(long O, Use use) {
    const auto inside = [&](long o) { return lane_numbers<T>() < typename Binary<T>::Integer(O - o); };
    if constexpr (vectors == 0)
        for (long o = 0; o < O; o += Lanes<T>::count) use(o, inside(o));
    else
        HILLWALKER_UNROLL for (long o = 0; o < vectors * Lanes<T>::count; o += Lanes<T>::count) use(o, inside(o));
}

// Calls `use` with that number, as a type.
template <int count>
struct Vectors {
    static constexpr int number = count;
};
template <class T, class Use>
inline void with_vectors(long O, Use use) {
    if (O <= Lanes<T>::count)
        use(Vectors<1>());
    else if (O <= 2 * Lanes<T>::count)
        use(Vectors<2>());
    else
        use(Vectors<0>());
}

// What lies behind the last of those vectors becomes zero.
template <class T>
inline void clear_padding(long O, T* row) {
    constexpr long lanes = Lanes<T>::count;
    for (long o = (O + lanes - 1) / lanes * lanes; o < row_stride(O); o += lanes) store<T>(row + o, Vector<T>{});
}

// e^(z - top) of a row goes to `a`, zero in the padding, and top is the row's largest number; returns the sum, in every lane.
template <class T, int vectors>
inline Vector<T> powers_of_row(long O, const T* z, T* a, Vector<T>& top) {
    const Vector<T> nothing = broadcast(T(-__builtin_inf()));
    top = nothing;
    each_vector<T, vectors>(O, [&](long o, auto inside) { top = at_least(top, inside ? load<T>(z + o) : nothing); });
    top = largest_across<T>(top);
    Vector<T> sum = {};
    each_vector<T, vectors>(O, [&](long o, auto inside) {
        const Vector<T> power = exponential<T>((inside ? load<T>(z + o) : nothing) - top);
        store<T>(a + o, power);
        sum += power;
    });
    clear_padding(O, a);
    return sum_across<T>(sum);
}

// The sums of as many rows as there are lanes are divided by, or their logarithms taken, in one go.
template <class T, bool logarithm, int vectors>
inline void softmax(long B, long O, const T* z, T* a) {
    constexpr int lanes = Lanes<T>::count;
    const long width = row_stride(O);
    if (O == 1) {
        for (long row = 0; row < B; ++row) a[row] = z[row] - z[row] + (logarithm ? T(0) : T(1));  // NaN stays NaN
        return;
    }
    T top[lanes] = {}, factor[lanes] = {};
    for (long row = 0; row < B; row += lanes) {
        const long rows = smaller<long>(lanes, B - row);
        for (long k = 0; k < rows; ++k) {
            Vector<T> largest;
            factor[k] = powers_of_row<T, vectors>(O, z + (row + k) * width, a + (row + k) * width, largest)[0];
            top[k] = largest[0];
        }
        const Vector<T> sums = load<T>(factor);
        store<T>(factor, logarithm ? logarithm_of_positive<T>(sums) : T(1) / sums);
        for (long k = 0; k < rows; ++k)
            each_vector<T, vectors>(O, [&](long o, auto inside) {
                const long place = (row + k) * width + o;
                if (logarithm)
                    store<T>(a + place, inside ? load<T>(z + place) - top[k] - factor[k] : Vector<T>{});
                else
                    store<T>(a + place, load<T>(a + place) * factor[k]);
            });
    }
}

// softmax: dz = a (da - sum of a da); log_softmax: dz = da - e^a (sum of da)
template <class T, bool logarithm, int vectors>
inline void softmax_backward(long B, long O, const T* a, T* d) {
    const long width = row_stride(O);
    if (O == 1) {
        for (long row = 0; row < B; ++row) d[row] -= d[row];
        return;
    }
    for (long row = 0; row < B; ++row, a += width, d += width) {
        Vector<T> sum = {};
        each_vector<T, vectors>(O, [&](long o, auto inside) {
            const Vector<T> term = logarithm ? load<T>(d + o) : load<T>(a + o) * load<T>(d + o);
            sum += inside ? term : Vector<T>{};
        });
        sum = sum_across<T>(sum);
        each_vector<T, vectors>(O, [&](long o, auto inside) {
            const Vector<T> da = load<T>(d + o), value = load<T>(a + o);
            const Vector<T> dz = logarithm ? da - exponential<T>(value) * sum : value * (da - sum);
            store<T>(d + o, inside ? dz : Vector<T>{});
        });
        clear_padding(O, d);
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
        with_vectors<T>(O, [&](auto vectors) { softmax<T, false, decltype(vectors)::number>(B, O, z, a); });
    else if (rule.kind == Activation::log_softmax)
        with_vectors<T>(O, [&](auto vectors) { softmax<T, true, decltype(vectors)::number>(B, O, z, a); });
    else
        for (long k = 0; k < count; ++k) a[k] = z[k];
}

template <class T>
void activate_backward(const ActivationRule& rule, long B, long O, const T* z, const T* a, T* d) {
    constexpr int lanes = Lanes<T>::count;
    const long count = B * row_stride(O);
    if (with_rule<T>(rule, [&](auto f) {
            for (long k = 0; k < count; k += lanes)
                store<T>(d + k, load<T>(d + k) * f.slope(load<T>(z + k), load<T>(a + k)));
        }))
        return;
    if (rule.kind == Activation::softmax)
        with_vectors<T>(O, [&](auto vectors) { softmax_backward<T, false, decltype(vectors)::number>(B, O, a, d); });
    else if (rule.kind == Activation::log_softmax)
        with_vectors<T>(O, [&](auto vectors) { softmax_backward<T, true, decltype(vectors)::number>(B, O, a, d); });
}
