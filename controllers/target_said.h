#pragma once

#include <stdbool.h>
#include <stdlib.h>

#include "controllers/configuration_next.h"

/** What the loop of targets has to say to a BackupConfiguration about its target. */
struct target_said {
    bool known;      /* else what the configuration shows already still holds */
    enum seen waits; /* its pods are older than the installation, and follow with its owner's next
                        change */
    char *reason, *problem; /* owned; what keeps the target's backups from being as asked for;
                               NULL: nothing */
};

static inline void auto_target_said(struct target_said *said)
{
    free(said->reason);
    free(said->problem);
}
