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

// The larger and the smaller of two, so that NaN stays NaN: the second argument's is returned. On x86 that is one instruction,
// which GCC does not choose by itself unless it may lose NaN.
#if defined(__x86_64__)
#define HILLWALKER_BOUNDS(V, larger, smaller)          \
    inline V at_least(V bound, V v) { return larger; } \
    inline V at_most(V bound, V v) { return smaller; }
HILLWALKER_BOUNDS(__m128, _mm_max_ps(bound, v), _mm_min_ps(bound, v))
HILLWALKER_BOUNDS(__m128d, _mm_max_pd(bound, v), _mm_min_pd(bound, v))
#if defined(__AVX2__)
HILLWALKER_BOUNDS(__m256, _mm256_max_ps(bound, v), _mm256_min_ps(bound, v))
HILLWALKER_BOUNDS(__m256d, _mm256_max_pd(bound, v), _mm256_min_pd(bound, v))
#endif
#if defined(__AVX512F__)  // with a mask of all lanes: GCC 12 warns of its own header's other form
HILLWALKER_BOUNDS(__m512, _mm512_maskz_max_ps(-1, bound, v), _mm512_maskz_min_ps(-1, bound, v))
HILLWALKER_BOUNDS(__m512d, _mm512_maskz_max_pd(-1, bound, v), _mm512_maskz_min_pd(-1, bound, v))
#endif
#else
template <class V>
inline V at_least(V bound, V v) {
    return v < bound ? bound : v;
}
template <class V>
inline V at_most(V bound, V v) {
    return v > bound ? bound : v;
}
#endif
inline Vector<float> magnitude(Vector<float> v) { return (Vector<float>)((Lanes<float>::I)v & INT32_MAX); }
inline Vector<double> magnitude(Vector<double> v) { return (Vector<double>)((Lanes<double>::I)v & INT64_MAX); }

// The numbers 0, 1, 2, ... of the lanes, as integers and in the precision itself.
template <class T>
inline typename Lanes<T>::I lane_numbers() {
    typename Lanes<T>::I numbers;
    for (int lane = 0; lane < Lanes<T>::count; ++lane) numbers[lane] = lane;
    return numbers;
}

// The first `count` numbers of a row that may end there; the other lanes hold zero. And back.
template <class T>
inline Vector<T> load_part(const T* from, long count) {
    T lanes[Lanes<T>::count] = {};
    for (long lane = 0; lane < count; ++lane) lanes[lane] = from[lane];
    return load<T>(lanes);
}
template <class T>
inline void store_part(T* to, Vector<T> value, long count) {
    T lanes[Lanes<T>::count];
    store<T>(lanes, value);
    for (long lane = 0; lane < count; ++lane) to[lane] = lanes[lane];
}

// All lanes combined, in every lane: of ever shorter vectors one half with the other, down to 16 bytes.
template <class T, class V, class Combine, int... lane>
inline Vector<T> across_lanes(V v, Combine combine, std::integer_sequence<int, lane...>) {
    constexpr int half = sizeof...(lane);
    if constexpr (half * sizeof(T) >= 16)
        return across_lanes<T>(
            combine(__builtin_shufflevector(v, v, lane...), __builtin_shufflevector(v, v, (half + lane)...)), combine,
            std::make_integer_sequence<int, half / 2>());
    else if constexpr (half == 2) {
        v = combine(v, __builtin_shufflevector(v, v, 2, 3, 0, 1));
        return broadcast(combine(v, __builtin_shufflevector(v, v, 1, 0, 3, 2))[0]);
    } else
        return broadcast(combine(v, __builtin_shufflevector(v, v, 1, 0))[0]);
}
template <class T, class Combine>
inline Vector<T> across_lanes(Vector<T> v, Combine combine) {
    return across_lanes<T>(v, combine, std::make_integer_sequence<int, Lanes<T>::count / 2>());
}
template <class T>
inline Vector<T> sum_across(Vector<T> v) {
    return across_lanes<T>(v, [](auto a, auto b) { return a + b; });
}
template <class T>
inline Vector<T> largest_across(Vector<T> v) {
    return across_lanes<T>(v, [](auto a, auto b) { return at_least(a, b); });
}

// A sum of vectors, kept in double precision lane by lane.
template <class T>
struct Sum {
    Vector<double> low = {}, high = {};
    void add(Vector<T> v) {
        if constexpr (sizeof(T) == sizeof(double))
            low += v;
        else
            halve(v, std::make_integer_sequence<int, Lanes<T>::count / 2>());
    }
    double total() const { return sum_of_lanes<double>(low + high); }

private:
    template <int... lane>
    void halve(Vector<T> v, std::integer_sequence<int, lane...>) {
        low += __builtin_convertvector(__builtin_shufflevector(v, v, lane...), Vector<double>);
        high += __builtin_convertvector(__builtin_shufflevector(v, v, (lane + Lanes<T>::count / 2)...), Vector<double>);
    }
};

// Scalars, by precision.
inline float sqrt_of(float x) { return __builtin_sqrtf(x); }
inline double sqrt_of(double x) { return __builtin_sqrt(x); }
template <class S>
inline S smaller(S a, S b) {
    return b < a ? b : a;
}
template <class S>
inline S larger(S a, S b) {
    return a < b ? b : a;
}
