// One network's step through Network<T>::train, without Python, and each of its kernels by itself on the step's own shapes.
// Arguments: instruction set, seconds, threads, widths (20-64-32-1), batch, rows, float32|float64, hidden activation,
// output activation. Adam; cross-entropy for a softmax output, else mean squared error. Prints JSON.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

#include "cpu.hpp"
#include "network.hpp"
#include "timing.hpp"

namespace hillwalker {
namespace {

struct Task {
    std::vector<long> widths;
    long batch = 0, rows = 0;
    std::string hidden, output;
    double seconds = 0;
    int threads = 1;

    ActivationRule activation(std::size_t layer) const {
        const std::string& name = layer + 2 < widths.size() ? hidden : output;
        if (name == "relu") return {Activation::relu, 0, __builtin_inf(), 0};
        if (name == "tanh") return {Activation::tanh};
        if (name == "sigmoid") return {Activation::sigmoid};
        if (name == "gelu") return {Activation::gelu};
        if (name == "softmax") return {Activation::softmax};
        return {};
    }
    LossRule loss() const { return {output == "softmax" ? Loss::categorical_crossentropy : Loss::mean_squared_error}; }
    long steps() const { return (rows + batch - 1) / batch; }
};

UpdateRule adam() {
    UpdateRule rule;
    rule.kind = Optimizer::adam;
    rule.beta_1 = 0.9;
    rule.beta_2 = 0.999;
    rule.epsilon = 1e-7;
    return rule;
}

void print(const char* name, Timing timing) {
    std::printf("\"%s\": {\"best\": %.6g, \"median\": %.6g}", name, timing.best, timing.median);
}

template <class T>
void time_step(const Task& task) {
    const long I = task.widths.front(), O = task.widths.back();
    Network<T> network(I, O, O, 1);
    std::vector<Segment> segments;
    long length = 0;
    const auto place = [&](long count) {
        segments.push_back({length, padded(count)});
        return std::exchange(length, length + padded(count));
    };
    for (std::size_t number = 0; number + 1 < task.widths.size(); ++number) {
        Layer<T> layer;
        layer.I = task.widths[number];
        layer.O = task.widths[number + 1];
        layer.activation = task.activation(number);
        layer.kernel = place(layer.I * row_stride(layer.O));
        layer.bias = place(row_stride(layer.O));
        network.add(std::move(layer));
    }
    Buffer<T> parameters(length), gradient(length), m(length), v(length);
    for (std::size_t number = 0; number + 1 < task.widths.size(); ++number) {
        const long inputs = task.widths[number], units = task.widths[number + 1];
        const T* normal = numbers<T>(inputs * units, std::sqrt(2.0 / double(inputs + units)));
        for (long i = 0; i < inputs; ++i)
            std::copy_n(normal + i * units, units, &parameters[segments[2 * number].offset + i * row_stride(units)]);
    }
    network.set_loss(task.loss());
    network.set_optimizer(adam(), segments);
    network.set_memory(parameters.data(), gradient.data(), {m.data(), v.data()});

    const T* x = numbers<T>(task.rows * I);
    T* y = numbers<T>(task.rows * O);
    for (long row = 0; task.output == "softmax" && row < task.rows; ++row)
        for (long o = 0; o < O; ++o) y[row * O + o] = T(o == row % O);
    std::vector<std::uint32_t> order(task.rows);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937(2));
    const std::vector<double> rates(task.steps(), 1e-3);
    const Rows rows{task.rows, task.batch, order.data()};
    long iteration = 0;
    const auto epoch = [&] {
        network.train(x, y, nullptr, rows, rates, iteration, nullptr, task.threads);
        iteration += task.steps();
    };
    Timing step = measure(task.seconds, epoch, task.threads);
    step.best /= double(task.steps());
    step.median /= double(task.steps());
    print("step", step);
}

// Each kernel alone, its data as near as they can be: what it costs at best. What a step takes beyond their sum is what
// they cost each other in the caches, and the calls between them. A batch beyond 512 rows passes the network in pieces.
template <class T>
void time_phases(const Task& task) {
    const Kernels<T>& kernel = kernels<T>();
    const FlushDenormals flush;
    const long B = std::min(task.batch, 512L);
    const double pieces = double(task.batch) / double(B), seconds = task.seconds / 8;
    T* panel = numbers<T>(panel_size);
    Timing forward, dx, dw, activation, whole_update, gather, loss;
    const auto add = [&](Timing& sum, auto work) {
        const Timing one = measure(seconds, work);
        sum.best += pieces * one.best;
        sum.median += pieces * one.median;
    };
    long length = 0;
    const T* x = numbers<T>(B * row_stride(task.widths[0]));
    T* dx_below = nullptr;
    for (std::size_t number = 0; number + 1 < task.widths.size(); ++number) {
        const long I = task.widths[number], O = task.widths[number + 1], size = padded(I * row_stride(O));
        const ActivationRule rule = task.activation(number);
        T *W = numbers<T>(size, 0.1), *b = numbers<T>(row_stride(O)), *dW = numbers<T>(size);
        T *z = numbers<T>(B * row_stride(O)), *a = numbers<T>(B * row_stride(O)), *d = numbers<T>(B * row_stride(O));
        const bool plain = rule.plain_relu() || rule.kind == Activation::linear;
        const bool relu_below = number > 0 && task.activation(number - 1).plain_relu();
        add(forward, [&] { kernel.forward(B, I, O, {0, O}, x, W, b, rule.plain_relu(), plain ? a : z, panel); });
        if (!plain) {
            add(activation, [&] { kernel.activate(rule, B, O, z, a); });
            add(activation, [&] { kernel.activate_backward(rule, B, O, z, a, d); });
            std::fill_n(d, B * row_stride(O), T(0.1));  // it shrank with every repetition
        }
        add(dw, [&] {
            kernel.weight_gradient(B, I, O, {0, I}, false, x, d, dW, panel);
            kernel.bias_gradient(B, O, false, d, b);
        });
        if (number > 0)
            add(dx, [&] { kernel.input_gradient(B, I, O, {0, I}, d, W, relu_below ? x : nullptr, panel, dx_below); });
        length += size + padded(row_stride(O));
        x = a;
        dx_below = d;
    }
    T *w = numbers<T>(length), *g = numbers<T>(length), *m = numbers<T>(length), *v = numbers<T>(length);
    for (long k = 0; k < length; ++k) v[k] = 1;
    UpdateStep step;
    step.scale = 1e-3;
    whole_update = measure(seconds, [&] { kernel.update(adam(), step, length, w, g, m, v, nullptr); });

    const long I = task.widths.front(), O = task.widths.back();
    T *y = numbers<T>(B * O), *p = numbers<T>(B * row_stride(O)), *dp = numbers<T>(B * row_stride(O));
    for (long k = 0; k < B * O; ++k) y[k] = T(k % O == 0);
    for (long k = 0; k < B * row_stride(O); ++k) p[k] = T(0.1);
    add(loss, [&] { kernel.loss(task.loss(), B, O, O, y, p, nullptr, dp); });
    T *rows = numbers<T>(task.rows * I), *targets = numbers<T>(task.rows * O), *batch = numbers<T>(B * row_stride(I));
    std::vector<std::uint32_t> order(task.rows);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937(2));
    long at = 0;
    add(gather, [&] {
        kernel.gather(B, I, row_stride(I), &order[at], rows, batch);
        kernel.gather(B, O, O, &order[at], targets, y);
        at = at + 2 * B <= task.rows ? at + B : 0;
    });
    const char* names[] = {"forward", "dX", "dW", "update", "activation", "loss", "gather"};
    const Timing timings[] = {forward, dx, dw, whole_update, activation, loss, gather};
    std::printf(", \"phases\": {");
    for (int k = 0; k < 7; ++k) {
        if (k) std::printf(", ");
        print(names[k], timings[k]);
    }
    std::printf("}");
}

template <class T>
void run(const Task& task) {
    const double before = peak<T>();
    std::printf("{");
    time_step<T>(task);
    const double between = peak<T>();
    if (task.threads == 1) time_phases<T>(task);
    std::printf(", \"peak\": %.5g}\n", std::max({before, between, peak<T>()}));
}

}  // namespace
}  // namespace hillwalker

int main(int count, char** given) {
    using namespace hillwalker;
    if (count != 10) {
        std::fprintf(stderr, "limit: nine arguments, see limit.cpp; benchmarks/limit.py gives them\n");
        return 2;
    }
    choose_instruction_set(given[1]);
    Task task;
    task.seconds = std::stod(given[2]);
    task.threads = std::stoi(given[3]);
    for (const char* at = given[4]; at; at = std::strchr(at, '-') ? std::strchr(at, '-') + 1 : nullptr)
        task.widths.push_back(std::stol(at));
    task.batch = std::stol(given[5]);
    task.rows = std::stol(given[6]);
    task.hidden = given[8];
    task.output = given[9];
    std::string(given[7]) == "float64" ? run<double>(task) : run<float>(task);
}
