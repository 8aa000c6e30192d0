#include "cli/commands.h"

#include <string.h>

#include "cli/adopt.h"
#include "cli/completion.h"
#include "cli/coverage.h"
#include "cli/explain.h"
#include "cli/manual.h"
#include "cli/pause.h"
#include "cli/render.h"
#include "cli/restore.h"
#include "cli/snapshots.h"
#include "cli/status.h"
#include "cli/trigger.h"
#include "cli/unlock.h"
#include "cli/validate.h"

const struct command *const commands[] = {
    &command_status,   &command_coverage, &command_snapshots,  &command_trigger, &command_restore,
    &command_pause,    &command_resume,   &command_unlock,     &command_adopt,   &command_render,
    &command_validate, &command_explain,  &command_completion, &command_manual,  NULL,
};

const char *const commands_sides[SIDES] = {
    [SIDE_CLUSTER] = "in a cluster, with your own rights",
    [SIDE_MANIFESTS] = "about manifests (-f FILE), without a cluster",
    [SIDE_SELF] = "about itself",
};

const char commands_exit[] = "exit: 0 fine, 1 findings, 2 could not run\n";

const struct command *commands_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}
