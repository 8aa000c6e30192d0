#pragma once

#include <stdlib.h>

#include "api/annotation.h"
#include "controllers/loops.h"
#include "controllers/target_memory.h"

/* What the files of the loop of targets share; for them alone. */

/* What others stand in the way of is looked at again after so long: their going has no key here. */
#define TARGET_BLOCKED_MS 60000

/** One step under way. */
struct targeting {
    struct loops *loops;
    struct target_memory *memory;
    const char *key;
    enum known_kind kind;
    char *space, *name;              /* owned */
    json_t *seen;                    /* owned: metadata as watched, NULL: gone */
    json_t *configurations;          /* owned: that are about it */
    json_t *restores;                /* owned: RestoreSessions likewise */
    json_t *repositories;            /* owned: likewise */
    const struct cluster *cluster;   /* owned */
    const struct settings *settings; /* owned */
    struct annotations annotations;
    const char *named[BLUEPRINTS_MAX + 1]; /* blueprints that are asked for; ends with NULL */
};

/** Tells an event about the target, while it is there. */
void target_tell(const struct targeting *targeting, bool warning, const char *reason,
                 const char *note);

/** Keeps what is wrong, and tells it when that is news. `reason` NULL: all is well. */
void target_blame(const struct targeting *targeting, const char *reason, const char *problem);

/** True when one of the BackupConfigurations that are about it is ours. */
bool target_is_backed_up(const struct targeting *targeting);

/** True when only the label of its namespace asks for a backup of this claim. */
bool target_is_labelled_claim(const struct targeting *targeting);

/** Appends which workloads its namespace has, in which generation: with others, who uses a claim is
 *  asked again. */
void target_write_workloads(const struct targeting *targeting, struct text *out);

/**
 * Whether such a claim is a bare one.
 *
 * @param whole  As it was read.
 * @param bare   Set, but for a failure.
 * @return       As a step: when to look again.
 */
int64_t target_bare(const struct targeting *targeting, const json_t *whole, bool *bare,
                    struct error *err);

/** What is wrong about a target at the end of a step. */
struct target_trouble {
    const char *reason; /* static; NULL: nothing */
    char *problem;      /* owned */
    bool stays;         /* not known: what was said before still holds */
};

static inline void auto_target_trouble(struct target_trouble *trouble)
{
    free(trouble->problem);
}

/**
 * Has admission look at a workload once more, when it was missed or its reason is not on the
 * workload itself. Says whether its pods wait for its owner.
 *
 * @param whole    As it was read.
 * @param trouble  What came of it instead of what it says; untouched when all is well.
 * @return         As a step.
 */
int64_t target_stamp(const struct targeting *targeting, const json_t *whole,
                     struct target_trouble *trouble, struct error *err);
