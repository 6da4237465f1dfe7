// Whole trainings, one epoch after another without Python in between, and many of them on several threads.
// A training's numbers are those of `fit`, bit for bit: they depend neither on the threads nor on its company.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "network.hpp"

namespace hillwalker {

// The row numbers from 0 on, shuffled as Fisher and Yates do, with bounded numbers by multiplication (Lemire 2019): a
// function of the key alone.
void shuffle(std::uint32_t* rows, long count, std::uint64_t key);

template <class T>
struct Sample {  // rows to train or validate on
    const T* x = nullptr;
    const T* y = nullptr;
    const T* weight = nullptr;
    const std::uint32_t* rows = nullptr;  // which rows of x, y and weight; null: all, as they lie
    long count = 0;
};

struct Course {  // how a training goes; see training/loop.py
    long epochs = 0, batch_size = 0, steps_a_call = 0;
    long validation_batch_size = 0, validation_rows_a_call = 0;
    bool shuffles = true;
    std::uint64_t order_seed = 0;
    long first_iteration = 0;
    std::vector<double> learning_rates;  // one for all steps, or one a step
    long cost = 1;                       // of an epoch, in the unit in which progress is told
};

struct EarlyStopping {  // as the callback of this name; see training/callbacks/monitors.py
    bool watches = false, watches_validation = false, maximum = false, restores_best = false;
    double min_delta = 0, baseline = 0;
    bool has_baseline = false;
    long patience = 0, start_from_epoch = 0;
};

// How long a loss has not improved.
class Patience {
public:
    explicit Patience(const EarlyStopping& rule) : rule_(rule) {}
    bool improves(long epoch, double loss, double validation_loss);  // whether the weights are now the best
    bool ended() const { return ended_; }

private:
    bool better(double value, double reference) const;
    EarlyStopping rule_;
    bool has_best_ = false, ended_ = false;
    double best_ = 0;
    long wait_ = 0;
};

// What all trainings of a run share: whether to stop, and how much is done.
struct Run {
    std::atomic<bool> stop{false};
    std::atomic<long> done{0};
    int threads_each = 1;  // that may work at one network: more than one where there are more threads than trainings
};

struct Record {  // what is left of a training beside its weights
    std::vector<double> losses, validation_losses;
    long steps = 0;
    bool finite = true, interrupted = false;
    long ended_epochs() const { return long(losses.size()); }
};

// The row numbers of an epoch that begins at this iteration, or null for rows as they lie.
template <class T>
const std::uint32_t* arrange(const Sample<T>& sample, const Course& course, long iteration,
                             std::vector<std::uint32_t>& order);

template <class T>
class Training {
public:
    // `vectors` are the weights and the optimizer's slots, each so long; the network's own memory.
    Training(const Network<T>& network, std::vector<T*> vectors, long length, Sample<T> sample, Sample<T> validation,
             Course course, EarlyStopping early_stopping)
        : network_(network),
          vectors_(std::move(vectors)),
          length_(length),
          sample_(sample),
          validation_(validation),
          course_(std::move(course)),
          early_stopping_(early_stopping) {}

    void run(Run& run);
    const Record& record() const { return record_; }

private:
    bool train_epoch(Network<T>& network, Run& run, double& loss);
    double validate(Network<T>& network, const Run& run) const;
    bool is_finite() const;

    const Network<T>& network_;
    std::vector<T*> vectors_;
    long length_;
    Sample<T> sample_, validation_;
    Course course_;
    EarlyStopping early_stopping_;
    std::vector<std::uint32_t> order_;
    std::vector<double> rates_;
    Record record_;
};

extern template class Training<float>;
extern template class Training<double>;

// Do the jobs on so many threads; a thread that is free takes the next. The caller's thread calls `watch` now and then
// and at the end. What a job or `watch` throws stops the run and is thrown when all threads have ended.
void run_jobs(const std::vector<std::function<void()>>& jobs, long threads, Run& run,
              const std::function<void()>& watch);

}  // namespace hillwalker
