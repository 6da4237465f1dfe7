// The three products of a dense layer: x W, dz W^T, x^T dz. One register tile serves all three; only strides differ.
// Included inside the unnamed namespace of kernels.inl.

// c (rows x columns of vectors) = start + a b, summed over k = 0..depth-1, where a's element is a[row * a_row + k * a_step].
template <class T, int rows, int vectors, bool relu>
inline void tile(long depth, const T* a, long a_row, long a_step, const T* b, long b_row, const T* start, T* c,
                 long c_row) {
    constexpr int lanes = Lanes<T>::count;
    Vector<T> sum[rows][vectors];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) sum[r][v] = start ? load<T>(start + v * lanes) : Vector<T>{};
    for (long k = 0; k < depth; ++k) {
        Vector<T> b_k[vectors];
        for (int v = 0; v < vectors; ++v) b_k[v] = load<T>(b + k * b_row + v * lanes);
        for (int r = 0; r < rows; ++r) {
            const Vector<T> a_rk = broadcast<T>(a[r * a_row + k * a_step]);
            for (int v = 0; v < vectors; ++v) sum[r][v] += a_rk * b_k[v];
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v)
            store<T>(c + r * c_row + v * lanes, relu ? at_least(Vector<T>{}, sum[r][v]) : sum[r][v]);
}

#if defined(__AVX512F__)
constexpr int tile_rows = 8;  // 8 x 2 accumulators of 32 registers
#else
constexpr int tile_rows = 6;  // 6 x 2 accumulators of 16 registers
#endif

template <class T, int vectors, bool relu, int rows = tile_rows - 1>
inline void last_rows(long left, long depth, const T* a, long a_row, long a_step, const T* b, long b_row,
                      const T* start, T* c, long c_row) {
    if constexpr (rows > 0) {
        if (left == rows) return tile<T, rows, vectors, relu>(depth, a, a_row, a_step, b, b_row, start, c, c_row);
        last_rows<T, vectors, relu, rows - 1>(left, depth, a, a_row, a_step, b, b_row, start, c, c_row);
    }
}

template <class T, int vectors, bool relu>
inline void column_block(long rows, long depth, const T* a, long a_row, long a_step, const T* b, long b_row,
                         const T* start, T* c, long c_row) {
    long r = 0;
    for (; r + tile_rows <= rows; r += tile_rows)
        tile<T, tile_rows, vectors, relu>(depth, a + r * a_row, a_row, a_step, b, b_row, start, c + r * c_row, c_row);
    last_rows<T, vectors, relu>(rows - r, depth, a + r * a_row, a_row, a_step, b, b_row, start, c + r * c_row, c_row);
}

// c = start + a b for a whole matrix; `columns` is a multiple of the vector's lanes.
template <class T, bool relu>
inline void product(long rows, long columns, long depth, const T* a, long a_row, long a_step, const T* b, long b_row,
                    const T* start, T* c, long c_row) {
    constexpr int lanes = Lanes<T>::count;
    long column = 0;
    for (; column + 2 * lanes <= columns; column += 2 * lanes)
        column_block<T, 2, relu>(rows, depth, a, a_row, a_step, b + column, b_row, start ? start + column : nullptr,
                                 c + column, c_row);
    if (column < columns)
        column_block<T, 1, relu>(rows, depth, a, a_row, a_step, b + column, b_row, start ? start + column : nullptr,
                                 c + column, c_row);
}

// The dot product of two rows whose padding holds a zero on at least one side.
template <class T>
inline T dot(long count, const T* a, const T* b) {
    constexpr int lanes = Lanes<T>::count;
    Vector<T> sum[2] = {};
    long k = 0;
    for (; k + 2 * lanes <= count; k += 2 * lanes) {
        sum[0] += load<T>(a + k) * load<T>(b + k);
        sum[1] += load<T>(a + k + lanes) * load<T>(b + k + lanes);
    }
    for (; k < count; k += lanes) sum[0] += load<T>(a + k) * load<T>(b + k);
    return sum_of_lanes<T>(sum[0] + sum[1]);
}

template <class T>
void forward(long B, long I, long O, const T* x, const T* W, const T* b, bool relu, T* a) {
    const long x_row = row_stride(I);
    if (O > 1) {
        const long width = row_stride(O);
        if (relu)
            product<T, true>(B, width, I, x, x_row, 1, W, width, b, a, width);
        else
            product<T, false>(B, width, I, x, x_row, 1, W, width, b, a, width);
        return;
    }
    for (long row = 0; row < B; ++row) {
        const T z = b[0] + (I == 1 ? x[row] * W[0] : dot<T>(padded(I), x + row * x_row, W));
        a[row] = relu ? (z < 0 ? T(0) : z) : z;
    }
}

template <class T>
void input_gradient(long B, long I, long O, const T* dz, const T* W, T* transposed, T* dx) {
    const long width = row_stride(O), x_row = row_stride(I);
    if (I == 1) {
        for (long row = 0; row < B; ++row) dx[row] = O == 1 ? dz[row] * W[0] : dot<T>(width, dz + row * width, W);
        return;
    }
    if (O == 1) {  // W is one column, lying as a row: an outer product
        product<T, false>(B, x_row, 1, dz, 1, 1, W, x_row, nullptr, dx, x_row);
        return;
    }
    constexpr long block = 16;
    for (long i = 0; i < I; i += block)
        for (long o = 0; o < O; ++o)
            for (long k = i; k < smaller(i + block, I); ++k) transposed[o * x_row + k] = W[k * width + o];
    for (long o = 0; o < O; ++o)  // layers of other widths use this memory too
        for (long k = I; k < x_row; ++k) transposed[o * x_row + k] = 0;
    product<T, false>(B, x_row, O, dz, width, 1, transposed, x_row, nullptr, dx, x_row);
}

template <class T>
void weight_gradient(long B, long I, long O, const T* x, const T* dz, T* dW, T* db) {
    const long width = row_stride(O), x_row = row_stride(I);
    if (O > 1) {
        product<T, false>(I, width, B, x, 1, x_row, dz, width, nullptr, dW, width);
    } else if (I > 1) {  // dW is one column, lying as a row: dz^T x
        product<T, false>(1, x_row, B, dz, 0, 1, x, x_row, nullptr, dW, x_row);
        for (long i = I; i < x_row; ++i) dW[i] = 0;  // what lies in x's padding is no gradient
    } else {
        T sum = 0;
        for (long row = 0; row < B; ++row) sum += x[row] * dz[row];
        dW[0] = sum;
    }
    if (!db) return;
    for (long o = 0; o < width; ++o) db[o] = 0;
    for (long row = 0; row < B; ++row)
        for (long o = 0; o < width; ++o) db[o] += dz[row * width + o];
}
