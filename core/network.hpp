// A network, its loss and its optimizer: buffers whose sizes are fixed before the first step, and the step itself.
// Weights, gradient and slots are the caller's memory; nothing here allocates during a step or knows of Python.
#pragma once

#include <cstdint>
#include <functional>
#include <new>
#include <span>
#include <vector>

#include "kernels.hpp"
#include "pool.hpp"

namespace hillwalker {

// Memory that begins on a cache line, so that no vector of the widest kind crosses two.
template <class T>
struct CacheLines {
    using value_type = T;
    static constexpr std::align_val_t alignment{64};
    CacheLines() = default;
    template <class U>
    CacheLines(const CacheLines<U>&) {}
    T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), alignment)); }
    void deallocate(T* memory, std::size_t) { ::operator delete(memory, alignment); }
    friend bool operator==(CacheLines, CacheLines) { return true; }
};
template <class T>
using Buffer = std::vector<T, CacheLines<T>>;

// A function of the caller's, where the plan has one. Rows lie `stride` numbers apart.
template <class T>
using ActivationFunction = std::function<void(long B, long O, long stride, const T* z, T* a)>;
template <class T>
using ActivationBlame = std::function<void(long B, long O, long stride, const T* z, const T* a, T* d)>;
template <class T>
using LossFunction = std::function<double(long B, long O, long stride, const T* y, const T* p, const T* weight, T* dp)>;

struct Segment {  // one trained weight in the flat vectors
    long offset = 0, length = 0;
    bool decays = false;  // whether weight decay applies
    double l1 = 0, l2 = 0;
};

struct Rows {  // what one call trains on
    long count = 0, batch_size = 0;
    const std::uint32_t* order = nullptr;  // row numbers, or null for rows as they lie
};

struct TrainResult {
    double loss_sum = 0;
    long rows = 0, steps = 0;
    bool finite = true;
};

enum class LayerKind { dense, activation, function, dropout, noise, normalization };

template <class T>
struct Layer {
    LayerKind kind = LayerKind::dense;
    long I = 0, O = 0;
    ActivationRule activation;
    ActivationFunction<T> function;
    ActivationBlame<T> blame;
    long kernel = -1, bias = -1;  // offsets; -1: none
    long gamma = -1, beta = -1, moving_mean = -1, moving_variance = -1;
    double rate = 0, momentum = 0, epsilon = 0;  // dropout's rate or noise's deviation; normalisation's two
    std::uint64_t stream = 0, seed = 0;
    bool trainable = true, own_seed = false;

    Buffer<T> z, a, da, extra, inverse;  // (B, row_stride(O)) each; extra: dropout's scale, normalisation's normal
    bool keeps_z() const {
        return kind == LayerKind::dense && activation.kind != Activation::linear && !activation.plain_relu();
    }
    bool is_plain_relu() const { return kind == LayerKind::dense && activation.plain_relu(); }
};

// beta^1, beta^2, ...: the power of t is a function of t alone, however training got there.
class Powers {
public:
    explicit Powers(double beta = 0);
    double operator()(long t);

private:
    static constexpr long block = 256;
    double beta_;
    std::vector<double> low_;  // beta^0 ... beta^255
    long block_number_ = 0;
    double high_ = 1;  // beta^(256 block_number)
};

template <class T>
class Network {
public:
    Network(long input_width, long output_width, long target_columns, std::uint64_t seed)
        : input_width_(input_width), output_width_(output_width), target_columns_(target_columns), seed_(seed) {}

    void add(Layer<T> layer);
    void set_loss(LossRule rule) { loss_ = rule; }
    void set_loss(LossFunction<T> function) { loss_function_ = std::move(function); }
    void set_optimizer(UpdateRule rule, std::vector<Segment> trained);
    void set_memory(T* parameters, T* gradient, std::vector<T*> slots);

    // `threads`: how many may work at it; as many do as it is worth, and no number depends on that.
    TrainResult train(const T* x, const T* y, const T* weight, Rows rows, std::span<const double> learning_rates,
                      long first_iteration, T* predictions, int threads);
    double evaluate(const T* x, const T* y, const T* weight, Rows rows, T* predictions, int threads);
    void predict(const T* x, Rows rows, T* predictions, int threads);
    double gradients(const T* x, const T* y, const T* weight, long rows, bool training, long iteration);

    long input_width() const { return input_width_; }
    long output_width() const { return output_width_; }
    long target_columns() const { return target_columns_; }

private:
    // One of the threads that do a step together, each its part of every layer; they meet at `barrier`.
    struct Part {
        int number, count;
        Barrier* barrier;
        T* panel;
        bool is_first() const { return number == 0; }
        void meet() const { barrier->wait(); }
        Range share(long length) const;  // of columns or rows, at multiples of `padding`
    };

    void reserve(long rows);
    double operations(long rows) const;
    int parts_for(long rows, int threads) const;
    long chunk_of(long batch) const;
    int run_parts(int wanted, const std::function<void(const Part&)>& work);
    void load(const Part& part, const T* x, const T* y, const T* weight, Rows rows, long start, long count);
    void forward(const Part& part, long B, bool training, long iteration);
    void dense_forward(const Part& part, Layer<T>& layer, long B, const T* x);
    double loss(long B, long rows_of_batch, bool weighted);
    double penalty() const;
    void backward(const Part& part, long B, bool training, bool more);
    void dense_backward(const Part& part, std::size_t number, long B, bool through_relu, bool more);
    void add_penalty_gradient();
    void clip_gradient();
    void update(const Part& part);
    UpdateStep step_of(double learning_rate, long iteration);
    // Goes on from where a result stands, up to the last row.
    TrainResult train_part(const Part& part, const T* x, const T* y, const T* weight, Rows rows,
                           std::span<const double> learning_rates, long first_iteration, T* predictions,
                           TrainResult result, long last_row);
    void copy_out(long B, T* predictions) const;
    T* at(long offset) const { return offset < 0 ? nullptr : parameters_ + offset; }
    const T* input_of(std::size_t number) const { return number == 0 ? x_.data() : layers_[number - 1].a.data(); }
    T* output_gradient() { return layers_.empty() ? spare_.data() : layers_.back().da.data(); }

    long input_width_, output_width_, target_columns_;
    std::uint64_t seed_;
    std::vector<Layer<T>> layers_;
    LossRule loss_;
    LossFunction<T> loss_function_;
    UpdateRule optimizer_;
    std::vector<Segment> trained_;
    std::vector<Segment> stretches_;  // of what is updated after the backward pass: neighbours as one
    bool has_penalty_ = false, clips_ = false;
    Powers first_powers_, second_powers_, nadam_powers_;
    std::size_t first_trained_ = 0;  // blame need not travel below this layer
    T* parameters_ = nullptr;
    T* gradient_ = nullptr;
    std::vector<T*> slots_;
    long capacity_ = 0, chunk_ = 0;
    double step_loss_ = 0;  // this and the next: told by the first part to the others
    UpdateStep step_;
    Pace pace_;
    Buffer<T> x_, y_, weight_, panels_, spare_;
    const Kernels<T>& kernels_ = kernels<T>();
};

extern template class Network<float>;
extern template class Network<double>;

}  // namespace hillwalker
