#pragma once

#include "agent/restic.h"

/* What was chosen, beside what was fetched: {snapshot, time, newest, newestTime}. */
#define ETCD_CHOSEN_FILE "chosen.json"

/**
 * Takes the dump of an etcd out of the repository, into the folder of the options.
 *
 * @return  False: run->failure is set.
 */
bool etcd_fetch_do(struct run *run) MUST_CHECK;
