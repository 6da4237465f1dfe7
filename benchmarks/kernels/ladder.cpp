// The ladder: the same products from a naive triple loop to what core/products.inl does, one idea a rung, and the smaller
// ideas around them. Each rung is checked against the naive loop, then timed. Only winners live in core/; the losers live
// here, so that they need not be tried again. Arguments: seconds a figure. Prints JSON, a line a figure.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>

#undef HILLWALKER_ISA
#define HILLWALKER_ISA ladder  // the core, linked for its table of powers, has kernels of its own
#include "kernels.inl"
#include "network.hpp"
#include "timing.hpp"

namespace hillwalker {
namespace {

using T = float;
double seconds = 0.05;

// One layer's share of a step. Rows are padded as everywhere: see kernels.hpp.
struct Shape {
    long B, I, O;
    T *x, *W, *b, *a, *dz, *dx, *dW, *transposed, *panel;
    long x_row() const { return row_stride(I); }
    long width() const { return row_stride(O); }
    double operations() const { return 2.0 * double(B * I * O); }
};
struct Net {
    const char* name;
    std::vector<Shape> shapes;
};

Net make(const char* name, long B, std::vector<long> widths) {
    Net net{name, {}};
    for (std::size_t k = 0; k + 1 < widths.size(); ++k) {
        const long I = widths[k], O = widths[k + 1];
        if (O == 1) continue;  // a product with one column is none
        Shape s{B, I, O, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
        s.x = numbers<T>(B * s.x_row());
        s.W = numbers<T>(padded(I) * s.width());
        s.b = numbers<T>(s.width());
        s.dz = numbers<T>(B * s.width());
        for (long i = 0; i < padded(I); ++i)
            for (long o = 0; o < s.width(); ++o)
                if (i >= I || o >= O) s.W[i * s.width() + o] = 0;
        for (long row = 0; row < B; ++row)
            for (long o = O; o < s.width(); ++o) s.dz[row * s.width() + o] = 0;
        std::fill(s.b + O, s.b + s.width(), T(0));
        s.a = numbers<T>(B * s.width());
        s.dx = numbers<T>(B * s.x_row());
        s.dW = numbers<T>(padded(I) * s.width());
        s.transposed = numbers<T>(padded(O) * padded(I));
        s.panel = numbers<T>(64 * 1024);
        net.shapes.push_back(s);
    }
    return net;
}

// c = a b for each of the three: forward x W, blame dz W^T, gradient x^T dz.
enum class Kind { forward, dx, dw };
const char* name_of(Kind kind) { return kind == Kind::forward ? "x W" : kind == Kind::dx ? "dz Wᵀ" : "xᵀ dz"; }

struct Task {
    long rows, columns, depth;
    const T *a, *b, *start;  // start null: zero
    long a_row, a_step, b_row, b_step, c_row;
    T* c;
};
// The product as it lies. b_step is the distance of neighbours in a row of b: W^T's is not 1.
Task task_of(const Shape& s, Kind kind) {
    if (kind == Kind::forward) return {s.B, s.width(), s.I, s.x, s.W, s.b, s.x_row(), 1, s.width(), 1, s.width(), s.a};
    if (kind == Kind::dx) return {s.B, s.x_row(), s.O, s.dz, s.W, nullptr, s.width(), 1, 1, s.width(), s.x_row(), s.dx};
    return {s.I, s.width(), s.B, s.x, s.dz, nullptr, 1, s.x_row(), s.width(), 1, s.width(), s.dW};
}

// Rung 1: the definition
void naive(const Task& t) {
    for (long row = 0; row < t.rows; ++row)
        for (long column = 0; column < t.columns; ++column) {
            T sum = t.start ? t.start[column] : T(0);
            for (long k = 0; k < t.depth; ++k)
                sum += t.a[row * t.a_row + k * t.a_step] * t.b[k * t.b_row + column * t.b_step];
            t.c[row * t.c_row + column] = sum;
        }
}

// From here on b must lie row by row: W^T is copied so, number by number, and that counts.
Task in_rows(const Shape& s, Kind kind) {
    Task t = task_of(s, kind);
    if (kind != Kind::dx) return t;
    for (long o = 0; o < s.O; ++o)
        for (long i = 0; i < t.columns; ++i) s.transposed[o * t.columns + i] = s.W[i * s.width() + o];
    t.b = s.transposed;
    t.b_row = t.columns;
    t.b_step = 1;
    return t;
}

// Rung 2: neighbours innermost, which compilers turn into vectors
void reordered(const Task& t) {
    for (long row = 0; row < t.rows; ++row) {
        T* c = t.c + row * t.c_row;
        for (long column = 0; column < t.columns; ++column) c[column] = t.start ? t.start[column] : T(0);
        for (long k = 0; k < t.depth; ++k) {
            const T a = t.a[row * t.a_row + k * t.a_step];
            const T* b = t.b + k * t.b_row;
            for (long column = 0; column < t.columns; ++column) c[column] += a * b[column];
        }
    }
}

// Rung 3: sums in registers. `adds`: the broadcast as 0 + value, which compilers must really add. `stacked`: loops left to the
// compiler, which unrolls them only after it has given the sums a place in memory.
struct Style {
    int rows, vectors, unroll = 1;
    bool adds = false, stacked = false;
};

template <Style style, int rows>
void rung_tile(long depth, const Product<T>& p) {
    constexpr int lanes = Lanes<T>::count, vectors = style.vectors;
    Vector<T> sum[rows][vectors];
    const auto spread = [](T value) { return style.adds ? value + Vector<T>{} : broadcast<T>(value); };
    long k = 0;
    if constexpr (style.stacked) {
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < vectors; ++v) sum[r][v] = load<T>(p.start + r * p.start_row + v * lanes);
        for (; k < depth; ++k) {
            Vector<T> b[vectors];
            for (int v = 0; v < vectors; ++v) b[v] = load<T>(p.b + k * p.b_row + v * lanes);
            for (int r = 0; r < rows; ++r) {
                const Vector<T> a = spread(p.a[r * p.a_row + k * p.a_step]);
                for (int v = 0; v < vectors; ++v) sum[r][v] += a * b[v];
            }
        }
    } else {
        HILLWALKER_UNROLL for (int r = 0; r < rows; ++r) HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) sum[r][v] =
            load<T>(p.start + r * p.start_row + v * lanes);
        const T *a_k = p.a, *b_k = p.b;
        const auto step = [&] {
            Vector<T> b[vectors];
            HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) b[v] = load<T>(b_k + v * lanes);
            HILLWALKER_UNROLL for (int r = 0; r < rows; ++r) {
                const Vector<T> a = spread(a_k[r * p.a_row]);
                HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v) sum[r][v] += a * b[v];
            }
            a_k += p.a_step;
            b_k += p.b_row;
        };
        if constexpr (style.unroll > 1)
            for (; k + style.unroll <= depth; k += style.unroll)
                HILLWALKER_UNROLL for (int u = 0; u < style.unroll; ++u) step();
        for (; k < depth; ++k) step();
    }
    HILLWALKER_UNROLL for (int r = 0; r < rows; ++r) HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v)
        store<T>(p.c + r * p.c_row + v * lanes, sum[r][v]);
}

template <Style style, int rows = style.rows - 1>
void rung_last_rows(long left, long depth, const Product<T>& p) {
    if constexpr (rows > 0) {
        if (left == rows) return rung_tile<style, rows>(depth, p);
        rung_last_rows<style, rows - 1>(left, depth, p);
    }
}

template <Style style>
void rung_rows(long rows, long depth, Product<T> p) {
    for (; rows >= style.rows; rows -= style.rows) {
        rung_tile<style, style.rows>(depth, p);
        p.a += style.rows * p.a_row;
        p.start += style.rows * p.start_row;
        p.c += style.rows * p.c_row;
    }
    rung_last_rows<style>(rows, depth, p);
}

alignas(64) constexpr T nothing[64] = {};  // what sums begin with

// Rung 4: panels of b, so many rows deep, copied to where they fit the first-level cache (0: never)
template <Style style>
void rung_columns(const Task& t, long column, long panel_depth, T* panel) {
    constexpr int lanes = Lanes<T>::count, vectors = style.vectors;
    const T* start = t.start ? t.start + column : nothing;
    Product<T> p{t.a, t.a_row, t.a_step, t.b + column, t.b_row, start, 0, nullptr, t.c + column, t.c_row};
    if (panel_depth == 0) return rung_rows<style>(t.rows, t.depth, p);
    for (long k = 0; k < t.depth; k += panel_depth) {
        const long count = smaller(panel_depth, t.depth - k);
        for (long row = 0; row < count; ++row)
            HILLWALKER_UNROLL for (int v = 0; v < vectors; ++v)
                store<T>(panel + (row * vectors + v) * lanes, load<T>(t.b + (k + row) * t.b_row + column + v * lanes));
        p.b = panel;
        p.b_row = vectors * lanes;
        rung_rows<style>(t.rows, count, p);
        p.a += count * t.a_step;
        p.start = p.c;
        p.start_row = p.c_row;
    }
}
template <Style style>
void tiled(const Task& t, long panel_depth, T* panel) {
    constexpr long width = style.vectors * Lanes<T>::count;
    long column = 0;
    for (; column + width <= t.columns; column += width) rung_columns<style>(t, column, panel_depth, panel);
    constexpr Style narrow{style.rows, 1, style.unroll, style.adds, style.stacked};
    for (; column < t.columns; column += Lanes<T>::count) rung_columns<narrow>(t, column, panel_depth, panel);
}

// What core/ does
void in_core(const Shape& s, Kind kind) {
    if (kind == Kind::forward) forward<T>(s.B, s.I, s.O, {0, s.O}, s.x, s.W, s.b, false, s.a, s.panel);
    if (kind == Kind::dx) input_gradient<T>(s.B, s.I, s.O, {0, s.I}, s.dz, s.W, nullptr, s.panel, s.dx);
    if (kind == Kind::dw) weight_gradient<T>(s.B, s.I, s.O, {0, s.I}, false, s.x, s.dz, s.dW, s.panel);
}

// dz W^T as dot products of dz's and W's rows, which lie as they should
void by_dot_products(const Shape& s) {
    for (long row = 0; row < s.B; ++row)
        dot_rows<T>(s.I, s.width(), s.W, s.width(), s.dz + row * s.width(), T(0), -T(__builtin_inf()),
                    s.dx + row * s.x_row());
}

void print(const char* group, const char* rung, const Net& net, double operations, Timing timing) {
    std::printf("{\"group\": \"%s\", \"rung\": \"%s\", \"network\": \"%s\", \"operations\": %.6g, ", group, rung,
                net.name, operations);
    std::printf("\"best\": %.6g, \"median\": %.6g}\n", timing.best, timing.median);
    std::fflush(stdout);
}

// The result must be the naive loop's but for rounding.
void check(const Shape& s, Kind kind, const char* rung, const std::function<void(const Shape&, Kind)>& work) {
    const Task t = task_of(s, kind);
    work(s, kind);
    const std::vector<T> got(t.c, t.c + t.rows * t.c_row);
    naive(t);
    const long columns = kind == Kind::dx ? s.I : s.O;
    for (long row = 0; row < t.rows; ++row)
        for (long column = 0; column < columns; ++column) {
            const long at = row * t.c_row + column;
            if (std::abs(got[std::size_t(at)] - t.c[at]) > 1e-4 * std::sqrt(double(t.depth)) * 4) {
                std::fprintf(stderr, "%s, %s, %ld-%ld: %g instead of %g\n", name_of(kind), rung, s.I, s.O,
                             double(got[std::size_t(at)]), double(t.c[at]));
                std::exit(1);
            }
        }
}

void climb(const Net& net, Kind kind, const char* rung, const std::function<void(const Shape&, Kind)>& work) {
    double operations = 0;
    for (const Shape& s : net.shapes)
        if (kind != Kind::dx || &s != &net.shapes.front()) {
            operations += s.operations();
            check(s, kind, rung, work);
        }
    print(name_of(kind), rung, net, operations, measure(seconds, [&] {
              for (const Shape& s : net.shapes)
                  if (kind != Kind::dx || &s != &net.shapes.front()) work(s, kind);
          }));
}

template <Style style, long panel_depth = 0>
void rung(const Shape& s, Kind kind) {
    tiled<style>(in_rows(s, kind), panel_depth, s.panel);
}

void products(const Net& net, Kind kind) {
    constexpr Style best{tile_rows<2>, 2};
    const auto step = [&](const char* name, auto work) { climb(net, kind, name, work); };
    step("the definition: rows, columns, depth", [](const Shape& s, Kind k) { naive(task_of(s, k)); });
    step("loop order: columns innermost, in vectors", [](const Shape& s, Kind k) { reordered(in_rows(s, k)); });
    step("sums in registers, 4 × 1 vectors", rung<Style{4, 1}>);
    step("4 × 2", rung<Style{4, 2}>);
    step("6 × 2", rung<Style{6, 2}>);
    step("8 × 2", rung<Style{8, 2}>);
    step("12 × 2", rung<Style{12, 2}>);
    step("4 × 4", rung<Style{4, 4}>);
    step("core's tile, broadcast as 0 + value", rung<Style{best.rows, 2, 1, true, false}>);
    step("core's tile, sums kept on the stack", rung<Style{best.rows, 2, 1, false, true}>);
    step("core's tile, both faults", rung<Style{best.rows, 2, 1, true, true}>);
    step("core's tile, depth unrolled by 4", rung<Style{best.rows, 2, 4}>);
    step("core's tile, depth unrolled by 8", rung<Style{best.rows, 2, 8}>);
    step("core's tile, panels of 128 always packed", rung<best, 128>);
    step("panels of 192", rung<best, 192>);
    step("panels of 256", rung<best, 256>);
    step("panels of 392", rung<best, 392>);
    step("panels of 512", rung<best, 512>);
    if (kind == Kind::dx)
        step("dot products of rows, nothing transposed", [](const Shape& s, Kind) { by_dot_products(s); });
    step("**core: products.inl**", in_core);
}

// dz W^T, and the derivative of the ReLU below: in the product's epilogue, or as a pass of its own
void relu(const Net& net) {
    const ActivationRule rule{Activation::relu, 0, __builtin_inf(), 0};
    const auto each_shape = [&](auto work) {
        return measure(seconds, [&] {
            for (std::size_t k = 1; k < net.shapes.size(); ++k) work(net.shapes[k]);
        });
    };
    print("ReLU's derivative below dz Wᵀ", "a pass of its own", net, 0, each_shape([&](const Shape& s) {
              input_gradient<T>(s.B, s.I, s.O, {0, s.I}, s.dz, s.W, nullptr, s.panel, s.dx);
              activate_backward<T>(rule, s.B, s.I, s.x, s.x, s.dx);
          }));
    print("ReLU's derivative below dz Wᵀ", "**core: in the epilogue**", net, 0, each_shape([&](const Shape& s) {
              input_gradient<T>(s.B, s.I, s.O, {0, s.I}, s.dz, s.W, s.x, s.panel, s.dx);
          }));
}

// xᵀ dz and Adam over all weights, which lie one after the other as in a network
void adam(const Net& net) {
    UpdateRule rule;
    rule.kind = Optimizer::adam;
    rule.beta_1 = 0.9;
    rule.beta_2 = 0.999;
    rule.epsilon = 1e-7;
    UpdateStep step;
    step.scale = 1e-3;
    long length = 0;
    std::vector<long> offsets;
    for (const Shape& s : net.shapes) {
        offsets.push_back(length);
        length += padded(s.I * s.width()) + padded(s.width());
    }
    T *w = numbers<T>(length), *g = numbers<T>(length), *m = numbers<T>(length), *v = numbers<T>(length);
    for (long k = 0; k < length; ++k) v[k] = 1;
    const auto part = [&](long from, long count) {
        update<T>(rule, step, count, w + from, g + from, m + from, v + from, nullptr);
    };
    const auto gradients = [&](std::size_t k, Range inputs) {
        const Shape& s = net.shapes[k];
        weight_gradient<T>(s.B, s.I, s.O, inputs, false, s.x, s.dz, g + offsets[k], s.panel);
    };
    const char* group = "xᵀ dz and Adam";
    print(group, "a call for each weight", net, 0, measure(seconds, [&] {
              for (std::size_t k = net.shapes.size(); k-- > 0;) gradients(k, {0, net.shapes[k].I});
              for (std::size_t k = 0; k < net.shapes.size(); ++k) {
                  const long kernel = padded(net.shapes[k].I * net.shapes[k].width());
                  part(offsets[k], kernel);
                  part(offsets[k] + kernel, padded(net.shapes[k].width()));
              }
          }));
    print(group, "a layer updated as soon as its gradient is there", net, 0, measure(seconds, [&] {
              for (std::size_t k = net.shapes.size(); k-- > 0;) {
                  gradients(k, {0, net.shapes[k].I});
                  part(offsets[k], padded(net.shapes[k].I * net.shapes[k].width()) + padded(net.shapes[k].width()));
              }
          }));
    print(group, "fused: 16 rows of a gradient, then their update", net, 0, measure(seconds, [&] {
              for (std::size_t k = net.shapes.size(); k-- > 0;) {
                  const long I = net.shapes[k].I, width = net.shapes[k].width();
                  for (long i = 0; i < I; i += padding) {
                      const long last = smaller(i + padding, I);
                      gradients(k, {i, last});
                      part(offsets[k] + i * width, (last - i) * width);
                  }
                  part(offsets[k] + padded(I * width), padded(width));
              }
          }));
    print(group, "**core: one call over neighbours**", net, 0, measure(seconds, [&] {
              for (std::size_t k = net.shapes.size(); k-- > 0;) gradients(k, {0, net.shapes[k].I});
              part(0, length);
          }));
}

void gathers(const Net& net) {
    const Shape& s = net.shapes.front();
    constexpr long rows = 1024;
    const T* all = numbers<T>(rows * s.I);
    std::vector<std::uint32_t> order(rows);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937(2));
    long at = 0;
    const auto timed = [&](auto copy) {
        return measure(seconds, [&] {
            copy(&order[std::size_t(at)]);
            at = at + 2 * s.B <= rows ? at + s.B : 0;
        });
    };
    print("gathering a batch's rows", "memcpy, a call for each row", net, 0, timed([&](const std::uint32_t* row) {
              for (long k = 0; k < s.B; ++k)
                  std::memcpy(s.x + k * s.x_row(), all + long(row[k]) * s.I, std::size_t(s.I) * sizeof(T));
          }));
    print("gathering a batch's rows", "**core: whole pieces**", net, 0,
          timed([&](const std::uint32_t* row) { gather<T>(s.B, s.I, s.x_row(), row, all, s.x); }));
}

void powers(const Net& net) {
    volatile double sink = 0;
    volatile double beta_1 = 0.9, beta_2 = 0.999;
    long t = 0;
    const auto next = [&] { return t = t % 100'000 + 1; };
    print("β₁ᵗ and β₂ᵗ of a step", "pow", net, 0, measure(seconds, [&] {
              const double now = double(next());
              sink = std::pow(beta_1, now) + std::pow(beta_2, now);
          }));
    Powers first(0.9), second(0.999);
    print("β₁ᵗ and β₂ᵗ of a step", "**core: from a table**", net, 0, measure(seconds, [&] {
              const long now = next();
              sink = first(now) + second(now);
          }));
}

}  // namespace
}  // namespace hillwalker

int main(int count, char** given) {
    using namespace hillwalker;
    if (count > 1) seconds = std::atof(given[1]);
    const std::string only = count > 2 ? given[2] : "SML";
    double best = peak<T>();
    for (const Net& net :
         {make("S", 32, {20, 64, 32, 1}), make("M", 128, {784, 256, 128, 10}), make("L", 128, {784, 512, 512, 10})}) {
        if (only.find(net.name) == std::string::npos) continue;
        for (const Kind kind : {Kind::forward, Kind::dx, Kind::dw}) products(net, kind);
        relu(net);
        adam(net);
        gathers(net);
        if (!std::strcmp(net.name, "S")) powers(net);
        best = std::max(best, peak<T>());
    }
    std::printf("{\"peak\": %.5g}\n", best);
}
