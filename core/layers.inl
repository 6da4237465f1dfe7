// Gathering a batch's rows; dropout, noise, batch normalisation, penalties and clipping; formulas as in layers.py and regularizers.py.
// Included inside the unnamed namespace of kernels.inl.

// `width` bytes as whole pieces and a last one that may overlap the one before: no loop over single bytes, no call.
template <int piece>
inline void copy_pieces(long width, const char* from, char* to) {
    long k = 0;
    for (; k + piece < width; k += piece) __builtin_memcpy(to + k, from + k, piece);
    __builtin_memcpy(to + width - piece, from + width - piece, piece);
}

template <int piece>
inline void copy_rows(long rows, long width, long stride, const std::uint32_t* order, const char* from, char* to) {
    for (long row = 0; row < rows; ++row)
        copy_pieces<piece>(width, from + (order ? long(order[row]) : row) * width, to + row * stride);
}

template <class T>
void gather(long rows, long width, long stride, const std::uint32_t* order, const T* from, T* to) {
    constexpr long size = sizeof(T);
    const auto* source = reinterpret_cast<const char*>(from);
    auto* target = reinterpret_cast<char*>(to);
    width *= size;
    stride *= size;
    if (width >= 64) return copy_rows<64>(rows, width, stride, order, source, target);
    if (width >= 32) return copy_rows<32>(rows, width, stride, order, source, target);
    if (width >= 16) return copy_rows<16>(rows, width, stride, order, source, target);
    if (width >= 8) return copy_rows<8>(rows, width, stride, order, source, target);
    copy_rows<4>(rows, width, stride, order, source, target);
}

// The 32-bit number `index` of the stream `key`, as randomness.py draws it.
inline std::uint32_t scramble(std::uint32_t value) {
    value ^= value >> 16;
    value *= 0x21F0AAADu;
    value ^= value >> 15;
    value *= 0x735A2D97u;
    return value ^ (value >> 15);
}
inline std::uint32_t random_bits(std::uint64_t key, std::uint32_t index) {
    return scramble(scramble(index * 0x9E3779B9u + std::uint32_t(key)) + std::uint32_t(key >> 32));
}

template <class T>
void dropout(long B, long O, std::uint64_t key, double rate, const T* x, T* scale, T* a) {
    const long width = row_stride(O);
    const std::uint32_t limit = std::uint32_t(rate * 4294967296.0);
    const T kept = T(1.0 / (1.0 - rate));
    for (long row = 0; row < B; ++row)
        for (long o = 0; o < O; ++o) {
            const long k = row * width + o;
            scale[k] = random_bits(key, std::uint32_t(row * O + o)) >= limit ? kept : T(0);
            a[k] = x[k] * scale[k];
        }
}

// Standard normal numbers by the Box-Muller transform, in double precision, so that both precisions draw the same.
template <class T>
void noise(long B, long O, std::uint64_t key, double stddev, const T* x, T* a) {
    constexpr int lanes = Lanes<double>::count;
    const long width = row_stride(O);
    for (long row = 0; row < B; ++row)
        for (long o = 0; o < O; o += lanes) {
            std::uint32_t bits[2 * lanes];
            double radius[lanes], turn[lanes], normal[lanes];
            for (int k = 0; k < 2 * lanes; ++k) bits[k] = random_bits(key, 2 * std::uint32_t(row * O + o) + k);
            for (int lane = 0; lane < lanes; ++lane) {
                radius[lane] = (bits[2 * lane] + 0.5) * 0x1p-32;
                turn[lane] = (bits[2 * lane + 1] + 0.5) * 0x1p-32;
            }
            const Vector<double> length = square_root(-2.0 * logarithm_of_positive<double>(load<double>(radius)));
            store<double>(normal, stddev * length * cosine_of_turns(load<double>(turn)));
            const long count = smaller<long>(lanes, O - o), place = row * width + o;
            for (long lane = 0; lane < count; ++lane) a[place + lane] = x[place + lane] + T(normal[lane]);
        }
}

template <class T>
void multiply(long count, const T* factor, T* values) {
    for (long k = 0; k < count; ++k) values[k] *= factor[k];
}

// Column by column in the inner loop, so that compilers use whole vectors; padding columns hold zeros and stay finite.
template <class T>
void normalize(bool training, long B, long O, double momentum, double epsilon, const T* x, const T* gamma,
               const T* beta, T* moving_mean, T* moving_variance, T* normal, T* inverse, T* a) {
    const long width = row_stride(O);
    const T kept = T(momentum), moved = T(1.0 - momentum), rows = T(B);
    T* mean = a;  // of this batch; written over in the end
    T* variance = inverse;
    for (long o = 0; o < width; ++o) mean[o] = variance[o] = 0;
    if (training) {
        T* sum = normal;  // borrowed, so that `a` and `inverse` hold what they are named for
        for (long o = 0; o < width; ++o) sum[o] = 0;
        for (long row = 0; row < B; ++row)
            for (long o = 0; o < width; ++o) sum[o] += x[row * width + o];
        for (long o = 0; o < width; ++o) mean[o] = sum[o] / rows;
        for (long row = 0; row < B; ++row)
            for (long o = 0; o < width; ++o) {
                const T apart = x[row * width + o] - mean[o];
                variance[o] += apart * apart;
            }
        for (long o = 0; o < O; ++o) {
            variance[o] /= rows;
            moving_mean[o] = kept * moving_mean[o] + moved * mean[o];
            moving_variance[o] = kept * moving_variance[o] + moved * variance[o];
        }
    } else {
        for (long o = 0; o < O; ++o) {
            mean[o] = moving_mean[o];
            variance[o] = moving_variance[o];
        }
    }
    for (long o = 0; o < width; ++o) inverse[o] = T(1) / sqrt_of(variance[o] + T(epsilon));
    for (long row = B; row-- > 0;)  // the first row last: its `a` holds the mean
        for (long o = 0; o < width; ++o) {
            const long k = row * width + o;
            normal[k] = (x[k] - mean[o]) * inverse[o];
            a[k] = (gamma ? normal[k] * gamma[o] : normal[k]) + (beta ? beta[o] : T(0));
        }
}

template <class T>
void normalize_backward(bool training, long B, long O, const T* gamma, const T* normal, const T* inverse, T* dgamma,
                        T* dbeta, T* d, T* scratch) {
    const long width = row_stride(O);
    T* sum = scratch;              // column sums of da
    T* product = scratch + width;  // column sums of da * normal
    for (long o = 0; o < width; ++o) sum[o] = product[o] = 0;
    for (long row = 0; row < B; ++row)
        for (long o = 0; o < width; ++o) {
            sum[o] += d[row * width + o];
            product[o] += d[row * width + o] * normal[row * width + o];
        }
    for (long o = 0; o < O; ++o) {
        if (dgamma) dgamma[o] = product[o];
        if (dbeta) dbeta[o] = sum[o];
    }
    const T rows = T(B);
    for (long row = 0; row < B; ++row)
        for (long o = 0; o < O; ++o) {
            const long k = row * width + o;
            const T factor = gamma ? gamma[o] * inverse[o] : inverse[o];
            d[k] = training ? factor * (d[k] - sum[o] / rows - normal[k] * (product[o] / rows)) : factor * d[k];
        }
}

template <class T>
double penalty(long count, double l1, double l2, const T* w) {
    double sizes = 0, squares = 0;
    for (long k = 0; k < count; ++k) {
        sizes += double(w[k] < 0 ? -w[k] : w[k]);
        squares += double(w[k]) * double(w[k]);
    }
    return l1 * sizes + l2 * squares;
}

template <class T>
void penalty_gradient(long count, double l1, double l2, const T* w, T* g) {
    for (long k = 0; k < count; ++k) g[k] += T(l1) * T((w[k] > 0) - (w[k] < 0)) + T(2 * l2) * w[k];
}

template <class T>
double sum_of_squares(long count, const T* values) {
    double sum = 0;
    for (long k = 0; k < count; ++k) sum += double(values[k]) * double(values[k]);
    return sum;
}

template <class T>
void clip(long count, double limit, T* values) {
    const T most = T(limit);
    for (long k = 0; k < count; ++k) values[k] = values[k] > most ? most : values[k] < -most ? -most : values[k];
}

template <class T>
void scale(long count, double factor, T* values) {
    for (long k = 0; k < count; ++k) values[k] *= T(factor);
}
