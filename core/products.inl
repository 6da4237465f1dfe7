// The three products of a dense layer: x W, dz W^T, x^T dz. One register tile serves all three; only strides differ.
// Included inside the unnamed namespace of kernels.inl. What each idea below gains is measured in benchmarks/kernels.

#if defined(__AVX512F__)  // 32 registers
template <int vectors>
constexpr int tile_rows = vectors == 4 ? 4 : 8;
constexpr long panel_rows = 192;  // a panel of 192 x 2 vectors fills three quarters of a first-level cache
#else                             // 16 registers
template <int vectors>
constexpr int tile_rows = vectors == 4 ? 3 : 6;
constexpr long panel_rows = 256;
#endif

template <class T>
alignas(64) constexpr T zeros[8 * Lanes<T>::count] = {};  // as many as the widest tile begins with

// c = start + a b: a's element is a[row * a_row + k * a_step], b lies row by row, start's rows are start_row apart (0: one
// row for all). Then, by `After`, what is below 0 becomes 0, or where `mask` (lying as c) is not above 0, c does.
enum class After { nothing, relu, mask };
template <class T>
struct Product {
    const T* a;
    long a_row, a_step;
    const T* b;
    long b_row;
    const T* start;
    long start_row;
    const T* mask;
    T* c;
    long c_row;
};

template <class T, int rows, int vectors, After after>
inline void tile(long depth, const Product<T>& p) {
    constexpr int lanes = Lanes<T>::count;
    Vector<T> sum[rows][vectors];
    HILLWALKER_UNROLL for (int r = 0; r < rows; ++r) HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) sum[r][v] =
        load<T>(p.start + r * p.start_row + v * lanes);
    const T *a = p.a, *b = p.b;
    for (long k = 0; k < depth; ++k, a += p.a_step, b += p.b_row) {
        Vector<T> b_k[vectors];
        HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) b_k[v] = load<T>(b + v * lanes);
        HILLWALKER_UNROLL for (int r = 0; r < rows; ++r) {
            const Vector<T> a_rk = broadcast<T>(a[r * p.a_row]);
            HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) sum[r][v] += a_rk * b_k[v];
        }
    }
    HILLWALKER_UNROLL for (int r = 0; r < rows; ++r) HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) {
        const long at = r * p.c_row + v * lanes;
        Vector<T> c = sum[r][v];
        if constexpr (after == After::relu) c = at_least(Vector<T>{}, c);
        if constexpr (after == After::mask) c = load<T>(p.mask + at) <= 0 ? Vector<T>{} : c;
        store<T>(p.c + at, c);
    }
}

template <class T, int vectors, After after, int rows = tile_rows<vectors> - 1>
inline void last_rows(long left, long depth, const Product<T>& p) {
    if constexpr (rows > 0) {
        if (left == rows) return tile<T, rows, vectors, after>(depth, p);
        last_rows<T, vectors, after, rows - 1>(left, depth, p);
    }
}

// All rows of c in one panel's columns.
template <class T, int vectors, After after>
inline void column_block(long rows, long depth, Product<T> p) {
    constexpr int many = tile_rows<vectors>;
    for (; rows >= many; rows -= many) {
        tile<T, many, vectors, after>(depth, p);
        p.a += many * p.a_row;
        p.start += many * p.start_row;
        p.c += many * p.c_row;
        if (after == After::mask) p.mask += many * p.c_row;
    }
    last_rows<T, vectors, after>(rows, depth, p);
}

// Panels of b as they lie, at full depth.
template <class T>
struct InPlace {
    static constexpr bool packs = false;
};
// Panels of b copied row by row into `memory`: b's rows may lie so far apart that they would drive each other out of the cache.
template <class T>
struct Packed {
    static constexpr bool packs = true;
    const T* b;
    long b_row;
    T* memory;
    template <int vectors>
    void pack(long column, long k, long count) const {
        constexpr int lanes = Lanes<T>::count;
        for (long row = 0; row < count; ++row)
            HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v)
                store<T>(memory + (row * vectors + v) * lanes, load<T>(b + (k + row) * b_row + column + v * lanes));
    }
};
// Panels of the transpose of b, whose rows are the columns wanted.
template <class T>
struct Transposed {
    static constexpr bool packs = true;
    const T* b;
    long b_row, b_rows;
    T* memory;

    template <int vectors>
    void pack(long column, long k, long count) const {
        constexpr int lanes = Lanes<T>::count;
        for (int v = 0; v < vectors; ++v, column += lanes)
            for (long o = 0; o < count;
                 o += lanes) {  // past count lies the rows' padding, or a panel that is full anyway
                Vector<T> square[lanes];
                HILLWALKER_UNROLL for (int r = 0; r < lanes; ++r) square[r] =
                    column + r < b_rows ? load<T>(b + (column + r) * b_row + k + o) : Vector<T>{};
                transpose<T>(square);
                HILLWALKER_UNROLL for (int r = 0; r < lanes; ++r)
                    store<T>(memory + ((o + r) * vectors + v) * lanes, square[r]);
            }
    }
};

template <class T, int vectors, After after, class Panels>
inline void panel_product(long rows, long column, long depth, Product<T> p, const Panels& panels) {
    p.c += column;
    if (p.mask) p.mask += column;
    if (p.start != zeros<T>) p.start += column;
    if constexpr (!Panels::packs) {
        p.b += column;
        column_block<T, vectors, after>(rows, depth, p);
    } else {
        p.b = panels.memory;
        p.b_row = vectors * Lanes<T>::count;
        for (long k = 0; k < depth; k += panel_rows) {
            const long count = smaller(panel_rows, depth - k);
            panels.template pack<vectors>(column, k, count);
            if (k + count < depth)
                column_block<T, vectors, After::nothing>(rows, count, p);
            else
                column_block<T, vectors, after>(rows, count, p);
            p.a += count * p.a_step;
            p.start = p.c;
            p.start_row = p.c_row;
        }
    }
}

// All columns of `part`, a panel at a time.
template <class T, After after, class Panels>
inline void product(long rows, Range part, long depth, const Product<T>& p, const Panels& panels) {
    constexpr int lanes = Lanes<T>::count;
    long column = part.first;
    if constexpr (!Panels::packs) {  // memory gives four vectors of a row faster than two; to copy, four are too many
        for (; column + 4 * lanes <= part.last; column += 4 * lanes)
            panel_product<T, 4, after>(rows, column, depth, p, panels);
    }
    for (; column + 2 * lanes <= part.last; column += 2 * lanes)
        panel_product<T, 2, after>(rows, column, depth, p, panels);
    if (column < part.last) panel_product<T, 1, after>(rows, column, depth, p, panels);
}

// Whether copying panels pays: where a copy serves enough rows, and b is so large that fetching it anew for each tile takes
// longer than the tile's arithmetic: sooner for narrow vectors, whose tiles fetch more, and wherever b is no guest of the
// second-level cache.
template <class T>
inline bool worth_packing(long rows, long depth, long b_row) {
    constexpr bool widest = vector_bytes == 64;
    const long bytes = depth * b_row * long(sizeof(T));
    return (rows > (widest ? 256 : 24) && bytes > (widest ? 192 : 96) * 1024) || (rows > 32 && bytes > 1024 * 1024);
}

// out[row] = start + the dot product of w and row `row` of x, whose padding holds a zero on at least one side
template <class T>
inline void dot_rows(long rows, long count, const T* x, long x_row, const T* w, T start, T floor, T* out) {
    constexpr int lanes = Lanes<T>::count;
    long row = 0;
    for (; row + lanes <= rows; row += lanes, x += lanes * x_row) {
        Vector<T> sum[lanes] = {};
        for (long k = 0; k < count; k += lanes) {
            const Vector<T> w_k = load<T>(w + k);
            HILLWALKER_UNROLL for (int r = 0; r < lanes; ++r) sum[r] += load<T>(x + r * x_row + k) * w_k;
        }
        store<T>(out + row, at_least(broadcast(floor), sums_of_lanes<T>(sum) + start));
    }
    for (; row < rows; ++row, x += x_row) {
        Vector<T> sum{};
        for (long k = 0; k < count; k += lanes) sum += load<T>(x + k) * load<T>(w + k);
        const T value = sum_of_lanes<T>(sum) + start;
        out[row] = value < floor ? floor : value;
    }
}

// out = (what out holds, or 0) + the sum of the rows of x, each times its factor (null: 1)
template <class T, int vectors>
inline void sum_rows_block(long rows, const T* x, long x_row, const T* factor, bool more, T* out) {
    constexpr int lanes = Lanes<T>::count, chains = 4;  // sums of their own, or each would wait for the one before
    Vector<T> sum[chains][vectors] = {};
    const auto add = [&](int chain, long row) {
        const Vector<T> f = broadcast(factor ? factor[row] : T(1));
        HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) sum[chain][v] += f * load<T>(x + row * x_row + v * lanes);
    };
    long row = 0;
    for (; row + chains <= rows; row += chains)
        HILLWALKER_UNROLL for (int chain = 0; chain < chains; ++chain) add(chain, row + chain);
    for (; row < rows; ++row) add(0, row);
    HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) {
        const Vector<T> all = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
        store<T>(out + v * lanes, more ? load<T>(out + v * lanes) + all : all);
    }
}
template <class T>
inline void sum_rows(long rows, Range part, const T* x, long x_row, const T* factor, bool more, T* out) {
    constexpr int lanes = Lanes<T>::count;
    long column = part.first;
    for (; column + 2 * lanes <= part.last; column += 2 * lanes)
        sum_rows_block<T, 2>(rows, x + column, x_row, factor, more, out + column);
    if (column < part.last) sum_rows_block<T, 1>(rows, x + column, x_row, factor, more, out + column);
}

// sum of products of two columns
template <class T>
inline T dot(long count, const T* a, const T* b) {
    T sum = 0;
    for (long k = 0; k < count; ++k) sum += a[k] * b[k];
    return sum;
}

// A row, or a few, times a matrix: many columns at once, so that no sum waits for itself.
template <class T, int vectors, After after>
inline long thin_columns(long column, long last, long depth, const Product<T>& p) {
    constexpr long width = vectors * Lanes<T>::count;
    for (; column + width <= last; column += width) {
        Product<T> q = p;
        q.b += column;
        q.c += column;
        if (p.start != zeros<T>) q.start += column;
        if (after == After::mask) q.mask += column;
        tile<T, 1, vectors, after>(depth, q);
    }
    return column;
}

template <class T, After after>
inline void forward_product(long B, Range units, long I, const Product<T>& p, T* panel) {
    if (B == 1) {
        long column = thin_columns<T, 8, after>(units.first, units.last, I, p);
        column = thin_columns<T, 2, after>(column, units.last, I, p);
        thin_columns<T, 1, after>(column, units.last, I, p);
    } else if (worth_packing<T>(B, I, p.b_row)) {
        product<T, after>(B, units, I, p, Packed<T>{p.b, p.b_row, panel});
    } else {
        product<T, after>(B, units, I, p, InPlace<T>{});
    }
}

template <class T>
void forward(long B, long I, long O, Range units, const T* x, const T* W, const T* b, bool relu, T* a, T* panel) {
    const long x_row = row_stride(I), width = row_stride(O);
    const T floor = relu ? T(0) : -T(__builtin_inf());
    if (O == 1) {
        const T start = b ? b[0] : T(0);
        if (I > 1) return dot_rows(B, x_row, x, x_row, W, start, floor, a);
        for (long row = 0; row < B; ++row) {
            const T z = x[row] * W[0] + start;
            a[row] = z < floor ? floor : z;
        }
        return;
    }
    const Product<T> p{x, x_row, 1, W, width, b ? b : zeros<T>, 0, nullptr, a, width};
    units.last = padded(units.last);
    if (relu)
        forward_product<T, After::relu>(B, units, I, p, panel);
    else
        forward_product<T, After::nothing>(B, units, I, p, panel);
}

template <class T>
void input_gradient(long B, long I, long O, Range inputs, const T* dz, const T* W, const T* relu, T* panel, T* dx) {
    constexpr int lanes = Lanes<T>::count;
    const long width = row_stride(O), x_row = row_stride(I);
    const auto through_relu = [&](Vector<T> d, long at) {
        if (relu) d = load<T>(relu + at) <= 0 ? Vector<T>{} : d;
        return d;
    };
    if (I == 1) {
        if (O == 1)
            for (long row = 0; row < B; ++row) dx[row] = dz[row] * W[0];
        else
            dot_rows(B, width, dz, width, W, T(0), -T(__builtin_inf()), dx);
        for (long row = 0; relu && row < B; ++row) dx[row] = relu[row] <= 0 ? T(0) : dx[row];
        return;
    }
    inputs.last = padded(inputs.last);
    if (O == 1) {  // W is one column, lying as a row: an outer product
        for (long row = 0; row < B; ++row) {
            const Vector<T> d = broadcast(dz[row]);
            for (long i = inputs.first; i < inputs.last; i += lanes)
                store<T>(dx + row * x_row + i, through_relu(d * load<T>(W + i), row * x_row + i));
        }
        return;
    }
    const T nothing = -T(__builtin_inf());
    if (B == 1) {  // no copy pays: the dot products of dz and W's rows
        const long rows = smaller(inputs.last, I) - inputs.first;
        dot_rows(rows, width, W + inputs.first * width, width, dz, T(0), nothing, dx + inputs.first);
        for (long i = inputs.first; relu && i < smaller(inputs.last, I); ++i) dx[i] = relu[i] <= 0 ? T(0) : dx[i];
        for (long i = I; i < inputs.last; ++i) dx[i] = 0;
        return;
    }
    const Product<T> p{dz, width, 1, nullptr, 0, zeros<T>, 0, relu, dx, x_row};
    const Transposed<T> panels{W, width, I, panel};
    if (relu)
        product<T, After::mask>(B, inputs, O, p, panels);
    else
        product<T, After::nothing>(B, inputs, O, p, panels);
}

template <class T>
void weight_gradient(long B, long I, long O, Range inputs, bool more, const T* x, const T* dz, T* dW, T* panel) {
    const long width = row_stride(O), x_row = row_stride(I);
    if (O == 1 && I == 1) {
        dW[0] = (more ? dW[0] : T(0)) + dot(B, x, dz);
        return;
    }
    if (O == 1) {  // dW is one column, lying as a row
        inputs.last = padded(inputs.last);
        sum_rows<T>(B, inputs, x, x_row, dz, more, dW);
        for (long i = I; i < inputs.last; ++i) dW[i] = 0;  // what lies in x's padding is no gradient
        return;
    }
    T* first = dW + inputs.first * width;
    Product<T> p{x + inputs.first, 1, x_row, dz, width, zeros<T>, 0, nullptr, first, width};
    if (more) p.start = first, p.start_row = width;
    const long rows = inputs.last - inputs.first;
    if (worth_packing<T>(rows, B, width))
        product<T, After::nothing>(rows, {0, width}, B, p, Packed<T>{dz, width, panel});
    else
        product<T, After::nothing>(rows, {0, width}, B, p, InPlace<T>{});
}

template <class T>
void bias_gradient(long B, long O, bool more, const T* dz, T* db) {
    if (O > 1) return sum_rows<T>(B, {0, row_stride(O)}, dz, row_stride(O), nullptr, more, db);
    T sum = more ? db[0] : T(0);
    for (long row = 0; row < B; ++row) sum += dz[row];
    db[0] = sum;
}
