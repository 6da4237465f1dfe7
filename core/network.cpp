#include "network.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu.hpp"
#include "random.hpp"

namespace hillwalker {

namespace {

// One slot of memory beyond the last row, so that kernels may load and store whole vectors there.
template <class T>
void resize(Buffer<T>& buffer, long rows, long width) {
    buffer.assign(static_cast<std::size_t>(rows * row_stride(width) + padding), T(0));
}

// Nadam's product of momenta u_1 ... u_t, u_i = beta_1 (1 - 0.96^i / 2): the bracket tends to 1, so t terms are not needed.
double momentum_product(double beta_1, long t) {
    double product = 1, power = 1;
    for (long i = 1; i <= std::min(t, 1000L); ++i) {
        power *= 0.96;
        product *= 1 - 0.5 * power;
    }
    return product * std::pow(beta_1, double(t));
}

UpdateStep step_of(const UpdateRule& rule, double learning_rate, long iteration) {
    UpdateStep step;
    const double t = double(iteration + 1);
    step.learning_rate = learning_rate;
    if (rule.kind == Optimizer::adam) {
        step.scale = learning_rate * std::sqrt(1 - std::pow(rule.beta_2, t)) / (1 - std::pow(rule.beta_1, t));
    } else if (rule.kind == Optimizer::adamax) {
        step.scale = 1 - std::pow(rule.beta_1, t);
    } else if (rule.kind == Optimizer::nadam) {
        const double now = rule.beta_1 * (1 - 0.5 * std::pow(0.96, t));
        const double next = rule.beta_1 * (1 - 0.5 * std::pow(0.96, t + 1));
        const double product = momentum_product(rule.beta_1, iteration + 1);
        step.scale = next / (1 - product * next);
        step.gradient_scale = (1 - now) / (1 - product);
        step.moment_correction = 1 - std::pow(rule.beta_2, t);
    }
    return step;
}

}  // namespace

template <class T>
void Network<T>::add(Layer<T> layer) {
    layers_.push_back(std::move(layer));
    first_trained_ = layers_.size();
    for (std::size_t number = layers_.size(); number-- > 0;)
        if (layers_[number].trainable &&
            (layers_[number].kernel >= 0 || layers_[number].gamma >= 0 || layers_[number].beta >= 0))
            first_trained_ = number;
    capacity_ = 0;
}

template <class T>
void Network<T>::set_memory(T* parameters, T* gradient, std::vector<T*> slots) {
    parameters_ = parameters;
    gradient_ = gradient;
    slots_ = std::move(slots);
    slots_.resize(3, nullptr);
}

template <class T>
void Network<T>::reserve(long rows) {
    if (rows <= capacity_) return;
    capacity_ = rows;
    resize(x_, rows, input_width_);
    resize(y_, rows, target_columns_);
    resize(weight_, rows, 1);
    resize(spare_, std::max(rows, 2L), std::max(input_width_, output_width_));
    long widest = 1, transposed = 0;
    for (Layer<T>& layer : layers_) {
        widest = std::max(widest, padded(std::max(layer.I, layer.O)));
        if (layer.kind == LayerKind::dense) transposed = std::max(transposed, layer.O * row_stride(layer.I));
        for (Buffer<T>* buffer : {&layer.a, &layer.da}) resize(*buffer, rows, layer.O);
        if (layer.keeps_z()) resize(layer.z, rows, layer.O);
        if (layer.kind == LayerKind::dropout || layer.kind == LayerKind::normalization)
            resize(layer.extra, rows, layer.O);
        if (layer.kind == LayerKind::normalization) resize(layer.inverse, 3, layer.O);
    }
    transposed_.assign(static_cast<std::size_t>(transposed + padding), T(0));
    no_bias_.assign(static_cast<std::size_t>(widest), T(0));
}

template <class T>
void Network<T>::gather(const T* from, long width, long stride, Rows rows, long start, long count, T* to) const {
    const std::size_t bytes = static_cast<std::size_t>(width) * sizeof(T);
    for (long row = 0; row < count; ++row) {
        const long source = rows.order ? long(rows.order[start + row]) : start + row;
        std::memcpy(to + row * stride, from + source * width, bytes);
    }
}

template <class T>
void Network<T>::load_batch(const T* x, const T* y, const T* weight, Rows rows, long start, long count) {
    gather(x, input_width_, row_stride(input_width_), rows, start, count, x_.data());
    if (y) gather(y, target_columns_, target_columns_, rows, start, count, y_.data());
    if (weight) gather(weight, 1, 1, rows, start, count, weight_.data());
}

// Step 1: the forward pass

template <class T>
const T* Network<T>::forward(long B, bool training, long iteration) {
    for (std::size_t number = 0; number < layers_.size(); ++number) {
        Layer<T>& layer = layers_[number];
        const T* x = input_of(number);
        T* a = layer.a.data();
        const auto count = static_cast<std::size_t>(B * row_stride(layer.O));
        const std::uint64_t key =
            stream_key(layer.own_seed ? layer.seed : seed_, std::uint64_t(iteration), layer.stream);
        const auto at = [&](long offset) { return offset < 0 ? nullptr : parameters_ + offset; };
        switch (layer.kind) {
            case LayerKind::dense: {
                const T* bias = layer.bias < 0 ? no_bias_.data() : at(layer.bias);
                T* z = layer.keeps_z() ? layer.z.data() : a;
                kernels_.forward(B, layer.I, layer.O, x, at(layer.kernel), bias, layer.activation.plain_relu(), z);
                if (layer.keeps_z()) kernels_.activate(layer.activation, B, layer.O, z, a);
                break;
            }
            case LayerKind::activation: kernels_.activate(layer.activation, B, layer.O, x, a); break;
            case LayerKind::function: {
                FlushDenormals::Pause pause;
                layer.function(B, layer.O, row_stride(layer.O), x, a);
                break;
            }
            case LayerKind::dropout:
                if (training && layer.rate > 0)
                    kernels_.dropout(B, layer.O, key, layer.rate, x, layer.extra.data(), a);
                else
                    std::copy_n(x, count, a);
                break;
            case LayerKind::noise:
                if (training && layer.rate > 0)
                    kernels_.noise(B, layer.O, key, layer.rate, x, a);
                else
                    std::copy_n(x, count, a);
                break;
            case LayerKind::normalization:
                kernels_.normalize(training && layer.trainable, B, layer.O, layer.momentum, layer.epsilon, x,
                                   at(layer.gamma), at(layer.beta), at(layer.moving_mean), at(layer.moving_variance),
                                   layer.extra.data(), layer.inverse.data(), a);
                break;
        }
    }
    return input_of(layers_.size());
}

// Step 2: the loss

template <class T>
double Network<T>::loss(long B, bool weighted) {
    const T* p = input_of(layers_.size());
    const T* weight = weighted ? weight_.data() : nullptr;
    if (!loss_function_)
        return kernels_.loss(loss_, B, output_width_, target_columns_, y_.data(), p, weight, output_gradient());
    FlushDenormals::Pause pause;
    return loss_function_(B, output_width_, row_stride(output_width_), y_.data(), p, weight, output_gradient());
}

template <class T>
double Network<T>::penalty() const {
    double sum = 0;
    for (const Segment& segment : trained_)
        if (segment.l1 != 0 || segment.l2 != 0)
            sum += kernels_.penalty(segment.length, segment.l1, segment.l2, parameters_ + segment.offset);
    return sum;
}

// Step 3: the backward pass: blame, traced from the last layer to the first

template <class T>
void Network<T>::backward(long B, bool training) {
    for (std::size_t number = layers_.size(); number-- > first_trained_;) {
        Layer<T>& layer = layers_[number];
        const T* x = input_of(number);
        T* d = layer.da.data();
        T* dx = number > first_trained_ ? layers_[number - 1].da.data() : nullptr;
        const auto count = static_cast<std::size_t>(B * row_stride(layer.O));
        const auto blamed = [&](long offset) { return offset < 0 ? nullptr : gradient_ + offset; };
        switch (layer.kind) {
            case LayerKind::dense:
                if (layer.activation.kind != Activation::linear)
                    kernels_.activate_backward(layer.activation, B, layer.O,
                                               layer.keeps_z() ? layer.z.data() : layer.a.data(), layer.a.data(), d);
                if (layer.trainable)
                    kernels_.weight_gradient(B, layer.I, layer.O, x, d, blamed(layer.kernel), blamed(layer.bias));
                if (dx)
                    kernels_.input_gradient(B, layer.I, layer.O, d, parameters_ + layer.kernel, transposed_.data(), dx);
                continue;
            case LayerKind::activation:
                kernels_.activate_backward(layer.activation, B, layer.O, x, layer.a.data(), d);
                break;
            case LayerKind::function: {
                FlushDenormals::Pause pause;
                layer.blame(B, layer.O, row_stride(layer.O), x, layer.a.data(), d);
                break;
            }
            case LayerKind::dropout:
                if (layer.rate > 0 && training) kernels_.multiply(long(count), layer.extra.data(), d);
                break;
            case LayerKind::noise: break;
            case LayerKind::normalization:
                kernels_.normalize_backward(training && layer.trainable, B, layer.O,
                                            layer.gamma < 0 ? nullptr : parameters_ + layer.gamma, layer.extra.data(),
                                            layer.inverse.data(), blamed(layer.gamma), blamed(layer.beta), d,
                                            layer.inverse.data() + row_stride(layer.O));
                break;
        }
        if (dx) std::copy_n(d, count, dx);
    }
    for (const Segment& segment : trained_)
        if (segment.l1 != 0 || segment.l2 != 0)
            kernels_.penalty_gradient(segment.length, segment.l1, segment.l2, parameters_ + segment.offset,
                                      gradient_ + segment.offset);
}

// Step 4: the update

template <class T>
void Network<T>::clip_gradient() {
    if (optimizer_.clipvalue > 0)
        for (const Segment& segment : trained_)
            kernels_.clip(segment.length, optimizer_.clipvalue, gradient_ + segment.offset);
    if (optimizer_.clipnorm > 0)
        for (const Segment& segment : trained_) {
            const double norm = std::sqrt(kernels_.sum_of_squares(segment.length, gradient_ + segment.offset));
            if (norm > optimizer_.clipnorm)
                kernels_.scale(segment.length, optimizer_.clipnorm / norm, gradient_ + segment.offset);
        }
    if (optimizer_.global_clipnorm > 0) {
        double squares = 0;
        for (const Segment& segment : trained_)
            squares += kernels_.sum_of_squares(segment.length, gradient_ + segment.offset);
        const double norm = std::sqrt(squares);
        if (norm > optimizer_.global_clipnorm)
            for (const Segment& segment : trained_)
                kernels_.scale(segment.length, optimizer_.global_clipnorm / norm, gradient_ + segment.offset);
    }
}

template <class T>
void Network<T>::update(double learning_rate, long iteration) {
    clip_gradient();
    UpdateStep step = step_of(optimizer_, learning_rate, iteration);
    for (const Segment& segment : trained_) {
        step.decay = segment.decays ? optimizer_.weight_decay * learning_rate : 0;
        const auto slot = [&](int number) { return slots_[number] ? slots_[number] + segment.offset : nullptr; };
        kernels_.update(optimizer_, step, segment.length, parameters_ + segment.offset, gradient_ + segment.offset,
                        slot(0), slot(1), slot(2));
    }
}

// The training loop

template <class T>
TrainResult Network<T>::train(const T* x, const T* y, const T* weight, Rows rows,
                              std::span<const double> learning_rates, long first_iteration, T* predictions) {
    FlushDenormals flush;
    reserve(std::min(rows.batch_size, rows.count));
    TrainResult result;
    for (long start = 0; start < rows.count; start += rows.batch_size) {
        const long B = std::min(rows.batch_size, rows.count - start);
        const long iteration = first_iteration + result.steps;
        load_batch(x, y, weight, rows, start, B);
        forward(B, true, iteration);
        const double batch_loss = loss(B, weight != nullptr) + penalty();
        result.loss_sum += batch_loss * double(B);
        result.rows += B;
        if (predictions) copy_out(B, predictions + start * output_width_);
        if (!std::isfinite(batch_loss)) {
            result.finite = false;
            return result;
        }
        backward(B, true);
        update(learning_rates[static_cast<std::size_t>(result.steps)], iteration);
        ++result.steps;
    }
    return result;
}

template <class T>
double Network<T>::evaluate(const T* x, const T* y, const T* weight, Rows rows, T* predictions) {
    FlushDenormals flush;
    reserve(std::min(rows.batch_size, rows.count));
    const double penalties = penalty();
    double sum = 0;
    for (long start = 0; start < rows.count; start += rows.batch_size) {
        const long B = std::min(rows.batch_size, rows.count - start);
        load_batch(x, y, weight, rows, start, B);
        forward(B, false, 0);
        sum += (loss(B, weight != nullptr) + penalties) * double(B);
        if (predictions) copy_out(B, predictions + start * output_width_);
    }
    return sum;
}

template <class T>
void Network<T>::predict(const T* x, Rows rows, T* predictions) {
    FlushDenormals flush;
    reserve(std::min(rows.batch_size, rows.count));
    for (long start = 0; start < rows.count; start += rows.batch_size) {
        const long B = std::min(rows.batch_size, rows.count - start);
        load_batch(x, nullptr, nullptr, rows, start, B);
        forward(B, false, 0);
        copy_out(B, predictions + start * output_width_);
    }
}

template <class T>
double Network<T>::gradients(const T* x, const T* y, const T* weight, long rows) {
    FlushDenormals flush;
    reserve(rows);
    load_batch(x, y, weight, Rows{rows, rows, nullptr}, 0, rows);
    forward(rows, true, 0);
    const double value = loss(rows, weight != nullptr) + penalty();
    backward(rows, true);
    return value;
}

template <class T>
void Network<T>::copy_out(long B, T* predictions) const {
    const T* p = input_of(layers_.size());
    const long stride = row_stride(output_width_);
    for (long row = 0; row < B; ++row)
        std::memcpy(predictions + row * output_width_, p + row * stride,
                    static_cast<std::size_t>(output_width_) * sizeof(T));
}

template class Network<float>;
template class Network<double>;

}  // namespace hillwalker
