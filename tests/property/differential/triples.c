/*
 * One half of the comparison with another implementation of JSON Patch; compare.py is the other.
 *
 *     triples write    prints {"before":..., "patch":..., "after":...}, a line for each case, then
 *                      the line "rows" and the rows of the unit tests; without "after" the patch
 *                      must be refused
 *     triples apply    reads such lines, applies the patches, prints what did not lead to "after"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/patch.h"
#include "base/tree.h"
#include "tests/property/random.h"
#include "tests/unit/base/patch_rows.h"

#define CASES 10000
#define LOAD_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

static void write_triple(const json_t *before, const json_t *patch, const json_t *after)
{
    AUTO(json) json_t *triple = json_object();

    tree_put_new(triple, "before", tree_share(before));
    tree_put_new(triple, "patch", tree_share(patch));
    tree_put_new(triple, "after", tree_share(after));

    AUTO(free) char *line = tree_format(triple, NULL);

    puts(line);
}

static void write_case(uint64_t seed, size_t number)
{
    struct random random = random_case(seed, number);
    bool workload = random_often(&random, 50);
    unsigned edits = 1 + (unsigned)random_below(&random, 6);
    AUTO(json) json_t *before = workload ? random_workload(&random) : random_tree(&random, 4, 5);
    AUTO(json) json_t *edited = random_edited(&random, before, edits);
    AUTO(json) json_t *other = random_tree(&random, 4, 5);
    const json_t *after = random_often(&random, 85) ? edited : other;
    AUTO(json) json_t *patch = patch_diff(before, after, "");

    write_triple(before, patch, after);
}

static json_t *row(const char *text)
{
    AUTO(free) char *copy = text_dup(text, strlen(text));

    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return json_loads(copy, LOAD_FLAGS, NULL);
}

static int write_all(void)
{
    uint64_t seed = random_setting("SEED", 1);
    size_t count = random_setting("PROPERTY_COUNT", CASES);

    fprintf(stderr, "SEED=%llu PROPERTY_COUNT=%zu\n", (unsigned long long)seed, count);
    for (size_t i = 0; i < count; i++)
        write_case(seed, i);
    puts("rows");
    for (size_t i = 0; i < sizeof apply_rows / sizeof *apply_rows; i++) {
        AUTO(json) json_t *before = row(apply_rows[i].document);
        AUTO(json) json_t *patch = row(apply_rows[i].patch);
        AUTO(json) json_t *after = apply_rows[i].result ? row(apply_rows[i].result) : NULL;

        write_triple(before, patch, after);
    }
    return EXIT_SUCCESS;
}

/* True when the patch of the line leads from its "before" to its "after". */
static bool applies(const char *line, size_t length, struct error *err)
{
    json_error_t detail;
    AUTO(json) json_t *triple = json_loadb(line, length, LOAD_FLAGS, &detail);

    if (!triple)
        return error_set(err, ERROR_BAD_REQUEST, "%s", detail.text);

    AUTO(json)
    json_t *result = patch_apply(tree_get(triple, "before"), tree_get(triple, "patch"), err);

    if (!result || tree_equal(result, tree_get(triple, "after")))
        return result != NULL;
    return error_set(err, ERROR_INVALID, "the result is another one");
}

static int apply_all(void)
{
    AUTO(free) char *line = NULL;
    size_t room = 0, passed = 0, failed = 0;
    ssize_t length;

    while ((length = getline(&line, &room, stdin)) > 0) {
        struct error err = {0};

        if (applies(line, (size_t)length, &err)) {
            passed++;
            continue;
        }
        failed++;
        printf("%s: %s", err.message, line);
    }
    printf("%zu %zu\n", passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "write") == 0)
        return write_all();
    if (argc == 2 && strcmp(argv[1], "apply") == 0)
        return apply_all();
    fputs("usage: triples write|apply\n", stderr);
    return 2;
}
