// The core's own tests: no Python, no framework, so that they run wherever the core does (emulated, in a browser, under a
// sanitizer). Usage: core_tests [random cases, 100 by default]. Prints what was compared; exits 1 if anything was wrong.

#include <cstdlib>

#include "check.hpp"
#include "cpu.hpp"

int main(int count, char** arguments) {
    using namespace hillwalker;
    const long cases = count > 1 ? std::atol(arguments[1]) : 100;
    tests::Report report;
    for (const std::string& name : instruction_sets()) {
        if (!choose_instruction_set(name)) return 1;
        report.begin(name + " float");
        tests::test_kernels<float>(report, cases);
        tests::test_networks<float>(report, cases);
#ifndef __wasm__
        tests::test_many<float>(report, cases);
#endif
        report.begin(name + " double");
        tests::test_kernels<double>(report, cases);
        tests::test_networks<double>(report, cases);
#ifndef __wasm__
        tests::test_many<double>(report, cases);
#endif
    }
    return report.print() ? 0 : 1;
}
