// Loops over batches: training, measuring, predicting.
// Included by network.cpp.

namespace {

constexpr double operations_of_a_part = 4e6;      // floating-point; threads that meet more often than that lose by it
constexpr double operations_between_looks = 5e8;  // about ten milliseconds
constexpr long rows_of_a_prediction = 256;        // at once; they do not depend on each other
constexpr long cache_bytes = 1 << 19;             // of rows passing through all layers before the next ones do

double seconds_now() {
#ifdef __wasm__  // one thread only: nothing to choose by the clock, so none is asked for
    return 0;
#else
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}

}  // namespace

// Floating-point operations of a training step on so many rows.
template <class T>
double Network<T>::operations(long rows) const {
    double sum = 0;
    for (const Layer<T>& layer : layers_)
        if (layer.kind == LayerKind::dense) sum += 6.0 * double(rows) * double(layer.I) * double(layer.O);
    return sum;
}

// How many threads a step on so many rows is worth.
template <class T>
int Network<T>::parts_for(long rows, int threads) const {
    return int(std::min(operations(rows) / operations_of_a_part, double(threads)));
}

template <class T>
int Network<T>::run_parts(int wanted, const std::function<void(const Part&)>& work) {
    Borrowed team(wanted);
    Barrier barrier(team.parts());
    panels_.resize(std::size_t(team.parts()) * panel_size);
    team.run([&](int number) {
        FlushDenormals flush;
        work(Part{number, team.parts(), &barrier, panels_.data() + number * panel_size});
    });
    return team.parts();
}

// How many rows of a batch pass through the network at once: as many as the cache holds, where layers and loss allow it.
template <class T>
long Network<T>::chunk_of(long batch) const {
    if (loss_function_ || loss_.kind == Loss::hinge || loss_.kind == Loss::squared_hinge) return batch;
    long numbers = row_stride(input_width_);
    for (const Layer<T>& layer : layers_) {
        if (layer.kind != LayerKind::dense && layer.kind != LayerKind::activation) return batch;
        numbers += (layer.keeps_z() ? 3 : 2) * row_stride(layer.O);
    }
    const long fitting = cache_bytes / (numbers * long(sizeof(T))) / padding * padding;
    return std::min(batch, std::max(fitting, 256L));
}

template <class T>
TrainResult Network<T>::train_part(const Part& part, const T* x, const T* y, const T* weight, Rows rows,
                                   std::span<const double> learning_rates, long first_iteration, T* predictions,
                                   TrainResult result, long last_row) {
    while (result.rows < last_row) {
        const long start = result.rows;
        const long B = std::min(rows.batch_size, rows.count - start);
        const long iteration = first_iteration + result.steps;
        if (part.is_first()) step_ = step_of(learning_rates[std::size_t(result.steps)], iteration);
        double batch_loss = penalty();
        for (long done = 0; done < B; done += chunk_) {
            const long count = std::min(chunk_, B - done);
            load(part, x, y, weight, rows, start + done, count);
            forward(part, count, true, iteration);
            if (part.is_first()) {
                step_loss_ = loss(count, B, weight != nullptr);
                if (predictions) copy_out(count, predictions + (start + done) * output_width_);
            }
            part.meet();
            batch_loss += step_loss_;
            if (!std::isfinite(batch_loss)) break;
            backward(part, count, true, done > 0);
        }
        result.loss_sum += batch_loss * double(B);
        result.rows += B;
        if (!std::isfinite(batch_loss)) {
            result.finite = false;
            return result;
        }
        if (has_penalty_ || clips_) {
            if (part.is_first()) {
                add_penalty_gradient();
                clip_gradient();
            }
            part.meet();
        }
        update(part);
        part.meet();
        ++result.steps;
    }
    return result;
}

template <class T>
TrainResult Network<T>::train(const T* x, const T* y, const T* weight, Rows rows,
                              std::span<const double> learning_rates, long first_iteration, T* predictions,
                              int threads) {
    const long batch = std::min(rows.batch_size, rows.count);
    chunk_ = chunk_of(batch);
    reserve(chunk_);
    const int wanted = parts_for(batch, threads);
    TrainResult result;
    while (result.rows < rows.count && result.finite) {
        const int parts = pace_.parts(wanted);
        long steps = rows.count;
        if (wanted > 1) steps = pace_.is_trying() ? 1 : long(operations_between_looks / operations(batch)) + 1;
        const long last_row = std::min(rows.count, result.rows + steps * rows.batch_size);
        const double began = seconds_now();
        const TrainResult before = result;
        const int worked = run_parts(parts, [&](const Part& part) {
            const TrainResult after =
                train_part(part, x, y, weight, rows, learning_rates, first_iteration, predictions, before, last_row);
            if (part.is_first()) result = after;
        });
        if (wanted > 1) pace_.took(worked, (seconds_now() - began) / double(result.rows - before.rows));
    }
    return result;
}

template <class T>
double Network<T>::evaluate(const T* x, const T* y, const T* weight, Rows rows, T* predictions, int threads) {
    const long batch = std::min(rows.batch_size, rows.count);
    reserve(batch);
    const double penalties = penalty();
    double sum = 0;
    run_parts(parts_for(batch, threads), [&](const Part& part) {
        for (long start = 0; start < rows.count; start += batch) {
            const long B = std::min(batch, rows.count - start);
            load(part, x, y, weight, rows, start, B);
            forward(part, B, false, 0);
            if (part.is_first()) {
                sum += (loss(B, B, weight != nullptr) + penalties) * double(B);
                if (predictions) copy_out(B, predictions + start * output_width_);
            }
            part.meet();
        }
    });
    return sum;
}

template <class T>
void Network<T>::predict(const T* x, Rows rows, T* predictions, int threads) {
    const long batch = std::min(rows_of_a_prediction, rows.count);
    reserve(batch);
    run_parts(parts_for(batch, threads), [&](const Part& part) {
        for (long start = 0; start < rows.count; start += batch) {
            const long B = std::min(batch, rows.count - start);
            load(part, x, nullptr, nullptr, rows, start, B);
            forward(part, B, false, 0);
            if (part.is_first()) copy_out(B, predictions + start * output_width_);
            part.meet();
        }
    });
}

template <class T>
double Network<T>::gradients(const T* x, const T* y, const T* weight, long rows, bool training, long iteration) {
    reserve(rows);
    double value = 0;
    run_parts(1, [&](const Part& part) {
        load(part, x, y, weight, Rows{rows, rows, nullptr}, 0, rows);
        forward(part, rows, training, iteration);
        value = loss(rows, rows, weight != nullptr) + penalty();
        backward(part, rows, training, false);
        add_penalty_gradient();
    });
    return value;
}

template <class T>
void Network<T>::copy_out(long B, T* predictions) const {
    const T* p = input_of(layers_.size());
    const long stride = row_stride(output_width_);
    for (long row = 0; row < B; ++row)
        std::memcpy(predictions + row * output_width_, p + row * stride,
                    static_cast<std::size_t>(output_width_) * sizeof(T));
}
