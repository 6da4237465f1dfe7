// Vectors by width, not by vendor: GCC's and Clang's vector extensions in the widest registers of this translation unit.
// Included inside an unnamed namespace, once per instruction set; so nothing here may call an inline function of the
// standard library, whose one linked copy might then use instructions the machine lacks.

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
struct Lanes;

template <>
struct Lanes<float> {
    typedef float V __attribute__((vector_size(vector_bytes)));
    typedef float U __attribute__((vector_size(vector_bytes), aligned(4), may_alias));
    typedef std::int32_t I __attribute__((vector_size(vector_bytes)));
    static constexpr int count = vector_bytes / 4;
};

template <>
struct Lanes<double> {
    typedef double V __attribute__((vector_size(vector_bytes)));
    typedef double U __attribute__((vector_size(vector_bytes), aligned(8), may_alias));
    typedef std::int64_t I __attribute__((vector_size(vector_bytes)));
    static constexpr int count = vector_bytes / 8;
};

template <class T>
using Vector = typename Lanes<T>::V;

template <class T>
inline Vector<T> load(const T* from) {
    return *reinterpret_cast<const typename Lanes<T>::U*>(from);
}

template <class T>
inline void store(T* to, Vector<T> value) {
    *reinterpret_cast<typename Lanes<T>::U*>(to) = value;
}

// One number in every lane. Written as value - 0, which is exact, so compilers load and spread it in one instruction;
// 0 + value they must really add, for -0 would become +0.
template <class T>
inline Vector<T> broadcast(T value) {
    return value - Vector<T>{};
}

// Loops over accumulators must be unrolled before registers are given out, or compilers keep them on the stack as well.
#define HILLWALKER_UNROLL _Pragma("GCC unroll 16")

// Lane k of the result is lane pick(k) of a, followed by b.
template <class V, class Pick, int... k>
inline V shuffle_lanes(V a, V b, Pick, std::integer_sequence<int, k...>) {
    return __builtin_shufflevector(a, b, Pick::of(k)...);
}
template <class T, class Pick>
inline Vector<T> shuffle_lanes(Vector<T> a, Vector<T> b, Pick pick) {
    return shuffle_lanes(a, b, pick, std::make_integer_sequence<int, Lanes<T>::count>{});
}
struct EvenLanes {
    static constexpr int of(int k) { return 2 * k; }
};
struct OddLanes {
    static constexpr int of(int k) { return 2 * k + 1; }
};

// The sums of the lanes of as many vectors as a vector has lanes: lane k is the sum of v[k].
template <class T>
inline Vector<T> sums_of_lanes(Vector<T> (&v)[Lanes<T>::count]) {
    HILLWALKER_UNROLL for (int left = Lanes<T>::count / 2; left > 0; left /= 2)
        HILLWALKER_UNROLL for (int k = 0; k < left; ++k) v[k] = shuffle_lanes<T>(v[2 * k], v[2 * k + 1], EvenLanes{}) +
                                                                shuffle_lanes<T>(v[2 * k], v[2 * k + 1], OddLanes{});
    return v[0];
}

template <class T, int block>
inline void transpose_blocks(Vector<T>* v) {
    constexpr int lanes = Lanes<T>::count;
    struct Upper {  // lanes of v[k] whose bit `block` is unset, then those of v[k + block]
        static constexpr int of(int k) { return k & block ? lanes + k - block : k; }
    };
    struct Lower {
        static constexpr int of(int k) { return k & block ? lanes + k : k + block; }
    };
    HILLWALKER_UNROLL for (int k = 0; k < lanes; ++k) {
        if (k & block) continue;
        const Vector<T> upper = shuffle_lanes<T>(v[k], v[k + block], Upper{});
        v[k + block] = shuffle_lanes<T>(v[k], v[k + block], Lower{});
        v[k] = upper;
    }
    if constexpr (block > 1) transpose_blocks<T, block / 2>(v);
}
// Lane r of v[k] becomes lane k of v[r].
template <class T>
inline void transpose(Vector<T>* v) {
    transpose_blocks<T, Lanes<T>::count / 2>(v);
}

template <class T>
inline T sum_of_lanes(Vector<T> v) {  // in the order of sums_of_lanes
    T lanes[Lanes<T>::count];
    store<T>(lanes, v);
    for (int left = Lanes<T>::count / 2; left > 0; left /= 2)
        for (int k = 0; k < left; ++k) lanes[k] = lanes[2 * k] + lanes[2 * k + 1];
    return lanes[0];
}

// sqrt of each lane; written as a loop, which compilers turn into one instruction (-fno-math-errno).
inline Vector<float> square_root(Vector<float> v) {
    Vector<float> root;
    for (int lane = 0; lane < Lanes<float>::count; ++lane) root[lane] = __builtin_sqrtf(v[lane]);
    return root;
}
inline Vector<double> square_root(Vector<double> v) {
    Vector<double> root;
    for (int lane = 0; lane < Lanes<double>::count; ++lane) root[lane] = __builtin_sqrt(v[lane]);
    return root;
}

// Comparisons choose so that NaN stays NaN: the second argument's NaN is returned.
template <class V>
inline V at_least(V bound, V v) {
    return v < bound ? bound : v;
}
template <class V>
inline V at_most(V bound, V v) {
    return v > bound ? bound : v;
}
template <class V>
inline V magnitude(V v) {
    return v < 0 ? -v : v;
}

// Scalars of the standard library, by precision.
inline float log_of(float x) { return __builtin_logf(x); }
inline double log_of(double x) { return __builtin_log(x); }
inline float exp_of(float x) { return __builtin_expf(x); }
inline double exp_of(double x) { return __builtin_exp(x); }
inline float log1p_of(float x) { return __builtin_log1pf(x); }
inline double log1p_of(double x) { return __builtin_log1p(x); }
inline float erfc_of(float x) { return __builtin_erfcf(x); }
inline double erfc_of(double x) { return __builtin_erfc(x); }
inline float cos_of(float x) { return __builtin_cosf(x); }
inline double cos_of(double x) { return __builtin_cos(x); }
inline float sqrt_of(float x) { return __builtin_sqrtf(x); }
inline double sqrt_of(double x) { return __builtin_sqrt(x); }
inline float tanh_of(float x) { return __builtin_tanhf(x); }
inline double tanh_of(double x) { return __builtin_tanh(x); }
template <class S>
inline S smaller(S a, S b) {
    return b < a ? b : a;
}
template <class S>
inline S larger(S a, S b) {
    return a < b ? b : a;
}
