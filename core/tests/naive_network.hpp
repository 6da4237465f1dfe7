// A dense network as the lesson writes it, in float64 and without a thought for speed: forward pass, loss, backward pass,
// update. It executes the core's plan (layers, segments, rules) on flat vectors of the core's layout.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "naive.hpp"
#include "network.hpp"
#include "random.hpp"

namespace hillwalker::tests {

// All that a network is, but its numbers' precision; made at random by networks.cpp.
template <class T>
struct Plan {
    long input_width = 0, output_width = 0, target_columns = 0;
    std::uint64_t seed = 0;
    std::vector<Layer<T>> layers;
    LossRule loss;
    UpdateRule optimizer;
    std::vector<Segment> trained;
};

template <class T>
class NaiveNetwork {
public:
    explicit NaiveNetwork(const Plan<T>& plan) : plan_(plan), passes_(plan.layers.size()) {}

    std::vector<double> parameters, gradient, slots[3];

    Matrix forward(Matrix a, bool training, long iteration) {
        for (std::size_t number = 0; number < plan_.layers.size(); ++number) {
            const Layer<T>& layer = plan_.layers[number];
            Pass& pass = passes_[number];
            pass.x = a;
            const std::uint64_t key =
                stream_key(layer.own_seed ? layer.seed : plan_.seed, std::uint64_t(iteration), layer.stream);
            switch (layer.kind) {
                case LayerKind::dense:
                    pass.z = naive::product(a, weight(layer.kernel, layer.I, layer.O));
                    if (layer.bias >= 0) add_row(pass.z, weight(layer.bias, 1, layer.O));
                    a = naive::activate(layer.activation, pass.z);
                    break;
                case LayerKind::activation: a = naive::activate(layer.activation, a); break;
                case LayerKind::function:
                    for (double& one : a.numbers) one = std::sin(one);
                    break;
                case LayerKind::dropout:
                    pass.scale = a;
                    for (std::size_t k = 0; k < a.numbers.size(); ++k) {
                        pass.scale.numbers[k] = training ? naive::dropout_scale(key, long(k), layer.rate) : 1;
                        a.numbers[k] *= pass.scale.numbers[k];
                    }
                    break;
                case LayerKind::noise:
                    for (std::size_t k = 0; training && k < a.numbers.size(); ++k)
                        a.numbers[k] += layer.rate * naive::normal(key, long(k));
                    break;
                case LayerKind::normalization: a = normalize(layer, pass, a, training && layer.trainable); break;
            }
        }
        return a;
    }

    // The batch's loss, penalties included; writes the gradient.
    double gradients(const Matrix& x, const Matrix& y, const std::vector<double>& weights, long iteration, Matrix& p) {
        p = forward(x, true, iteration);
        Matrix d;
        const double value = naive::loss(plan_.loss, y, p, weights, naive::probability_clip<T>(), d) + penalty();
        gradient.assign(parameters.size(), 0);
        for (std::size_t number = plan_.layers.size(); number-- > 0;) backward(number, d);
        for (const Segment& segment : plan_.trained)
            for (long k = segment.offset; k < segment.offset + segment.length; ++k) {
                const double w = parameters[std::size_t(k)];
                gradient[std::size_t(k)] += segment.l1 * double((w > 0) - (w < 0)) + 2 * segment.l2 * w;
            }
        return value;
    }

    double train(const Matrix& x, const Matrix& y, const std::vector<double>& weights, double learning_rate,
                 long iteration, Matrix& p) {
        const double value = gradients(x, y, weights, iteration, p);
        clip();
        UpdateStep step = naive::step_of(plan_.optimizer, learning_rate, iteration + 1);
        for (const Segment& segment : plan_.trained) {
            step.decay = segment.decays ? plan_.optimizer.weight_decay * learning_rate : 0;
            for (auto k = std::size_t(segment.offset); k < std::size_t(segment.offset + segment.length); ++k)
                naive::update(plan_.optimizer, step, parameters[k], gradient[k], slots[0][k], slots[1][k], slots[2][k]);
        }
        return value;
    }

    double loss(const Matrix& y, const Matrix& p, const std::vector<double>& weights) const {
        Matrix unused;
        return naive::loss(plan_.loss, y, p, weights, naive::probability_clip<T>(), unused) + penalty();
    }

private:
    struct Pass {  // what the backward pass needs of the forward pass
        Matrix x, z, scale, normal, inverse;
        bool training = false;
    };

    Matrix weight(long offset, long rows, long columns) const {
        Matrix matrix(rows, columns);
        for (long row = 0; row < rows; ++row)
            for (long column = 0; column < columns; ++column)
                matrix(row, column) = parameters[std::size_t(offset + row * row_stride(columns) + column)];
        return matrix;
    }
    void put(std::vector<double>& vector, long offset, const Matrix& matrix) const {
        for (long row = 0; row < matrix.rows; ++row)
            for (long column = 0; column < matrix.columns; ++column)
                vector[std::size_t(offset + row * row_stride(matrix.columns) + column)] = matrix(row, column);
    }
    static void add_row(Matrix& matrix, const Matrix& row_of_all) {
        for (long row = 0; row < matrix.rows; ++row)
            for (long column = 0; column < matrix.columns; ++column) matrix(row, column) += row_of_all(0, column);
    }

    Matrix normalize(const Layer<T>& layer, Pass& pass, const Matrix& x, bool training) {
        const double B = double(x.rows);
        Matrix mean = weight(layer.moving_mean, 1, layer.O), variance = weight(layer.moving_variance, 1, layer.O);
        if (training) {
            const Matrix old_mean = mean, old_variance = variance;
            mean = naive::column_sums(x);
            for (double& one : mean.numbers) one /= B;
            for (long o = 0; o < layer.O; ++o) {
                variance(0, o) = 0;
                for (long row = 0; row < x.rows; ++row) variance(0, o) += std::pow(x(row, o) - mean(0, o), 2) / B;
            }
            Matrix moved_mean = mean, moved_variance = variance;
            for (long o = 0; o < layer.O; ++o) {
                moved_mean(0, o) = layer.momentum * old_mean(0, o) + (1 - layer.momentum) * mean(0, o);
                moved_variance(0, o) = layer.momentum * old_variance(0, o) + (1 - layer.momentum) * variance(0, o);
            }
            put(parameters, layer.moving_mean, moved_mean);
            put(parameters, layer.moving_variance, moved_variance);
        }
        pass.training = training;
        pass.normal = x;
        pass.inverse = variance;
        for (double& one : pass.inverse.numbers) one = 1 / std::sqrt(one + layer.epsilon);
        for (long row = 0; row < x.rows; ++row)
            for (long o = 0; o < layer.O; ++o) pass.normal(row, o) = (x(row, o) - mean(0, o)) * pass.inverse(0, o);
        Matrix a = pass.normal;
        for (long row = 0; layer.gamma >= 0 && row < x.rows; ++row)
            for (long o = 0; o < layer.O; ++o) a(row, o) *= weight(layer.gamma, 1, layer.O)(0, o);
        if (layer.beta >= 0) add_row(a, weight(layer.beta, 1, layer.O));
        return a;
    }

    void backward(std::size_t number, Matrix& d) {
        const Layer<T>& layer = plan_.layers[number];
        const Pass& pass = passes_[number];
        switch (layer.kind) {
            case LayerKind::dense:
                d = naive::activate_backward(layer.activation, pass.z, d);
                if (layer.trainable) put(gradient, layer.kernel, naive::product(naive::transposed(pass.x), d));
                if (layer.trainable && layer.bias >= 0) put(gradient, layer.bias, naive::column_sums(d));
                d = naive::product(d, naive::transposed(weight(layer.kernel, layer.I, layer.O)));
                break;
            case LayerKind::activation: d = naive::activate_backward(layer.activation, pass.x, d); break;
            case LayerKind::function:
                for (std::size_t k = 0; k < d.numbers.size(); ++k) d.numbers[k] *= std::cos(pass.x.numbers[k]);
                break;
            case LayerKind::dropout:
                for (std::size_t k = 0; k < d.numbers.size(); ++k) d.numbers[k] *= pass.scale.numbers[k];
                break;
            case LayerKind::noise: break;
            case LayerKind::normalization: normalize_backward(layer, pass, d); break;
        }
    }

    void normalize_backward(const Layer<T>& layer, const Pass& pass, Matrix& d) {
        Matrix products = d;
        for (std::size_t k = 0; k < d.numbers.size(); ++k) products.numbers[k] *= pass.normal.numbers[k];
        const Matrix dgamma = naive::column_sums(products), dbeta = naive::column_sums(d);
        if (layer.trainable && layer.gamma >= 0) put(gradient, layer.gamma, dgamma);
        if (layer.trainable && layer.beta >= 0) put(gradient, layer.beta, dbeta);
        const double B = double(d.rows);
        for (long row = 0; row < d.rows; ++row)
            for (long o = 0; o < layer.O; ++o) {
                if (pass.training) d(row, o) -= (dbeta(0, o) + pass.normal(row, o) * dgamma(0, o)) / B;
                d(row, o) *= pass.inverse(0, o) * (layer.gamma >= 0 ? weight(layer.gamma, 1, layer.O)(0, o) : 1);
            }
    }

    double penalty() const {
        double sum = 0;
        for (const Segment& segment : plan_.trained)
            for (long k = segment.offset; k < segment.offset + segment.length; ++k) {
                const double w = parameters[std::size_t(k)];
                sum += segment.l1 * std::fabs(w) + segment.l2 * w * w;
            }
        return sum;
    }

    double squares(const Segment& segment) const {
        double sum = 0;
        for (long k = segment.offset; k < segment.offset + segment.length; ++k)
            sum += std::pow(gradient[std::size_t(k)], 2);
        return sum;
    }
    void shrink(const Segment& segment, double norm, double limit) {
        if (norm <= limit) return;
        for (long k = segment.offset; k < segment.offset + segment.length; ++k)
            gradient[std::size_t(k)] *= limit / norm;
    }
    void clip() {
        const UpdateRule& rule = plan_.optimizer;
        double all = 0;
        for (const Segment& segment : plan_.trained) {
            for (long k = segment.offset; rule.clipvalue > 0 && k < segment.offset + segment.length; ++k) {
                double& g = gradient[std::size_t(k)];
                g = std::fmin(std::fmax(g, -rule.clipvalue), rule.clipvalue);
            }
            if (rule.clipnorm > 0) shrink(segment, std::sqrt(squares(segment)), rule.clipnorm);
            all += squares(segment);
        }
        if (rule.global_clipnorm <= 0) return;
        for (const Segment& segment : plan_.trained) shrink(segment, std::sqrt(all), rule.global_clipnorm);
    }

    const Plan<T>& plan_;
    std::vector<Pass> passes_;
};

}  // namespace hillwalker::tests
