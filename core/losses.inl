// Each loss and its derivative by the prediction, adjacent; formulas as in losses/, which follows Keras to the clip.
// Included inside the unnamed namespace of kernels.inl. y is a target, p a prediction, d becomes d(row's loss)/dp. Everything is in
// vectors: along the rows where there is one column, else along the columns of a row.

template <class T>
constexpr T fuzz = T(1e-7);  // Keras's epsilon

template <class T>
inline Vector<T> sign_of(Vector<T> x) {
    return x > 0 ? broadcast(T(1)) : x < 0 ? broadcast(T(-1)) : x;
}
// The derivative of max(x, 0): at 0, where there is none, one half, as NumPy's heaviside in losses/ and as Keras.
template <class T>
inline Vector<T> step_at_zero(Vector<T> x) {
    const Vector<T> edge = x == 0 ? broadcast(T(0.5)) : x;
    return x > 0 ? broadcast(T(1)) : x < 0 ? Vector<T>{} : edge;
}
template <class T>
inline Vector<T> clipped(Vector<T> p, T most) {
    return at_most(broadcast(most), at_least(broadcast(fuzz<T>), p));
}
template <class T>
inline auto within(Vector<T> p, T most) {
    return (p >= fuzz<T>)&(p <= most);
}

// Losses that are a mean (or, for kl_divergence, a sum) over a row's columns: of each column the value, and d.

template <class T>
struct SquaredError {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> error = p - y;
        d = error + error;
        return error * error;
    }
};

template <class T>
struct AbsoluteError {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        d = sign_of<T>(p - y);
        return magnitude(p - y);
    }
};

template <class T>
struct AbsolutePercentageError {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> factor = T(100) / at_least(broadcast(fuzz<T>), magnitude(y));
        d = factor * sign_of<T>(p - y);
        return factor * magnitude(p - y);
    }
};

template <class T>
struct SquaredLogarithmicError {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> q = at_least(broadcast(fuzz<T>), p) + T(1), target = at_least(broadcast(fuzz<T>), y) + T(1);
        const Vector<T> apart = logarithm_of_positive<T>(q) - logarithm_of_positive<T>(target);
        d = step_at_zero<T>(p - fuzz<T>) * (apart + apart) / q;
        return apart * apart;
    }
};

template <class T>
struct Huber {
    T delta;
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> error = p - y, size = magnitude(error);
        d = at_most(broadcast(delta), at_least(broadcast(-delta), error));
        return size > delta ? delta * size - T(0.5) * delta * delta : T(0.5) * error * error;
    }
};

template <class T>
struct LogCosh {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> size = magnitude(p - y);
        d = hyperbolic_tangent<T>(p - y);
        return size + logarithm_one_plus_unit<T>(exponential<T>(T(-2) * size)) - T(0.69314718055994530942);
    }
};

template <class T>
struct BinaryCrossentropy {
    T smoothing;
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> target = y * (T(1) - smoothing) + T(0.5) * smoothing;
        const Vector<T> q = clipped<T>(p, T(1) - fuzz<T>), rest = T(1) - q;
        d = within<T>(p, T(1) - fuzz<T>) ? (q - target) / (q * rest) : Vector<T>{};
        return -(target * logarithm_of_positive<T>(q) + (T(1) - target) * logarithm_of_positive<T>(rest));
    }
};

template <class T>
struct BinaryCrossentropyFromLogits {  // d = sigmoid(p) - y, and log(1 + e^p) - y p, both from e^-|p|
    T smoothing;
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> target = y * (T(1) - smoothing) + T(0.5) * smoothing;
        const Vector<T> power = exponential<T>(-magnitude(p));
        d = (p < 0 ? power : broadcast(T(1))) / (T(1) + power) - target;
        return logarithm_one_plus_unit<T>(power) + (at_least(Vector<T>{}, p) - target * p);
    }
};

template <class T>
struct Divergence {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> ratio = clipped<T>(y, T(1)) / clipped<T>(p, T(1));
        d = within<T>(p, T(1)) ? -ratio : Vector<T>{};
        return clipped<T>(y, T(1)) * logarithm_of_positive<T>(ratio);
    }
};

template <class T>
struct Poisson {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        d = T(1) - y / (p + fuzz<T>);
        return p - y * logarithm<T>(p + fuzz<T>);
    }
};

template <class T, bool squared>
struct Hinge {
    bool converts;  // labels 0 and 1 become -1 and 1
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> label = converts ? y + y - T(1) : y;
        const Vector<T> margin = T(1) - label * p, reached = at_least(Vector<T>{}, margin);
        d = squared ? T(-2) * label * reached : -label * step_at_zero<T>(margin);
        return squared ? reached * reached : reached;
    }
};

template <class T>
struct Pinball {
    T quantile;
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> error = p - y;
        d = step_at_zero<T>(error) - quantile;
        return (error < 0 ? broadcast(-quantile) : broadcast(T(1) - quantile)) * error;
    }
};

template <class T>
struct AsymmetricSquaredError {
    T under, over;
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> error = p - y, weighted = (error < 0 ? broadcast(under) : broadcast(over)) * error;
        d = weighted + weighted;
        return weighted * error;
    }
};

template <class T>
struct Qlike {
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> ratio = y / p;
        d = (T(1) - ratio) / p;
        return ratio - logarithm<T>(ratio) - T(1);
    }
};

template <class T>
struct QlikeFromLogarithm {  // p is the logarithm of the forecast
    Vector<T> operator()(Vector<T> y, Vector<T> p, Vector<T>& d) const {
        const Vector<T> ratio = y * exponential<T>(-p);
        d = T(1) - ratio;
        return ratio - (logarithm<T>(y) - p) - T(1);
    }
};

// Calls `use` with the rule of a loss by columns.
template <class T, class Use>
inline void with_columns_rule(const LossRule& rule, bool hinge_labels, Use use) {
    const T first = T(rule.first), second = T(rule.second);
    switch (rule.kind) {
        case Loss::mean_squared_error: use(SquaredError<T>{}); break;
        case Loss::mean_absolute_error: use(AbsoluteError<T>{}); break;
        case Loss::mean_absolute_percentage_error: use(AbsolutePercentageError<T>{}); break;
        case Loss::mean_squared_logarithmic_error: use(SquaredLogarithmicError<T>{}); break;
        case Loss::huber: use(Huber<T>{first}); break;
        case Loss::log_cosh: use(LogCosh<T>{}); break;
        case Loss::binary_crossentropy:
            if (first != 0)
                use(BinaryCrossentropyFromLogits<T>{second});
            else
                use(BinaryCrossentropy<T>{second});
            break;
        case Loss::kl_divergence: use(Divergence<T>{}); break;
        case Loss::poisson: use(Poisson<T>{}); break;
        case Loss::hinge: use(Hinge<T, false>{hinge_labels}); break;
        case Loss::squared_hinge: use(Hinge<T, true>{hinge_labels}); break;
        case Loss::pinball: use(Pinball<T>{first}); break;
        case Loss::asymmetric_squared_error: use(AsymmetricSquaredError<T>{first, second}); break;
        case Loss::qlike:
            if (first != 0)
                use(QlikeFromLogarithm<T>{});
            else
                use(Qlike<T>{});
            break;
        default: break;
    }
}

// What a loss works on. Values are summed with the rows' weights; `share` is what such a sum is multiplied by in the batch's loss.
template <class T>
struct LossBatch {
    long B, O, target_columns;
    const T *y, *p, *weight;
    T* dp;
    T share;

    T importance(long row) const { return weight ? weight[row] : T(1); }

    // A vector of targets; nothing is read beyond the last of the batch, whose memory may end there.
    Vector<T> targets(long row, long o) const {
        const long start = row * target_columns + o, left = B * target_columns - start;
        return left >= Lanes<T>::count ? load<T>(y + start) : load_part<T>(y + start, left);
    }
    Vector<T> predictions(long row, long o) const { return load<T>(p + row * row_stride(O) + o); }
    void set_derivative(long row, long o, Vector<T> d) const {
        T* to = dp + row * row_stride(O) + o;
        if (O == 1)
            *to = d[0];
        else
            store<T>(to, d);
    }
};

template <class T, class Rule>
inline double loss_of_one_column(const Rule& rule, const LossBatch<T>& batch) {
    constexpr long lanes = Lanes<T>::count;
    Sum<T> sum;
    long row = 0;
    for (; row + lanes <= batch.B; row += lanes) {
        Vector<T> d, value = rule(load<T>(batch.y + row), load<T>(batch.p + row), d);
        if (batch.weight) value *= load<T>(batch.weight + row), d *= load<T>(batch.weight + row);
        sum.add(value);
        store<T>(batch.dp + row, batch.share * d);
    }
    if (const long left = batch.B - row; left > 0) {
        Vector<T> d, value = rule(load_part<T>(batch.y + row, left), load_part<T>(batch.p + row, left), d);
        const Vector<T> weight = batch.weight ? load_part<T>(batch.weight + row, left) : broadcast(T(1));
        value *= weight;
        sum.add(lane_numbers<T>() < typename Binary<T>::Integer(left) ? value : Vector<T>{});
        store_part<T>(batch.dp + row, batch.share * weight * d, left);
    }
    return sum.total();
}

template <class T, class Rule>
inline double loss_of_columns(const Rule& rule, const LossBatch<T>& batch) {
    Sum<T> sum;
    for (long row = 0; row < batch.B; ++row) {
        const T importance = batch.importance(row), factor = importance * batch.share;
        each_vector<T>(batch.O, [&](long o, auto inside) {
            Vector<T> d;
            const Vector<T> value = importance * rule(batch.targets(row, o), batch.predictions(row, o), d);
            sum.add(inside ? value : Vector<T>{});
            batch.set_derivative(row, o, inside ? factor * d : Vector<T>{});
        });
        clear_padding(batch.O, batch.dp + row * row_stride(batch.O));
    }
    return sum.total();
}

// Losses that need a whole row at once. Sparse: y is the number of the class.

template <class T, bool sparse>
inline Vector<T> class_targets(const LossBatch<T>& batch, T smoothing, long row, long o, typename Lanes<T>::I inside) {
    if constexpr (sparse) {
        const auto label = typename Binary<T>::Integer(batch.y[row * batch.target_columns]);
        return lane_numbers<T>() == label - typename Binary<T>::Integer(o) ? broadcast(T(1)) : Vector<T>{};
    }
    const Vector<T> y = batch.targets(row, o) * (T(1) - smoothing) + smoothing / T(batch.O);
    return inside ? y : Vector<T>{};
}

template <class T, bool sparse, int vectors>
inline double crossentropy_from_logits(const LossBatch<T>& batch, T smoothing) {
    Sum<T> sum;
    for (long row = 0; row < batch.B; ++row) {
        const T importance = batch.importance(row), factor = importance * batch.share;
        T* d = batch.dp + row * row_stride(batch.O);
        Vector<T> top, all = {};
        const Vector<T> powers = powers_of_row<T, vectors>(batch.O, batch.p + row * row_stride(batch.O), d, top);
        const Vector<T> log_sum = logarithm_of_positive<T>(powers);
        each_vector<T, vectors>(batch.O, [&](long o, auto inside) {
            const Vector<T> target = class_targets<T, sparse>(batch, smoothing, row, o, inside);
            const Vector<T> value = importance * target * (log_sum - (batch.predictions(row, o) - top));
            sum.add(target != 0 ? value : Vector<T>{});
            all += target;
        });
        all = (sparse ? broadcast(T(1)) : sum_across<T>(all)) / powers;
        each_vector<T, vectors>(batch.O, [&](long o, auto inside) {
            const Vector<T> target = class_targets<T, sparse>(batch, smoothing, row, o, inside);
            store<T>(d + o, inside ? factor * (load<T>(d + o) * all - target) : Vector<T>{});
        });
    }
    return sum.total();
}

template <class T, bool sparse, int vectors>
inline double crossentropy_from_shares(const LossBatch<T>& batch,
                                       T smoothing) {  // q = p / sum of p; clipped, and flat outside
    Sum<T> sum;
    for (long row = 0; row < batch.B; ++row) {
        const T importance = batch.importance(row), factor = importance * batch.share;
        Vector<T> total = {}, shared = {};
        each_vector<T, vectors>(
            batch.O, [&](long o, auto inside) { total += inside ? batch.predictions(row, o) : Vector<T>{}; });
        const Vector<T> inverse = T(1) / sum_across<T>(total);
        each_vector<T, vectors>(batch.O, [&](long o, auto inside) {
            const Vector<T> target = class_targets<T, sparse>(batch, smoothing, row, o, inside);
            const Vector<T> p = batch.predictions(row, o), q = p * inverse;
            const Vector<T> counted = within<T>(q, T(1) - fuzz<T>) ? target : Vector<T>{};
            const Vector<T> value = importance * target * logarithm_of_positive<T>(clipped<T>(q, T(1) - fuzz<T>));
            sum.add(target != 0 ? -value : Vector<T>{});
            shared += counted;
            batch.set_derivative(row, o, counted != 0 ? counted / p : Vector<T>{});
        });
        shared = sum_across<T>(shared) * inverse;
        each_vector<T, vectors>(batch.O, [&](long o, auto inside) {
            T* d = batch.dp + row * row_stride(batch.O) + o;
            store<T>(d, inside ? factor * (shared - load<T>(d)) : Vector<T>{});
        });
        clear_padding(batch.O, batch.dp + row * row_stride(batch.O));
    }
    return sum.total();
}

template <class T, bool sparse>
inline double crossentropy(const LossBatch<T>& batch, bool from_logits, T smoothing) {
    double total = 0;
    with_vectors<T>(batch.O, [&](auto vectors) {
        total = from_logits ? crossentropy_from_logits<T, sparse, decltype(vectors)::number>(batch, smoothing)
                            : crossentropy_from_shares<T, sparse, decltype(vectors)::number>(batch, smoothing);
    });
    return total;
}

// max(0, 1 + max((1 - y) p) - sum(y p)); equal maxima share the blame
template <class T>
inline double categorical_hinge(const LossBatch<T>& batch) {
    double sum = 0;
    for (long row = 0; row < batch.B; ++row) {
        const T importance = batch.importance(row), factor = importance * batch.share;
        const Vector<T> least = broadcast(T(-__builtin_inf()));
        Vector<T> positive = {}, negative = least, sharers = {};
        each_vector<T>(batch.O, [&](long o, auto inside) {
            const Vector<T> y = batch.targets(row, o), p = batch.predictions(row, o);
            positive += inside ? y * p : Vector<T>{};
            negative = at_least(negative, inside ? (T(1) - y) * p : least);
        });
        positive = sum_across<T>(positive), negative = largest_across<T>(negative);
        const auto shares = [&](long o, auto inside) {
            const auto largest = (T(1) - batch.targets(row, o)) * batch.predictions(row, o) == negative;
            return inside & largest ? broadcast(T(1)) : Vector<T>{};
        };
        each_vector<T>(batch.O, [&](long o, auto inside) { sharers += shares(o, inside); });
        sharers = sum_across<T>(sharers);
        const Vector<T> value = negative - positive + T(1), active = factor * step_at_zero<T>(value);
        each_vector<T>(batch.O, [&](long o, auto inside) {
            const Vector<T> y = batch.targets(row, o);
            const Vector<T> d = active * ((T(1) - y) * shares(o, inside) / sharers - y);
            batch.set_derivative(row, o, inside ? d : Vector<T>{});
        });
        clear_padding(batch.O, batch.dp + row * row_stride(batch.O));
        sum += double(importance) * double(at_least(Vector<T>{}, value)[0]);
    }
    return sum;
}

// Minus the cosine of the angle between the rows
template <class T>
inline double cosine_similarity(const LossBatch<T>& batch) {
    double sum = 0;
    for (long row = 0; row < batch.B; ++row) {
        const T importance = batch.importance(row), factor = importance * batch.share;
        Vector<T> yy = {}, pp = {}, yp = {};
        each_vector<T>(batch.O, [&](long o, auto inside) {
            const Vector<T> y = inside ? batch.targets(row, o) : Vector<T>{};
            const Vector<T> p = inside ? batch.predictions(row, o) : Vector<T>{};
            yy += y * y, pp += p * p, yp += y * p;
        });
        const T length = sqrt_of(sum_across<T>(pp)[0]), y_length = larger(sqrt_of(sum_across<T>(yy)[0]), fuzz<T>);
        const T p_length = larger(length, fuzz<T>), cosine = sum_across<T>(yp)[0] / (y_length * p_length);
        const T along = length > fuzz<T> ? cosine : T(0), present = length != 0 ? factor / p_length : T(0);
        each_vector<T>(batch.O, [&](long o, auto inside) {
            const Vector<T> y = batch.targets(row, o), p = batch.predictions(row, o);
            const Vector<T> d = present * (along * p / p_length - y / y_length);
            batch.set_derivative(row, o, inside ? d : Vector<T>{});
        });
        clear_padding(batch.O, batch.dp + row * row_stride(batch.O));
        sum -= double(importance) * double(cosine);
    }
    return sum;
}

inline bool needs_whole_row(Loss kind) {
    return kind == Loss::categorical_crossentropy || kind == Loss::sparse_categorical_crossentropy ||
           kind == Loss::categorical_hinge || kind == Loss::cosine_similarity;
}

template <class T>
double loss(const LossRule& rule, long B, long O, long target_columns, const T* y, const T* p, const T* weight, T* dp) {
    bool hinge_labels = rule.kind == Loss::hinge || rule.kind == Loss::squared_hinge;  // {0, 1}, to become {-1, 1}
    for (long k = 0; hinge_labels && k < B * target_columns; ++k) hinge_labels = y[k] == 0 || y[k] == 1;
    // By how many values a row's sum is divided, and the batch's by how many rows
    const bool one_value = needs_whole_row(rule.kind) || rule.kind == Loss::kl_divergence;
    const double values = (one_value ? 1.0 : double(O)) * (rule.sum ? 1.0 : double(B));
    const LossBatch<T> batch{B, O, target_columns, y, p, weight, dp, T(1.0 / values)};
    const T smoothing = T(rule.second);
    double total = 0;
    switch (rule.kind) {
        case Loss::categorical_crossentropy: total = crossentropy<T, false>(batch, rule.first != 0, smoothing); break;
        case Loss::sparse_categorical_crossentropy: total = crossentropy<T, true>(batch, rule.first != 0, T(0)); break;
        case Loss::categorical_hinge: total = categorical_hinge<T>(batch); break;
        case Loss::cosine_similarity: total = cosine_similarity<T>(batch); break;
        default:
            with_columns_rule<T>(rule, hinge_labels, [&](auto columns_rule) {
                total = O == 1 ? loss_of_one_column<T>(columns_rule, batch) : loss_of_columns<T>(columns_rule, batch);
            });
    }
    return total / values;
}
