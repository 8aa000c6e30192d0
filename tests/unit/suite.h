#pragma once

#include <check.h>
#include <stddef.h>

/**
 * A test file is a few SUITE(name) { ... } blocks that add test cases; they register themselves, so
 * that no list has to be kept. `build/tests/unit [NAME...]` runs all, or those whose name begins
 * so.
 */
#define SUITE(id)                                                                                  \
    static void suite_##id(TCase *tests);                                                          \
    __attribute__((constructor)) static void register_##id(void)                                   \
    {                                                                                              \
        suite_register(#id, suite_##id);                                                           \
    }                                                                                              \
    static void suite_##id(TCase *tests)

void suite_register(const char *name, void (*fill)(TCase *tests));

/**
 * The step of loops over thousands of like cases: 1, or SUITE_STRIDE of the environment, for tools
 * under which each case takes twenty times as long. Such a loop begins at what its row or outer
 * loop counts, modulo the stride, so that all rows together still try each kind of case.
 */
size_t suite_stride(void);

/** Adds a loop test: one run per row of a table, each in a process of its own. */
#define suite_rows(tests, function, rows)                                                          \
    tcase_add_loop_test(tests, function, 0, (int)(sizeof(rows) / sizeof *(rows)))
