// The core's network (train, evaluate, predict, gradients) against the naive one, on random networks. Before every step the
// naive network takes over the core's numbers, so that what is compared is one step and not how fast two runs part.

#include <algorithm>
#include <cstring>

#include "check.hpp"
#include "naive_network.hpp"
#include "rules.hpp"

namespace hillwalker::tests {

namespace {

template <class T>
struct Case {  // a random network, its data and how it is trained
    Plan<T> plan;
    std::string name;
    Buffer<T> parameters;
    Matrix x, y;
    std::vector<double> weights;  // empty, or one a row
    std::vector<std::uint32_t> order;
    long batch_size = 1;
    std::vector<double> learning_rates;
    bool has_normalization = false;
};

// A weight at the end of the flat vector; returns its offset.
template <class T>
long add_weight(Case<T>& the_case, Random& random, long rows, long columns, double low, double high, bool trained) {
    const long offset = long(the_case.parameters.size()), length = padded(rows * row_stride(columns));
    the_case.parameters.resize(std::size_t(offset + length), T(0));
    for (long row = 0; row < rows; ++row)
        for (long column = 0; column < columns; ++column)
            the_case.parameters[std::size_t(offset + row * row_stride(columns) + column)] =
                T(random.uniform(low, high));
    if (!trained) return offset;
    const double l1 = random.below(4) == 0 ? 0.01 : 0, l2 = random.below(4) == 0 ? 0.02 : 0;
    the_case.plan.trained.push_back({offset, length, rows > 1, l1, l2});
    return offset;
}

template <class T>
void add_dense(Case<T>& the_case, Random& random, long I, long O, const ActivationRule& activation) {
    Layer<T> layer;
    layer.I = I, layer.O = O, layer.activation = activation;
    layer.trainable = random.below(8) != 0;
    const double width = std::sqrt(2.0 / double(I));
    layer.kernel = add_weight(the_case, random, I, O, -width, width, layer.trainable);
    if (random.below(4) != 0) layer.bias = add_weight(the_case, random, 1, O, -0.5, 0.5, layer.trainable);
    the_case.plan.layers.push_back(std::move(layer));
}

// Not exponential: what it blows up, the probabilities behind it round to 0 and 1.
NamedActivation random_activation(Random& random) {
    NamedActivation chosen = random.one_of(all_activations());
    while (chosen.rule.kind == Activation::exponential) chosen = random.one_of(all_activations());
    return chosen;
}

// One of the layers that are not dense, or none.
template <class T>
void add_another(Case<T>& the_case, Random& random, long O) {
    Layer<T> layer;
    layer.I = layer.O = O;
    layer.stream = the_case.plan.layers.size();
    layer.own_seed = random.coin(), layer.seed = random.bits();
    switch (random.below(8)) {
        case 0:
            layer.kind = LayerKind::activation;
            layer.activation = random_activation(random).rule;
            break;
        case 1:
            layer.kind = LayerKind::function;
            layer.function = [](long B, long O, long stride, const T* z, T* a) {
                for (long row = 0; row < B; ++row)
                    for (long o = 0; o < O; ++o) a[row * stride + o] = T(std::sin(double(z[row * stride + o])));
            };
            layer.blame = [](long B, long O, long stride, const T* z, const T*, T* d) {
                for (long row = 0; row < B; ++row)
                    for (long o = 0; o < O; ++o) d[row * stride + o] *= T(std::cos(double(z[row * stride + o])));
            };
            break;
        case 2: layer.kind = LayerKind::dropout, layer.rate = random.uniform(0.1, 0.6); break;
        case 3: layer.kind = LayerKind::noise, layer.rate = random.uniform(0.1, 0.5); break;
        case 4:
            layer.kind = LayerKind::normalization, layer.momentum = 0.9, layer.epsilon = 0.001;
            layer.trainable = random.below(4) != 0;
            if (random.coin()) layer.gamma = add_weight(the_case, random, 1, O, 0.5, 1.5, layer.trainable);
            if (random.coin()) layer.beta = add_weight(the_case, random, 1, O, -0.5, 0.5, layer.trainable);
            layer.moving_mean = add_weight(the_case, random, 1, O, -0.5, 0.5, false);
            layer.moving_variance = add_weight(the_case, random, 1, O, 0.5, 1.5, false);
            the_case.has_normalization = true;
            break;
        default: return;
    }
    constexpr const char* kinds[] = {"dense", "activation", "function", "dropout", "noise", "normalization"};
    the_case.name += std::string(", ") + kinds[int(layer.kind)];
    the_case.plan.layers.push_back(std::move(layer));
}

// `wide`: wide enough that a step is worth several threads.
template <class T>
Case<T> random_case(Random& random, bool wide) {
    Case<T> the_case;
    Plan<T>& plan = the_case.plan;
    const NamedLoss loss = random.one_of(all_losses());
    const NamedOptimizer optimizer = random.one_of(all_optimizers());
    the_case.name = std::string(loss.name) + ", " + optimizer.name;
    plan.seed = random.bits();
    plan.loss = loss.rule;
    plan.optimizer = optimizer.rule;
    plan.optimizer.epsilon = 1e-3;  // so that a gradient of pure rounding is not blown up to a whole step
    if (random.below(4) == 0) plan.optimizer.clipvalue = 0.05;
    if (random.below(4) == 0) plan.optimizer.clipnorm = 0.2;
    if (random.below(4) == 0) plan.optimizer.global_clipnorm = 0.3;
    const std::vector<long> widths =
        wide ? std::vector<long>{100, 129, 200} : std::vector<long>{1, 2, 3, 8, 15, 16, 17, 20, 33, 48};
    plan.input_width = random.one_of(widths);
    plan.output_width =
        needs_classes(loss) ? random.one_of<long>({2, 3, 10, 16, 17}) : random.one_of<long>({1, 1, 3, 17});
    plan.target_columns = loss.targets == Targets::class_number ? 1 : plan.output_width;

    // Lion steps by a sign: where a gradient is zero but for rounding, there is nothing to compare.
    const bool lion = optimizer.rule.kind == Optimizer::lion;
    long I = plan.input_width;
    if (!lion) add_another(the_case, random, I);
    for (long depth = wide ? 2 : random.below(3); depth > 0; --depth) {
        const long O = random.one_of(widths);
        const NamedActivation activation = random_activation(random);
        add_dense(the_case, random, I, O, activation.rule);
        the_case.name += std::string(", ") + std::to_string(I) + "-" + std::to_string(O) + " " + activation.name;
        if (!lion) add_another(the_case, random, O);
        I = O;
    }
    add_dense(the_case, random, I, plan.output_width, {loss.output, 0, HUGE_VAL, 0});
    the_case.name += ", " + std::to_string(I) + "-" + std::to_string(plan.output_width);

    // Normalised batches are not too small, or what is left of the gradient is rounding. Large ones pass in pieces.
    const bool large = !wide && random.below(16) == 0;
    the_case.batch_size = wide                         ? random.one_of<long>({96, 128, 129})
                          : large                      ? random.one_of<long>({600, 1024})
                          : the_case.has_normalization ? random.one_of<long>({16, 32, 33})
                                                       : random.one_of<long>({1, 2, 5, 7, 16, 32, 33, 100});
    const long steps = 1 + random.below(large ? 2 : 4);
    const long last = the_case.has_normalization ? the_case.batch_size : 1 + random.below(the_case.batch_size);
    const long rows = (steps - 1) * the_case.batch_size + last;
    the_case.x = random_matrix<T>(random, rows, plan.input_width, -2, 2);
    the_case.y = random_targets<T>(random, loss.targets, rows, plan.output_width);
    for (long row = 0; row < rows; ++row) the_case.order.push_back(std::uint32_t(row));
    for (long row = rows; row > 1; --row)
        std::swap(the_case.order[std::size_t(row - 1)], the_case.order[std::size_t(random.below(row))]);
    if (random.coin())
        for (long row = 0; row < rows; ++row) the_case.weights.push_back(double(T(random.uniform(0.1, 2))));
    for (long step = 0; step < steps; ++step) the_case.learning_rates.push_back(random.uniform(0.001, 0.05));
    the_case.name += ", batch " + std::to_string(the_case.batch_size) + " of " + std::to_string(rows);
    return the_case;
}

// The core's network with memory of its own.
template <class T>
struct Core {
    Network<T> network;
    Buffer<T> parameters, gradient, slots[3];
    std::vector<T> x, y, weights;

    explicit Core(const Case<T>& the_case)
        : network(the_case.plan.input_width, the_case.plan.output_width, the_case.plan.target_columns,
                  the_case.plan.seed),
          parameters(the_case.parameters),
          gradient(parameters.size(), T(0)),
          x(the_case.x.numbers.begin(), the_case.x.numbers.end()),
          y(the_case.y.numbers.begin(), the_case.y.numbers.end()),
          weights(the_case.weights.begin(), the_case.weights.end()) {
        for (Buffer<T>& slot : slots)
            for (T w : parameters) slot.push_back(w == 0 ? T(0) : T(0.1));  // padding is zero in the slots as well
        for (const Layer<T>& layer : the_case.plan.layers) network.add(layer);
        network.set_loss(the_case.plan.loss);
        network.set_optimizer(the_case.plan.optimizer, the_case.plan.trained);
        network.set_memory(parameters.data(), gradient.data(), {slots[0].data(), slots[1].data(), slots[2].data()});
    }
    const T* weight() const { return weights.empty() ? nullptr : weights.data(); }

    void lend_to(NaiveNetwork<T>& naive) const {
        naive.parameters.assign(parameters.begin(), parameters.end());
        for (int slot = 0; slot < 3; ++slot) naive.slots[slot].assign(slots[slot].begin(), slots[slot].end());
    }
};

// Rows `from` to `to` of a matrix, in the order of the case.
template <class T>
Matrix rows_in_order(const Case<T>& the_case, const Matrix& matrix, long from, long to) {
    Matrix rows(to - from, matrix.columns);
    for (long row = from; row < to; ++row)
        for (long column = 0; column < matrix.columns; ++column)
            rows(row - from, column) = matrix(long(the_case.order[std::size_t(row)]), column);
    return rows;
}

double largest(const std::vector<double>& numbers, double at_least) {
    for (double number : numbers) at_least = std::fmax(at_least, std::fabs(number));
    return at_least;
}

constexpr double allowed = 1000;  // through a few layers, by units of rounding of the largest number

template <class T>
void test_prediction(Report& report, const Case<T>& the_case, int threads) {
    Core<T> core(the_case);
    NaiveNetwork<T> naive(the_case.plan);
    core.lend_to(naive);
    const long rows = the_case.x.rows, O = the_case.plan.output_width;
    const Rows all{rows, the_case.batch_size, nullptr};
    std::vector<T> predictions(std::size_t(rows * O)), again = predictions;
    core.network.predict(core.x.data(), all, predictions.data(), threads);
    const Matrix p = naive.forward(the_case.x, false, 0);
    report.numbers<T>("network: predict", predictions, p.numbers, largest(p.numbers, 1), allowed);

    double expected = 0;
    for (long from = 0; from < rows; from += the_case.batch_size) {
        const long B = std::min(the_case.batch_size, rows - from);
        Matrix y(B, the_case.y.columns), part(B, O);
        std::vector<double> weights;
        for (long row = 0; row < B; ++row) {
            for (long o = 0; o < y.columns; ++o) y(row, o) = the_case.y(from + row, o);
            for (long o = 0; o < O; ++o) part(row, o) = p(from + row, o);
            if (!the_case.weights.empty()) weights.push_back(the_case.weights[std::size_t(from + row)]);
        }
        expected += naive.loss(y, part, weights) * double(B);
    }
    const double got = core.network.evaluate(core.x.data(), core.y.data(), core.weight(), all, again.data(), threads);
    report.number<T>("network: evaluate", got, expected, std::fmax(std::fabs(expected), double(rows)), allowed);
    report.truth("network: evaluate predicts the same", predictions == again);
}

template <class T>
void compare_segments(Report& report, const std::string& what, const Case<T>& the_case, const Buffer<T>& got,
                      const std::vector<double>& expected, double at_least) {
    for (const Segment& segment : the_case.plan.trained) {
        const auto from = expected.begin() + segment.offset;
        const std::vector<double> wanted(from, from + segment.length);
        report.numbers<T>(what, got.data() + segment.offset, wanted, largest(wanted, at_least), allowed);
    }
}

template <class T>
void test_gradients(Report& report, const Case<T>& the_case) {
    Core<T> core(the_case);
    NaiveNetwork<T> naive(the_case.plan);
    core.lend_to(naive);
    Matrix p;
    const double expected = naive.gradients(the_case.x, the_case.y, the_case.weights, 5, p);
    const double got = core.network.gradients(core.x.data(), core.y.data(), core.weight(), the_case.x.rows, true, 5);
    report.number<T>("network: loss", got, expected, std::fmax(std::fabs(expected), 1), allowed);
    const double top = largest(naive.gradient, 0);
    compare_segments(report, "network: gradient", the_case, core.gradient, naive.gradient, top);
}

template <class T>
void test_training(Report& report, const Case<T>& the_case, int threads) {
    Core<T> core(the_case), at_once(the_case), stopped(the_case);
    NaiveNetwork<T> naive(the_case.plan);
    const long rows = the_case.x.rows, O = the_case.plan.output_width, first = 3;
    std::vector<T> predictions(std::size_t(rows * O)), again = predictions;
    Buffer<T> after_one_step;
    double loss_sum = 0;

    for (long from = 0, step = 0; from < rows; from += the_case.batch_size, ++step) {
        core.lend_to(naive);
        const long to = std::min(from + the_case.batch_size, rows), B = to - from;
        const double rate = the_case.learning_rates[std::size_t(step)];
        T* out = predictions.data() + from * O;
        const TrainResult result = core.network.train(core.x.data(), core.y.data(), core.weight(),
                                                      Rows{B, the_case.batch_size, the_case.order.data() + from},
                                                      {&rate, 1}, first + step, out, 1);
        Matrix weights(long(the_case.weights.size()), 1), p;
        weights.numbers = the_case.weights;
        if (!the_case.weights.empty()) weights = rows_in_order(the_case, weights, from, to);
        const double expected =
            naive.train(rows_in_order(the_case, the_case.x, from, to), rows_in_order(the_case, the_case.y, from, to),
                        weights.numbers, rate, first + step, p);
        report.number<T>("network: training loss", result.loss_sum, expected * double(B),
                         std::fmax(std::fabs(expected), 1) * double(B), allowed);
        report.numbers<T>("network: training predictions", std::vector<T>(out, out + B * O), p.numbers,
                          largest(p.numbers, 1), allowed);
        report.numbers<T>("network: weights after a step", core.parameters, naive.parameters,
                          largest(naive.parameters, 1), allowed);
        for (int slot = 0; slot < 3; ++slot)
            compare_segments(report, "network: slots after a step", the_case, core.slots[slot], naive.slots[slot], 1);
        loss_sum += result.loss_sum;
        if (step == 0) after_one_step = core.parameters;
    }

    // One call for all steps, with several threads if they are worth it, does the same to the last bit.
    const Rows all{rows, the_case.batch_size, the_case.order.data()};
    const TrainResult result = at_once.network.train(at_once.x.data(), at_once.y.data(), at_once.weight(), all,
                                                     the_case.learning_rates, first, again.data(), threads);
    report.truth(threads > 1 ? "network: threads, same bits" : "network: one call, same bits",
                 result.finite && result.rows == rows && result.steps == long(the_case.learning_rates.size()) &&
                     again == predictions && at_once.parameters == core.parameters);

    report.number<T>("network: training loss", result.loss_sum, loss_sum, std::fabs(loss_sum), allowed);

    // A call may take memory, its steps may not: as often for many of them as for one.
    if (threads == 1) {
        const auto taken = [&](long count) {
            const long before = allocations();
            const Rows some{count, the_case.batch_size, the_case.order.data()};
            at_once.network.train(at_once.x.data(), at_once.y.data(), at_once.weight(), some, the_case.learning_rates,
                                  first, again.data(), threads);
            return allocations() - before;
        };
        report.truth("network: steps take no memory", taken(std::min(rows, the_case.batch_size)) == taken(rows));
    }

    // A loss that is not finite stops the training before its update. (Normalisation moves its statistics before.)
    if (result.steps < 2 || the_case.has_normalization) return;
    const auto spoiled = std::size_t(the_case.order[std::size_t(the_case.batch_size)]);
    std::fill_n(stopped.x.begin() + long(spoiled) * the_case.plan.input_width, the_case.plan.input_width,
                std::numeric_limits<T>::quiet_NaN());
    const TrainResult end = stopped.network.train(stopped.x.data(), stopped.y.data(), stopped.weight(), all,
                                                  the_case.learning_rates, first, nullptr, threads);
    report.truth("network: stops where loss is NaN",
                 !end.finite && end.steps == 1 && std::isnan(end.loss_sum) && stopped.parameters == after_one_step);
}

}  // namespace

template <class T>
void test_networks(Report& report, long cases) {
    Random random(2);
    const long wide_ones = std::max(cases / 40, 1L);
    for (long number = 0; number < cases + wide_ones; ++number) {
        const bool wide = number >= cases;
        const Case<T> the_case = random_case<T>(random, wide);
        const int threads = wide ? 2 + int(random.below(2)) : 1;
        report.describe(the_case.name);
        test_prediction(report, the_case, threads);
        test_gradients(report, the_case);
        test_training(report, the_case, threads);
    }
}

template void test_networks<float>(Report&, long);
template void test_networks<double>(Report&, long);

}  // namespace hillwalker::tests
