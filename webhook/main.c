#include <jansson.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/auto.h"
#include "webhook/once.h"
#include "webhook/server.h"

static enum exit_code run(const struct options *options, struct error *err)
{
    AUTO(settings_store)
    struct settings_store *store = settings_store_make(options->settings, options->enforce, err);

    if (!store)
        return EXIT_CANNOT;

    AUTO(settings_held) const struct settings *settings = settings_store_get(store);

    if (!options->log_level_given)
        log_set_level(settings->log_level);
    if (options->once)
        return once_run(options, settings, stdin, stdout, err);
    return server_run(options, store, err);
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = {.message = ""};

    switch (options_parse(argc, argv, &options, &err)) {
    case OPTIONS_HELP:
        options_help(stdout);
        return EXIT_FINE;
    case OPTIONS_VERSION:
        options_version(stdout);
        return EXIT_FINE;
    case OPTIONS_BAD:
        fprintf(stderr, "granary-webhook: %s\ntry: granary-webhook --help\n", err.message);
        return EXIT_CANNOT;
    case OPTIONS_RUN:
        break;
    }
    arena_install();
    json_object_seed(0);
    log_setup(options.log_format, options.log_level);

    enum exit_code code = run(&options, &err);

    if (code == EXIT_CANNOT)
        log_error("can not run", LOG_S("error", err.message));
    return code;
}
