/*
 * One decision without a server: admit_bench CATALOG REVIEW COUNT decides a review COUNT times and
 * prints microseconds of CPU for each, beside those of jansson making a tree of the same bytes,
 * measured in turns. With --only, jansson is left out: under callgrind, COUNT 21 against COUNT 1
 * then gives instructions per review, without those of the start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cluster.h"
#include "api/settings.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/text.h"
#include "kube/catalog.h"
#include "webhook/admit.h"

struct bench {
    struct settings settings;
    const struct cluster *cluster;
    struct text review;
    struct arena *arena;
};

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "admit_bench: %s: %s\n", what, why);
    exit(2);
}

static void read_review(struct text *review, const char *path)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    char part[4096];
    size_t got;

    if (!file)
        fail(path, "can not be read");
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        text_add(review, part, got);
}

static void prepare(struct bench *bench, const char *catalog, const char *review)
{
    struct error err;
    AUTO(json) json_t *objects = catalog_read(catalog, NULL, &err);

    if (!objects)
        fail(catalog, err.message);
    settings_default(&bench->settings);
    bench->cluster = cluster_make(objects);
    read_review(&bench->review, review);
    bench->arena = arena_make();
}

static void decide(const struct bench *bench)
{
    AUTO(admit_answer) struct admit_answer answer = {0};
    struct span body = {bench->review.data, bench->review.length};
    struct error err;

    arena_enter(bench->arena);
    if (!admit(&bench->settings, bench->cluster, ADMIT_MUTATE, body, &answer, &err))
        fail("no answer", err.message);
    arena_leave();
}

static void compare(const struct bench *bench, int count)
{
    double ours = 0, theirs = 0;

    for (int i = 0; i < count; i++) {
        double start = cpu_us(), middle;

        decide(bench);
        middle = cpu_us();
        json_decref(json_loadb(bench->review.data, bench->review.length, JSON_ALLOW_NUL, NULL));
        ours += middle - start;
        theirs += cpu_us() - middle;
    }
    printf("%zu bytes, %.1f us a review, %.2f of a jansson tree of it\n", bench->review.length,
           ours / count, ours / theirs);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    bool only = argc == 5 && strcmp(argv[4], "--only") == 0;
    int count = argc > 3 ? atoi(argv[3]) : 0;

    if (count <= 0 || (argc != 4 && !only))
        fail("usage", "admit_bench CATALOG REVIEW COUNT [--only]");
    arena_install();
    json_object_seed(1);
    prepare(&bench, argv[1], argv[2]);
    if (!only)
        compare(&bench, count);
    for (int i = 0; only && i < count; i++)
        decide(&bench);
    arena_free(bench.arena);
    cluster_unref(bench.cluster);
    settings_done(&bench.settings);
    text_done(&bench.review);
    return 0;
}
