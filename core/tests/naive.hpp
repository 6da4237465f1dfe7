// The naive code that the core is compared with: formulas as the lesson and Keras 3 write them, in float64, one number
// after another. Nothing of the core is used here but the names of its rules.
#pragma once

#include <algorithm>
#include <vector>

#include "check.hpp"
#include "dual.hpp"
#include "kernels.hpp"

namespace hillwalker::tests::naive {

// Activations

inline Dual sigmoid(Dual z) { return 1.0 / (1.0 + exp(-z)); }
inline Dual softplus(Dual z) { return max(z, 0.0) + log1p(exp(-abs(z))); }

inline Dual relu(const ActivationRule& rule, Dual z) {
    const double slope = rule.first, maximum = rule.second, threshold = rule.third;
    if (z.value <= threshold) return slope * (z - threshold);
    if (std::isinf(maximum)) return z;
    return z.value < 0 ? Dual(0) : z.value >= maximum ? Dual(maximum) : z;
}

inline Dual elementwise(const ActivationRule& rule, Dual z) {
    switch (rule.kind) {
        case Activation::linear: return z;
        case Activation::relu: return relu(rule, z);
        case Activation::elu: return z.value > 0 ? z : rule.first * expm1(z);
        case Activation::selu: return 1.0507009873554804934 * (z.value > 0 ? z : 1.6732632423543772848 * expm1(z));
        case Activation::gelu:
            if (rule.first == 0) return 0.5 * z * erfc(-z * 0.70710678118654752440);
            return 0.5 * z * (1.0 + tanh(0.79788456080286535588 * (z + 0.044715 * z * z * z)));
        case Activation::silu: return z * sigmoid(z);
        case Activation::mish: return z * tanh(softplus(z));
        case Activation::sigmoid: return sigmoid(z);
        case Activation::hard_sigmoid: return z.value <= -3 ? Dual(0) : z.value >= 3 ? Dual(1) : z / 6.0 + 0.5;
        case Activation::tanh: return tanh(z);
        case Activation::softsign: return z / (1.0 + abs(z));
        case Activation::softplus: return softplus(z);
        case Activation::exponential: return exp(z);
        default: return std::nan("");
    }
}

inline bool is_elementwise(Activation kind) { return kind != Activation::softmax && kind != Activation::log_softmax; }

inline std::vector<Dual> softmax(const std::vector<Dual>& z, bool logarithm) {
    double top = z[0].value;
    for (const Dual& one : z) top = std::max(top, one.value);
    Dual sum = 0;
    for (const Dual& one : z) sum = sum + exp(one - top);
    std::vector<Dual> a;
    for (const Dual& one : z) a.push_back(logarithm ? one - top - log(sum) : exp(one - top) / sum);
    return a;
}

// Row `row` of a matrix, of which column `seeded` is what derivatives are taken by (-1: none).
inline std::vector<Dual> dual_row(const Matrix& matrix, long row, long seeded) {
    std::vector<Dual> duals;
    for (long column = 0; column < matrix.columns; ++column)
        duals.emplace_back(matrix(row, column), column == seeded ? 1.0 : 0.0);
    return duals;
}

inline Matrix activate(const ActivationRule& rule, const Matrix& z) {
    Matrix a = z;
    for (long row = 0; row < z.rows; ++row) {
        if (is_elementwise(rule.kind)) {
            for (long o = 0; o < z.columns; ++o) a(row, o) = elementwise(rule, z(row, o)).value;
            continue;
        }
        const std::vector<Dual> values = softmax(dual_row(z, row, -1), rule.kind == Activation::log_softmax);
        for (long o = 0; o < z.columns; ++o) a(row, o) = values[std::size_t(o)].value;
    }
    return a;
}

// dL/dz from dL/da: each row's Jacobian, a column at a time
inline Matrix activate_backward(const ActivationRule& rule, const Matrix& z, const Matrix& da) {
    Matrix dz(z.rows, z.columns);
    for (long row = 0; row < z.rows; ++row)
        for (long o = 0; o < z.columns; ++o) {
            if (is_elementwise(rule.kind)) {
                dz(row, o) = da(row, o) * elementwise(rule, Dual(z(row, o), 1)).slope;
                continue;
            }
            const std::vector<Dual> a = softmax(dual_row(z, row, o), rule.kind == Activation::log_softmax);
            for (long other = 0; other < z.columns; ++other) dz(row, o) += da(row, other) * a[std::size_t(other)].slope;
        }
    return dz;
}

// Losses of one row; `low` and `high` are what probabilities are clipped to, in the precision of the core

struct Clip {
    double low, high;
    Dual operator()(Dual p) const { return p.value < low ? Dual(low) : p.value > high ? Dual(high) : p; }
};

template <class T>
Clip probability_clip() {
    return {double(T(1e-7)), double(T(1) - T(1e-7))};
}

inline Dual column_loss(const LossRule& rule, bool labels_are_0_and_1, double y, Dual p, Clip clip) {
    const double first = rule.first, second = rule.second, fuzz = clip.low;
    const Dual error = p - y;
    switch (rule.kind) {
        case Loss::mean_squared_error: return error * error;
        case Loss::mean_absolute_error: return abs(error);
        case Loss::mean_absolute_percentage_error: return 100.0 * abs(error) / std::max(std::fabs(y), fuzz);
        case Loss::mean_squared_logarithmic_error: {
            const Dual apart = log(max(p, fuzz) + 1.0) - log(std::max(y, fuzz) + 1.0);
            return apart * apart;
        }
        case Loss::huber:
            if (std::fabs(error.value) > first) return first * abs(error) - 0.5 * first * first;
            return 0.5 * error * error;
        case Loss::log_cosh: return error + softplus(-2.0 * error) - 0.69314718055994530942;
        case Loss::binary_crossentropy: {
            const double target = y * (1 - second) + 0.5 * second;
            if (first != 0) return target * softplus(-p) + (1 - target) * softplus(p);
            return -(target * log(clip(p)) + (1 - target) * log(1.0 - clip(p)));
        }
        case Loss::kl_divergence: {
            const Clip to_1{fuzz, 1};
            return to_1(y) * log(to_1(y) / to_1(p));
        }
        case Loss::poisson: return p - y * log(p + fuzz);
        case Loss::hinge: return max(1.0 - (labels_are_0_and_1 ? 2 * y - 1 : y) * p, 0.0);
        case Loss::squared_hinge: {
            const Dual margin = max(1.0 - (labels_are_0_and_1 ? 2 * y - 1 : y) * p, 0.0);
            return margin * margin;
        }
        case Loss::pinball: return max(-first * error, (1 - first) * error);
        case Loss::asymmetric_squared_error: return (error.value < 0 ? first : second) * error * error;
        case Loss::qlike: {
            const Dual ratio = first != 0 ? y * exp(-p) : y / p;
            return ratio - log(ratio) - 1.0;
        }
        default: return std::nan("");
    }
}

inline Dual crossentropy(const LossRule& rule, const std::vector<double>& target, const std::vector<Dual>& p,
                         Clip clip) {
    Dual loss = 0, sum = 0;
    if (rule.first != 0) {  // from logits
        const std::vector<Dual> logarithms = softmax(p, true);
        for (std::size_t o = 0; o < p.size(); ++o) loss = loss - target[o] * logarithms[o];
        return loss;
    }
    for (const Dual& one : p) sum = sum + one;
    for (std::size_t o = 0; o < p.size(); ++o) loss = loss - target[o] * log(clip(p[o] / sum));
    return loss;
}

inline Dual row_loss(const LossRule& rule, bool labels_are_0_and_1, const std::vector<double>& y,
                     const std::vector<Dual>& p, Clip clip) {
    const std::size_t O = p.size();
    switch (rule.kind) {
        case Loss::sparse_categorical_crossentropy: {
            std::vector<double> target(O);
            target[std::size_t(y[0])] = 1;
            return crossentropy(rule, target, p, clip);
        }
        case Loss::categorical_crossentropy: {
            std::vector<double> target = y;
            for (double& one : target) one = one * (1 - rule.second) + rule.second / double(O);
            return crossentropy(rule, target, p, clip);
        }
        case Loss::categorical_hinge: {
            Dual positive = 0, negative = (1 - y[0]) * p[0];
            for (std::size_t o = 0; o < O; ++o) {
                positive = positive + y[o] * p[o];
                if (o > 0) negative = max(negative, (1 - y[o]) * p[o]);
            }
            return max(negative - positive + 1.0, 0.0);
        }
        case Loss::cosine_similarity: {
            Dual yy = 0, pp = 0, yp = 0;
            for (std::size_t o = 0; o < O; ++o) {
                yy = yy + y[o] * y[o];
                pp = pp + p[o] * p[o];
                yp = yp + y[o] * p[o];
            }
            if (pp.value == 0) return 0.0;  // no direction, no blame
            return -(yp / (max(sqrt(yy), clip.low) * max(sqrt(pp), clip.low)));
        }
        default: {
            Dual sum = 0;
            for (std::size_t o = 0; o < O; ++o) sum = sum + column_loss(rule, labels_are_0_and_1, y[o], p[o], clip);
            return rule.kind == Loss::kl_divergence ? sum : sum / double(O);
        }
    }
}

// The batch's loss; dp becomes dL/dp. `weight` is empty or has a number a row.
inline double loss(const LossRule& rule, const Matrix& y, const Matrix& p, const std::vector<double>& weight, Clip clip,
                   Matrix& dp) {
    const bool binary =
        std::all_of(y.numbers.begin(), y.numbers.end(), [](double one) { return one == 0 || one == 1; });
    const double rows = rule.sum ? 1 : double(p.rows);
    double total = 0;
    dp = Matrix(p.rows, p.columns);
    for (long row = 0; row < p.rows; ++row) {
        std::vector<double> target;
        for (long o = 0; o < y.columns; ++o) target.push_back(y(row, o));
        const double importance = weight.empty() ? 1 : weight[std::size_t(row)];
        for (long o = 0; o < p.columns; ++o)
            dp(row, o) = importance * row_loss(rule, binary, target, dual_row(p, row, o), clip).slope / rows;
        total += importance * row_loss(rule, binary, target, dual_row(p, row, -1), clip).value;
    }
    return total / rows;
}

// Products

inline Matrix transposed(const Matrix& a) {
    Matrix t(a.columns, a.rows);
    for (long row = 0; row < a.rows; ++row)
        for (long column = 0; column < a.columns; ++column) t(column, row) = a(row, column);
    return t;
}

inline Matrix product(const Matrix& a, const Matrix& b) {
    Matrix c(a.rows, b.columns);
    for (long row = 0; row < a.rows; ++row)
        for (long column = 0; column < b.columns; ++column)
            for (long k = 0; k < a.columns; ++k) c(row, column) += a(row, k) * b(k, column);
    return c;
}

inline Matrix column_sums(const Matrix& a) {
    Matrix sums(1, a.columns);
    for (long row = 0; row < a.rows; ++row)
        for (long column = 0; column < a.columns; ++column) sums(0, column) += a(row, column);
    return sums;
}

// Random streams, as randomness.py draws them

inline std::uint32_t scramble(std::uint32_t value) {
    value = (value ^ (value >> 16)) * 0x21F0AAADu;
    value = (value ^ (value >> 15)) * 0x735A2D97u;
    return value ^ (value >> 15);
}
inline std::uint32_t random_bits(std::uint64_t key, std::uint32_t index) {
    return scramble(scramble(index * 0x9E3779B9u + std::uint32_t(key & 0xFFFFFFFF)) + std::uint32_t(key >> 32));
}
inline double uniform(std::uint64_t key, long index) {
    return (double(random_bits(key, std::uint32_t(index))) + 0.5) / 4294967296.0;
}
inline double normal(std::uint64_t key, long index) {
    return std::sqrt(-2 * std::log(uniform(key, 2 * index))) *
           std::cos(6.28318530717958647693 * uniform(key, 2 * index + 1));
}
// 0 where a number is dropped, else 1 / (1 - rate)
inline double dropout_scale(std::uint64_t key, long index, double rate) {
    return double(random_bits(key, std::uint32_t(index))) >= std::floor(rate * 4294967296.0) ? 1 / (1 - rate) : 0;
}

// Updates

inline UpdateStep step_of(const UpdateRule& rule, double learning_rate, long t) {  // t = 1, 2, ...
    UpdateStep step;
    step.learning_rate = learning_rate;
    if (rule.kind == Optimizer::adam)
        step.scale = learning_rate * std::sqrt(1 - std::pow(rule.beta_2, t)) / (1 - std::pow(rule.beta_1, t));
    if (rule.kind == Optimizer::adamax) step.scale = 1 - std::pow(rule.beta_1, t);
    if (rule.kind == Optimizer::nadam) {
        const auto momentum = [&](long i) { return rule.beta_1 * (1 - 0.5 * std::pow(0.96, i)); };
        double product = 1;
        for (long i = 1; i <= t; ++i) product *= momentum(i);
        step.scale = momentum(t + 1) / (1 - product * momentum(t + 1));
        step.gradient_scale = (1 - momentum(t)) / (1 - product);
        step.moment_correction = 1 - std::pow(rule.beta_2, t);
    }
    return step;
}

// One weight w with gradient g and the optimizer's slots
inline void update(const UpdateRule& rule, const UpdateStep& step, double& w, double g, double& first, double& second,
                   double& third) {
    const double rate = step.learning_rate;
    w -= w * step.decay;
    switch (rule.kind) {
        case Optimizer::sgd:
            if (rule.momentum == 0) {
                w -= rate * g;
                return;
            }
            first = rule.momentum * first - rate * g;
            w += rule.nesterov ? rule.momentum * first - rate * g : first;
            return;
        case Optimizer::rmsprop: {
            first = rule.rho * first + (1 - rule.rho) * g * g;
            double spread = first;
            if (rule.centered) {
                third = rule.rho * third + (1 - rule.rho) * g;
                spread -= third * third;
            }
            const double move = rate * g / std::sqrt(spread + rule.epsilon);
            if (rule.momentum == 0) {
                w -= move;
                return;
            }
            second = rule.momentum * second + move;
            w -= second;
            return;
        }
        case Optimizer::adagrad:
            first += g * g;
            w -= rate * g / std::sqrt(first + rule.epsilon);
            return;
        case Optimizer::adadelta: {
            first = rule.rho * first + (1 - rule.rho) * g * g;
            const double move = std::sqrt(second + rule.epsilon) / std::sqrt(first + rule.epsilon) * g;
            second = rule.rho * second + (1 - rule.rho) * move * move;
            w -= rate * move;
            return;
        }
        case Optimizer::adam:
            first = rule.beta_1 * first + (1 - rule.beta_1) * g;
            second = rule.beta_2 * second + (1 - rule.beta_2) * g * g;
            if (rule.amsgrad) third = std::max(third, second);
            w -= step.scale * first / (std::sqrt(rule.amsgrad ? third : second) + rule.epsilon);
            return;
        case Optimizer::adamax:
            first = rule.beta_1 * first + (1 - rule.beta_1) * g;
            second = std::max(rule.beta_2 * second, std::fabs(g));
            w -= rate / step.scale * first / (second + rule.epsilon);
            return;
        case Optimizer::nadam:
            first = rule.beta_1 * first + (1 - rule.beta_1) * g;
            second = rule.beta_2 * second + (1 - rule.beta_2) * g * g;
            w -= rate * (step.scale * first + step.gradient_scale * g) /
                 (std::sqrt(second / step.moment_correction) + rule.epsilon);
            return;
        case Optimizer::lion: {
            const double mixed = rule.beta_1 * first + (1 - rule.beta_1) * g;
            first = rule.beta_2 * first + (1 - rule.beta_2) * g;
            w -= rate * double((mixed > 0) - (mixed < 0));
            return;
        }
    }
}

}  // namespace hillwalker::tests::naive
