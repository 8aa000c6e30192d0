#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The finalizers that Stash has left on objects: without a Stash that takes them off nothing that
 * carries one could ever be deleted, nor its namespace. granary has none of its own. Pure. Spec:
 * stash-behaviour 11, 7; design, Going away.
 */

/** An object that is being deleted keeps it so long: whoever it belongs to may still be there
 *  without being seen, or comes back after a restart. Longer where Stash is seen. */
#define STASH_FINALIZER_WAIT_S 60
#define STASH_FINALIZER_SEEN_WAIT_S 600

struct stash_finalizer_seen {
    const json_t *object; /* a Repository, BackupConfiguration or RestoreSession. Borrowed */
    bool stash;           /* Stash is installed, or nobody knows: it is only taken over */
    bool tried;           /* it was taken off this object before, and came back */
    int64_t now_s;
};

#define STASH_FINALIZER_RESTS (-1)

/** Seconds until it is to be taken off, 0: now; STASH_FINALIZER_RESTS: it is not. From objects that
 *  nobody deletes only while there is no Stash, and once: who puts it back wants it there. */
int64_t stash_finalizer_due_s(const struct stash_finalizer_seen *seen);

/** True when the object carries one. */
bool stash_finalizer_is_on(const json_t *object);

/** The finalizers that are left without it. New reference. */
json_t *stash_finalizer_others(const json_t *object);
