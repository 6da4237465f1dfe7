#include "lanes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu.hpp"

namespace hillwalker {

namespace {

constexpr long chunk_bytes = 20480;  // of activations that are worked on at a time: they stay in the first cache

template <class T>
void resize(Buffer<T>& buffer, long count) {
    buffer.assign(static_cast<std::size_t>(count + padding), T(0));
}

}  // namespace

template <class T>
LaneTraining<T>::LaneTraining(std::vector<LaneLayer> layers, LossRule loss, UpdateRule optimizer, Sample<T> sample,
                              Sample<T> validation)
    : layers_(std::move(layers)),
      loss_(loss),
      optimizer_(optimizer),
      first_powers_(optimizer.beta_1),
      second_powers_(optimizer.beta_2),
      sample_(sample),
      validation_(validation) {
    for (const LaneLayer& layer : layers_) {
        places_.push_back({length_, length_ + layer.I * layer.O * G_});
        length_ += (layer.I * layer.O + (layer.bias < 0 ? 0 : layer.O)) * G_;
    }
}

template <class T>
long LaneTraining<T>::least_length() const {
    long length = 0;
    for (const LaneLayer& layer : layers_)
        length = std::max({length, layer.kernel + layer.I * row_stride(layer.O), layer.bias + layer.O});
    return length;
}

template <class T>
void LaneTraining<T>::reserve(long rows) {
    long width = 0;
    for (const LaneLayer& layer : layers_) width += layer.O;
    const long fit = chunk_bytes / (width * G_ * long(sizeof(T))) / 4 * 4;
    chunk_ = std::min(rows, std::max(4L, fit));
    resize(g_, length_);
    resize(x_, chunk_ * layers_.front().I);
    resize(y_, chunk_ * layers_.back().O);
    resize(weight_, chunk_);
    for (std::vector<Buffer<T>>* buffers : {&z_, &a_, &d_}) {
        buffers->resize(layers_.size());
        for (std::size_t k = 0; k < layers_.size(); ++k) resize((*buffers)[k], chunk_ * layers_[k].O * G_);
    }
    for (Buffer<T>* buffer : {&rates_, &scales_, &decays_, &no_decay_}) resize(*buffer, G_);
    sums_.assign(static_cast<std::size_t>(G_), 0.0);
}

template <class T>
void LaneTraining<T>::gather(const Sample<T>& sample, const std::uint32_t* order, long start, long count) {
    const auto rows = [&](const T* from, long width, Buffer<T>& to) {
        if (!from) return;
        kernels_.gather(count, width, width, order ? order + start : nullptr, order ? from : from + start * width,
                        to.data());
    };
    rows(sample.x, layers_.front().I, x_);
    rows(sample.y, layers_.back().O, y_);
    rows(sample.weight, 1, weight_);
}

// The hinge losses take labels 0 and 1 for -1 and 1 where a whole batch has no others.
template <class T>
bool LaneTraining<T>::hinge_labels(const Sample<T>& sample, const std::uint32_t* order, long start, long count) const {
    if (loss_.kind != Loss::hinge && loss_.kind != Loss::squared_hinge) return false;
    const long O = layers_.back().O;
    for (long k = start; k < start + count; ++k)
        for (long o = 0; o < O; ++o) {
            const T y = sample.y[(order ? long(order[k]) : k) * O + o];
            if (y != 0 && y != 1) return false;
        }
    return true;
}

template <class T>
void LaneTraining<T>::forward(long rows) {
    for (std::size_t k = 0; k < layers_.size(); ++k) {
        const LaneLayer& layer = layers_[k];
        const T* w = vectors_[0].data();
        const bool apart = layer.activation.kind != Activation::linear && !layer.activation.plain_relu();
        T* z = apart ? z_[k].data() : a_[k].data();
        kernels_.lane_forward(k == 0, rows, layer.I, layer.O, input_of(k), w + places_[k].W,
                              layer.bias < 0 ? nullptr : w + places_[k].b, layer.activation.plain_relu(), z);
        if (apart) kernels_.activate(layer.activation, 1, rows * layer.O * G_, z, a_[k].data());
    }
}

template <class T>
void LaneTraining<T>::backward(long rows, bool more) {
    for (std::size_t k = layers_.size(); k-- > 0;) {
        const LaneLayer& layer = layers_[k];
        T* d = slope(k);
        const bool is_last = k + 1 == layers_.size(), relu = layer.activation.plain_relu();
        if (layer.activation.kind != Activation::linear && (is_last || !relu))  // relu's below is in the product above
            kernels_.activate_backward(layer.activation, 1, rows * layer.O * G_, relu ? a_[k].data() : z_[k].data(),
                                       a_[k].data(), d);
        kernels_.lane_weight_gradient(k == 0, rows, layer.I, layer.O, more, input_of(k), d, g_.data() + places_[k].W,
                                      layer.bias < 0 ? nullptr : g_.data() + places_[k].b);
        if (k > 0)
            kernels_.lane_input_gradient(rows, layer.I, layer.O, d, vectors_[0].data() + places_[k].W,
                                         layers_[k - 1].activation.plain_relu() ? a_[k - 1].data() : nullptr,
                                         slope(k - 1));
    }
}

template <class T>
void LaneTraining<T>::train_batch(const std::uint32_t* order, long start, long count, double* losses) {
    const bool labels = hinge_labels(sample_, order, start, count);
    std::fill(sums_.begin(), sums_.end(), 0.0);
    for (long done = 0; done < count; done += chunk_) {
        const long rows = std::min(chunk_, count - done);
        gather(sample_, order, start + done, rows);
        forward(rows);
        kernels_.lane_loss(loss_, labels, count, rows, layers_.back().O, y_.data(), a_.back().data(),
                           sample_.weight ? weight_.data() : nullptr, slope(layers_.size() - 1), sums_.data());
        backward(rows, done > 0);
    }
    for (long lane = 0; lane < G_; ++lane)
        losses[lane] = sums_[static_cast<std::size_t>(lane)] / (loss_.sum ? 1.0 : double(count));
}

template <class T>
void LaneTraining<T>::update(long steps) {
    double corrected = 1;
    if (optimizer_.kind == Optimizer::adam) {
        const long t = models_.front().course.first_iteration + steps + 1;
        corrected = std::sqrt(1 - second_powers_(t)) / (1 - first_powers_(t));
    }
    for (std::size_t lane = 0; lane < models_.size(); ++lane) {
        const std::vector<double>& rates = models_[lane].course.learning_rates;
        const double rate = rates[std::min(static_cast<std::size_t>(steps), rates.size() - 1)];
        rates_[lane] = T(rate);
        scales_[lane] = T(rate * corrected);
        decays_[lane] = T(optimizer_.weight_decay * rate);
    }
    const auto one = [&](long offset, long count, bool decays) {
        const auto slot = [&](std::size_t k) {
            return k < vectors_.size() && !vectors_[k].empty() ? vectors_[k].data() + offset : nullptr;
        };
        kernels_.lane_update(optimizer_, rates_.data(), scales_.data(), decays ? decays_.data() : no_decay_.data(),
                             count, vectors_[0].data() + offset, g_.data() + offset, slot(1), slot(2), slot(3));
    };
    for (std::size_t k = 0; k < layers_.size(); ++k) {
        const LaneLayer& layer = layers_[k];
        one(places_[k].W, layer.I * layer.O, layer.kernel_decays);
        if (layer.bias >= 0) one(places_[k].b, layer.O, layer.bias_decays);
    }
}

template <class T>
bool LaneTraining<T>::train_epoch(Run& run, double* losses) {
    const Course& course = models_.front().course;
    const std::uint32_t* order = arrange(sample_, course, course.first_iteration + steps_, order_);
    std::vector<double> batch_losses(static_cast<std::size_t>(G_)), sums(batch_losses.size());
    std::vector<long> rows(batch_losses.size());
    for (long start = 0; start < sample_.count; start += course.batch_size) {
        if (run.stop) return false;
        const long count = std::min(course.batch_size, sample_.count - start);
        train_batch(order, start, count, batch_losses.data());
        for (std::size_t lane = 0; lane < models_.size(); ++lane) {
            if (!runs_[lane] || failed_[lane]) continue;
            sums[lane] += batch_losses[lane] * double(count);
            rows[lane] += count;
            failed_[lane] = !std::isfinite(batch_losses[lane]);
            if (!failed_[lane]) ++records_[lane].steps;
        }
        update(steps_++);
    }
    for (std::size_t lane = 0; lane < models_.size(); ++lane)
        losses[lane] = rows[lane] ? sums[lane] / double(rows[lane]) : 0;
    return true;
}

template <class T>
void LaneTraining<T>::validate(double* losses) {
    const long size = models_.front().course.validation_batch_size, O = layers_.back().O;
    std::fill_n(losses, G_, 0.0);
    for (long start = 0; start < validation_.count; start += size) {
        const long count = std::min(size, validation_.count - start);
        const bool labels = hinge_labels(validation_, validation_.rows, start, count);
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (long done = 0; done < count; done += chunk_) {
            const long rows = std::min(chunk_, count - done);
            gather(validation_, validation_.rows, start + done, rows);
            forward(rows);
            kernels_.lane_loss(loss_, labels, count, rows, O, y_.data(), a_.back().data(),
                               validation_.weight ? weight_.data() : nullptr, slope(layers_.size() - 1), sums_.data());
        }
        for (long lane = 0; lane < G_; ++lane)
            losses[lane] += sums_[static_cast<std::size_t>(lane)] * (loss_.sum ? double(count) : 1.0);
    }
    for (long lane = 0; lane < G_; ++lane) losses[lane] /= double(validation_.count);
}

// One model's weights or slots, from its own vector to its lane or back.
template <class T>
void LaneTraining<T>::move(long lane, std::size_t vector, Way way) {
    T* own = models_[static_cast<std::size_t>(lane)].vectors[vector];
    T* lanes = vectors_[vector].data() + lane;
    const auto one = [&](T& in_model, T& in_lane) {
        way == Way::from_models ? void(in_lane = in_model) : void(in_model = in_lane);
    };
    for (std::size_t k = 0; k < layers_.size(); ++k) {
        const LaneLayer& layer = layers_[k];
        for (long i = 0; i < layer.I; ++i)
            for (long o = 0; o < layer.O; ++o)
                one(own[layer.kernel + i * row_stride(layer.O) + o], lanes[places_[k].W + (i * layer.O + o) * G_]);
        for (long o = 0; layer.bias >= 0 && o < layer.O; ++o) one(own[layer.bias + o], lanes[places_[k].b + o * G_]);
    }
}

template <class T>
bool LaneTraining<T>::is_finite(long lane) const {
    for (long k = lane; k < length_; k += G_)
        if (!std::isfinite(vectors_[0][static_cast<std::size_t>(k)])) return false;
    return true;
}

template <class T>
void LaneTraining<T>::return_to(long lane, const std::vector<Buffer<T>>& kept) {
    for (std::size_t v = 0; v < vectors_.size(); ++v)
        for (auto k = static_cast<std::size_t>(lane); k < kept[v].size(); k += static_cast<std::size_t>(G_))
            vectors_[v][k] = kept[v][k];
}

template <class T>
void LaneTraining<T>::end(long lane, Run& run) {
    const auto number = static_cast<std::size_t>(lane);
    for (std::size_t v = 0; v < vectors_.size(); ++v)
        if (models_[number].vectors[v]) move(lane, v, Way::to_models);
    const Course& course = models_[number].course;
    if (!records_[number].interrupted) run.done += course.cost * (course.epochs - records_[number].ended_epochs());
    runs_[number] = false;
}

template <class T>
void LaneTraining<T>::run(Run& run) {
    FlushDenormals flush;
    const std::size_t count = models_.size();
    const Course& course = models_.front().course;
    reserve(std::max(course.batch_size, course.validation_batch_size));
    records_.assign(count, Record());
    runs_.assign(count, true);
    failed_.assign(count, false);
    steps_ = 0;
    vectors_.assign(models_.front().vectors.size(), {});
    std::vector<Patience> patience;
    std::vector<Buffer<T>> kept(vectors_.size());
    Buffer<T> best;
    std::vector<char> has_best(count);
    std::vector<double> losses(static_cast<std::size_t>(G_)), validation_losses(losses.size());
    for (std::size_t v = 0; v < vectors_.size(); ++v) {
        if (!models_.front().vectors[v]) continue;
        vectors_[v].assign(static_cast<std::size_t>(length_), T(0));
        for (std::size_t lane = 0; lane < count; ++lane) move(long(lane), v, Way::from_models);
    }
    for (const LaneModel<T>& model : models_) patience.emplace_back(model.early_stopping);
    long running = 0;
    for (std::size_t lane = 0; lane < count; ++lane) {
        if (models_[lane].course.epochs > 0)
            ++running;
        else
            runs_[lane] = false;
    }
    for (long epoch = 0; running > 0; ++epoch) {
        for (std::size_t v = 0; v < vectors_.size(); ++v) kept[v] = vectors_[v];
        const long steps_before = steps_;
        if (!train_epoch(run, losses.data())) break;
        for (std::size_t lane = 0; lane < count; ++lane) {
            if (!runs_[lane] || (!failed_[lane] && is_finite(long(lane)))) continue;
            failed_[lane] = true;
            return_to(long(lane), kept);
            records_[lane].steps = steps_before;
        }
        if (validation_.count > 0) validate(validation_losses.data());
        for (std::size_t lane = 0; lane < count; ++lane) {
            if (!runs_[lane]) continue;
            Record& record = records_[lane];
            record.finite = !failed_[lane];
            if (failed_[lane]) validation_losses[lane] = std::numeric_limits<double>::quiet_NaN();
            record.losses.push_back(losses[lane]);
            if (validation_.count > 0) record.validation_losses.push_back(validation_losses[lane]);
            run.done += models_[lane].course.cost;
            if (patience[lane].improves(epoch, losses[lane], validation_losses[lane])) {
                best.resize(vectors_[0].size());
                has_best[lane] = true;
                for (auto k = lane; k < best.size(); k += static_cast<std::size_t>(G_)) best[k] = vectors_[0][k];
            }
            if (record.finite && !patience[lane].ended() && record.ended_epochs() < models_[lane].course.epochs)
                continue;
            if (has_best[lane])
                for (auto k = lane; k < best.size(); k += static_cast<std::size_t>(G_)) vectors_[0][k] = best[k];
            end(long(lane), run);
            --running;
        }
    }
    for (std::size_t lane = 0; lane < count; ++lane) {  // Ctrl-C
        if (!runs_[lane]) continue;
        records_[lane].interrupted = true;
        if (has_best[lane])
            for (auto k = lane; k < best.size(); k += static_cast<std::size_t>(G_)) vectors_[0][k] = best[k];
        end(long(lane), run);
    }
}

template class LaneTraining<float>;
template class LaneTraining<double>;

}  // namespace hillwalker
