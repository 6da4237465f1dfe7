// The threads of one network's step. A team runs one function on all its threads, each with a number of its own.
// In WebAssembly there are none, and all work has one part.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#ifndef __wasm__
#include <thread>
#endif

namespace hillwalker {

#ifndef __wasm__
class Team {
public:
    explicit Team(int size);
    ~Team();
    Team(const Team&) = delete;

    int size() const { return int(workers_.size()) + 1; }
    // work(0) in the caller's thread, work(1) ... work(parts - 1) in others; returns when all have ended. `work` must not
    // throw. At most size() parts.
    void run(int parts, const std::function<void(int)>& work);

private:
    void wait_for_work(int number);

    std::vector<std::thread> workers_;
    const std::function<void(int)>* work_ = nullptr;
    int parts_ = 0;
    std::atomic<std::uint32_t> round_{0}, busy_{0};
    std::atomic<bool> ends_{false};
};
#endif

// Where the parts of one piece of work wait for each other. They spin, for a step takes less time than falling asleep.
class Barrier {
public:
    explicit Barrier(int parts) : parts_(parts) {}
    void wait() {
        if (parts_ > 1) wait_for_others();
    }

private:
    void wait_for_others();

    const int parts_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<std::uint32_t> round_{0};
};

// Whether several threads are faster than one just now: another program may hold the cores. It tries both in turn and stays
// with the faster one; as no number depends on the threads, only time does.
class Pace {
public:
    int parts(int wanted);
    bool is_trying() const { return trying_; }  // which one step is enough for
    void took(int parts, double seconds);       // for the same amount of work each time

private:
    double alone_ = 0, together_ = 0;  // seconds; 0: not yet known
    int since_trial_ = 0;
    bool trying_ = false, warm_ = false;
};

// The process's team while somebody works with it: as many threads as wanted, or one if somebody else has it.
class Borrowed {
public:
    explicit Borrowed(int wanted);
    ~Borrowed();
    Borrowed(const Borrowed&) = delete;
    int parts() const { return parts_; }
    void run(const std::function<void(int)>& work);

private:
    int parts_ = 1;
#ifndef __wasm__
    Team* team_ = nullptr;
#endif
};

}  // namespace hillwalker
