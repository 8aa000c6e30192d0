#pragma once

#include "controllers/loops.h"
#include "tests/unit/controllers/fake_cluster.h"

/* A leader with some of his loops, before an API server that keeps objects. */
struct stand {
    struct fake_cluster *cluster;
    struct settings_store *settings; /* by default */
    struct loops *loops;             /* NULL: nobody leads */
    const char *functions;           /* see struct loops_options; NULL: none */
    int64_t bare_ms;                 /* likewise; 0: as usual */
};

/** A cluster without objects, in which nobody leads yet. */
void stand_prepare(struct stand *stand);

/** The same over a cluster that stays the caller's: stand_leave() ends it. */
void stand_over(struct stand *stand, struct fake_cluster *cluster);

/** A leader begins, in the place of the one before. `table` ends with NULL and is kept. */
void stand_lead(struct stand *stand, const struct loop *const *table);

/** The leader ends. */
void stand_stop(struct stand *stand);

void stand_leave(struct stand *stand);
void stand_done(struct stand *stand);

/** Puts an object there: JSON with single quotes. */
void stand_put(const struct stand *stand, const char *path, const char *row);
void stand_put_namespace(const struct stand *stand, const char *name);

/** The object at a path has these values, by path with dots; NULL: there is none. */
bool stand_has(const struct stand *stand, const char *path, const char *row);

/** Until it has them. */
void stand_await(const struct stand *stand, const char *path, const char *row);

/** Loop `number` of the table takes so many more steps, after which all of them are idle. */
void stand_look_again(const struct stand *stand, size_t number, int64_t steps);

/** That, and nothing comes of it. */
void stand_must_rest(const struct stand *stand, size_t number, int64_t steps);
