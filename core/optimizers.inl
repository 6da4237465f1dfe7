// Each optimizer's update of weights w by gradient g; formulas as in optimizers.py, which follows Keras 3.
// Included inside the unnamed namespace of kernels.inl. One pass: w, g and the slots are read and written once.

template <class T, class Rule>
inline void each(long count, double decay, T* w, const T* g, Rule rule) {
    constexpr int lanes = Lanes<T>::count;
    const T rest = T(decay);
    for (long k = 0; k < count; k += lanes) {  // segments are whole vectors long
        const Vector<T> weight = load<T>(w + k);
        store<T>(w + k, rule(k, weight - weight * rest, load<T>(g + k)));
    }
}

template <class T>
void update(const UpdateRule& rule, const UpdateStep& step, long count, T* w, const T* g, T* first, T* second,
            T* third) {
    using V = Vector<T>;
    const T rate = T(step.learning_rate), scale = T(step.scale), epsilon = T(rule.epsilon);
    const T momentum = T(rule.momentum), rho = T(rule.rho), beta_1 = T(rule.beta_1), beta_2 = T(rule.beta_2);
    // 1 - beta is taken in double and then rounded, as Keras's Python does
    const T rho_rest = T(1.0 - rule.rho), beta_1_rest = T(1.0 - rule.beta_1), beta_2_rest = T(1.0 - rule.beta_2);
    switch (rule.kind) {
        case Optimizer::sgd:
            if (rule.momentum == 0) return each(count, step.decay, w, g, [=](long, V x, V d) { return x - d * rate; });
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                const V m = load<T>(first + k) * momentum - d * rate;
                store<T>(first + k, m);
                return rule.nesterov ? x + (m * momentum - d * rate) : x + m;
            });
        case Optimizer::rmsprop:  // first: velocity, second: momentum, third: mean gradient
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                const V v = rho * load<T>(first + k) + rho_rest * (d * d);
                store<T>(first + k, v);
                V spread = v;
                if (rule.centered) {
                    const V mean = rho * load<T>(third + k) + rho_rest * d;
                    store<T>(third + k, mean);
                    spread = v - mean * mean;
                }
                const V move = rate * d / square_root(spread + epsilon);
                if (rule.momentum == 0) return x - move;
                const V m = momentum * load<T>(second + k) + move;
                store<T>(second + k, m);
                return x - m;
            });
        case Optimizer::adagrad:  // first: accumulator
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                const V total = load<T>(first + k) + d * d;
                store<T>(first + k, total);
                return x - rate * d / square_root(total + epsilon);
            });
        case Optimizer::adadelta:  // first: mean square gradient, second: mean square move
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                const V squares = rho * load<T>(first + k) + rho_rest * (d * d);
                store<T>(first + k, squares);
                const V moves = load<T>(second + k);
                const V move = -(square_root(moves + epsilon) * d / square_root(squares + epsilon));
                store<T>(second + k, rho * moves + rho_rest * (move * move));
                return x + rate * move;
            });
        case Optimizer::adam:  // first: momentum, second: velocity, third: greatest velocity; scale: corrected rate
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                V m = load<T>(first + k), v = load<T>(second + k);
                m += (d - m) * beta_1_rest;
                v += (d * d - v) * beta_2_rest;
                store<T>(first + k, m);
                store<T>(second + k, v);
                if (rule.amsgrad) {
                    const V greatest = load<T>(third + k);
                    v = greatest > v ? greatest : v;
                    store<T>(third + k, v);
                }
                return x - m * scale / (square_root(v) + epsilon);
            });
        case Optimizer::adamax:  // first: momentum, second: greatest gradient; scale: 1 - beta_1^t
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                V m = load<T>(first + k);
                m += (d - m) * beta_1_rest;
                store<T>(first + k, m);
                const V size = magnitude(d), past = beta_2 * load<T>(second + k);
                const V u = past > size ? past : size;
                store<T>(second + k, u);
                return x - rate * m / (scale * (u + epsilon));
            });
        case Optimizer::nadam: {  // first: momentum, second: velocity
            const T gradient_scale = T(step.gradient_scale), correction = T(step.moment_correction);
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                V m = load<T>(first + k), v = load<T>(second + k);
                m += (d - m) * beta_1_rest;
                v += (d * d - v) * beta_2_rest;
                store<T>(first + k, m);
                store<T>(second + k, v);
                return x - (scale * m + gradient_scale * d) * rate / (square_root(v / correction) + epsilon);
            });
        }
        case Optimizer::lion:  // first: momentum
            return each(count, step.decay, w, g, [=](long k, V x, V d) {
                const V m = load<T>(first + k);
                const V mixed = m * beta_1 + d * beta_1_rest;
                store<T>(first + k, m * beta_2 + d * beta_2_rest);
                const V up = mixed > 0 ? broadcast(T(1)) : V{}, down = mixed < 0 ? broadcast(T(1)) : V{};
                return x - rate * (up - down);
            });
    }
}
