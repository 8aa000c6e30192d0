#pragma once

#include "agent/options.h"
#include "agent/restic.h"

/*
 * Backs up what a command writes that the controller runs in the application's own pod: restic
 * calls our helper, which asks for the stream and passes it on, and which ends well only when the
 * trailer has proven all of it. Without that restic makes no snapshot. Edge.
 */

/** Takes one snapshot, proven and listed; a stream that was cut is asked for again. */
bool stream_backup(struct run *run, struct message_report *report, struct words *kept) MUST_CHECK;

/** The first word of the helper. */
#define STREAM_VERB "stream-dump"

/** The helper. @param argv  From its first word on. */
enum agent_exit stream_main(int argc, char **argv);
