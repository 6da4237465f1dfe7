// Trainings of models of one shape side by side, one in each lane of a vector: for layers so narrow that a vector is
// longer than they are. The models share the rows and their order; sums run in another order than in a Network, so a model's
// numbers are those of `fit` but for rounding. They depend on no other model and on no lane.
#pragma once

#include <vector>

#include "many.hpp"

namespace hillwalker {

struct LaneLayer {
    long I = 0, O = 0;
    ActivationRule activation;
    long kernel = 0, bias = -1;  // offsets in a model's vectors; -1: none
    bool kernel_decays = false, bias_decays = false;
};

template <class T>
struct LaneModel {
    std::vector<T*> vectors;  // weights and the optimizer's slots, in the order of the update rule; null: none
    Course course;            // epochs, learning rates and cost are the model's own, the rest is that of the first
    EarlyStopping early_stopping;
};

template <class T>
class LaneTraining {
public:
    LaneTraining(std::vector<LaneLayer> layers, LossRule loss, UpdateRule optimizer, Sample<T> sample,
                 Sample<T> validation);

    // How many models there may be.
    long lanes() const { return G_; }
    long models() const { return long(models_.size()); }
    const Sample<T>& sample() const { return sample_; }
    long least_length() const;  // of a model's vectors
    void add(LaneModel<T> model) { models_.push_back(std::move(model)); }
    void run(Run& run);
    const Record& record(long model) const { return records_.at(static_cast<std::size_t>(model)); }

private:
    struct Place {  // one layer's weights among the lanes' vectors, in numbers
        long W, b;
    };
    enum class Way { from_models, to_models };

    void reserve(long rows);
    void gather(const Sample<T>& sample, const std::uint32_t* order, long start, long count);
    void forward(long rows);
    void backward(long rows, bool more);
    void train_batch(const std::uint32_t* order, long start, long count, double* losses);
    void update(long steps);
    void validate(double* losses);
    bool train_epoch(Run& run, double* losses);
    bool hinge_labels(const Sample<T>& sample, const std::uint32_t* order, long start, long count) const;
    void move(long lane, std::size_t vector, Way way);
    bool is_finite(long lane) const;
    void return_to(long lane, const std::vector<Buffer<T>>& kept);
    void end(long lane, Run& run);
    bool in_place(std::size_t layer) const {
        return layers_[layer].activation.plain_relu() && layer + 1 < layers_.size();
    }
    // Where a layer's slope goes: over a ReLU's value, which nobody needs after that.
    T* slope(std::size_t layer) { return in_place(layer) ? a_[layer].data() : d_[layer].data(); }
    const T* input_of(std::size_t layer) const { return layer == 0 ? x_.data() : a_[layer - 1].data(); }

    std::vector<LaneLayer> layers_;
    std::vector<Place> places_;
    LossRule loss_;
    UpdateRule optimizer_;
    Powers first_powers_, second_powers_;
    Sample<T> sample_, validation_;
    std::vector<LaneModel<T>> models_;
    std::vector<Record> records_;
    long length_ = 0;                   // numbers of weights among the lanes
    std::vector<Buffer<T>> vectors_;    // the weights and the slots, all lanes
    Buffer<T> g_, x_, y_, weight_;      // the gradient; a chunk of rows
    std::vector<Buffer<T>> z_, a_, d_;  // of each layer
    Buffer<T> rates_, scales_, decays_, no_decay_;
    std::vector<std::uint32_t> order_;
    std::vector<char> runs_, failed_;  // by lane
    std::vector<double> sums_;
    long chunk_ = 0, steps_ = 0;  // rows worked on at a time; steps done
    const Kernels<T>& kernels_ = kernels<T>();
    const long G_ = kernels_.lanes;
};

extern template class LaneTraining<float>;
extern template class LaneTraining<double>;

}  // namespace hillwalker
