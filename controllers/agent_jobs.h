#pragma once

#include "controllers/agent_job.h"

/*
 * The threads that carry requests out, so that whoever talks to agents never waits. What an agent
 * at work says goes first; and claims never have all threads, however many come at once.
 */
struct agent_jobs;

/**
 * @param side  Borrowed until the stop.
 * @param wake  An eventfd that is written to when something is done. Borrowed.
 * @return      NULL: there are no threads.
 */
struct agent_jobs *agent_jobs_start(struct agent_side *side, int wake,
                                    struct error *err) MUST_CHECK;

/** Hands a request over; it comes back by agent_jobs_done(). Any thread. */
void agent_jobs_add(struct agent_jobs *jobs, struct agent_job *job);

/** What is done since the last time, a list by `next`; or NULL. */
struct agent_job *agent_jobs_done(struct agent_jobs *jobs);

/** Waits until all that was added is done, and ends the threads; more is refused at once. */
void agent_jobs_finish(struct agent_jobs *jobs);

/** Frees, after the finish. NULL is fine. */
void agent_jobs_free(struct agent_jobs *jobs);
