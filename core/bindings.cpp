// The core's table of contents for Python: it checks shapes and precisions, releases the GIL and calls.
// Arithmetic is in kernels.inl, the training step in network.cpp.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>

#include "cpu.hpp"
#include "lanes.hpp"
#include "many.hpp"
#include "network.hpp"
#include "random.hpp"

namespace nb = nanobind;
using namespace hillwalker;

namespace {

template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Output = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Memory = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Numbers = std::vector<double>;

// clang-format off
const std::map<std::string, Activation> activations = {
    {"linear", Activation::linear}, {"relu", Activation::relu}, {"elu", Activation::elu}, {"selu", Activation::selu},
    {"gelu", Activation::gelu}, {"silu", Activation::silu}, {"mish", Activation::mish}, {"sigmoid", Activation::sigmoid},
    {"hard_sigmoid", Activation::hard_sigmoid}, {"tanh", Activation::tanh}, {"softsign", Activation::softsign},
    {"softplus", Activation::softplus}, {"exponential", Activation::exponential}, {"softmax", Activation::softmax},
    {"log_softmax", Activation::log_softmax}};

const std::map<std::string, Loss> losses = {
    {"mean_squared_error", Loss::mean_squared_error}, {"mean_absolute_error", Loss::mean_absolute_error},
    {"mean_absolute_percentage_error", Loss::mean_absolute_percentage_error},
    {"mean_squared_logarithmic_error", Loss::mean_squared_logarithmic_error}, {"huber", Loss::huber},
    {"log_cosh", Loss::log_cosh}, {"binary_crossentropy", Loss::binary_crossentropy},
    {"categorical_crossentropy", Loss::categorical_crossentropy},
    {"sparse_categorical_crossentropy", Loss::sparse_categorical_crossentropy}, {"kl_divergence", Loss::kl_divergence},
    {"poisson", Loss::poisson}, {"hinge", Loss::hinge}, {"squared_hinge", Loss::squared_hinge},
    {"categorical_hinge", Loss::categorical_hinge}, {"cosine_similarity", Loss::cosine_similarity},
    {"pinball", Loss::pinball}, {"asymmetric_squared_error", Loss::asymmetric_squared_error}, {"qlike", Loss::qlike}};

const std::map<std::string, Optimizer> optimizers = {
    {"sgd", Optimizer::sgd}, {"rmsprop", Optimizer::rmsprop}, {"adagrad", Optimizer::adagrad},
    {"adadelta", Optimizer::adadelta}, {"adam", Optimizer::adam}, {"adamax", Optimizer::adamax},
    {"nadam", Optimizer::nadam}, {"lion", Optimizer::lion}};
// clang-format on

template <class Kind>
Kind named(const std::map<std::string, Kind>& kinds, const std::string& name) {
    const auto found = kinds.find(name);
    if (found == kinds.end()) throw std::invalid_argument("the core does not know " + name);
    return found->second;
}

double number(const Numbers& numbers, std::size_t place) { return place < numbers.size() ? numbers[place] : 0.0; }

double setting(const nb::dict& settings, const char* name) {
    return settings.contains(name) ? nb::cast<double>(settings[name]) : 0.0;
}

ActivationRule activation_rule(const std::string& kind, const Numbers& numbers) {
    return {named(activations, kind), number(numbers, 0), number(numbers, 1), number(numbers, 2)};
}

UpdateRule update_rule(const std::string& kind, const nb::dict& s) {
    UpdateRule rule;
    rule.kind = named(optimizers, kind);
    rule.momentum = setting(s, "momentum"), rule.rho = setting(s, "rho");
    rule.beta_1 = setting(s, "beta_1"), rule.beta_2 = setting(s, "beta_2");
    rule.epsilon = setting(s, "epsilon"), rule.weight_decay = setting(s, "weight_decay");
    rule.nesterov = setting(s, "nesterov") != 0, rule.centered = setting(s, "centered") != 0;
    rule.amsgrad = setting(s, "amsgrad") != 0;
    rule.clipvalue = setting(s, "clipvalue"), rule.clipnorm = setting(s, "clipnorm");
    rule.global_clipnorm = setting(s, "global_clipnorm");
    return rule;
}

void expect(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(what);
}

// A Python function that engine.py keeps alive. An owned one would close a circle (function, its module, model, core,
// function) through C++, where Python's collector does not see it, and nothing in it would ever be freed.
class Borrowed {
public:
    explicit Borrowed(const nb::callable& function) : function_(function) {}
    template <class... Arguments>
    nb::object operator()(Arguments&&... arguments) const {
        return function_(std::forward<Arguments>(arguments)...);
    }

private:
    nb::handle function_;
};

// A view of the core's memory for a Python function; it must not outlive the call.
template <class T>
nb::object view(T* data, long B, long O, long stride) {
    const std::size_t shape[2] = {std::size_t(B), std::size_t(O)};
    const std::int64_t strides[2] = {stride, 1};
    return nb::ndarray<nb::numpy, T>(data, 2, shape, nb::handle(), strides).cast(nb::rv_policy::reference);
}

template <class T>
Rows rows_of(const Network<T>& network, const Matrix<T>& x, const std::optional<Matrix<T>>& y,
             const std::optional<Column<T>>& weight, const std::optional<Column<std::uint32_t>>& order,
             long batch_size) {
    const long count = long(x.shape(0));
    expect(long(x.shape(1)) == network.input_width(), "x has the wrong number of columns");
    expect(batch_size > 0, "batch_size must be 1 or more");
    if (y) expect(long(y->shape(0)) == count && long(y->shape(1)) == network.target_columns(), "y has the wrong shape");
    if (weight) expect(long(weight->shape(0)) == count, "sample_weight has the wrong length");
    if (!order) return {count, batch_size, nullptr};
    for (std::size_t k = 0; k < order->shape(0); ++k)
        expect(long(order->data()[k]) < count, "order names a row that is not there");
    return {long(order->shape(0)), batch_size, order->data()};
}

template <class T, class Array>
auto data_of(const std::optional<Array>& array) -> decltype(array->data()) {
    return array ? array->data() : nullptr;
}

template <class T>
T* room_for(const Network<T>& network, const std::optional<Output<T>>& predictions, long rows) {
    if (!predictions) return nullptr;
    expect(long(predictions->shape(0)) == rows && long(predictions->shape(1)) == network.output_width(),
           "predictions has the wrong shape");
    return predictions->data();
}

Course course_of(const nb::dict& told) {
    const auto whole = [&](const char* name) { return nb::cast<long>(told[name]); };
    Course course;
    course.epochs = whole("epochs"), course.batch_size = whole("batch_size"),
    course.steps_a_call = whole("steps_a_call");
    course.validation_batch_size = whole("validation_batch_size");
    course.validation_rows_a_call = whole("validation_rows_a_call");
    course.shuffles = nb::cast<bool>(told["shuffle"]), course.order_seed = nb::cast<std::uint64_t>(told["order_seed"]);
    course.first_iteration = whole("first_iteration"), course.cost = whole("cost");
    const auto rates = nb::cast<Column<double>>(told["learning_rates"]);
    course.learning_rates.assign(rates.data(), rates.data() + rates.shape(0));
    expect(course.batch_size > 0 && course.steps_a_call > 0 && course.validation_batch_size > 0 &&
               course.validation_rows_a_call > 0,
           "sizes must be 1 or more");
    return course;
}

EarlyStopping early_stopping_of(const nb::dict& told) {
    EarlyStopping rule;
    rule.watches = nb::len(told) > 0;
    if (!rule.watches) return rule;
    const auto yes = [&](const char* name) { return nb::cast<bool>(told[name]); };
    rule.watches_validation = yes("watches_validation"), rule.maximum = yes("maximum");
    rule.restores_best = yes("restores_best"), rule.has_baseline = yes("has_baseline");
    rule.min_delta = nb::cast<double>(told["min_delta"]), rule.baseline = nb::cast<double>(told["baseline"]);
    rule.patience = nb::cast<long>(told["patience"]), rule.start_from_epoch = nb::cast<long>(told["start_from_epoch"]);
    return rule;
}

nb::tuple as_tuple(const Record& record) {
    return nb::make_tuple(record.losses, record.validation_losses, record.steps, record.finite, record.interrupted);
}

template <class T>
void bind_network(nb::module_& module, const char* name) {
    using N = Network<T>;
    nb::class_<N>(module, name)
        .def(nb::init<long, long, long, std::uint64_t>(), nb::arg("input_width"), nb::arg("output_width"),
             nb::arg("target_columns"), nb::arg("seed"))
        .def("add_dense",
             [](N& self, long I, long O, long kernel, long bias, const std::string& kind, const Numbers& numbers,
                bool trainable) {
                 Layer<T> layer;
                 layer.kind = LayerKind::dense;
                 layer.I = I, layer.O = O, layer.kernel = kernel, layer.bias = bias, layer.trainable = trainable;
                 layer.activation = activation_rule(kind, numbers);
                 self.add(std::move(layer));
             })
        .def("add_activation",
             [](N& self, long width, const std::string& kind, const Numbers& numbers) {
                 Layer<T> layer;
                 layer.kind = LayerKind::activation;
                 layer.I = layer.O = width;
                 layer.activation = activation_rule(kind, numbers);
                 self.add(std::move(layer));
             })
        .def("add_function",
             [](N& self, long width, nb::callable value, nb::callable blame) {
                 Layer<T> layer;
                 layer.kind = LayerKind::function;
                 layer.I = layer.O = width;
                 layer.function = [value = Borrowed(value)](long B, long O, long stride, const T* z, T* a) {
                     nb::gil_scoped_acquire gil;
                     value(view(const_cast<T*>(z), B, O, stride), view(a, B, O, stride));
                 };
                 layer.blame = [blame = Borrowed(blame)](long B, long O, long stride, const T* z, const T* a, T* d) {
                     nb::gil_scoped_acquire gil;
                     blame(view(const_cast<T*>(z), B, O, stride), view(const_cast<T*>(a), B, O, stride),
                           view(d, B, O, stride));
                 };
                 self.add(std::move(layer));
             })
        .def("add_random",
             [](N& self, bool dropout, long width, double rate, std::uint64_t stream,
                std::optional<std::uint64_t> seed) {
                 Layer<T> layer;
                 layer.kind = dropout ? LayerKind::dropout : LayerKind::noise;
                 layer.I = layer.O = width;
                 layer.rate = rate, layer.stream = stream, layer.own_seed = seed.has_value(),
                 layer.seed = seed.value_or(0);
                 self.add(std::move(layer));
             })
        .def("add_normalization",
             [](N& self, long width, long gamma, long beta, long mean, long variance, double momentum, double epsilon,
                bool trainable) {
                 Layer<T> layer;
                 layer.kind = LayerKind::normalization;
                 layer.I = layer.O = width;
                 layer.gamma = gamma, layer.beta = beta, layer.moving_mean = mean, layer.moving_variance = variance;
                 layer.momentum = momentum, layer.epsilon = epsilon, layer.trainable = trainable;
                 self.add(std::move(layer));
             })
        .def("set_loss",
             [](N& self, const std::string& kind, const Numbers& numbers, bool sum) {
                 self.set_loss(LossRule{named(losses, kind), number(numbers, 0), number(numbers, 1), sum});
             })
        .def("set_loss_function",
             [](N& self, nb::callable function) {
                 const long columns = self.target_columns();
                 self.set_loss([function = Borrowed(function), columns](long B, long O, long stride, const T* y,
                                                                        const T* p, const T* weight, T* dp) {
                     nb::gil_scoped_acquire gil;
                     nb::object weights = weight ? view(const_cast<T*>(weight), B, 1, 1) : nb::none();
                     return nb::cast<double>(function(view(const_cast<T*>(y), B, columns, columns),
                                                      view(const_cast<T*>(p), B, O, stride), weights,
                                                      view(dp, B, O, stride)));
                 });
             })
        .def("set_optimizer",
             [](N& self, const std::string& kind, const nb::dict& s, const std::vector<nb::tuple>& trained) {
                 std::vector<Segment> segments;
                 for (const nb::tuple& t : trained)
                     segments.push_back({nb::cast<long>(t[0]), nb::cast<long>(t[1]), nb::cast<bool>(t[2]),
                                         nb::cast<double>(t[3]), nb::cast<double>(t[4])});
                 self.set_optimizer(update_rule(kind, s), std::move(segments));
             })
        .def(
            "set_memory",
            [](N& self, Memory<T> parameters, Memory<T> gradient, std::vector<std::optional<Memory<T>>> slots) {
                std::vector<T*> pointers;
                for (auto& slot : slots) pointers.push_back(slot ? slot->data() : nullptr);
                self.set_memory(parameters.data(), gradient.data(), std::move(pointers));
            },
            nb::arg("parameters").noconvert(), nb::arg("gradient").noconvert(), nb::arg("slots").noconvert())
        .def(
            "train",
            [](N& self, Matrix<T> x, Matrix<T> y, std::optional<Column<T>> weight,
               std::optional<Column<std::uint32_t>> order, long batch_size, Column<double> learning_rates,
               long first_iteration, std::optional<Output<T>> predictions, int threads) {
                const Rows rows = rows_of<T>(self, x, std::optional(y), weight, order, batch_size);
                expect(long(learning_rates.shape(0)) == (rows.count + batch_size - 1) / batch_size,
                       "learning_rates needs one number a step");
                T* out = room_for<T>(self, predictions, rows.count);
                const std::span<const double> rates(learning_rates.data(), learning_rates.shape(0));
                TrainResult result;
                {
                    nb::gil_scoped_release release;
                    result =
                        self.train(x.data(), y.data(), data_of<T>(weight), rows, rates, first_iteration, out, threads);
                }
                return nb::make_tuple(result.loss_sum, result.rows, result.steps, result.finite);
            },
            nb::arg("x").noconvert(), nb::arg("y").noconvert(), nb::arg("sample_weight").noconvert().none(),
            nb::arg("order").noconvert().none(), nb::arg("batch_size"), nb::arg("learning_rates").noconvert(),
            nb::arg("first_iteration"), nb::arg("predictions").noconvert().none(), nb::arg("threads"))
        .def(
            "evaluate",
            [](N& self, Matrix<T> x, Matrix<T> y, std::optional<Column<T>> weight, long batch_size,
               std::optional<Output<T>> predictions, int threads) {
                const Rows rows = rows_of<T>(self, x, std::optional(y), weight, std::nullopt, batch_size);
                T* out = room_for<T>(self, predictions, rows.count);
                nb::gil_scoped_release release;
                return self.evaluate(x.data(), y.data(), data_of<T>(weight), rows, out, threads);
            },
            nb::arg("x").noconvert(), nb::arg("y").noconvert(), nb::arg("sample_weight").noconvert().none(),
            nb::arg("batch_size"), nb::arg("predictions").noconvert().none(), nb::arg("threads"))
        .def(
            "predict",
            [](N& self, Matrix<T> x, Output<T> predictions, long batch_size, int threads) {
                const Rows rows = rows_of<T>(self, x, std::nullopt, std::nullopt, std::nullopt, batch_size);
                T* out = room_for<T>(self, std::optional(predictions), rows.count);
                nb::gil_scoped_release release;
                self.predict(x.data(), rows, out, threads);
            },
            nb::arg("x").noconvert(), nb::arg("predictions").noconvert(), nb::arg("batch_size"), nb::arg("threads"))
        .def(
            "gradients",
            [](N& self, Matrix<T> x, Matrix<T> y, std::optional<Column<T>> weight, bool training, long iteration) {
                const Rows rows = rows_of<T>(self, x, std::optional(y), weight, std::nullopt, 1);
                nb::gil_scoped_release release;
                return self.gradients(x.data(), y.data(), data_of<T>(weight), rows.count, training, iteration);
            },
            nb::arg("x").noconvert(), nb::arg("y").noconvert(), nb::arg("sample_weight").noconvert().none(),
            nb::arg("training"), nb::arg("iteration"));
}

// (x, y, sample weights, row numbers), of which the last two may be None
template <class T>
Sample<T> sample_of(long input_width, long target_columns, const nb::tuple& told) {
    const auto x = nb::cast<Matrix<T>>(told[0], false), y = nb::cast<Matrix<T>>(told[1], false);
    Sample<T> sample{x.data(), y.data(), nullptr, nullptr, long(x.shape(0))};
    expect(long(x.shape(1)) == input_width, "x has the wrong number of columns");
    expect(y.shape(0) == x.shape(0) && long(y.shape(1)) == target_columns, "y has the wrong shape");
    if (!told[2].is_none()) {
        const auto weight = nb::cast<Column<T>>(told[2], false);
        expect(weight.shape(0) == x.shape(0), "sample_weight has the wrong length");
        sample.weight = weight.data();
    }
    if (!told[3].is_none()) {
        const auto rows = nb::cast<Column<std::uint32_t>>(told[3], false);
        sample.rows = rows.data(), sample.count = long(rows.shape(0));
        for (long k = 0; k < sample.count; ++k)
            expect(sample.rows[k] < x.shape(0), "rows names a row that is not there");
    }
    return sample;
}

// The weights and the optimizer's slots, equally long, in the order of the update rule; None for a slot it lacks.
template <class T>
std::vector<T*> vectors_of(const nb::list& told, long& length) {
    std::vector<T*> pointers;
    for (nb::handle object : told) {
        if (object.is_none()) {
            pointers.push_back(nullptr);
            continue;
        }
        const auto vector = nb::cast<Memory<T>>(object, false);
        if (pointers.empty()) length = long(vector.shape(0));
        expect(long(vector.shape(0)) == length, "vectors must be equally long");
        pointers.push_back(vector.data());
    }
    expect(!pointers.empty() && pointers[0], "vectors must hold the weights");
    return pointers;
}

template <class T>
Course checked(Course course, const Sample<T>& sample) {
    const long steps = (sample.count + course.batch_size - 1) / course.batch_size;
    expect(course.learning_rates.size() == 1 || long(course.learning_rates.size()) == steps * course.epochs,
           "learning_rates needs one number, or one a step");
    return course;
}

template <class T>
void bind_training(nb::module_& module, const char* name) {
    nb::class_<Training<T>>(module, name)
        .def(
            "__init__",
            [](Training<T>* self, const Network<T>& network, const nb::list& vectors, const nb::tuple& sample,
               const std::optional<nb::tuple>& validation, const nb::dict& course, const nb::dict& early_stopping) {
                const long I = network.input_width(), O = network.target_columns();
                const Sample<T> rows = sample_of<T>(I, O, sample);
                const Sample<T> held_out = validation ? sample_of<T>(I, O, *validation) : Sample<T>();
                long length = 0;
                std::vector<T*> pointers = vectors_of<T>(vectors, length);
                std::erase(pointers, nullptr);
                new (self) Training<T>(network, pointers, length, rows, held_out, checked(course_of(course), rows),
                                       early_stopping_of(early_stopping));
            },
            nb::arg("network"), nb::arg("vectors"), nb::arg("sample"), nb::arg("validation").none(), nb::arg("course"),
            nb::arg("early_stopping"), nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>(),
            nb::keep_alive<1, 5>())
        .def_prop_ro("record", [](const Training<T>& self) { return as_tuple(self.record()); });
}

template <class T>
void bind_lanes(nb::module_& module, const char* name) {
    using L = LaneTraining<T>;
    nb::class_<L>(module, name)
        .def(
            "__init__",
            [](L* self, const std::vector<nb::tuple>& layers, const nb::tuple& loss, const nb::tuple& optimizer,
               const nb::tuple& sample, const std::optional<nb::tuple>& validation) {
                std::vector<LaneLayer> stack;
                for (const nb::tuple& t : layers) {
                    LaneLayer layer;
                    layer.I = nb::cast<long>(t[0]), layer.O = nb::cast<long>(t[1]);
                    layer.activation = activation_rule(nb::cast<std::string>(t[2]), nb::cast<Numbers>(t[3]));
                    layer.kernel = nb::cast<long>(t[4]), layer.kernel_decays = nb::cast<bool>(t[5]);
                    layer.bias = nb::cast<long>(t[6]), layer.bias_decays = nb::cast<bool>(t[7]);
                    stack.push_back(layer);
                }
                expect(!stack.empty(), "there must be a layer");
                const Numbers numbers = nb::cast<Numbers>(loss[1]);
                const LossRule rule{named(losses, nb::cast<std::string>(loss[0])), number(numbers, 0),
                                    number(numbers, 1), nb::cast<bool>(loss[2])};
                const long I = stack.front().I, O = stack.back().O;
                new (self)
                    L(stack, rule, update_rule(nb::cast<std::string>(optimizer[0]), nb::cast<nb::dict>(optimizer[1])),
                      sample_of<T>(I, O, sample), validation ? sample_of<T>(I, O, *validation) : Sample<T>());
            },
            nb::arg("layers"), nb::arg("loss"), nb::arg("optimizer"), nb::arg("sample"), nb::arg("validation").none(),
            nb::keep_alive<1, 5>(), nb::keep_alive<1, 6>())
        .def(
            "add",
            [](L& self, const nb::list& vectors, const nb::dict& course, const nb::dict& early_stopping) {
                long length = 0;
                std::vector<T*> pointers = vectors_of<T>(vectors, length);
                expect(self.models() < self.lanes(), "there are no more lanes");
                expect(length >= self.least_length(), "vectors are too short for the layers");
                self.add({pointers, checked(course_of(course), self.sample()), early_stopping_of(early_stopping)});
            },
            nb::arg("vectors"), nb::arg("course"), nb::arg("early_stopping"), nb::keep_alive<1, 2>())
        .def("record", [](const L& self, long model) { return as_tuple(self.record(model)); });
}

template <class Kind>
bool add_training(nb::handle object, Run& run, std::vector<std::function<void()>>& jobs) {
    Kind* training = nullptr;
    if (!nb::try_cast(object, training) || !training) return false;
    jobs.push_back([training, &run] { training->run(run); });
    return true;
}

// Trainings, and functions for what needs Python; `watch` is told how much is done and answers whether to stop.
// Returns how many seconds each took, in their order; 0 for one that was not begun.
std::vector<double> run_all(const nb::list& trainings, long threads, const nb::callable& watch) {
    Run run;
    std::vector<std::function<void()>> jobs;
    for (nb::handle object : trainings) {
        if (add_training<Training<float>>(object, run, jobs) || add_training<Training<double>>(object, run, jobs) ||
            add_training<LaneTraining<float>>(object, run, jobs) ||
            add_training<LaneTraining<double>>(object, run, jobs))
            continue;
        jobs.push_back([function = Borrowed(nb::cast<nb::callable>(object))] {
            nb::gil_scoped_acquire gil;
            function();
        });
    }
    std::vector<double> seconds(jobs.size());
    for (std::size_t k = 0; k < jobs.size(); ++k)
        jobs[k] = [job = std::move(jobs[k]), &took = seconds[k]] {
            const auto began = std::chrono::steady_clock::now();
            job();
            took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        };
    nb::gil_scoped_release release;
    run_jobs(jobs, threads, run, [&] {
        nb::gil_scoped_acquire gil;
        if (nb::cast<bool>(watch(long(run.done)))) run.stop = true;
    });
    return seconds;
}

// `Flag` is as wide as T, so that the compiler makes vectors of both.
template <class T, class Flag>
bool all_finite(const T* numbers, std::size_t count) {
    Flag bad = 0;
    for (std::size_t k = 0; k < count; ++k) {
        const T size = numbers[k] < 0 ? -numbers[k] : numbers[k];
        bad |= size <= std::numeric_limits<T>::max() ? Flag(0) : Flag(1);  // NaN is not smaller than anything
    }
    return bad == 0;
}

template <class T, class Flag>
bool is_finite(Column<T> vector) {
    return all_finite<T, Flag>(vector.data(), vector.size());
}

template <class T, class Flag>
bool is_finite_matrix(nb::handle object, std::size_t columns) {
    Matrix<T> matrix;
    return nb::try_cast(object, matrix, false) && matrix.shape(1) == columns && matrix.size() > 0 &&
           reinterpret_cast<std::uintptr_t>(matrix.data()) % alignof(T) == 0 &&
           all_finite<T, Flag>(matrix.data(), matrix.size());
}

}  // namespace

NB_MODULE(_core, module) {
    if (instruction_sets().empty())
        throw nb::import_error("hillwalker needs a processor with SSE4.2 (x86-64-v2, of 2009 or later).");
    nb::set_leak_warnings(false);  // a model that lives until the interpreter ends is no leak, and no user's business
    bind_network<float>(module, "Network32");
    bind_network<double>(module, "Network64");
    bind_training<float>(module, "Training32");
    bind_training<double>(module, "Training64");
    bind_lanes<float>(module, "LaneTraining32");
    bind_lanes<double>(module, "LaneTraining64");
    module.def(
        "lanes",
        [](const std::string& dtype) { return dtype == "float64" ? kernels<double>().lanes : kernels<float>().lanes; },
        "How many models fit into a vector.");
    module.def("run", &run_all, nb::arg("trainings"), nb::arg("threads"), nb::arg("watch"),
               "Do trainings, and functions, on so many threads.");
    module.def(
        "shuffle",
        [](nb::ndarray<std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> order, std::uint64_t key) {
            nb::gil_scoped_release release;
            shuffle(order.data(), long(order.shape(0)), key);
        },
        nb::arg("order").noconvert(), nb::arg("key"), "Fill with the row numbers, shuffled by this key.");
    module.def("stream_key", &stream_key, nb::arg("seed"), nb::arg("iteration"), nb::arg("stream"),
               "The key of one stream of random numbers.");
    module.def("is_finite", &is_finite<float, std::uint32_t>, nb::arg("vector").noconvert());
    module.def("is_finite", &is_finite<double, std::uint64_t>, nb::arg("vector").noconvert(),
               "Whether every number is finite.");
    module.def("is_finite_matrix32", &is_finite_matrix<float, std::uint32_t>, nb::arg("object"), nb::arg("columns"));
    module.def("is_finite_matrix64", &is_finite_matrix<double, std::uint64_t>, nb::arg("object"), nb::arg("columns"),
               "Whether it is a matrix of this precision and of so many columns that holds finite numbers only.");
    module.def("instruction_set", &instruction_set, "The instruction set in use.");
    module.def("instruction_sets", &instruction_sets, "Those this machine can run, best first.");
    module.def(
        "choose_instruction_set",
        [](const std::string& name) {
            expect(choose_instruction_set(name), "this machine cannot run that instruction set");
        },
        nb::arg("name"), "Use another one, for new networks.");
}
