#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"

#define SUITES_MAX 256
#define TIMEOUT_S 120

static struct {
    const char *name;
    void (*fill)(TCase *tests);
} suites[SUITES_MAX];

static size_t suite_count;

void suite_register(const char *name, void (*fill)(TCase *tests))
{
    if (suite_count == SUITES_MAX)
        abort();
    suites[suite_count].name = name;
    suites[suite_count++].fill = fill;
}

size_t suite_stride(void)
{
    const char *text = getenv("SUITE_STRIDE");
    size_t stride = text ? strtoul(text, NULL, 10) : 1;

    return stride ? stride : 1;
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(name, argv[i], strlen(argv[i])) == 0)
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
    int failed, run;

    json_object_seed(0);
    for (size_t i = 0; i < suite_count; i++) {
        if (!wanted(suites[i].name, argc, argv))
            continue;

        Suite *suite = suite_create(suites[i].name);
        TCase *tests = tcase_create(suites[i].name);

        tcase_set_timeout(tests, TIMEOUT_S);
        suites[i].fill(tests);
        suite_add_tcase(suite, tests);
        srunner_add_suite(runner, suite);
    }
    srunner_run_all(runner, CK_ENV);
    run = srunner_ntests_run(runner);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    printf("%d passed, %d failed\n", run - failed, failed);
    return failed || run == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
