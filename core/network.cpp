// What a network is made of, and its memory. The step itself is in step.inl, the loops over steps in train.inl.
#include "network.hpp"

#include <algorithm>
#include <chrono>
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

}  // namespace

Powers::Powers(double beta) : beta_(beta), low_(block) {
    for (long t = 0; t < block; ++t) low_[std::size_t(t)] = std::pow(beta, double(t));
}

double Powers::operator()(long t) {
    if (t / block != block_number_) {
        block_number_ = t / block;
        high_ = std::pow(beta_, double(block_number_ * block));
    }
    return high_ * low_[std::size_t(t % block)];
}

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
void Network<T>::set_optimizer(UpdateRule rule, std::vector<Segment> trained) {
    optimizer_ = rule;
    trained_ = std::move(trained);
    first_powers_ = Powers(rule.beta_1);
    second_powers_ = Powers(rule.beta_2);
    nadam_powers_ = Powers(0.96);
    clips_ = rule.clipvalue > 0 || rule.clipnorm > 0 || rule.global_clipnorm > 0;
    has_penalty_ = std::any_of(trained_.begin(), trained_.end(),
                               [](const Segment& segment) { return segment.l1 != 0 || segment.l2 != 0; });
    stretches_.clear();
    for (const Segment& segment : trained_) {
        Segment* last = stretches_.empty() ? nullptr : &stretches_.back();
        if (last && last->offset + last->length == segment.offset && last->decays == segment.decays)
            last->length += segment.length;
        else
            stretches_.push_back(segment);
    }
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
    for (Layer<T>& layer : layers_) {
        for (Buffer<T>* buffer : {&layer.a, &layer.da}) resize(*buffer, rows, layer.O);
        if (layer.keeps_z()) resize(layer.z, rows, layer.O);
        if (layer.kind == LayerKind::dropout || layer.kind == LayerKind::normalization)
            resize(layer.extra, rows, layer.O);
        if (layer.kind == LayerKind::normalization) resize(layer.inverse, 3, layer.O);
    }
}

#include "step.inl"
#include "train.inl"

template class Network<float>;
template class Network<double>;

}  // namespace hillwalker
