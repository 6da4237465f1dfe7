// Each loss and its derivative by the prediction, adjacent; formulas as in losses/, which follows Keras to the clip.
// Included inside the unnamed namespace of kernels.inl. y is a target, p a prediction, d becomes d(row's loss)/dp.

template <class T>
constexpr T fuzz = T(1e-7);  // Keras's epsilon

template <class T>
inline T sign_of(T x) {
    return T((x > 0) - (x < 0));
}
template <class T>
inline T absolute(T x) {
    return x < 0 ? -x : x;
}
// The derivative of max(x, 0): at 0, where there is none, one half, as NumPy's heaviside in losses/ and as Keras.
template <class T>
inline T step_at_zero(T x) {
    return x > 0 ? T(1) : x < 0 ? T(0) : x == 0 ? T(0.5) : x;
}
template <class T>
inline T softplus_of(T x) {
    return larger(x, T(0)) + log1p_of(exp_of(-absolute(x)));
}
template <class T>
inline T sigmoid_of(T x) {
    return T(1) / (T(1) + exp_of(-x));
}
template <class T>
inline bool within_fuzz(T p) {
    return p >= fuzz<T> && p <= T(1) - fuzz<T>;
}
template <class T>
inline T clipped(T p) {  // NaN stays NaN
    return p < fuzz<T> ? fuzz<T> : p > T(1) - fuzz<T> ? T(1) - fuzz<T> : p;
}

// Losses that are a mean (or, for kl_divergence, a sum) over a row's columns: one column's value, and d.
template <class T>
inline T column_loss(const LossRule& rule, bool hinge_labels, T y, T p, T& d) {
    const T first = T(rule.first), second = T(rule.second), error = p - y;
    switch (rule.kind) {
        case Loss::mean_squared_error: d = 2 * error; return error * error;
        case Loss::mean_absolute_error: d = sign_of(error); return absolute(error);
        case Loss::mean_absolute_percentage_error: {
            const T size = larger(absolute(y), fuzz<T>);
            d = 100 * sign_of(error) / size;
            return 100 * absolute(error / size);
        }
        case Loss::mean_squared_logarithmic_error: {
            const T apart = log_of(larger(fuzz<T>, p) + 1) - log_of(larger(fuzz<T>, y) + 1);
            d = step_at_zero(p - fuzz<T>) * 2 * apart / (p + 1);
            return apart * apart;
        }
        case Loss::huber:
            if (absolute(error) > first) {
                d = first * sign_of(error);
                return first * absolute(error) - T(0.5) * first * first;
            }
            d = error;
            return T(0.5) * error * error;
        case Loss::log_cosh: d = tanh_of(error); return error + softplus_of(-2 * error) - T(0.69314718055994530942);
        case Loss::binary_crossentropy: {
            const T target = second != 0 ? y * (1 - second) + T(0.5) * second : y;
            if (first != 0) {
                d = sigmoid_of(p) - target;
                return target * softplus_of(-p) + (1 - target) * softplus_of(p);
            }
            const T q = clipped(p);
            d = within_fuzz(p) ? (1 - target) / (1 - q) - target / q : T(0);
            return -(target * log_of(q) + (1 - target) * log_of(1 - q));
        }
        case Loss::kl_divergence: {
            const T target = y < fuzz<T> ? fuzz<T> : y > 1 ? T(1) : y;
            const T q = p < fuzz<T> ? fuzz<T> : p > 1 ? T(1) : p;
            d = p >= fuzz<T> && p <= 1 ? -target / q : T(0);
            return target * log_of(target / q);
        }
        case Loss::poisson: d = 1 - y / (p + fuzz<T>); return p - y * log_of(p + fuzz<T>);
        case Loss::hinge:
        case Loss::squared_hinge: {
            const T label = hinge_labels ? 2 * y - 1 : y;
            const T margin = 1 - label * p;
            const T reached = margin <= 0 ? T(0) : margin;
            d = rule.kind == Loss::hinge ? -label * step_at_zero(margin) : -2 * label * reached;
            return rule.kind == Loss::hinge ? reached : reached * reached;
        }
        case Loss::pinball: d = step_at_zero(error) - first; return error < 0 ? -first * error : (1 - first) * error;
        case Loss::asymmetric_squared_error: {
            const T weight = error < 0 ? first : second;
            d = 2 * weight * error;
            return weight * error * error;
        }
        case Loss::qlike: {
            if (first != 0) {  // p is the logarithm of the forecast
                const T ratio = y * exp_of(-p);
                d = 1 - ratio;
                return ratio - (log_of(y) - p) - 1;
            }
            const T ratio = y / p;
            d = (1 - ratio) / p;
            return ratio - log_of(ratio) - 1;
        }
        default: d = 0; return 0;
    }
}

// Losses that need a whole row at once: value, and d.
template <class T>
inline T row_loss(const LossRule& rule, long O, const T* y, const T* p, T* d) {
    const bool sparse = rule.kind == Loss::sparse_categorical_crossentropy;
    const long label = sparse ? long(y[0]) : 0;
    const T smoothing = sparse ? T(0) : T(rule.second);
    const auto target = [&](long o) -> T {
        if (sparse) return o == label ? T(1) : T(0);
        return smoothing != 0 ? y[o] * (1 - smoothing) + smoothing / T(O) : y[o];
    };
    T value = 0;
    switch (rule.kind) {
        case Loss::categorical_crossentropy:
        case Loss::sparse_categorical_crossentropy:
            if (rule.first != 0) {  // from logits: log softmax
                T top = p[0], sum = 0, all = 0;
                for (long o = 1; o < O; ++o) top = larger(top, p[o]);
                for (long o = 0; o < O; ++o) sum += exp_of(p[o] - top);
                const T log_sum = log_of(sum);
                for (long o = 0; o < O; ++o) {
                    const T t = target(o);
                    all += t;
                    if (t != 0) value -= t * (p[o] - top - log_sum);
                }
                for (long o = 0; o < O; ++o) d[o] = exp_of(p[o] - top - log_sum) * all - target(o);
            } else {  // probabilities: divided by their sum, clipped
                T sum = 0, shared = 0;
                for (long o = 0; o < O; ++o) sum += p[o];
                for (long o = 0; o < O; ++o) {
                    const T q = p[o] / sum, t = target(o);
                    value -= t * log_of(clipped(q));
                    d[o] = within_fuzz(q) ? -t / q : T(0);  // dL/dq
                    shared += d[o] * q;
                }
                for (long o = 0; o < O; ++o) d[o] = (d[o] - shared) / sum;
            }
            return value;
        case Loss::categorical_hinge: {  // max(0, 1 + max((1 - y) p) - sum(y p)); equal maxima share the blame
            T positive = 0, negative = (1 - y[0]) * p[0], sharers = 0;
            for (long o = 0; o < O; ++o) {
                positive += y[o] * p[o];
                negative = larger(negative, (1 - y[o]) * p[o]);
            }
            for (long o = 0; o < O; ++o) sharers += (1 - y[o]) * p[o] == negative;
            value = negative - positive + 1;
            const T active = step_at_zero(value);
            for (long o = 0; o < O; ++o)
                d[o] = active * ((1 - y[o]) * T((1 - y[o]) * p[o] == negative) / sharers - y[o]);
            return value <= 0 ? T(0) : value;
        }
        case Loss::cosine_similarity: {  // minus the cosine of the angle between the rows
            T yy = 0, pp = 0, yp = 0;
            for (long o = 0; o < O; ++o) {
                yy += y[o] * y[o];
                pp += p[o] * p[o];
                yp += y[o] * p[o];
            }
            const T y_length = larger(sqrt_of(yy), fuzz<T>), length = sqrt_of(pp), p_length = larger(length, fuzz<T>);
            const T cosine = yp / (y_length * p_length), along = length > fuzz<T> ? cosine : T(0);
            for (long o = 0; o < O; ++o) d[o] = pp != 0 ? (along * p[o] / p_length - y[o] / y_length) / p_length : T(0);
            return -cosine;
        }
        default: return 0;
    }
}

inline bool needs_whole_row(Loss kind) {
    return kind == Loss::categorical_crossentropy || kind == Loss::sparse_categorical_crossentropy ||
           kind == Loss::categorical_hinge || kind == Loss::cosine_similarity;
}

template <class T>
double loss(const LossRule& rule, long B, long O, long target_columns, const T* y, const T* p, const T* weight, T* dp) {
    const long width = row_stride(O);
    const T shares = rule.kind == Loss::kl_divergence ? T(1) : T(O);  // what a row's sum is divided by
    const double rows = rule.sum ? 1.0 : double(B);
    bool hinge_labels = rule.kind == Loss::hinge || rule.kind == Loss::squared_hinge;  // {0, 1}, to become {-1, 1}
    for (long k = 0; hinge_labels && k < B * target_columns; ++k) hinge_labels = y[k] == 0 || y[k] == 1;

    double total = 0;
    for (long row = 0; row < B; ++row, y += target_columns, p += width, dp += width) {
        const T importance = weight ? weight[row] : T(1);
        const T factor = importance / T(rows);
        T value = 0;
        if (needs_whole_row(rule.kind)) {
            value = row_loss(rule, O, y, p, dp);
            for (long o = 0; o < O; ++o) dp[o] *= factor;
        } else {
            for (long o = 0; o < O; ++o) {
                T d;
                value += column_loss(rule, hinge_labels, y[o], p[o], d) / shares;
                dp[o] = d * (factor / shares);
            }
        }
        total += double(value) * double(importance);
    }
    return total / rows;
}
