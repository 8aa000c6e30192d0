/*
 * CPU of one decision, without any server: admit_bench CATALOG REVIEW COUNT. Prints microseconds of
 * CPU per review beside those of jansson making a tree of the same bytes, measured in turns.
 * Under callgrind with COUNT 1 against COUNT 11 it gives instructions per review.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/cluster.h"
#include "api/settings.h"
#include "base/auto.h"
#include "kube/catalog.h"
#include "webhook/admit.h"

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct span file_bytes(const char *path)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    struct text text = {0};
    char part[4096];
    size_t got;

    if (!file) {
        perror(path);
        exit(2);
    }
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        text_add(&text, part, got);
    return (struct span){text.data, text.length};
}

static void decide(const struct settings *settings, const struct cluster *cluster, struct span body)
{
    AUTO(admit_answer) struct admit_answer answer = {0};
    struct error err;

    if (!admit(settings, cluster, ADMIT_MUTATE, body, &answer, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct error err;
    struct settings settings;
    double ours = 0, theirs = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: admit_bench CATALOG REVIEW COUNT\n");
        return 2;
    }
    json_object_seed(1);
    settings_default(&settings);

    AUTO(json) json_t *objects = catalog_read(argv[1], NULL, &err);

    if (!objects) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }

    const struct cluster *cluster = cluster_make(objects);
    struct span body = file_bytes(argv[2]);
    int count = atoi(argv[3]);

    for (int i = 0; i < count; i++) {
        double start = cpu_us();

        decide(&settings, cluster, body);

        double middle = cpu_us();

        if (count > 20)
            json_decref(json_loadb(body.data, body.length, JSON_ALLOW_NUL, NULL));
        ours += middle - start;
        theirs += cpu_us() - middle;
    }
    printf("%s: %zu bytes, %.1f us a review, %.2f of a jansson tree of it\n", argv[2], body.length,
           ours / count, ours / theirs);
    cluster_unref(cluster);
    return 0;
}
