#pragma once

#include "agent/options.h"

/**
 * `granary-agent etcd-restore`: makes a member's data dir of a snapshot, or brings back what was
 * there before, on a machine without Kubernetes. Spec: docs/etcd.md.
 *
 * @param argv  From the word "etcd-restore" on.
 */
enum agent_exit etcd_restore_main(int argc, char **argv);
