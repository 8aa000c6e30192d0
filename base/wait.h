#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** Makes an eventfd readable, for whoever polls it. */
void wait_raise(int event_fd);

/* Conditions whose deadlines are of clock_mono_ms(), so that no change of the wall clock moves
 * them. */

/** A deadline that never comes. */
#define WAIT_FOREVER INT64_MAX

/** Prepares a condition for wait_on(). To be ended by pthread_cond_destroy(). */
void wait_prepare(pthread_cond_t *condition);

/**
 * Waits, with the mutex held, as pthread_cond_wait(3): also without cause.
 *
 * @param until_ms  Of clock_mono_ms(), or WAIT_FOREVER.
 * @return          False when that time has passed.
 */
bool wait_on(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ms);
