#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace clustermass {

/// How to run a loop: how many threads, and what the calling thread does now and then (the Python bindings look for
/// Ctrl-C there; it may throw).
struct Parallel {
    int n_threads = 1;
    std::function<void()> poll = {};
};

/// Run body(chunk) for chunk in [0, n_chunks). The split never depends on n_threads, so a caller that reduces chunk
/// by chunk is reproducible. The first exception is rethrown on the calling thread; no thread outlives the call.
template <class Body>
void parallel_chunks(std::int64_t n_chunks, const Parallel& run, const Body& body) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kPollInterval = std::chrono::milliseconds(50);
    std::atomic<std::int64_t> next{0};
    std::exception_ptr first_error;
    std::mutex error_lock;
    const auto fail = [&] {
        const std::lock_guard<std::mutex> guard(error_lock);
        if (!first_error) first_error = std::current_exception();
        next = n_chunks;
    };
    const auto worker = [&](bool is_caller) {
        auto last_poll = Clock::now();
        for (std::int64_t c = next++; c < n_chunks; c = next++) {
            try {
                body(c);
                if (is_caller && run.poll && Clock::now() - last_poll >= kPollInterval) {
                    run.poll();
                    last_poll = Clock::now();
                }
            } catch (...) {
                fail();
            }
        }
    };
    std::vector<std::thread> helpers;
    try {
        for (int t = 1; t < run.n_threads && t < n_chunks; ++t) helpers.emplace_back(worker, false);
    } catch (...) {
        fail();  // the system refused a thread: those already started stop and are joined below
    }
    worker(true);
    for (auto& helper : helpers) helper.join();
    if (first_error) std::rethrow_exception(first_error);
}

}  // namespace clustermass
