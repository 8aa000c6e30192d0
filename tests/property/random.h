#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/*
 * Random documents for properties. Everything follows from the seed and the number of the case, so
 * that each case can be repeated alone; nothing asks a clock.
 */

/** Random numbers by splitmix64, and the case that they were made for. */
struct random {
    uint64_t state;
    uint64_t seed;
    size_t number; /* of the case */
};

/** The generator of one case of one seed. */
struct random random_case(uint64_t seed, size_t number);

/** Any 64 bits. */
uint64_t random_bits(struct random *random);

/** A number from 0 to end - 1. `end` is not 0. */
size_t random_below(struct random *random, size_t end);

/** True this often of 100 times. */
bool random_often(struct random *random, unsigned percent);

/** A number of the environment (decimal), or `otherwise` when it is not set. */
uint64_t random_setting(const char *name, uint64_t otherwise);

/**
 * Runs a property for each case, from PROPERTY_FIRST (0) on, PROPERTY_COUNT (10,000) of them, with
 * SEED (1), and prints these. The property fails by PROPERTY_MUST().
 */
void random_cases(const char *name, void (*property)(struct random *random));

/** The same with another number of cases where PROPERTY_COUNT does not say one. */
void random_some_cases(const char *name, void (*property)(struct random *random), size_t count);

/** Fails the test, and says how to repeat the case. Needs check.h. */
#define PROPERTY_MUST(random, promise)                                                             \
    ck_assert_msg(promise, "SEED=%llu PROPERTY_FIRST=%zu PROPERTY_COUNT=1 repeats: %s",            \
                  (unsigned long long)(random)->seed, (random)->number, #promise)

/** Appends text that is hard to carry: quotes, "/", "~", control characters, all lengths of UTF-8,
 *  and NUL unless it is for a key. */
void random_add_text(struct random *random, struct text *text, bool key);

/** A key of few, so that objects have keys in common, or a hard one. The caller frees it. */
char *random_key(struct random *random);

/**
 * A JSON value of any shape.
 *
 * @param depth  Levels of nesting at most; 0 makes scalars.
 * @param width  Members or elements at most, on each level.
 * @return       New reference.
 */
json_t *random_tree(struct random *random, unsigned depth, unsigned width);

/** An object of the shape of a Deployment, with lists of named objects, some of them absent, null
 *  or empty. New reference. */
json_t *random_workload(struct random *random);

/** A container such as a pod template lists it. New reference. */
json_t *random_container(struct random *random);

/** A copy with this many edits anywhere: members and elements put in, taken out, replaced, moved,
 *  or of another type. New reference. */
json_t *random_edited(struct random *random, const json_t *tree, unsigned edits);

/** An object or list somewhere in the tree, or NULL when it is a scalar. Borrowed, to be edited. */
json_t *random_inside(struct random *random, json_t *tree);
