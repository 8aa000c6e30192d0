#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controllers/bare_claim.h"
#include "controllers/configuration_next.h"
#include "controllers/target_next.h"

/*
 * What the loop of targets remembers between its steps, by key, a target's
 * "group/Kind/namespace/name". Losing it costs a look or a write that changes nothing. Any thread.
 */
struct target_memory;

struct target_memory *target_memory_make(void);
void target_memory_free(struct target_memory *memory);

/** The target is gone, or ours no more. What it took stays taken for a while. */
void target_memory_forget(struct target_memory *memory, const char *key);

/* ---- what was decided from ---- */

/** True when there was nothing more to do about what has this digest. */
bool target_memory_is_settled(struct target_memory *memory, const char *key, const char *digest);

/** @param digest  NULL: it has to be decided anew. */
void target_memory_settle(struct target_memory *memory, const char *key, const char *digest);

/** The whole object as it was read last, while something is to be done about it; NULL: not known.
 *  New reference. */
json_t *target_memory_whole(struct target_memory *memory, const char *key);

/** @param whole  Borrowed, kept without managedFields; NULL: it has to be read anew. */
void target_memory_keep_whole(struct target_memory *memory, const char *key, const json_t *whole);

/* ---- what was written ---- */

/* Until what we wrote is seen in the watch. */
#define TARGET_SEEN_MS 1000

/**
 * Takes the name of an object, and of a Repository the place of its data, for a target: two that
 * want the same see each other's objects too late.
 *
 * @return  NULL: both are its own; else whose they are, for the caller to free.
 */
char *target_memory_take(struct target_memory *memory, const char *key, const json_t *object);

/** True when the watch has not brought yet what was written a moment ago. */
bool target_memory_is_on_its_way(struct target_memory *memory, const char *key,
                                 const struct target_write *write);

void target_memory_note_written(struct target_memory *memory, const char *key,
                                const struct target_write *write);

/* ---- what is said of it ---- */

/** Its pods wait for their owner, or not. True when that is new. */
bool target_memory_say_waits(struct target_memory *memory, const char *key, bool waits);

/** SEEN_UNKNOWN: nobody has said it yet. */
enum seen target_memory_waits(struct target_memory *memory, const char *key);

/** The BackupConfiguration ("namespace/name") that stands in its way, made by hand; NULL: none.
 *  True when that is new, also that nobody knew. */
bool target_memory_say_way(struct target_memory *memory, const char *key, const char *way);

/** True when target_memory_say_way() was asked about it since it came. */
bool target_memory_is_looked_at(struct target_memory *memory, const char *key);

/** Appends the configurations that stand in its way, and did so before. */
void target_memory_ways(struct target_memory *memory, const char *key, json_t *list);

/** The target in whose way a configuration stands; NULL: none. The caller frees it. */
char *target_memory_hindered(struct target_memory *memory, const char *configuration);

/* ---- claims ---- */

/** Who uses the claims of a namespace, as it was read of late while it had these workloads; false:
 *  not known. @param users  {0} before. */
bool target_memory_users(struct target_memory *memory, const char *space, const char *workloads,
                         int64_t max_age_ms, struct claim_users *users);
void target_memory_keep_users(struct target_memory *memory, const char *space,
                              const char *workloads, const struct claim_users *users);

/** Milliseconds since a claim was first seen without a pod, 0: just now. `unused` false: one has
 *  it. */
int64_t target_memory_unused_ms(struct target_memory *memory, const char *key, bool unused);

/* ---- stamps ---- */

/** How often a stamp for this cause had no effect. */
int64_t target_memory_tries(struct target_memory *memory, const char *key, const char *cause);

/** One more; `cause` NULL: it had an effect. Returns the number of tries. */
int64_t target_memory_note_stamp(struct target_memory *memory, const char *key, const char *cause);

/** Milliseconds until a stamp is allowed; 0: now, and that counts as one. All stamps together are
 *  held back, since each restarts pods. */
int64_t target_memory_stamp_due_ms(struct target_memory *memory, int64_t per_minute);
