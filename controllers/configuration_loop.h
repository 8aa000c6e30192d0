#pragma once

#include "controllers/loops.h"

/** BackupConfigurations: conditions and phase, the CronJob. Keys: "namespace/name". */
extern const struct loop configuration_loop;
