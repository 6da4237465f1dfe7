// The one interface between a training step and the arithmetic: a table of functions for each precision and instruction set.
// The step (network.cpp) knows no instruction set; the kernels (kernels.inl) know no network.
//
// Legend: B rows of a batch, I inputs, O units. Every matrix lies row by row. A row of n numbers occupies row_stride(n):
// 1 for a single column, else n rounded up to 16, so a kernel never meets a part of a vector.
#pragma once

#include <cstdint>

namespace hillwalker {

constexpr long padding = 16;

constexpr long padded(long count) { return (count + padding - 1) / padding * padding; }
constexpr long row_stride(long columns) { return columns == 1 ? 1 : padded(columns); }

enum class Activation {
    linear,
    relu,
    elu,
    selu,
    gelu,
    silu,
    mish,
    sigmoid,
    hard_sigmoid,
    tanh,
    softsign,
    softplus,
    exponential,
    softmax,
    log_softmax
};

struct ActivationRule {
    Activation kind = Activation::linear;
    double first = 0, second = 0, third = 0;  // relu: slope, maximum, threshold; elu: alpha; gelu: approximate
    bool plain_relu() const {
        return kind == Activation::relu && first == 0 && second == __builtin_inf() && third == 0;
    }
};

enum class Loss {
    mean_squared_error,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_logarithmic_error,
    huber,
    log_cosh,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
    kl_divergence,
    poisson,
    hinge,
    squared_hinge,
    categorical_hinge,
    cosine_similarity,
    pinball,
    asymmetric_squared_error,
    qlike
};

struct LossRule {
    Loss kind = Loss::mean_squared_error;
    double first = 0, second = 0;  // in the order of losses/
    bool sum = false;              // reduction "sum": not divided by the number of rows
};

enum class Optimizer { sgd, rmsprop, adagrad, adadelta, adam, adamax, nadam, lion };

struct UpdateRule {
    Optimizer kind = Optimizer::sgd;
    double momentum = 0, rho = 0, beta_1 = 0, beta_2 = 0, epsilon = 0, weight_decay = 0;
    bool nesterov = false, centered = false, amsgrad = false;
    double clipvalue = 0, clipnorm = 0, global_clipnorm = 0;  // 0: not clipped
};

// The numbers of one update that depend on the step alone, so that the kernel is arithmetic on vectors only.
struct UpdateStep {
    double learning_rate = 0;
    double scale = 0;              // what multiplies the step: Adam's bias-corrected rate, Nadam's second term, ...
    double gradient_scale = 0;     // Nadam's term of the gradient itself
    double moment_correction = 0;  // Nadam's 1 - beta_2^t
    double decay = 0;              // w <- w - w decay, before the update
};

struct Range {  // first ... last - 1
    long first, last;
};

constexpr long panel_size = 9216;  // numbers of scratch memory that the products need

template <class T>
struct Kernels {
    // Rows `order` of a matrix without padding (null: its first rows) to rows `stride` apart.
    void (*gather)(long rows, long width, long stride, const std::uint32_t* order, const T* from, T* to);

    // Each product can do a part of its work: columns or rows of its result, at multiples of `padding`. No number depends
    // on how the work is divided.
    // Columns `units` of a = f(x W + b), f plain ReLU or nothing; b may be null.
    void (*forward)(long B, long I, long O, Range units, const T* x, const T* W, const T* b, bool relu, T* a, T* panel);
    // Columns `inputs` of dx = dz W^T, padding included; where `relu` (lying as dx) is given, times its derivative there.
    void (*input_gradient)(long B, long I, long O, Range inputs, const T* dz, const T* W, const T* relu, T* panel,
                           T* dx);
    // Rows `inputs` of dW = x^T dz, or of dW + x^T dz if there is `more`
    void (*weight_gradient)(long B, long I, long O, Range inputs, bool more, const T* x, const T* dz, T* dW, T* panel);
    // db = column sums of dz, or db + these if there is `more`
    void (*bias_gradient)(long B, long O, bool more, const T* dz, T* db);

    void (*activate)(const ActivationRule& rule, long B, long O, const T* z, T* a);
    // d holds dL/da and becomes dL/dz
    void (*activate_backward)(const ActivationRule& rule, long B, long O, const T* z, const T* a, T* d);

    // Returns the batch's loss and writes dL/dp. `weight` (B,) may be null. y has target_columns a row, without padding.
    double (*loss)(const LossRule& rule, long B, long O, long target_columns, const T* y, const T* p, const T* weight,
                   T* dp);

    void (*dropout)(long B, long O, std::uint64_t key, double rate, const T* x, T* scale, T* a);
    void (*noise)(long B, long O, std::uint64_t key, double stddev, const T* x, T* a);
    void (*multiply)(long count, const T* factor, T* values);

    // Batch normalisation. Training: mean and variance of x are found and `moving` moved. gamma and beta may be null.
    void (*normalize)(bool training, long B, long O, double momentum, double epsilon, const T* x, const T* gamma,
                      const T* beta, T* moving_mean, T* moving_variance, T* normal, T* inverse, T* a);
    void (*normalize_backward)(bool training, long B, long O, const T* gamma, const T* normal, const T* inverse,
                               T* dgamma, T* dbeta, T* d, T* scratch);

    double (*penalty)(long count, double l1, double l2, const T* w);
    void (*penalty_gradient)(long count, double l1, double l2, const T* w, T* g);
    double (*sum_of_squares)(long count, const T* values);
    void (*clip)(long count, double limit, T* values);  // each value to [-limit, limit]
    void (*scale)(long count, double factor, T* values);
    void (*update)(const UpdateRule& rule, const UpdateStep& step, long count, T* w, const T* g, T* first, T* second,
                   T* third);

    // Models side by side, one in each of so many lanes of a vector (lanes.inl); x of the first layer and y are shared.
    long lanes;
    void (*lane_forward)(bool first, long B, long I, long O, const T* x, const T* W, const T* b, bool relu, T* a);
    void (*lane_weight_gradient)(bool first, long B, long I, long O, bool more, const T* x, const T* dz, T* dW, T* db);
    void (*lane_input_gradient)(long B, long I, long O, const T* dz, const T* W, const T* relu, T* dx);
    void (*lane_loss)(const LossRule& rule, bool hinge_labels, long rows, long B, long O, const T* y, const T* p,
                      const T* weight, T* dp, double* sums);
    void (*lane_update)(const UpdateRule& rule, const T* rates, const T* scales, const T* decays, long count, T* w,
                        const T* g, T* first, T* second, T* third);
};

// The table of the instruction set chosen at import (cpu.cpp).
template <class T>
const Kernels<T>& kernels();

}  // namespace hillwalker
