// Which instruction set the kernels use, chosen once at import; and what a training thread does with denormals.
#pragma once

#include <string>
#include <vector>

namespace hillwalker {

std::vector<std::string> instruction_sets();           // those this machine can run, best first
std::string instruction_set();                         // the one in use
bool choose_instruction_set(const std::string& name);  // false, and nothing done, if this machine cannot run it

// While it lives, denormal numbers count as zero in this thread: moments of dead units decay into them and would make
// every step several times slower. Python functions called meanwhile run under the caller's own setting (Pause).
class FlushDenormals {
public:
    FlushDenormals();
    ~FlushDenormals();
    FlushDenormals(const FlushDenormals&) = delete;

    class Pause {
    public:
        Pause();
        ~Pause();
        Pause(const Pause&) = delete;

    private:
        unsigned long long kept_;
    };

private:
    unsigned long long kept_;
};

}  // namespace hillwalker
