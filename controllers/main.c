#include <jansson.h>
#include <stdio.h>
#include <sys/resource.h>

#include "controllers/dry_run.h"
#include "controllers/heap.h"
#include "controllers/run.h"

int main(int argc, char **argv)
{
    struct controller_options options;
    struct error err = {.message = ""};

    switch (controller_options_parse(argc, argv, &options, &err)) {
    case CONTROLLER_HELP:
        controller_help(stdout);
        return CONTROLLER_FINE;
    case CONTROLLER_VERSION:
        controller_version(stdout);
        return CONTROLLER_FINE;
    case CONTROLLER_BAD:
        fprintf(stderr, "granary-controller: %s\ntry: granary-controller --help\n", err.message);
        return CONTROLLER_CANNOT;
    case CONTROLLER_RUN:
        break;
    }

    /* it holds keys */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    json_object_seed(0);
    log_setup(options.log_format, options.log_level);
    heap_share();

    enum controller_exit code =
        options.dry_run ? dry_run(&options, stdout, &err) : controller_run(&options, &err);

    if (code == CONTROLLER_CANNOT)
        log_error("can not run", LOG_S("error", err.message));
    return code;
}
