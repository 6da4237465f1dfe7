// Models side by side: one vector holds the same number of as many models as it has lanes, and they share the rows.
// Included inside the unnamed namespace of kernels.inl. No lane ever meets another, so that none depends on its company.
//
// Legend: G lanes. A weight, an activation, a slope is a vector of G numbers; x of the first layer and y are plain numbers.

// A sum over k of A(m, k) B(k, n) for R rows m and C columns n: A is a plain number, or a vector.
template <class T, bool plain, int R, int C>
inline void lane_tile(long K, const T* A, long am, long ak, const T* B, long bk, long bn, Vector<T> (&sum)[R][C]) {
    for (long k = 0; k < K; ++k, A += ak, B += bk) {
        Vector<T> b[C];
        for (int n = 0; n < C; ++n) b[n] = load<T>(B + n * bn);
        for (int m = 0; m < R; ++m) {
            const Vector<T> a = plain ? broadcast(A[m * am]) : load<T>(A + m * am);
            for (int n = 0; n < C; ++n) sum[m][n] += a * b[n];
        }
    }
}

// D(m, n) = start(m, n) + sum over k of A(m, k) B(k, n), ended by `finish`, in tiles.
template <class T, bool plain>
struct LaneProduct {
    long M, N, K;
    const T* A;
    long am, ak;
    const T* B;
    long bk, bn;
    T* D;
    long dm, dn;

    template <int R, int C, class Start, class Finish>
    void tile(long m, long n, Start start, Finish finish) const {
        Vector<T> sum[R][C];
        for (int r = 0; r < R; ++r)
            for (int c = 0; c < C; ++c) sum[r][c] = start(m + r, n + c);
        lane_tile<T, plain, R, C>(K, A + m * am, am, ak, B + n * bn, bk, bn, sum);
        for (int r = 0; r < R; ++r)
            for (int c = 0; c < C; ++c) store<T>(D + (m + r) * dm + (n + c) * dn, finish(m + r, n + c, sum[r][c]));
    }
    template <int R, int C, class Start, class Finish>
    long columns(long n, long end, Start start, Finish finish) const {
        for (; n + C <= end; n += C) {
            long m = 0;
            for (; m + R <= M; m += R) tile<R, C>(m, n, start, finish);
            for (; m < M; ++m) tile<1, C>(m, n, start, finish);
        }
        return n;
    }
    template <class Start, class Finish>
    void run(Start start, Finish finish) const {
        constexpr int rows = vector_bytes == 64 ? 4 : 2;  // 32 registers, or 16
        columns<2 * rows, 1>(columns<rows, 4>(0, N, start, finish), N, start, finish);
    }
};

// a = x W + b, and the positive part of it if `relu`. b may be null.
template <class T, bool plain>
inline void lane_layer(long B, long I, long O, const T* x, const T* W, const T* b, bool relu, T* a) {
    using V = Vector<T>;
    constexpr long G = Lanes<T>::count, A = plain ? 1 : G;
    const LaneProduct<T, plain> product{B, O, I, x, I * A, A, W, O * G, G, a, O * G, G};
    const auto bias = [=](long, long o) { return b ? load<T>(b + o * G) : V{}; };
    if (relu)
        product.run(bias, [](long, long, V z) { return at_least(V{}, z); });
    else
        product.run(bias, [](long, long, V z) { return z; });
}

template <class T>
void lane_forward(bool first, long B, long I, long O, const T* x, const T* W, const T* b, bool relu, T* a) {
    if (first)
        lane_layer<T, true>(B, I, O, x, W, b, relu, a);
    else
        lane_layer<T, false>(B, I, O, x, W, b, relu, a);
}

template <class T, bool plain>
inline void lane_blame(long B, long I, long O, bool more, const T* x, const T* dz, T* dW) {
    using V = Vector<T>;
    constexpr long G = Lanes<T>::count, A = plain ? 1 : G;
    const LaneProduct<T, plain> product{I, O, B, x, A, I * A, dz, O * G, G, dW, O * G, G};
    product.run([=](long i, long o) { return more ? load<T>(dW + (i * O + o) * G) : V{}; },
                [](long, long, V sum) { return sum; });
}

// dW = x^T dz and db = the sums of dz's rows (db may be null), or more of them.
template <class T>
void lane_weight_gradient(bool first, long B, long I, long O, bool more, const T* x, const T* dz, T* dW, T* db) {
    constexpr long G = Lanes<T>::count;
    if (first)
        lane_blame<T, true>(B, I, O, more, x, dz, dW);
    else
        lane_blame<T, false>(B, I, O, more, x, dz, dW);
    for (long o = 0; db && o < O; ++o) {
        Vector<T> sum = more ? load<T>(db + o * G) : Vector<T>{};
        for (long row = 0; row < B; ++row) sum += load<T>(dz + (row * O + o) * G);
        store<T>(db + o * G, sum);
    }
}

// dx = dz W^T; where `relu` is given, the layer's input is that one's value, and dx is 0 where that is not positive. dx may
// lie where `relu` does.
template <class T>
void lane_input_gradient(long B, long I, long O, const T* dz, const T* W, const T* relu, T* dx) {
    using V = Vector<T>;
    constexpr long G = Lanes<T>::count;
    if (O == 1 && relu) {  // no sum at all
        for (long row = 0; row < B; ++row, relu += I * G, dx += I * G) {
            const V d = load<T>(dz + row * G);
            for (long k = 0; k < I * G; k += G) store<T>(dx + k, load<T>(relu + k) > 0 ? d * load<T>(W + k) : V{});
        }
        return;
    }
    const LaneProduct<T, false> product{B, I, O, dz, O * G, G, W, G, O * G, dx, I * G, G};
    const auto zero = [](long, long) { return V{}; };
    if (relu)
        product.run(zero, [=](long row, long i, V d) { return load<T>(relu + (row * I + i) * G) > 0 ? d : V{}; });
    else
        product.run(zero, [](long, long, V d) { return d; });
}

// Adds the rows' losses to `sums`, one for each lane, and writes dL/dp. `rows` is how many the whole batch has.
template <class T>
void lane_loss(const LossRule& rule, bool hinge_labels, long rows, long B, long O, const T* y, const T* p,
               const T* weight, T* dp, double* sums) {
    constexpr long G = Lanes<T>::count;
    const T share = rule.kind == Loss::kl_divergence ? T(1) : T(1) / T(O);
    const T mean = share / (rule.sum ? T(1) : T(rows));
    Vector<T> total{};
    with_columns_rule<T>(rule, hinge_labels, [&](auto column) {
        for (long row = 0; row < B; ++row) {
            const T importance = weight ? weight[row] : T(1), factor = importance * mean;
            Vector<T> value{};
            for (long o = 0; o < O; ++o, ++y, p += G, dp += G) {
                Vector<T> d;
                value += column(broadcast(*y), load<T>(p), d);
                store<T>(dp, d * factor);
            }
            total += value * (share * importance);
        }
    });
    for (long lane = 0; lane < G; ++lane) sums[lane] += double(total[lane]);
}

// `count` vectors of weights; every lane has its own rate, its own scale (Adam's corrected rate) and its own decay.
template <class T>
void lane_update(const UpdateRule& rule, const T* rates, const T* scales, const T* decays, long count, T* w, const T* g,
                 T* first, T* second, T* third) {
    using V = Vector<T>;
    const V rate = load<T>(rates), scale = load<T>(scales), rest = load<T>(decays);
    const T epsilon = T(rule.epsilon), momentum = T(rule.momentum), rho = T(rule.rho);
    const T rho_rest = T(1.0 - rule.rho), beta_1_rest = T(1.0 - rule.beta_1), beta_2_rest = T(1.0 - rule.beta_2);
    const auto each = [=](auto step) {
        for (long k = 0; k < count * Lanes<T>::count; k += Lanes<T>::count) {
            const V weight = load<T>(w + k);
            store<T>(w + k, step(k, weight - weight * rest, load<T>(g + k)));
        }
    };
    if (rule.kind == Optimizer::adam)
        return each([=](long k, V x, V d) {
            V m = load<T>(first + k), v = load<T>(second + k);
            m += (d - m) * beta_1_rest;
            v += (d * d - v) * beta_2_rest;
            store<T>(first + k, m);
            store<T>(second + k, v);
            if (rule.amsgrad) {
                const V greatest = load<T>(third + k);
                v = greatest > v ? greatest : v;
                store<T>(third + k, v);
            }
            return x - m * scale / (square_root(v) + epsilon);
        });
    if (rule.kind == Optimizer::rmsprop)
        return each([=](long k, V x, V d) {
            const V v = rho * load<T>(first + k) + rho_rest * (d * d);
            store<T>(first + k, v);
            V spread = v;
            if (rule.centered) {
                const V mean = rho * load<T>(third + k) + rho_rest * d;
                store<T>(third + k, mean);
                spread = v - mean * mean;
            }
            const V move = rate * d / square_root(spread + epsilon);
            if (rule.momentum == 0) return x - move;
            const V m = momentum * load<T>(second + k) + move;
            store<T>(second + k, m);
            return x - m;
        });
    if (rule.momentum == 0) return each([=](long, V x, V d) { return x - d * rate; });
    return each([=](long k, V x, V d) {
        const V m = load<T>(first + k) * momentum - d * rate;
        store<T>(first + k, m);
        return rule.nesterov ? x + (m * momentum - d * rate) : x + m;
    });
}
