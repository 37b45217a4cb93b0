#include "clustermass/core/parallel.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"

using namespace clustermass;

namespace {

void test_every_chunk_runs_once() {
    for (const int n_threads : {1, 2, 3, 8, 100}) {
        for (const std::int64_t n_chunks : {0, 1, 7, 1000}) {
            std::vector<std::atomic<int>> count(static_cast<std::size_t>(n_chunks));
            parallel_chunks(n_chunks, {n_threads}, [&](std::int64_t c) { ++count[static_cast<std::size_t>(c)]; });
            for (const auto& c : count) CHECK(c == 1);
        }
    }
}

void test_exception_reaches_the_caller_and_stops_the_rest() {
    for (const int n_threads : {1, 4}) {
        std::atomic<int> ran{0};
        const auto body = [&](std::int64_t c) {
            ++ran;
            if (c == 3) throw std::out_of_range("chunk 3");
        };
        CHECK_THROWS(parallel_chunks(1'000'000, {n_threads}, body), std::out_of_range);
        CHECK(ran < 1'000'000);
    }
}

void test_poll_is_called_on_the_calling_thread_and_may_stop_the_run() {
    const auto caller = std::this_thread::get_id();
    const auto nap = [](std::int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(10)); };
    for (const int n_threads : {1, 3}) {
        int polls = 0;
        bool at_home = true;
        const auto poll = [&] {
            at_home = at_home && std::this_thread::get_id() == caller;
            if (++polls == 2) throw std::runtime_error("interrupted");
        };
        CHECK_THROWS(parallel_chunks(10'000, {n_threads, poll}, nap), std::runtime_error);
        CHECK(polls == 2);
        CHECK(at_home);
    }
}

}  // namespace

int main() {
    test_every_chunk_runs_once();
    test_exception_reaches_the_caller_and_stops_the_rest();
    test_poll_is_called_on_the_calling_thread_and_may_stop_the_run();
    return test::failures();
}
