#pragma once

#include "controllers/desk.h"
#include "controllers/loops.h"

/*
 * The loop of sessions: one key for each target, so that of all that wants to work on it one step
 * is taken at a time; and one for each BackupSession whose target nobody knows any more.
 */
extern const struct loop session_loop;

/** Who answers agents, as long as the loops live; NULL: there is no cluster. */
struct desk *session_loop_desk(struct loops *loops);

/** Who is to be told that something has changed that agents wait for: agent_api_wake(). NULL:
 * nobody any more; then he is not inside of it either. */
void session_loop_attend(struct loops *loops, void (*wake)(void *context), void *context);

/** Has agents that wait asked for again: something that they wait for is free now. Any thread. */
void session_loop_wake(struct loops *loops);
