#include "pool.hpp"

#ifndef __wasm__
#include <algorithm>
#include <mutex>
#include <system_error>
#endif

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace hillwalker {

int Pace::parts(int wanted) {
    if (wanted < 2) return 1;
    const bool alone_is_faster = alone_ > 0 && together_ > alone_;
    trying_ = together_ == 0 || alone_ == 0 || ++since_trial_ > 20;
    if (trying_) since_trial_ = 0;
    return (together_ > 0 && alone_is_faster != trying_) ? 1 : wanted;
}

void Pace::took(int parts, double seconds) {
    if (warm_) (parts > 1 ? together_ : alone_) = seconds;  // the first time is that of cold caches and new memory
    warm_ = true;
}

#ifdef __wasm__

void Barrier::wait_for_others() {}
Borrowed::Borrowed(int) {}
Borrowed::~Borrowed() = default;
void Borrowed::run(const std::function<void(int)>& work) { work(0); }

#else

namespace {

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Returns when `done` says so: spins, and lets others run if that takes longer than they could be expected to need.
template <class Done>
void spin_until(Done done) {
    for (int turn = 0; !done(); ++turn)
        if (turn < 4000)
            relax();
        else
            std::this_thread::yield();
}

constexpr int turns_awake = 2000;  // tens of microseconds, after which a worker without work falls asleep

}  // namespace

Team::Team(int size) {
    try {
        for (int number = 1; number < size; ++number) workers_.emplace_back([this, number] { wait_for_work(number); });
    } catch (const std::system_error&) {  // the system gives no more threads: those that there are do it all
    }
}

Team::~Team() {
    ends_ = true;
    ++round_;
    round_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void Team::wait_for_work(int number) {
    std::uint32_t seen = 0;
    for (;;) {
        for (int turn = 0; turn < turns_awake && round_.load(std::memory_order_acquire) == seen; ++turn) relax();
        round_.wait(seen, std::memory_order_acquire);
        seen = round_.load(std::memory_order_acquire);
        if (ends_) return;
        if (number < parts_) (*work_)(number);
        busy_.fetch_sub(1, std::memory_order_release);
    }
}

void Team::run(int parts, const std::function<void(int)>& work) {
    work_ = &work;
    parts_ = parts;
    busy_.store(std::uint32_t(workers_.size()), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    work(0);
    spin_until([this] { return busy_.load(std::memory_order_acquire) == 0; });
}

void Barrier::wait_for_others() {
    const std::uint32_t round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts_) {
        arrived_.store(0, std::memory_order_relaxed);
        round_.store(round + 1, std::memory_order_release);
        return;
    }
    spin_until([&] { return round_.load(std::memory_order_acquire) != round; });
}

namespace {

std::mutex in_use;
std::unique_ptr<Team> team;

#if defined(__unix__) || defined(__APPLE__)
// The child of a fork has no threads but its own: the parent's team is left alone, not joined.
void forget_team() {
    (void)team.release();
    new (&in_use) std::mutex;
}
const int forgetting = pthread_atfork(nullptr, nullptr, forget_team);
#endif

}  // namespace

Borrowed::Borrowed(int wanted) {
    if (wanted < 2 || !in_use.try_lock()) return;
    if (!team || team->size() < wanted) team = std::make_unique<Team>(wanted);
    team_ = team.get();
    parts_ = std::min(wanted, team->size());
}

Borrowed::~Borrowed() {
    if (team_) in_use.unlock();
}

void Borrowed::run(const std::function<void(int)>& work) {
    if (team_)
        team_->run(parts_, work);
    else
        work(0);
}

#endif

}  // namespace hillwalker
