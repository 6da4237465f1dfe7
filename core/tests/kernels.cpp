// Every kernel of the table in kernels.hpp against the naive one in float64, over random shapes.

#include <cstring>

#include "calls.hpp"
#include "naive.hpp"
#include "rules.hpp"

namespace hillwalker::tests {

namespace {

std::string shape(long B, long I, long O) {
    return "B " + std::to_string(B) + ", I " + std::to_string(I) + ", O " + std::to_string(O);
}

double largest(const Matrix& matrix) {
    double most = 0;
    for (double number : matrix.numbers) most = std::fmax(most, std::fabs(number));
    return most;
}

// The sizes of what is summed, by which an error of summation is measured.
Matrix magnitudes(Matrix matrix) {
    for (double& number : matrix.numbers) number = std::fabs(number);
    return matrix;
}

template <class T>
void compare(Report& report, const std::string& what, const Matrix& got, const Matrix& expected, const Matrix& scale,
             double allowed) {
    for (std::size_t k = 0; k < expected.numbers.size(); ++k)
        report.number<T>(what, got.numbers[k], expected.numbers[k], scale.numbers[k], allowed);
}

template <class T>
std::vector<T> vector_of(const Matrix& matrix) {
    return {matrix.numbers.begin(), matrix.numbers.end()};
}

template <class T>
bool same_bits(const Padded<T>& one, const Padded<T>& other) {
    return std::memcmp(one.data(), other.data(), one.memory.size() * sizeof(T)) == 0;
}

template <class T>
void test_products(Report& report, Random& random, const Kernels<T>& kernels) {
    // Now and then beyond a panel's depth, where products are put together from several.
    const bool deep = random.below(20) == 0;
    const long B = deep ? random.one_of<long>({14, 33}) : random.batch();
    const long I = deep ? random.one_of<long>({192, 257, 400}) : random.width();
    const long O = deep ? random.one_of<long>({33, 200, 300}) : random.width();
    const long parts = 2 + random.below(3);
    report.describe(shape(B, I, O));
    const Matrix x = random_matrix<T>(random, B, I), W = random_matrix<T>(random, I, O);
    const Matrix b = random.coin() ? random_matrix<T>(random, 1, O) : Matrix();
    const Matrix dz = random_matrix<T>(random, B, O);
    constexpr double allowed = 16;

    for (bool relu : {false, true}) {
        Matrix expected = naive::product(x, W), scale = naive::product(magnitudes(x), magnitudes(W));
        for (long row = 0; row < B; ++row)
            for (long o = 0; o < O; ++o) {
                if (b.rows > 0) expected(row, o) += b(0, o), scale(row, o) += std::fabs(b(0, o));
                if (relu && expected(row, o) < 0) expected(row, o) = 0;
            }
        const Padded<T> a = call_forward(kernels, x, W, b, relu, 1);
        compare<T>(report, "forward", a.plain(), expected, scale, allowed);
        report.truth("forward: padding is zero", a.padding_is_zero());
        report.truth("products: same bits in parts", same_bits(a, call_forward(kernels, x, W, b, relu, parts)));
    }

    for (bool relu : {false, true}) {
        const Matrix below = relu ? random_matrix<T>(random, B, I) : Matrix();
        Matrix expected = naive::product(dz, naive::transposed(W));
        for (std::size_t k = 0; relu && k < expected.numbers.size(); ++k)
            if (below.numbers[k] <= 0) expected.numbers[k] = 0;
        const Padded<T> dx = call_input_gradient(kernels, dz, W, below, 1);
        compare<T>(report, "input_gradient", dx.plain(), expected,
                   naive::product(magnitudes(dz), naive::transposed(magnitudes(W))), allowed);
        report.truth("input_gradient: padding is zero", dx.padding_is_zero());
        report.truth("products: same bits in parts", same_bits(dx, call_input_gradient(kernels, dz, W, below, parts)));
    }

    const long first = random.coin() ? B : random.below(B);
    const WeightGradient<T> d = call_weight_gradient(kernels, x, dz, first, 1);
    const WeightGradient<T> again = call_weight_gradient(kernels, x, dz, first, parts);
    const Matrix x_transposed = naive::transposed(x);
    compare<T>(report, "weight_gradient", d.dW.plain(), naive::product(x_transposed, dz),
               naive::product(magnitudes(x_transposed), magnitudes(dz)), allowed);
    report.truth("weight_gradient: padding is zero", tail_is_zero(d.dW));
    report.truth("products: same bits in parts", same_bits(d.dW, again.dW));
    compare<T>(report, "bias_gradient", d.db.plain(), naive::column_sums(dz), naive::column_sums(magnitudes(dz)),
               allowed);
    report.truth("bias_gradient: padding is zero", tail_is_zero(d.db));
}

template <class T>
void test_gather(Report& report, Random& random, const Kernels<T>& kernels) {
    const long rows = random.batch(), width = random.width(), stride = random.coin() ? width : row_stride(width);
    report.describe(shape(rows, width, stride));
    const long source = rows + random.below(20);
    const std::vector<T> from = vector_of<T>(random_matrix<T>(random, source, width));
    std::vector<std::uint32_t> order;
    for (long row = 0; row < rows; ++row) order.push_back(std::uint32_t(random.below(source)));
    for (bool in_order : {false, true}) {
        std::vector<T> to(std::size_t(rows * stride + padding), T(0));
        kernels.gather(rows, width, stride, in_order ? nullptr : order.data(), from.data(), to.data());
        bool same = true, padding_is_zero = true;
        for (long row = 0; row < rows; ++row)
            for (long k = 0; k < stride; ++k) {
                const long wanted = in_order ? row : long(order[std::size_t(row)]);
                const T got = to[std::size_t(row * stride + k)];
                if (k < width)
                    same = same && got == from[std::size_t(wanted * width + k)];
                else
                    padding_is_zero = padding_is_zero && got == 0;
            }
        report.truth("gather", same);
        report.truth("gather: padding is zero", padding_is_zero);
    }
}

template <class T>
void test_activations(Report& report, Random& random, const Kernels<T>& kernels) {
    const long B = 1 + random.below(9), O = random.one_of<long>({1, 2, 10, 15, 16, 17, 33});
    const double widest = random.one_of<double>({1, 5, 20});
    for (const auto& [name, rule] : all_activations()) {
        report.describe(shape(B, 0, O) + ", up to " + std::to_string(widest));
        Matrix z = random_matrix<T>(random, B, O, -widest, widest);
        z(0, O / 2) = 0;
        if (rule.kind == Activation::hard_sigmoid || rule.kind == Activation::relu) z(0, 0) = random.coin() ? 3 : 6;
        const Padded<T> z_(z);
        auto a = Padded<T>::filled(B, O, T(garbage));
        kernels.activate(rule, B, O, z_.data(), a.data());
        const Matrix expected = naive::activate(rule, z);
        // An error counts beside the value or, where that is smaller, beside the argument; beside 1 at the most.
        Matrix scale = magnitudes(z);
        for (std::size_t k = 0; k < scale.numbers.size(); ++k) {
            const double argument = naive::is_elementwise(rule.kind) ? std::fmin(scale.numbers[k], 1) : 1;
            scale.numbers[k] = std::fmax(argument, std::fabs(expected.numbers[k]));
        }
        compare<T>(report, std::string("activate ") + name, a.plain(), expected, scale, 8);
        if (!naive::is_elementwise(rule.kind)) report.truth("softmax: padding is zero", a.padding_is_zero());

        const Matrix da = random_matrix<T>(random, B, O);
        Padded<T> d(da);
        kernels.activate_backward(rule, B, O, z_.data(), a.data(), d.data());
        const Matrix blame = naive::activate_backward(rule, z, da);
        const double top = std::fmax(1, largest(expected));
        report.numbers<T>(std::string("activate_backward ") + name, d.plain().numbers, blame.numbers,
                          std::fmax(largest(blame), top), 16);
        report.truth("activate_backward: padding is zero", d.padding_is_zero());
    }
}

// NaN stays NaN, in each lane; infinities have their limits where the formula has them.
template <class T>
void test_special_values(Report& report, const Kernels<T>& kernels) {
    constexpr long O = 16;
    for (const auto& [name, rule] : all_activations()) {
        report.describe(name);
        for (long lane = 0; lane < O; ++lane) {
            for (double special : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
                Matrix z(1, O);
                z(0, lane) = special;
                const double expected =
                    naive::is_elementwise(rule.kind) ? naive::elementwise(rule, special).value : std::nan("");
                if (std::isnan(expected) && !std::isnan(special)) continue;  // as inf / inf: no formula to go by
                const Padded<T> z_(z);
                auto a = Padded<T>::filled(1, O, T(garbage));
                kernels.activate(rule, 1, O, z_.data(), a.data());
                report.number<T>("activate: NaN, infinities", double(a.memory[std::size_t(lane)]), expected, 1, 2);
            }
        }
    }
}

template <class T>
void test_losses(Report& report, Random& random, const Kernels<T>& kernels) {
    for (const NamedLoss& loss : all_losses()) {
        const long B = random.one_of<long>({1, 2, 5, 7, 16, 17, 33});
        long O = random.one_of<long>({1, 1, 2, 3, 10, 16, 17});
        if (needs_classes(loss)) O = std::max(O, 2L);
        const Matrix y = random_targets<T>(random, loss.targets, B, O);
        Matrix p = random_matrix<T>(random, B, O, -3, 3);
        if (loss.output != Activation::linear) p = naive::activate({loss.output}, p);
        for (double& one : p.numbers) one = double(T(one));
        if (loss.output == Activation::sigmoid && random.coin()) p(0, 0) = double(random.coin());  // to be clipped
        std::vector<double> weight;
        if (random.coin())
            for (long row = 0; row < B; ++row) weight.push_back(double(T(random.uniform(0, 2))));
        report.describe(shape(B, 0, O) + (weight.empty() ? "" : ", weights"));

        Matrix expected_dp;
        const naive::Clip clip = naive::probability_clip<T>();
        const double expected = naive::loss(loss.rule, y, p, weight, clip, expected_dp);
        const std::vector<T> y_ = vector_of<T>(y), weight_(weight.begin(), weight.end());
        const Padded<T> p_(p, T(0.5));
        Padded<T> dp{Matrix(B, O)};
        const double got = kernels.loss(loss.rule, B, O, y.columns, y_.data(), p_.data(),
                                        weight.empty() ? nullptr : weight_.data(), dp.data());
        const double terms = loss.rule.sum ? double(B) : 1;
        report.number<T>(std::string("loss ") + loss.name, got, expected, std::fmax(std::fabs(expected), terms), 16);
        double importance = weight.empty() ? 1 : 0;  // the scale of what a derivative is a difference of
        for (double one : weight) importance = std::fmax(importance, one);
        report.numbers<T>(std::string("loss, by p ") + loss.name, dp.plain().numbers, expected_dp.numbers,
                          std::fmax(largest(expected_dp), importance * terms / double(B)), 32);
        report.truth("loss: padding is zero", dp.padding_is_zero());
    }
}

template <class T>
void test_random_layers(Report& report, Random& random, const Kernels<T>& kernels) {
    const long B = random.batch(), O = random.width();
    report.describe(shape(B, 0, O));
    const std::uint64_t key = random.bits();
    const double rate = random.uniform(0.05, 0.9), deviation = random.uniform(0.1, 2);
    const Matrix x = random_matrix<T>(random, B, O);
    const Padded<T> x_(x);
    Padded<T> scale{Matrix(B, O)}, a{Matrix(B, O)}, noisy{Matrix(B, O)};
    kernels.dropout(B, O, key, rate, x_.data(), scale.data(), a.data());
    kernels.noise(B, O, key, deviation, x_.data(), noisy.data());
    const Matrix got_scale = scale.plain(), got = a.plain(), got_noisy = noisy.plain();
    for (long row = 0; row < B; ++row)
        for (long o = 0; o < O; ++o) {
            const long index = row * O + o;
            const double expected = naive::dropout_scale(key, index, rate);
            report.number<T>("dropout", got_scale(row, o), expected, expected, 1);
            report.number<T>("dropout", got(row, o), x(row, o) * expected, std::fabs(x(row, o)) * expected, 2);
            const double normal = naive::normal(key, index);
            report.number<T>("noise", got_noisy(row, o), x(row, o) + deviation * normal,
                             std::fabs(x(row, o)) + deviation * std::fmax(1, std::fabs(normal)), 8);
        }
    report.truth("dropout: padding is zero", a.padding_is_zero());
}

template <class T>
void test_normalization(Report& report, Random& random, const Kernels<T>& kernels) {
    const long B = random.one_of<long>({7, 8, 16, 33, 129}), O = random.width();
    const bool training = random.coin(), scaled = random.coin(), shifted = random.coin();
    report.describe(shape(B, 0, O) + (training ? ", training" : ""));
    constexpr double momentum = 0.75, epsilon = 0.001;
    const Matrix x = random_matrix<T>(random, B, O), da = random_matrix<T>(random, B, O);
    const Matrix gamma = random_matrix<T>(random, 1, O, 0.5, 2), beta = random_matrix<T>(random, 1, O);
    const Matrix mean = random_matrix<T>(random, 1, O), variance = random_matrix<T>(random, 1, O, 0.1, 1);
    const Padded<T> x_(x), gamma_(gamma), beta_(beta);
    Padded<T> mean_(mean), variance_(variance), normal{Matrix(B, O)}, inverse{Matrix(3, O)}, a{Matrix(B, O)}, d(da);
    Padded<T> dgamma{Matrix(1, O)}, dbeta{Matrix(1, O)}, scratch{Matrix(2, O)};
    kernels.normalize(training, B, O, momentum, epsilon, x_.data(), scaled ? gamma_.data() : nullptr,
                      shifted ? beta_.data() : nullptr, mean_.data(), variance_.data(), normal.data(), inverse.data(),
                      a.data());
    kernels.normalize_backward(training, B, O, scaled ? gamma_.data() : nullptr, normal.data(), inverse.data(),
                               scaled ? dgamma.data() : nullptr, shifted ? dbeta.data() : nullptr, d.data(),
                               scratch.data());
    const Matrix got = a.plain(), got_d = d.plain(), got_mean = mean_.plain(), got_variance = variance_.plain();
    for (long o = 0; o < O; ++o) {
        double m = mean(0, o), v = variance(0, o);
        if (training) {
            m = v = 0;
            for (long row = 0; row < B; ++row) m += x(row, o) / double(B);
            for (long row = 0; row < B; ++row) v += (x(row, o) - m) * (x(row, o) - m) / double(B);
            report.number<T>("normalize: moving statistics", got_mean(0, o), 0.75 * mean(0, o) + 0.25 * m, 1, 8);
            report.number<T>("normalize: moving statistics", got_variance(0, o), 0.75 * variance(0, o) + 0.25 * v, 1,
                             8);
        }
        const double spread = std::sqrt(v + epsilon), factor = scaled ? gamma(0, o) : 1;
        double da_sum = 0, da_normal = 0;
        for (long row = 0; row < B; ++row) {
            const double normal = (x(row, o) - m) / spread;
            report.number<T>("normalize", got(row, o), factor * normal + (shifted ? beta(0, o) : 0), 1 / spread + 1,
                             16);
            da_sum += da(row, o), da_normal += da(row, o) * normal;
        }
        for (long row = 0; row < B; ++row) {
            const double normal = (x(row, o) - m) / spread;
            const double centred = da(row, o) - (da_sum + normal * da_normal) / double(B);
            report.number<T>("normalize_backward", got_d(row, o), factor / spread * (training ? centred : da(row, o)),
                             factor / spread / spread, 16);
        }
        if (scaled)
            report.number<T>("normalize_backward: gamma", dgamma.plain()(0, o), da_normal, double(B) / spread, 8);
        if (shifted) report.number<T>("normalize_backward: beta", dbeta.plain()(0, o), da_sum, double(B), 8);
    }
    report.truth("normalize_backward: padding is zero",
                 d.padding_is_zero() && dgamma.padding_is_zero() && dbeta.padding_is_zero());
}

template <class T>
void test_vectors(Report& report, Random& random, const Kernels<T>& kernels) {
    const long count = 16 * (1 + random.below(9));
    report.describe(std::to_string(count) + " numbers");
    const Matrix w = random_matrix<T>(random, 1, count), g = random_matrix<T>(random, 1, count);
    const double l1 = random.uniform(0, 0.1), l2 = random.uniform(0, 0.1), limit = random.uniform(0.1, 0.9);
    const std::vector<T> w_ = vector_of<T>(w), g_ = vector_of<T>(g);
    std::vector<T> multiplied = g_, penalized = g_, clipped = g_, scaled = g_;
    kernels.multiply(count, w_.data(), multiplied.data());
    kernels.penalty_gradient(count, l1, l2, w_.data(), penalized.data());
    kernels.clip(count, limit, clipped.data());
    kernels.scale(count, limit, scaled.data());
    double penalty = 0, squares = 0;
    for (long k = 0; k < count; ++k) {
        const double one = w(0, k), blame = g(0, k);
        const std::size_t at = std::size_t(k);
        report.number<T>("multiply", multiplied[at], one * blame, std::fabs(one * blame), 1);
        report.number<T>("penalty_gradient", penalized[at],
                         blame +
                             (one < 0   ? -l1
                              : one > 0 ? l1
                                        : 0) +
                             2 * l2 * one,
                         1, 2);
        report.number<T>("clip", clipped[at], std::fmin(std::fmax(blame, -limit), limit), limit, 1);
        report.number<T>("scale", scaled[at], blame * limit, std::fabs(blame * limit), 2);
        penalty += l1 * std::fabs(one) + l2 * one * one;
        squares += one * one;
    }
    report.number<T>("penalty", kernels.penalty(count, l1, l2, w_.data()), penalty, penalty, 16);
    report.number<T>("sum_of_squares", kernels.sum_of_squares(count, w_.data()), squares, squares, 16);
}

template <class T>
void test_updates(Report& report, Random& random, const Kernels<T>& kernels) {
    for (const auto& [name, rule] : all_optimizers()) {
        const long count = 16 * (1 + random.below(4)), t = 1 + random.below(50);
        report.describe(std::string(name) + ", step " + std::to_string(t));
        UpdateStep step = naive::step_of(rule, random.uniform(0.001, 0.1), t);
        step.decay = random.coin() ? 0 : step.learning_rate * 0.01;
        Matrix w = random_matrix<T>(random, 1, count), g = random_matrix<T>(random, 1, count);
        Matrix first = random_matrix<T>(random, 1, count, 0.01, 1),
               second = random_matrix<T>(random, 1, count, 0.01, 1);
        Matrix third = random_matrix<T>(random, 1, count, -0.05, 0.05);
        for (long k = count - 5; k < count; ++k) w(0, k) = g(0, k) = first(0, k) = second(0, k) = third(0, k) = 0;
        std::vector<T> w_ = vector_of<T>(w), first_ = vector_of<T>(first), second_ = vector_of<T>(second);
        std::vector<T> third_ = vector_of<T>(third);
        const std::vector<T> g_ = vector_of<T>(g);
        kernels.update(rule, step, count, w_.data(), g_.data(), first_.data(), second_.data(), third_.data());
        const std::string what = std::string("update ") + name;
        for (long k = 0; k < count; ++k) {
            const double before = w(0, k);
            naive::update(rule, step, w(0, k), g(0, k), first(0, k), second(0, k), third(0, k));
            const double move = std::fabs(w(0, k) - before);
            const std::size_t at = std::size_t(k);
            report.number<T>(what, w_[at], w(0, k), std::fabs(before) + 8 * move, 4);
            report.number<T>(what, first_[at], first(0, k), 1, 4);
            report.number<T>(what, second_[at], second(0, k), 1, 4);
            report.number<T>(what, third_[at], third(0, k), 1, 4);
            if (k >= count - 5) report.truth("update: padding is zero", w_[at] == 0 && first_[at] == 0);
        }
    }
}

}  // namespace

template <class T>
void test_kernels(Report& report, long cases) {
    const Kernels<T>& table = kernels<T>();
    Random random(1);
    test_special_values<T>(report, table);
    for (long number = 0; number < cases; ++number) {
        test_gather<T>(report, random, table);
        test_products<T>(report, random, table);
        test_activations<T>(report, random, table);
        test_losses<T>(report, random, table);
        test_random_layers<T>(report, random, table);
        test_normalization<T>(report, random, table);
        test_vectors<T>(report, random, table);
        test_updates<T>(report, random, table);
    }
}

template void test_kernels<float>(Report&, long);
template void test_kernels<double>(Report&, long);

}  // namespace hillwalker::tests
