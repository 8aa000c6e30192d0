#pragma once

#include <jansson.h>

/*
 * Who refers to a Repository: status.references. Pure. Spec: stash-behaviour 1.7 and 3.4.
 */

/* References that are kept: what the CRD takes. */
#define REFERENCES_MAX 10000u

/** What refers to it; lists of whole objects. Borrowed. */
struct references_seen {
    const json_t *configurations; /* BackupConfigurations */
    const json_t *restores;       /* RestoreSessions */
};

/**
 * The status that follows: the list is made anew of what there is, in the order of kind, namespace
 * and name; those of other kinds, which somebody else wrote, stay in front. The rest of the status
 * stays as it is.
 *
 * @param status  As it is; NULL and odd shapes are an empty one. Borrowed.
 * @return        New reference. Equal to `status` when there is nothing to write.
 */
json_t *references_status(const struct references_seen *seen, const json_t *status);
