// How the tests call those kernels whose arguments follow from the layout of memory; the one place to change with them.
#pragma once

#include <algorithm>
#include <vector>

#include "check.hpp"
#include "kernels.hpp"
#include "network.hpp"

namespace hillwalker::tests {

// A matrix as the core lays it out: rows padded to row_stride, and room for a whole vector behind the last.
template <class T>
struct Padded {
    long rows, columns, stride;
    Buffer<T> memory;

    // `beside` is what lies in the padding: zero where kernels rely on it, anything finite where they must not.
    explicit Padded(const Matrix& matrix, T beside = 0)
        : rows(matrix.rows),
          columns(matrix.columns),
          stride(row_stride(columns)),
          memory(std::size_t(rows * stride + padding), beside) {
        for (long row = 0; row < rows; ++row)
            for (long column = 0; column < columns; ++column)
                memory[std::size_t(row * stride + column)] = T(matrix(row, column));
    }
    static Padded filled(long rows, long columns, T with) {
        Padded result{Matrix(rows, columns), with};
        for (long k = 0; k < rows * result.stride; ++k) result.memory[std::size_t(k)] = with;
        return result;
    }
    T* data() { return memory.data(); }
    const T* data() const { return memory.data(); }
    Matrix plain() const {
        Matrix matrix(rows, columns);
        for (long row = 0; row < rows; ++row)
            for (long column = 0; column < columns; ++column)
                matrix(row, column) = double(memory[std::size_t(row * stride + column)]);
        return matrix;
    }
    bool padding_is_zero() const {
        for (long row = 0; row < rows; ++row)
            for (long column = columns; column < stride; ++column)
                if (memory[std::size_t(row * stride + column)] != 0) return false;
        return true;
    }
};

constexpr double garbage = 3.25;  // in memory that a kernel has to overwrite, and in padding that it must not rely on

// A weight as it lies in the flat vectors: whatever is behind its last row, up to whole vectors, is zero as well.
template <class T>
bool tail_is_zero(const Padded<T>& weight) {
    for (long k = weight.rows * weight.stride; k < padded(weight.rows * weight.stride); ++k)
        if (weight.memory[std::size_t(k)] != 0) return false;
    return weight.padding_is_zero();
}

// A weight that the kernel has yet to write.
template <class T>
Padded<T> unwritten_weight(long rows, long columns) {
    Padded<T> weight{Matrix(rows, columns)};
    for (long k = 0; k < rows * weight.stride; ++k) weight.memory[std::size_t(k)] = T(garbage);
    return weight;
}

// The parts, at multiples of `padding`, that `parts` threads would get of so many columns.
inline std::vector<Range> divided(long columns, long parts) {
    const long blocks = padded(columns) / padding;
    std::vector<Range> ranges;
    for (long part = 0; part < parts; ++part) {
        const Range range{std::min(columns, blocks * part / parts * padding),
                          std::min(columns, blocks * (part + 1) / parts * padding)};
        if (range.first < range.last) ranges.push_back(range);
    }
    return ranges;
}

// a = f(x W + b); an empty b: none
template <class T>
Padded<T> call_forward(const Kernels<T>& kernels, const Matrix& x, const Matrix& W, const Matrix& b, bool relu,
                       long parts) {
    const Padded<T> x_(x, T(garbage)), W_(W), b_(b);
    auto a = Padded<T>::filled(x.rows, W.columns, T(garbage));
    for (const Range& units : divided(W.columns, parts)) {
        Buffer<T> panel(panel_size, T(garbage));
        kernels.forward(x.rows, W.rows, W.columns, units, x_.data(), W_.data(), b.rows == 0 ? nullptr : b_.data(), relu,
                        a.data(), panel.data());
    }
    return a;
}

// dx = dz W^T; where `below` is given, times the derivative of the ReLU that it came from
template <class T>
Padded<T> call_input_gradient(const Kernels<T>& kernels, const Matrix& dz, const Matrix& W, const Matrix& below,
                              long parts) {
    const Padded<T> dz_(dz), W_(W), below_(below);
    auto dx = Padded<T>::filled(dz.rows, W.rows, T(garbage));
    for (const Range& inputs : divided(W.rows, parts)) {
        Buffer<T> panel(panel_size, T(garbage));
        kernels.input_gradient(dz.rows, W.rows, W.columns, inputs, dz_.data(), W_.data(),
                               below.rows == 0 ? nullptr : below_.data(), panel.data(), dx.data());
    }
    return dx;
}

template <class T>
struct WeightGradient {
    Padded<T> dW, db;
};

// The gradient of all rows; `first` rows are done by a call of their own, to which the others' is added.
template <class T>
WeightGradient<T> call_weight_gradient(const Kernels<T>& kernels, const Matrix& x, const Matrix& dz, long first,
                                       long parts) {
    const Padded<T> x_(x, T(garbage)), dz_(dz);
    const long I = x.columns, O = dz.columns;
    WeightGradient<T> result{unwritten_weight<T>(I, O), unwritten_weight<T>(1, O)};
    for (const Range& rows : {Range{0, first}, Range{first, x.rows}}) {
        if (rows.first == rows.last) continue;
        const T* x_rows = x_.data() + rows.first * x_.stride;
        const T* dz_rows = dz_.data() + rows.first * dz_.stride;
        const bool more = rows.first > 0;
        for (const Range& inputs : divided(I, parts)) {
            Buffer<T> panel(panel_size, T(garbage));
            kernels.weight_gradient(rows.last - rows.first, I, O, inputs, more, x_rows, dz_rows, result.dW.data(),
                                    panel.data());
        }
        kernels.bias_gradient(rows.last - rows.first, O, more, dz_rows, result.db.data());
    }
    return result;
}

}  // namespace hillwalker::tests
