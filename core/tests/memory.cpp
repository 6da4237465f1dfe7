// Counts what the program takes from the heap, so that a test can demand that a training step takes nothing.

#include <atomic>
#include <cstdlib>
#include <new>

#include "check.hpp"

namespace {

std::atomic<long> count{0};

void* taken(void* memory) {
    ++count;
    if (!memory) std::abort();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return taken(std::malloc(size + (size == 0))); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    const auto line = static_cast<std::size_t>(alignment);
    return taken(std::aligned_alloc(line, (size + line) / line * line));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace hillwalker::tests {

long allocations() { return count; }

}  // namespace hillwalker::tests
