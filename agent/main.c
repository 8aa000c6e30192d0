#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/database_options.h"
#include "agent/etcd_backup.h"
#include "agent/etcd_restore.h"
#include "agent/options.h"
#include "agent/run.h"
#include "agent/stream_work.h"
#include "base/log.h"

int main(int argc, char **argv)
{
    struct agent_options options;
    struct error err = {.message = ""};

    if (argc > 1 && strcmp(argv[1], "etcd-restore") == 0)
        return etcd_restore_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "etcd-wait") == 0)
        return etcd_wait_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "etcd-backup") == 0)
        return etcd_backup_main(argc - 1, argv + 1);
    if (argc > 1 && database_is_verb(argv[1]))
        return database_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], STREAM_VERB) == 0)
        return stream_main(argc - 1, argv + 1);
    switch (agent_options_parse(argc, argv, &options, &err)) {
    case AGENT_HELP:
        agent_help(stdout);
        return AGENT_FINE;
    case AGENT_VERSION:
        agent_version(stdout);
        return AGENT_FINE;
    case AGENT_BAD:
        fprintf(stderr, "granary-agent: %s\ntry: granary-agent --help\n", err.message);
        return AGENT_CANNOT;
    case AGENT_RUN:
        break;
    }

    /* it holds a token, and later keys */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    log_setup(LOG_TEXT, LOG_INFO);
    return agent_run(&options);
}
