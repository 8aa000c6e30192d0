#include <jansson.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/suite.h"

/* Each test runs in a process of its own, so the hooks stay there. */

static json_t *long_list(size_t items)
{
    json_t *list = json_array();

    for (size_t i = 0; i < items; i++)
        tree_push_text(list, "an element of some length");
    return list;
}

START_TEST(trees_are_the_same_in_an_arena)
    {
        /* within the region, across its end, far beyond it */
        static const size_t sizes[] = {1, 100, ARENA_BYTES / 64, ARENA_BYTES};
        struct arena *arena = arena_make();
        json_t *expected = long_list(sizes[_i]);

        arena_install();
        for (int round = 0; round < 3; round++) {
            arena_enter(arena);

            json_t *made = long_list(sizes[_i]), *copy = tree_copy(made);

            ck_assert(tree_equal(made, expected));
            json_decref(made);
            ck_assert(tree_equal(copy, expected));
            json_decref(copy);
            arena_leave();
        }
        json_decref(expected);
        arena_free(arena);
    }
END_TEST

START_TEST(older_trees_are_shared_and_released)
    {
        struct arena *arena = arena_make();
        json_t *older = json_pack("{s:[s]}", "a", "b"), *gone = json_string("gone");

        arena_install();
        arena_enter(arena);

        json_t *holder = json_object();

        tree_put_new(holder, "older", tree_share(older));
        json_decref(gone);
        json_decref(holder);
        arena_leave();
        ck_assert_str_eq(json_string_value(json_array_get(tree_get(older, "a"), 0)), "b");
        json_decref(older);
        arena_free(arena);
    }
END_TEST

START_TEST(leaving_makes_room)
    {
        struct arena *arena = arena_make();
        json_malloc_t take;
        json_free_t give_back;
        void *first[2];

        arena_install();
        json_get_alloc_funcs(&take, &give_back);
        for (int round = 0; round < 2; round++) {
            arena_enter(arena);
            first[round] = take(100);

            void *second = take(1), *large = take(2 * ARENA_BYTES);

            ck_assert(first[round] && second && large && first[round] != second);
            ck_assert_uint_eq((uintptr_t)second % _Alignof(max_align_t), 0);
            give_back(second);
            give_back(large);
            give_back(first[round]);
            arena_leave();
        }
        /* sanitized builds do without */
        ck_assert(take == malloc || first[0] == first[1]);
        arena_free(arena);
    }
END_TEST

SUITE(base_arena)
{
    tcase_add_loop_test(tests, trees_are_the_same_in_an_arena, 0, 4);
    tcase_add_test(tests, older_trees_are_shared_and_released);
    tcase_add_test(tests, leaving_makes_room);
}
