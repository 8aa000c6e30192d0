#pragma once

#include "agent/restic.h"

/*
 * Hooks: what is asked of the application before and after the work. Spec: docs/hooks.md.
 */

/** Runs the hook before the work, if there is one. False: it failed, run->failure says why. */
bool hook_before(struct run *run, struct message_report *report) MUST_CHECK;

/**
 * Runs the hook after the work, when its policy wants that.
 *
 * @param good  The work succeeded.
 * @return      False: it failed. Of work that succeeded it becomes the failure; to another failure
 *              it is added.
 */
bool hook_after(struct run *run, struct message_report *report, bool good) MUST_CHECK;
