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

template <class T>
inline Vector<T> broadcast(T value) {
    return Vector<T>{} + value;
}

template <class T>
inline T sum_of_lanes(Vector<T> v) {
    T lanes[Lanes<T>::count];
    store<T>(lanes, v);
    for (int half = Lanes<T>::count / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
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
