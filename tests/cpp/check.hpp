#pragma once
#include <cstdio>
#include <exception>

/// A failed check prints where and goes on; main() ends with `return clustermass::test::failures();`.
namespace clustermass::test {

inline int& failures() {
    static int count = 0;
    return count;
}

inline void check(bool ok, const char* what, const char* file, int line) {
    if (ok) return;
    std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    ++failures();
}

}  // namespace clustermass::test

#define CHECK(condition) ::clustermass::test::check(bool(condition), #condition, __FILE__, __LINE__)

#define CHECK_THROWS(expression, Exception)                                                        \
    do {                                                                                           \
        bool thrown = false;                                                                       \
        try {                                                                                      \
            static_cast<void>(expression);                                                         \
        } catch (const Exception&) {                                                               \
            thrown = true;                                                                         \
        }                                                                                          \
        ::clustermass::test::check(thrown, #expression " throws " #Exception, __FILE__, __LINE__); \
    } while (false)
