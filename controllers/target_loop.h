#pragma once

#include "controllers/loops.h"

/**
 * Keeps what follows from annotations as planned: of each target its Repositories and
 * BackupConfigurations. Keys are targets, "group/Kind/namespace/name"; what is wrong with one
 * stands in loops_problems() and in an event on the target. Spec: design, Controllers;
 * stash-behaviour 2.6.
 */
extern const struct loop target_loop;
