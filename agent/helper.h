#pragma once

#include <limits.h>

#include "agent/restic.h"

/*
 * Processes of our own program beside or below restic: what they came to is in a file, as
 * {"facts": {...}} or {"reason", "message"}. Edge.
 */

/** Our program, by the path that it has for others, too. False: run->failure is set. */
bool helper_program(struct run *run, char path[PATH_MAX]) MUST_CHECK;

/** Tells it: without `reason` that all went well. False: errno says why not. */
bool helper_tell(const char *path, const json_t *facts, const char *reason,
                 const char *message) MUST_CHECK;

/** Takes away what was told before. */
void helper_forget(const char *path);

/**
 * Judges what ran: what a helper says counts before what restic says of it, unless that was told to
 * end. Its facts are added to run->facts.
 *
 * @param path   Of the file.
 * @param doing  "the dump", for the sentence.
 * @return       False: run->failure is set, with the helper's word if it is a known one.
 */
bool helper_judge(struct run *run, const char *path, const struct output *output,
                  const char *doing) MUST_CHECK;

/* The word of a helper whose stream ended before its trailer: another try may go better. */
#define STREAM_CUT_REASON "StreamCut"
