// Every activation, loss and optimizer with settings worth testing, and data that suits them.
#pragma once

#include <string>
#include <vector>

#include "check.hpp"
#include "kernels.hpp"

namespace hillwalker::tests {

struct NamedActivation {
    const char* name;
    ActivationRule rule;
};

inline const std::vector<NamedActivation>& all_activations() {
    constexpr double no_maximum = std::numeric_limits<double>::infinity();
    static const std::vector<NamedActivation> all = {
        {"linear", {Activation::linear}},
        {"relu", {Activation::relu, 0, no_maximum, 0}},
        {"relu, leaky", {Activation::relu, 0.25, no_maximum, 0}},
        {"relu, capped", {Activation::relu, 0, 6, 0}},
        {"relu, all three", {Activation::relu, 0.125, 2.5, 0.5}},
        {"elu", {Activation::elu, 1.5}},
        {"selu", {Activation::selu}},
        {"gelu", {Activation::gelu, 0}},
        {"gelu, approximate", {Activation::gelu, 1}},
        {"silu", {Activation::silu}},
        {"mish", {Activation::mish}},
        {"sigmoid", {Activation::sigmoid}},
        {"hard_sigmoid", {Activation::hard_sigmoid}},
        {"tanh", {Activation::tanh}},
        {"softsign", {Activation::softsign}},
        {"softplus", {Activation::softplus}},
        {"exponential", {Activation::exponential}},
        {"softmax", {Activation::softmax}},
        {"log_softmax", {Activation::log_softmax}},
    };
    return all;
}

// What a loss compares: how its predictions come about and what its targets are.
enum class Targets { real, away_from_zero, positive, zero_or_one, plus_or_minus_one, one_hot, class_number, shares };

struct NamedLoss {
    const char* name;
    LossRule rule;
    Activation output;  // the activation of a last layer whose outputs this loss takes
    Targets targets;
};

inline const std::vector<NamedLoss>& all_losses() {
    static const std::vector<NamedLoss> all = {
        {"mean_squared_error", {Loss::mean_squared_error}, Activation::linear, Targets::real},
        {"mean_squared_error, sum", {Loss::mean_squared_error, 0, 0, true}, Activation::linear, Targets::real},
        {"mean_absolute_error", {Loss::mean_absolute_error}, Activation::linear, Targets::real},
        {"mean_absolute_percentage_error",
         {Loss::mean_absolute_percentage_error},
         Activation::linear,
         Targets::away_from_zero},
        {"mean_squared_logarithmic_error",
         {Loss::mean_squared_logarithmic_error},
         Activation::softplus,
         Targets::positive},
        {"huber", {Loss::huber, 0.5}, Activation::linear, Targets::real},
        {"log_cosh", {Loss::log_cosh}, Activation::linear, Targets::real},
        {"binary_crossentropy", {Loss::binary_crossentropy, 0, 0}, Activation::sigmoid, Targets::zero_or_one},
        {"binary_crossentropy, logits", {Loss::binary_crossentropy, 1, 0.1}, Activation::linear, Targets::zero_or_one},
        {"categorical_crossentropy", {Loss::categorical_crossentropy, 0, 0.1}, Activation::softmax, Targets::one_hot},
        {"categorical_crossentropy, logits",
         {Loss::categorical_crossentropy, 1, 0},
         Activation::linear,
         Targets::one_hot},
        {"sparse_categorical", {Loss::sparse_categorical_crossentropy}, Activation::softmax, Targets::class_number},
        {"sparse_categorical, logits",
         {Loss::sparse_categorical_crossentropy, 1},
         Activation::linear,
         Targets::class_number},
        {"kl_divergence", {Loss::kl_divergence}, Activation::softmax, Targets::shares},
        {"poisson", {Loss::poisson}, Activation::softplus, Targets::positive},
        {"hinge", {Loss::hinge}, Activation::tanh, Targets::plus_or_minus_one},
        {"hinge, labels 0 and 1", {Loss::hinge}, Activation::linear, Targets::zero_or_one},
        {"squared_hinge", {Loss::squared_hinge}, Activation::tanh, Targets::plus_or_minus_one},
        {"categorical_hinge", {Loss::categorical_hinge}, Activation::linear, Targets::one_hot},
        {"cosine_similarity", {Loss::cosine_similarity}, Activation::linear, Targets::real},
        {"pinball", {Loss::pinball, 0.3}, Activation::linear, Targets::real},
        {"asymmetric_squared_error", {Loss::asymmetric_squared_error, 0.4, 1.6}, Activation::linear, Targets::real},
        {"qlike", {Loss::qlike, 0}, Activation::softplus, Targets::positive},
        {"qlike, logarithms", {Loss::qlike, 1}, Activation::linear, Targets::positive},
    };
    return all;
}

inline bool needs_classes(const NamedLoss& loss) {
    return loss.targets == Targets::one_hot || loss.targets == Targets::class_number ||
           loss.targets == Targets::shares || loss.rule.kind == Loss::cosine_similarity;
}

template <class T>
Matrix random_targets(Random& random, Targets kind, long rows, long O) {
    Matrix y = random_matrix<T>(random, rows, kind == Targets::class_number ? 1 : O, -2, 2);
    if (kind == Targets::real) return y;
    for (double& one : y.numbers) {
        if (kind == Targets::away_from_zero) one += one < 0 ? -1 : 1;
        if (kind == Targets::positive) one = random.uniform(0.25, 2);
        if (kind == Targets::zero_or_one) one = double(random.coin());
        if (kind == Targets::plus_or_minus_one) one = random.coin() ? 1 : -1;
        if (kind == Targets::class_number) one = double(random.below(O));
        if (kind == Targets::one_hot) one = 0;
        if (kind == Targets::shares) one = random.uniform(0.1, 1);
    }
    for (long row = 0; row < rows; ++row) {
        if (kind == Targets::one_hot) y(row, random.below(O)) = 1;
        double sum = 0;
        for (long o = 0; kind == Targets::shares && o < O; ++o) sum += y(row, o);
        for (long o = 0; kind == Targets::shares && o < O; ++o) y(row, o) /= sum;
    }
    for (double& one : y.numbers) one = double(T(one));
    return y;
}

struct NamedOptimizer {
    const char* name;
    UpdateRule rule;
};

inline const std::vector<NamedOptimizer>& all_optimizers() {
    static const std::vector<NamedOptimizer> all = [] {
        std::vector<NamedOptimizer> list;
        const auto add = [&](const char* name, Optimizer kind) -> UpdateRule& {
            UpdateRule rule;
            rule.kind = kind, rule.rho = 0.9, rule.beta_1 = 0.9, rule.beta_2 = 0.99, rule.epsilon = 1e-7;
            return list.emplace_back(NamedOptimizer{name, rule}).rule;
        };
        add("sgd", Optimizer::sgd);
        add("momentum", Optimizer::sgd).momentum = 0.9;
        UpdateRule& nesterov = add("nesterov", Optimizer::sgd);
        nesterov.momentum = 0.8, nesterov.nesterov = true;
        add("rmsprop", Optimizer::rmsprop);
        UpdateRule& centered = add("rmsprop, centered, momentum", Optimizer::rmsprop);
        centered.centered = true, centered.momentum = 0.7;
        add("adagrad", Optimizer::adagrad);
        add("adadelta", Optimizer::adadelta);
        add("adam", Optimizer::adam);
        add("adamw", Optimizer::adam).weight_decay = 0.01;
        add("adam, amsgrad", Optimizer::adam).amsgrad = true;
        add("adamax", Optimizer::adamax);
        add("nadam", Optimizer::nadam);
        add("lion", Optimizer::lion);
        return list;
    }();
    return all;
}

}  // namespace hillwalker::tests
