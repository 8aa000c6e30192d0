#pragma once

#include <jansson.h>

/*
 * The Functions and Tasks that come with granary, and what stands in the cluster under their names.
 * Pure.
 */

enum catalog_state {
    CATALOG_ABSENT,  /* to be made */
    CATALOG_OLDER,   /* made from another release, or by kubectl: to be applied, by no force */
    CATALOG_CURRENT, /* made from this one; what somebody added is his */
    CATALOG_EDITED,  /* the same, but somebody changed what we state: his */
    CATALOG_FOREIGN, /* without our label: somebody else's, such as Stash's */
};

/** What is to be applied: an object of the catalog, with the hash of what it states. New reference.
 */
json_t *catalog_intent(const json_t *object);

/** @param found  NULL: there is none. */
enum catalog_state catalog_state(const json_t *found, const json_t *intent);
