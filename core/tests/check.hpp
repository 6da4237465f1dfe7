// What the tests compare with, count and print; random numbers that are the same on every machine. No framework.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "random.hpp"

namespace hillwalker::tests {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(mix(seed)) {}
    std::uint64_t bits() { return mix(state_++); }
    double uniform(double low = 0, double high = 1) { return low + (high - low) * double(bits() >> 11) * 0x1p-53; }
    long below(long count) { return long(bits() % std::uint64_t(count)); }
    bool coin() { return below(2) == 1; }
    template <class Choice>
    Choice one_of(const std::vector<Choice>& choices) {
        return choices[std::size_t(below(long(choices.size())))];
    }
    // Widths round whose corners vectors and tiles turn: below, at and above whole vectors, and one.
    long width() { return one_of<long>({1, 2, 3, 4, 7, 8, 10, 15, 16, 17, 20, 31, 32, 33, 48, 64, 100}); }
    long batch() { return one_of<long>({1, 2, 3, 5, 6, 7, 8, 9, 13, 16, 17, 32, 33, 64, 129}); }

private:
    std::uint64_t state_;
};

// A matrix of doubles without padding: what the naive code computes on.
struct Matrix {
    long rows = 0, columns = 0;
    std::vector<double> numbers;

    Matrix() = default;
    Matrix(long rows, long columns) : rows(rows), columns(columns), numbers(std::size_t(rows * columns)) {}
    double& operator()(long row, long column) { return numbers[std::size_t(row * columns + column)]; }
    double operator()(long row, long column) const { return numbers[std::size_t(row * columns + column)]; }
};

// Random numbers that the precision T can hold, so that kernel and naive code begin with the same.
template <class T>
Matrix random_matrix(Random& random, long rows, long columns, double low = -1, double high = 1) {
    Matrix matrix(rows, columns);
    for (double& number : matrix.numbers) number = double(T(random.uniform(low, high)));
    return matrix;
}

// Every comparison, by what was compared (a row of the printed table) and where (a column: instruction set, precision).
// Errors are in units of the precision's rounding, `scale` times epsilon.
class Report {
public:
    void begin(const std::string& column) {
        column_ = column;
        columns_.push_back(column);
    }
    void describe(const std::string& the_case) { case_ = the_case; }  // shown with a fault

    template <class T>
    void number(const std::string& what, double got, double expected, double scale, double allowed) {
        expected = double(T(expected));
        double error = 0;
        if (std::isnan(expected) || std::isinf(expected)) {
            const bool same = std::isnan(expected) ? std::isnan(got) : got == expected;
            error = same ? 0 : std::numeric_limits<double>::infinity();
        } else {
            scale = std::fmax(scale, double(std::numeric_limits<T>::min()) / double(std::numeric_limits<T>::epsilon()));
            error = std::fabs(got - expected) / (scale * double(std::numeric_limits<T>::epsilon()));
        }
        note(what, error, allowed, got, expected);
    }
    // Of matrices and vectors: `scale` is one number for all, so that cancellation is measured against what cancelled.
    template <class T, class Got, class Expected>
    void numbers(const std::string& what, const Got& got, const Expected& expected, double scale, double allowed) {
        for (std::size_t k = 0; k < expected.size(); ++k) number<T>(what, double(got[k]), expected[k], scale, allowed);
    }
    void truth(const std::string& what, bool holds) {
        note(what, holds ? 0 : std::numeric_limits<double>::infinity(), 0, 0, 0);
    }

    // Prints the table; returns whether everything was within what is allowed.
    bool print() const {
        std::printf("Worst error, in units of the precision's rounding, and how much is allowed\n\n%-34s%9s%10s", "",
                    "numbers", "allowed");
        for (const std::string& column : columns_) std::printf("%19s", column.c_str());
        for (const std::string& name : order_) {
            const std::map<std::string, Line>& lines = table_.at(name);
            long count = 0;
            for (const auto& [column, line] : lines) count += line.count;
            std::printf("\n%-34s%9ld%10g", name.c_str(), count, lines.begin()->second.allowed);
            for (const std::string& column : columns_) {
                const auto found = lines.find(column);
                if (found == lines.end())
                    std::printf("%19s", "");
                else
                    std::printf("%18.3g%c", found->second.worst, found->second.faults ? '!' : ' ');
            }
        }
        std::printf("\n\n%ld comparisons, %ld faults\n", comparisons_, faults_);
        return faults_ == 0 && comparisons_ > 0;
    }

private:
    struct Line {
        long count = 0, faults = 0;
        double worst = 0, allowed = 0;
    };

    void note(const std::string& what, double error, double allowed, double got, double expected) {
        auto [found, is_new] = table_.try_emplace(what);
        if (is_new) order_.push_back(what);
        Line& line = found->second[column_];
        ++comparisons_, ++line.count;
        line.allowed = allowed;
        line.worst = std::fmax(line.worst, error);
        if (error <= allowed) return;
        ++faults_;
        if (line.faults++ < 3)  // the first few tell enough
            std::printf("FAULT %s, %s, %s: got %.17g, expected %.17g, error %.3g, allowed %.3g\n", what.c_str(),
                        column_.c_str(), case_.c_str(), got, expected, error, allowed);
    }

    std::string column_, case_;
    std::vector<std::string> columns_, order_;
    std::map<std::string, std::map<std::string, Line>> table_;
    long comparisons_ = 0, faults_ = 0;
};

long allocations();  // so far; memory.cpp
template <class T>
void test_kernels(Report& report, long cases);  // kernels.cpp
template <class T>
void test_networks(Report& report, long cases);  // networks.cpp
template <class T>
void test_many(Report& report, long cases);  // many.cpp

}  // namespace hillwalker::tests
