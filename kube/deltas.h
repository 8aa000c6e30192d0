#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/store.h"

/*
 * Changes on their way to the handlers, in order. Several of one object (by uid) become one that
 * leads from the first state to the last, at the place of the first: so what waits is bounded by
 * the objects that there are, however slow a handler is, and whoever follows the changes has the
 * store's state at the end. Pure; one thread at a time. Spec: catalogue W16, Q5, Q7.
 */
struct deltas;

struct delta {
    size_t kind;                /* number of the kind */
    struct store_change change; /* owned; both NULL: all that stood in the kind's list was told */
    bool doubtful;              /* the server had gone back before */
};

void delta_done(struct delta *delta);

static inline void auto_delta(struct delta *delta)
{
    delta_done(delta);
}

struct deltas *deltas_make(void);
void deltas_free(struct deltas *deltas);

/** @param change  Its references are shared. Both NULL: a mark, which is never merged. */
void deltas_add(struct deltas *deltas, size_t kind, const struct store_change *change,
                bool doubtful);

/** The next one. False when there is none. @param delta  Release with delta_done(). */
bool deltas_take(struct deltas *deltas, struct delta *delta);

size_t deltas_count(const struct deltas *deltas);
