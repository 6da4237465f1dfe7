// Many trainings on threads: the same bits whatever the threads and the company; lanes against models alone; runs that are
// stopped or fail. Worth most under ThreadSanitizer.

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include "check.hpp"
#include "lanes.hpp"
#include "many.hpp"

namespace hillwalker::tests {

namespace {

template <class T>
struct Shared {  // rows that all models see
    long I, rows;
    std::vector<T> x, y;
    std::vector<std::uint32_t> chosen, held_out;
};

template <class T>
Shared<T> random_rows(Random& random) {
    Shared<T> shared{1 + random.below(9), 20 + random.below(100), {}, {}, {}, {}};
    for (long k = 0; k < shared.rows * shared.I; ++k) shared.x.push_back(T(random.uniform(-1, 1)));
    for (long k = 0; k < shared.rows; ++k) shared.y.push_back(T(random.uniform(-1, 1)));
    for (long k = 0; k < shared.rows; ++k)
        (random.below(4) ? shared.chosen : shared.held_out).push_back(std::uint32_t(k));
    if (shared.held_out.empty()) shared.held_out.push_back(0);
    if (shared.chosen.empty()) shared.chosen.push_back(0);
    return shared;
}

template <class T>
struct Model {  // I - hidden - 1, Adam, with memory of its own
    std::unique_ptr<Network<T>> network;
    std::vector<Buffer<T>> vectors;  // weights, two slots, gradient
    Course course;
    EarlyStopping early_stopping;
    LaneLayer layers[2];

    std::vector<T*> memory() { return {vectors[0].data(), vectors[1].data(), vectors[2].data()}; }
    long length() const { return long(vectors[0].size()); }
};

UpdateRule adam() {
    UpdateRule rule;
    rule.kind = Optimizer::adam, rule.beta_1 = 0.9, rule.beta_2 = 0.999, rule.epsilon = 1e-7;
    return rule;
}

template <class T>
Model<T> model(const Shared<T>& shared, std::uint64_t seed, long hidden, long batch_size) {
    Random random(seed);
    const long kernel = 0, bias = padded(shared.I * row_stride(hidden)), out = bias + padded(hidden),
               out_bias = out + padded(hidden), length = out_bias + padding;
    Model<T> made;
    made.vectors.assign(4, Buffer<T>(std::size_t(length), T(0)));
    for (long i = 0; i < shared.I; ++i)
        for (long o = 0; o < hidden; ++o)
            made.vectors[0][std::size_t(i * row_stride(hidden) + o)] = T(random.uniform(-1, 1));
    for (long o = 0; o < hidden; ++o) made.vectors[0][std::size_t(out + o)] = T(random.uniform(-1, 1));
    const ActivationRule relu{Activation::relu, 0, __builtin_inf(), 0};
    made.layers[0] = {shared.I, hidden, relu, kernel, bias, false, false};
    made.layers[1] = {hidden, 1, {}, out, out_bias, false, false};
    made.network = std::make_unique<Network<T>>(shared.I, 1, 1, seed);
    for (const LaneLayer& told : made.layers) {
        Layer<T> layer;
        layer.I = told.I, layer.O = told.O, layer.kernel = told.kernel, layer.bias = told.bias;
        layer.activation = told.activation;
        made.network->add(std::move(layer));
    }
    made.network->set_loss(LossRule{});
    made.network->set_optimizer(adam(), {{kernel, bias, false, 0, 0},
                                         {bias, out - bias, false, 0, 0},
                                         {out, out_bias - out, false, 0, 0},
                                         {out_bias, padding, false, 0, 0}});
    made.network->set_memory(made.vectors[0].data(), made.vectors[3].data(),
                             {made.vectors[1].data(), made.vectors[2].data()});
    made.course.epochs = 1 + random.below(5), made.course.batch_size = batch_size, made.course.steps_a_call = 2;
    made.course.validation_batch_size = 8, made.course.validation_rows_a_call = 16;
    made.course.order_seed = 3, made.course.learning_rates = {random.uniform(0, 0.02)};
    made.early_stopping.watches = random.coin(), made.early_stopping.watches_validation = random.coin();
    made.early_stopping.restores_best = random.coin(), made.early_stopping.patience = 1;
    return made;
}

template <class T>
struct Outcome {
    std::vector<Buffer<T>> weights;
    std::vector<Record> records;
    bool operator==(const Outcome& other) const {
        const auto same = [](const Record& a, const Record& b) {
            return a.losses == b.losses && a.validation_losses == b.validation_losses && a.steps == b.steps;
        };
        return weights == other.weights &&
               std::equal(records.begin(), records.end(), other.records.begin(), other.records.end(), same);
    }
};

template <class T>
Sample<T> sample(const Shared<T>& shared, const std::vector<std::uint32_t>& rows) {
    return {shared.x.data(), shared.y.data(), nullptr, rows.data(), long(rows.size())};
}

template <class T>
Outcome<T> train(std::vector<Model<T>> models, const Shared<T>& shared, long threads) {
    std::vector<std::unique_ptr<Training<T>>> trainings;
    std::vector<std::function<void()>> jobs;
    Run run;
    for (Model<T>& one : models) {
        trainings.push_back(
            std::make_unique<Training<T>>(*one.network, one.memory(), one.length(), sample(shared, shared.chosen),
                                          sample(shared, shared.held_out), one.course, one.early_stopping));
        jobs.push_back([&run, training = trainings.back().get()] { training->run(run); });
    }
    run_jobs(jobs, threads, run, [] {});
    Outcome<T> outcome;
    for (std::size_t k = 0; k < models.size(); ++k) {
        outcome.weights.push_back(models[k].vectors[0]);
        outcome.records.push_back(trainings[k]->record());
    }
    return outcome;
}

template <class T>
Outcome<T> train_in_lanes(std::vector<Model<T>> models, const Shared<T>& shared, long threads, std::size_t lanes) {
    std::vector<std::unique_ptr<LaneTraining<T>>> groups;
    std::vector<std::function<void()>> jobs;
    Run run;
    for (std::size_t first = 0; first < models.size(); first += lanes) {
        const LaneLayer* layers = models[first].layers;
        groups.push_back(std::make_unique<LaneTraining<T>>(std::vector<LaneLayer>{layers[0], layers[1]}, LossRule{},
                                                           adam(), sample(shared, shared.chosen),
                                                           sample(shared, shared.held_out)));
        for (std::size_t k = first; k < std::min(first + lanes, models.size()); ++k)
            groups.back()->add({models[k].memory(), models[k].course, models[k].early_stopping});
        jobs.push_back([&run, group = groups.back().get()] { group->run(run); });
    }
    run_jobs(jobs, threads, run, [] {});
    Outcome<T> outcome;
    for (std::size_t k = 0; k < models.size(); ++k) {
        outcome.weights.push_back(models[k].vectors[0]);
        outcome.records.push_back(groups[k / lanes]->record(long(k % lanes)));
    }
    return outcome;
}

void test_stopping(Report& report) {
    std::atomic<int> begun{0};
    Run run;
    std::vector<std::function<void()>> jobs(6, [&] {
        ++begun;
        while (!run.stop) std::this_thread::yield();
    });
    run_jobs(jobs, 3, run, [&] { run.stop = run.stop || begun >= 3; });
    report.truth("many: a run that is stopped", begun == 6);

    for (const bool in_watch : {false, true}) {
        Run failing;
        bool told = false;
        const auto fail = [] { throw std::runtime_error("mine"); };
        std::vector<std::function<void()>> waiting(4, [&] {
            while (!failing.stop) std::this_thread::yield();
        });
        if (!in_watch) waiting[1] = fail;
        try {
            run_jobs(waiting, 2, failing, in_watch ? std::function<void()>(fail) : [] {});
        } catch (const std::runtime_error& error) {
            told = std::string(error.what()) == "mine";
        }
        report.truth("many: what a job or a watcher throws", told);
    }
}

}  // namespace

template <class T>
void test_many(Report& report, long cases) {
    test_stopping(report);
    for (long number = 0; number < std::max(1L, cases / 10); ++number) {
        Random random(std::uint64_t(1000 + number));
        const Shared<T> shared = random_rows<T>(random);
        const long hidden = 1 + random.below(16), batch_size = 1 + random.below(40);
        report.describe("case " + std::to_string(number));
        const auto models = [&] {
            std::vector<Model<T>> made;
            for (std::uint64_t seed = 0; seed < 7; ++seed) made.push_back(model(shared, seed, hidden, batch_size));
            return made;
        };
        const Outcome<T> alone = train(models(), shared, 1);
        report.truth("many: threads", train(models(), shared, 2) == alone && train(models(), shared, 5) == alone);
        const auto lanes = static_cast<std::size_t>(kernels<T>().lanes);
        const Outcome<T> laned = train_in_lanes(models(), shared, 1, lanes);
        report.truth("lanes: threads and company", train_in_lanes(models(), shared, 3, 1) == laned &&
                                                       train_in_lanes(models(), shared, 2, lanes / 2) == laned);
        for (std::size_t k = 0; k < laned.records.size(); ++k)
            report.template number<T>("lanes: the first epoch's loss", laned.records[k].losses[0],
                                      alone.records[k].losses[0], 1, 32);
    }
}

template void test_many<float>(Report&, long);
template void test_many<double>(Report&, long);

}  // namespace hillwalker::tests
