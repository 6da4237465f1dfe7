#include "cpu.hpp"

#include "kernels.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace hillwalker {

#if defined(__x86_64__)
#define HILLWALKER_INSTRUCTION_SETS(use) use(x86_64_v4) use(x86_64_v3) use(x86_64_v2)
#elif defined(__aarch64__)
#define HILLWALKER_INSTRUCTION_SETS(use) use(neon)
#else
#define HILLWALKER_INSTRUCTION_SETS(use) use(baseline)
#endif

#define HILLWALKER_DECLARE(isa)                  \
    const Kernels<float>& kernels_float_##isa(); \
    const Kernels<double>& kernels_double_##isa();
HILLWALKER_INSTRUCTION_SETS(HILLWALKER_DECLARE)

namespace {

struct InstructionSet {
    const char* name;
    const Kernels<float>& (*for_float)();
    const Kernels<double>& (*for_double)();
};

#define HILLWALKER_ENTRY(isa) {#isa, kernels_float_##isa, kernels_double_##isa},
constexpr InstructionSet all[] = {HILLWALKER_INSTRUCTION_SETS(HILLWALKER_ENTRY)};

#if defined(__x86_64__)
// AVX and AVX-512 registers must be enabled by the operating system (XCR0) as well as present.
bool runs(const std::string& name) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
    if (name == "x86_64_v2") return (c & bit_SSE4_2) && (c & bit_POPCNT);
    const bool has_fma = c & bit_FMA, has_xsave = c & bit_OSXSAVE;
    if (!has_fma || !has_xsave) return false;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if (name == "x86_64_v3") return (b & bit_AVX2) && (b & bit_BMI2);
    const unsigned wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    return (low & 0xE6) == 0xE6 && (b & wanted) == wanted;
}
#else
bool runs(const std::string&) { return true; }
#endif

const InstructionSet* best() {
    for (const InstructionSet& set : all)
        if (runs(set.name)) return &set;
    return nullptr;
}

const InstructionSet* chosen = best();

#if defined(__x86_64__)
constexpr unsigned long long flushing = 0x8040;  // flush to zero, denormals are zero
unsigned long long control() { return _mm_getcsr(); }
void set_control(unsigned long long value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr unsigned long long flushing = 1ull << 24;  // FPCR.FZ
unsigned long long control() {
    unsigned long long value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
}
void set_control(unsigned long long value) { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
#else
constexpr unsigned long long flushing = 0;
unsigned long long control() { return 0; }
void set_control(unsigned long long) {}
#endif

}  // namespace

template <>
const Kernels<float>& kernels<float>() {
    return chosen->for_float();
}
template <>
const Kernels<double>& kernels<double>() {
    return chosen->for_double();
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const InstructionSet& set : all)
        if (runs(set.name)) names.push_back(set.name);
    return names;
}

std::string instruction_set() { return chosen->name; }

bool choose_instruction_set(const std::string& name) {
    for (const InstructionSet& set : all)
        if (name == set.name && runs(name)) {
            chosen = &set;
            return true;
        }
    return false;
}

FlushDenormals::FlushDenormals() : kept_(control()) { set_control(kept_ | flushing); }
FlushDenormals::~FlushDenormals() { set_control(kept_); }
FlushDenormals::Pause::Pause() : kept_(control()) { set_control(kept_ & ~flushing); }
FlushDenormals::Pause::~Pause() { set_control(kept_); }

}  // namespace hillwalker
