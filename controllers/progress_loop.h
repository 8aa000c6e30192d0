#pragma once

#include "api/agent_messages.h"
#include "controllers/loops.h"

/* The loop that shows progress in statuses: one key for each session, its UID. */
extern const struct loop progress_loop;

/** Takes what an agent says of its work. Any thread, waits for nothing; where there is no such
 *  loop: nothing happens. */
void progress_loop_note(struct loops *loops, const struct message_progress *message);
