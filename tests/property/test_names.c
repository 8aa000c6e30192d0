#include "api/names.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "tests/unit/suite.h"

/* 450 targets give 2,250 names and so 2.5 million pairs. Catalogue J17. */
#define TARGETS 450
#define NAMES_PER_TARGET 5

static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Names that are hard to keep apart: of few letters, with "-" and "." at all places, long ones with
 * equal heads, and ones that end like a hash. */
static char *make_name(uint64_t *state, size_t max_chars)
{
    static const char alphabet[] = "ab-.0deploy";
    AUTO(text) struct text name = {0};
    size_t length = 1 + next(state) % (next(state) % 2 ? 6 : max_chars);

    while (name.length < length) {
        char c = name.length > 8 ? 'a' : alphabet[next(state) % (sizeof alphabet - 1)];
        char before = name.length ? name.data[name.length - 1] : '.';
        bool must = before == '.' || before == '-' || name.length + 1 == length;

        text_putc(&name, must && (c == '-' || c == '.') ? 'b' : c);
    }
    text_addf(&name, "%s%u", next(state) % 4 ? "" : "-2024013a", next(state) % TARGETS);
    return text_take(&name);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct target {
    char *space, *kind, *name, *key;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct target *)a)->key, ((const struct target *)b)->key);
}

static void make_targets(struct target targets[TARGETS])
{
    static const char *const kinds[] = {"Deployment", "DaemonSet", "PersistentVolumeClaim",
                                        "DeploymentConfig", "AppBinding"};
    uint64_t state = 17;

    for (size_t i = 0; i < TARGETS; i++) {
        const char *kind = kinds[next(&state) % 5];
        char *space = make_name(&state, 40), *name = make_name(&state, 200);

        ck_assert(name_is_subdomain(span_of(name)));
        targets[i] = (struct target){space, text_dup(kind, strlen(kind)), name,
                                     text_format("%s/%s/%s", space, kind, name)};
    }
    qsort(targets, TARGETS, sizeof *targets, by_key);
    for (size_t i = 1; i < TARGETS; i++)
        ck_assert_str_ne(targets[i - 1].key, targets[i].key);
}

static size_t all_names(const struct target *target, char **names)
{
    size_t count = 0;
    AUTO(free) char *joined = text_format("%s-%s", target->space, target->name);

    names[count++] = name_outside(target->space, target->kind, target->name);
    names[count++] = name_further(target->space, target->kind, target->name, "b");
    names[count++] = name_further(target->space, target->kind, target->name, "a-b");
    names[count++] = name_at_location(names[0], "s3:bucket");
    names[count++] = name_further(NULL, target->kind, joined, "b");
    return count;
}

static void release(struct target targets[TARGETS], char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    for (size_t i = 0; i < TARGETS; i++) {
        free(targets[i].space);
        free(targets[i].kind);
        free(targets[i].name);
        free(targets[i].key);
    }
}

static void check_legal_and_distinct(char **names, size_t count, size_t max_chars)
{
    qsort(names, count, sizeof *names, by_text);
    for (size_t i = 0; i < count; i++) {
        ck_assert(name_is_subdomain(span_of(names[i])));
        ck_assert(name_is_label_value(span_of(names[i])));
        ck_assert_uint_le(strlen(names[i]), max_chars);
        if (i)
            ck_assert_str_ne(names[i - 1], names[i]);
    }
}

START_TEST(names_are_legal_and_distinct)
    {
        struct target targets[TARGETS];
        char *names[TARGETS * NAMES_PER_TARGET];
        size_t count = 0;

        make_targets(targets);
        for (size_t i = 0; i < TARGETS; i++)
            count += all_names(&targets[i], names + count);
        ck_assert_uint_ge(count * (count - 1) / 2, 1000000);
        check_legal_and_distinct(names, count, NAME_MAX_CHARS);
        release(targets, names, count);
    }
END_TEST

/* In one namespace: each target's own name, that of its second blueprint, and a target that is
 * called what these are called. */
START_TEST(names_of_one_namespace_are_distinct)
    {
        char *names[3 * TARGETS], *cronjobs[3 * TARGETS];
        size_t count = 0;
        uint64_t state = 4;

        for (unsigned i = 0; i < TARGETS; i++) {
            AUTO(free) char *base = make_name(&state, 200);
            AUTO(free) char *name = text_format("%s-%u", base, i);
            char *further = name_further(NULL, "Deployment", name, "second");

            names[count++] = name_of_target("Deployment", name);
            names[count++] = further;
            names[count++] = name_of_target("Deployment", further + strlen("deploy-"));
        }
        for (size_t i = 0; i < count; i++)
            cronjobs[i] = name_fit(names[i], CRONJOB_NAME_MAX_CHARS);
        check_legal_and_distinct(names, count, NAME_MAX_CHARS);
        check_legal_and_distinct(cronjobs, count, CRONJOB_NAME_MAX_CHARS);
        for (size_t i = 0; i < count; i++) {
            free(names[i]);
            free(cronjobs[i]);
        }
    }
END_TEST

START_TEST(names_are_legal_whatever_comes_in)
    {
        uint64_t state = 9;

        for (unsigned i = 0; i < 20000; i++) {
            char junk[80] = {0};
            size_t length = next(&state) % sizeof junk;

            for (size_t c = 0; c < length; c++)
                junk[c] =
                    (char)(next(&state) % 3 ? (uint32_t) "a-.A_/"[next(&state) % 6] : next(&state));

            AUTO(free) char *name = name_of_target("Deployment", junk);
            AUTO(free) char *label = name_label_value(junk);
            AUTO(free) char *fit = name_fit(junk, 12);

            ck_assert(name_is_subdomain(span_of(name)) && strlen(name) <= NAME_MAX_CHARS);
            ck_assert(name_is_subdomain(span_of(fit)) && strlen(fit) <= 12);
            ck_assert(name_is_label_value(span_of(label)));
        }
    }
END_TEST

SUITE(property_names)
{
    tcase_add_test(tests, names_are_legal_and_distinct);
    tcase_add_test(tests, names_of_one_namespace_are_distinct);
    tcase_add_test(tests, names_are_legal_whatever_comes_in);
}
