// One training step: forward pass, loss, backward pass, update. Several threads may do it together, each its part.
// Included by network.cpp.

template <class T>
Range Network<T>::Part::share(long length) const {
    if (count == 1) return {0, length};
    const long blocks = (length + padding - 1) / padding;
    const auto border = [&](long part) { return std::min(length, blocks * part / count * padding); };
    return {border(number), border(number + 1)};
}

template <class T>
void Network<T>::load(const Part& part, const T* x, const T* y, const T* weight, Rows rows, long start, long count) {
    const Range mine = part.share(count);
    const auto gather = [&](const T* from, long width, long stride, T* to) {
        const std::uint32_t* order = rows.order ? rows.order + start + mine.first : nullptr;
        if (!order) from += (start + mine.first) * width;
        if (mine.first < mine.last)
            kernels_.gather(mine.last - mine.first, width, stride, order, from, to + mine.first * stride);
    };
    gather(x, input_width_, row_stride(input_width_), x_.data());
    if (y) gather(y, target_columns_, target_columns_, y_.data());
    if (weight) gather(weight, 1, 1, weight_.data());
    part.meet();
}

// Step 1: the forward pass

template <class T>
void Network<T>::dense_forward(const Part& part, Layer<T>& layer, long B, const T* x) {
    T* z = layer.keeps_z() ? layer.z.data() : layer.a.data();
    const bool relu = layer.activation.plain_relu();
    const Range rows = part.share(B);
    const long width = row_stride(layer.O);
    if (part.count > 1 && layer.O < part.count * 4 * padding) {  // too narrow to be divided by units
        if (rows.first < rows.last)
            kernels_.forward(rows.last - rows.first, layer.I, layer.O, {0, layer.O},
                             x + rows.first * row_stride(layer.I), at(layer.kernel), at(layer.bias), relu,
                             z + rows.first * width, part.panel);
    } else {
        kernels_.forward(B, layer.I, layer.O, part.share(layer.O), x, at(layer.kernel), at(layer.bias), relu, z,
                         part.panel);
        if (layer.keeps_z()) part.meet();
    }
    if (layer.keeps_z() && rows.first < rows.last)
        kernels_.activate(layer.activation, rows.last - rows.first, layer.O, z + rows.first * width,
                          layer.a.data() + rows.first * width);
}

template <class T>
void Network<T>::forward(const Part& part, long B, bool training, long iteration) {
    for (std::size_t number = 0; number < layers_.size(); ++number) {
        Layer<T>& layer = layers_[number];
        const T* x = input_of(number);
        if (layer.kind == LayerKind::dense) {
            dense_forward(part, layer, B, x);
            part.meet();
            continue;
        }
        if (part.is_first()) {
            T* a = layer.a.data();
            const auto count = static_cast<std::size_t>(B * row_stride(layer.O));
            const auto key = [&] {
                return stream_key(layer.own_seed ? layer.seed : seed_, std::uint64_t(iteration), layer.stream);
            };
            switch (layer.kind) {
                case LayerKind::dense: break;
                case LayerKind::activation: kernels_.activate(layer.activation, B, layer.O, x, a); break;
                case LayerKind::function: {
                    FlushDenormals::Pause pause;
                    layer.function(B, layer.O, row_stride(layer.O), x, a);
                    break;
                }
                case LayerKind::dropout:
                    if (training && layer.rate > 0)
                        kernels_.dropout(B, layer.O, key(), layer.rate, x, layer.extra.data(), a);
                    else
                        std::copy_n(x, count, a);
                    break;
                case LayerKind::noise:
                    if (training && layer.rate > 0)
                        kernels_.noise(B, layer.O, key(), layer.rate, x, a);
                    else
                        std::copy_n(x, count, a);
                    break;
                case LayerKind::normalization:
                    kernels_.normalize(training && layer.trainable, B, layer.O, layer.momentum, layer.epsilon, x,
                                       at(layer.gamma), at(layer.beta), at(layer.moving_mean),
                                       at(layer.moving_variance), layer.extra.data(), layer.inverse.data(), a);
                    break;
            }
        }
        part.meet();
    }
}

// Step 2: the loss

template <class T>
double Network<T>::loss(long B, long rows_of_batch, bool weighted) {
    const T* p = input_of(layers_.size());
    const T* weight = weighted ? weight_.data() : nullptr;
    if (!loss_function_) {
        const double value =
            kernels_.loss(loss_, B, output_width_, target_columns_, y_.data(), p, weight, output_gradient());
        if (B == rows_of_batch || loss_.sum) return value;
        const double share = double(B) / double(rows_of_batch);
        kernels_.scale(B * row_stride(output_width_), share, output_gradient());
        return value * share;
    }
    FlushDenormals::Pause pause;
    return loss_function_(B, output_width_, row_stride(output_width_), y_.data(), p, weight, output_gradient());
}

template <class T>
double Network<T>::penalty() const {
    double sum = 0;
    if (has_penalty_)
        for (const Segment& segment : trained_)
            if (segment.l1 != 0 || segment.l2 != 0)
                sum += kernels_.penalty(segment.length, segment.l1, segment.l2, parameters_ + segment.offset);
    return sum;
}

// Step 3: the backward pass: blame, traced from the last layer to the first

// `through_relu`: da has passed the derivative of this layer's ReLU already.
template <class T>
void Network<T>::dense_backward(const Part& part, std::size_t number, long B, bool through_relu, bool more) {
    Layer<T>& layer = layers_[number];
    T* d = layer.da.data();
    const T* x = input_of(number);
    if (layer.activation.kind != Activation::linear && !through_relu) {
        const Range rows = part.share(B);
        const long from = rows.first * row_stride(layer.O);
        const T* z = layer.keeps_z() ? layer.z.data() : layer.a.data();
        if (rows.first < rows.last)
            kernels_.activate_backward(layer.activation, rows.last - rows.first, layer.O, z + from,
                                       layer.a.data() + from, d + from);
        part.meet();
    }
    const Range inputs = part.share(layer.I);
    if (number > first_trained_) {
        Layer<T>& below = layers_[number - 1];
        if (inputs.first < inputs.last)
            kernels_.input_gradient(B, layer.I, layer.O, inputs, d, at(layer.kernel),
                                    below.is_plain_relu() ? below.a.data() : nullptr, part.panel, below.da.data());
    }
    if (layer.trainable) {
        if (inputs.first < inputs.last)
            kernels_.weight_gradient(B, layer.I, layer.O, inputs, more, x, d, gradient_ + layer.kernel, part.panel);
        if (layer.bias >= 0 && part.is_first()) kernels_.bias_gradient(B, layer.O, more, d, gradient_ + layer.bias);
    }
    part.meet();
}

template <class T>
void Network<T>::backward(const Part& part, long B, bool training, bool more) {
    bool through_relu = false;
    for (std::size_t number = layers_.size(); number-- > first_trained_;) {
        Layer<T>& layer = layers_[number];
        if (layer.kind == LayerKind::dense) {
            dense_backward(part, number, B, through_relu, more);
            through_relu = number > 0 && layers_[number - 1].is_plain_relu();
            continue;
        }
        through_relu = false;
        if (part.is_first()) {
            const T* x = input_of(number);
            T* d = layer.da.data();
            const auto count = static_cast<std::size_t>(B * row_stride(layer.O));
            const auto blamed = [&](long offset) { return offset < 0 ? nullptr : gradient_ + offset; };
            switch (layer.kind) {
                case LayerKind::dense:
                case LayerKind::noise: break;
                case LayerKind::activation:
                    kernels_.activate_backward(layer.activation, B, layer.O, x, layer.a.data(), d);
                    break;
                case LayerKind::function: {
                    FlushDenormals::Pause pause;
                    layer.blame(B, layer.O, row_stride(layer.O), x, layer.a.data(), d);
                    break;
                }
                case LayerKind::dropout:
                    if (layer.rate > 0 && training) kernels_.multiply(long(count), layer.extra.data(), d);
                    break;
                case LayerKind::normalization:
                    kernels_.normalize_backward(training && layer.trainable, B, layer.O, at(layer.gamma),
                                                layer.extra.data(), layer.inverse.data(), blamed(layer.gamma),
                                                blamed(layer.beta), d, layer.inverse.data() + row_stride(layer.O));
                    break;
            }
            if (number > first_trained_) std::copy_n(d, count, layers_[number - 1].da.data());
        }
        part.meet();
    }
}

template <class T>
void Network<T>::add_penalty_gradient() {
    if (has_penalty_)
        for (const Segment& segment : trained_)
            if (segment.l1 != 0 || segment.l2 != 0)
                kernels_.penalty_gradient(segment.length, segment.l1, segment.l2, parameters_ + segment.offset,
                                          gradient_ + segment.offset);
}

// Step 4: the update

template <class T>
void Network<T>::clip_gradient() {
    if (optimizer_.clipvalue > 0)
        for (const Segment& segment : trained_)
            kernels_.clip(segment.length, optimizer_.clipvalue, gradient_ + segment.offset);
    if (optimizer_.clipnorm > 0)
        for (const Segment& segment : trained_) {
            const double norm = std::sqrt(kernels_.sum_of_squares(segment.length, gradient_ + segment.offset));
            if (norm > optimizer_.clipnorm)
                kernels_.scale(segment.length, optimizer_.clipnorm / norm, gradient_ + segment.offset);
        }
    if (optimizer_.global_clipnorm > 0) {
        double squares = 0;
        for (const Segment& segment : trained_)
            squares += kernels_.sum_of_squares(segment.length, gradient_ + segment.offset);
        const double norm = std::sqrt(squares);
        if (norm > optimizer_.global_clipnorm)
            for (const Segment& segment : trained_)
                kernels_.scale(segment.length, optimizer_.global_clipnorm / norm, gradient_ + segment.offset);
    }
}

// Nadam's product of momenta u_1 ... u_t, u_i = beta_1 (1 - 0.96^i / 2): the bracket tends to 1, so t terms are not needed.
static double momentum_product(double beta_power, long t) {
    double product = 1, power = 1;
    for (long i = 1; i <= std::min(t, 1000L); ++i) {
        power *= 0.96;
        product *= 1 - 0.5 * power;
    }
    return product * beta_power;
}

template <class T>
UpdateStep Network<T>::step_of(double learning_rate, long iteration) {
    UpdateStep step;
    const long t = iteration + 1;
    step.learning_rate = learning_rate;
    if (optimizer_.kind == Optimizer::adam) {
        step.scale = learning_rate * std::sqrt(1 - second_powers_(t)) / (1 - first_powers_(t));
    } else if (optimizer_.kind == Optimizer::adamax) {
        step.scale = 1 - first_powers_(t);
    } else if (optimizer_.kind == Optimizer::nadam) {
        const double now = optimizer_.beta_1 * (1 - 0.5 * nadam_powers_(t));
        const double next = optimizer_.beta_1 * (1 - 0.5 * 0.96 * nadam_powers_(t));
        const double product = momentum_product(first_powers_(t), t);
        step.scale = next / (1 - product * next);
        step.gradient_scale = (1 - now) / (1 - product);
        step.moment_correction = 1 - second_powers_(t);
    }
    return step;
}

template <class T>
void Network<T>::update(const Part& part) {
    for (const Segment& stretch : stretches_) {
        const Range mine = part.share(stretch.length);
        const long from = stretch.offset + mine.first;
        const auto slot = [&](int number) { return slots_[number] ? slots_[number] + from : nullptr; };
        UpdateStep step = step_;
        step.decay = stretch.decays ? optimizer_.weight_decay * step.learning_rate : 0;
        kernels_.update(optimizer_, step, mine.last - mine.first, parameters_ + from, gradient_ + from, slot(0),
                        slot(1), slot(2));
    }
}
