#pragma once

#include "agent/options.h"

/* Files of a dump of etcd. The first is named as Stash names it. */
#define ETCD_SNAPSHOT_FILE "snapshot.db"
#define ETCD_FACTS_FILE "etcd.json"

/**
 * `granary-agent etcd-backup`: the first step of the Task of that name. It leaves a proven snapshot
 * in the folder of the dump, or output.json says why not; the step behind it reports both. Spec:
 * docs/etcd.md.
 *
 * @param argv  From the word "etcd-backup" on.
 */
enum agent_exit etcd_backup_main(int argc, char **argv);

/** `granary-agent etcd-wait`: until all members of an etcd that was restored are healthy, and each
 *  has what was restored. @param argv  From the word "etcd-wait" on. */
enum agent_exit etcd_wait_main(int argc, char **argv);
