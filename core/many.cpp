#include "many.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>

#include "random.hpp"

namespace hillwalker {

void shuffle(std::uint32_t* rows, long count, std::uint64_t key) {
    std::iota(rows, rows + count, std::uint32_t(0));
    std::uint64_t state = key;
    for (std::uint64_t k = static_cast<std::uint64_t>(count); k > 1; --k) {
        const std::uint64_t bits = mix(state++) >> 32;
        std::swap(rows[k - 1], rows[(bits * k) >> 32]);
    }
}

bool Patience::better(double value, double reference) const {
    return rule_.maximum ? value - rule_.min_delta > reference : value + rule_.min_delta < reference;
}

bool Patience::improves(long epoch, double loss, double validation_loss) {
    if (!rule_.watches || epoch < rule_.start_from_epoch) return false;
    const double value = rule_.watches_validation ? validation_loss : loss;
    ++wait_;
    if (!has_best_ || better(value, best_)) {
        has_best_ = true;
        best_ = value;
        if (!rule_.has_baseline || better(value, rule_.baseline)) wait_ = 0;
        return rule_.restores_best;
    }
    ended_ = ended_ || (wait_ >= rule_.patience && epoch > 0);
    return false;
}

template <class T>
const std::uint32_t* arrange(const Sample<T>& sample, const Course& course, long iteration,
                             std::vector<std::uint32_t>& order) {
    if (!course.shuffles) return sample.rows;
    constexpr std::uint64_t of_row_orders = 0xFFFFFFFF;  // the number of their stream, as in engine.py
    order.resize(static_cast<std::size_t>(sample.count));
    shuffle(order.data(), sample.count, stream_key(course.order_seed, std::uint64_t(iteration), of_row_orders));
    if (sample.rows)
        for (std::uint32_t& row : order) row = sample.rows[row];
    return order.data();
}

template <class T>
bool Training<T>::is_finite() const {
    return std::all_of(vectors_[0], vectors_[0] + length_, [](T w) { return std::isfinite(w); });
}

// Losses are summed call by call as in training/loop.py, whose calls are that long so that Ctrl-C is heard.
template <class T>
bool Training<T>::train_epoch(Network<T>& network, Run& run, double& loss) {
    const long first = course_.first_iteration + record_.steps;
    const std::uint32_t* order = arrange(sample_, course_, first, order_);
    const bool constant = course_.learning_rates.size() == 1;
    double loss_sum = 0;
    long rows = 0;
    TrainResult result;
    for (long start = 0; start < sample_.count && result.finite; start += course_.steps_a_call * course_.batch_size) {
        if (run.stop) {
            record_.interrupted = true;
            return true;
        }
        const long count = std::min(course_.steps_a_call * course_.batch_size, sample_.count - start);
        const auto steps = static_cast<std::size_t>((count + course_.batch_size - 1) / course_.batch_size);
        const double* rates = course_.learning_rates.data() + record_.steps;
        if (constant) {
            rates_.assign(steps, course_.learning_rates[0]);
            rates = rates_.data();
        }
        const T *x = sample_.x, *y = sample_.y, *weight = sample_.weight;
        if (!order) {
            x += start * network.input_width();
            y += start * network.target_columns();
            weight = weight ? weight + start : nullptr;
        }
        result = network.train(x, y, weight, {count, course_.batch_size, order ? order + start : nullptr},
                               {rates, steps}, course_.first_iteration + record_.steps, nullptr, run.threads_each);
        record_.steps += result.steps;
        loss_sum += result.loss_sum;
        rows += result.rows;
    }
    loss = loss_sum / double(rows);
    return result.finite;
}

template <class T>
double Training<T>::validate(Network<T>& network, const Run& run) const {
    double loss_sum = 0;
    for (long start = 0; start < validation_.count; start += course_.validation_rows_a_call) {
        const long count = std::min(course_.validation_rows_a_call, validation_.count - start);
        const std::uint32_t* rows = validation_.rows ? validation_.rows + start : nullptr;
        const long skipped = rows ? 0 : start;
        loss_sum += network.evaluate(validation_.x + skipped * network.input_width(),
                                     validation_.y + skipped * network.target_columns(),
                                     validation_.weight ? validation_.weight + skipped : nullptr,
                                     {count, course_.validation_batch_size, rows}, nullptr, run.threads_each);
    }
    return loss_sum / double(validation_.count);
}

template <class T>
void Training<T>::run(Run& run) {
    Network<T> network = network_;  // a copy, whose buffers live as long as the training
    Patience patience(early_stopping_);
    std::vector<Buffer<T>> kept(vectors_.size());
    Buffer<T> best;
    record_ = Record();
    record_.losses.reserve(static_cast<std::size_t>(course_.epochs));
    for (long epoch = 0; epoch < course_.epochs && record_.finite && !patience.ended(); ++epoch) {
        for (std::size_t k = 0; k < kept.size(); ++k) kept[k].assign(vectors_[k], vectors_[k] + length_);
        const long steps_before = record_.steps;
        double loss = 0, validation_loss = std::numeric_limits<double>::quiet_NaN();
        record_.finite = train_epoch(network, run, loss) && (record_.interrupted || is_finite());
        if (record_.interrupted) break;
        if (!record_.finite) {
            for (std::size_t k = 0; k < kept.size(); ++k) std::copy(kept[k].begin(), kept[k].end(), vectors_[k]);
            record_.steps = steps_before;
        } else if (validation_.count > 0) {
            validation_loss = validate(network, run);
        }
        record_.losses.push_back(loss);
        if (validation_.count > 0) record_.validation_losses.push_back(validation_loss);
        if (patience.improves(epoch, loss, validation_loss)) best.assign(vectors_[0], vectors_[0] + length_);
        run.done += course_.cost;
    }
    if (!best.empty()) std::copy(best.begin(), best.end(), vectors_[0]);
    if (!record_.interrupted) run.done += course_.cost * (course_.epochs - record_.ended_epochs());
    order_ = {};
}

void run_jobs(const std::vector<std::function<void()>>& jobs, long threads, Run& run,
              const std::function<void()>& watch) {
    using namespace std::chrono_literals;
    std::atomic<std::size_t> next{0};
    std::mutex lock;
    std::condition_variable one_ended;
    std::exception_ptr error;
    long running = 0;
    run.threads_each = int(std::max(1L, threads / std::max(1L, long(jobs.size()))));
    const auto failed = [&] {
        const std::lock_guard guard(lock);
        run.stop = true;
        if (!error) error = std::current_exception();
    };
    const auto work = [&] {
        for (std::size_t job; (job = next++) < jobs.size();) {
            try {
                jobs[job]();
            } catch (...) {
                failed();
            }
        }
        const std::lock_guard guard(lock);
        --running;
        one_ended.notify_one();
    };
    std::vector<std::thread> team;
    const long wanted = std::min(threads, long(jobs.size()));
    running = wanted;
    try {
        while (long(team.size()) < wanted) team.emplace_back(work);
    } catch (const std::system_error&) {  // the system gives no more threads: those that there are do it all
        const std::lock_guard guard(lock);
        running -= wanted - long(team.size());
    }
    if (team.empty() && wanted > 0) {
        ++running;
        work();
    }
    bool watching = true;
    for (bool ended = false; !ended;) {
        {
            std::unique_lock guard(lock);
            one_ended.wait_for(guard, 50ms, [&] { return running == 0; });
            ended = running == 0;
        }
        if (watching) {
            try {
                watch();
            } catch (...) {
                watching = false;
                failed();
            }
        }
    }
    for (std::thread& thread : team) thread.join();
    if (error) std::rethrow_exception(error);
}

template const std::uint32_t* arrange<float>(const Sample<float>&, const Course&, long, std::vector<std::uint32_t>&);
template const std::uint32_t* arrange<double>(const Sample<double>&, const Course&, long, std::vector<std::uint32_t>&);
template class Training<float>;
template class Training<double>;

}  // namespace hillwalker
