#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controllers/known.h"

/*
 * Two Repositories that keep their data in one place would each have a ledger of who works there,
 * and each maintain it. So the oldest of those that are written to maintains it, and the others say
 * which one that is. One that only serves restores (nothing writes to it) is none of them. By
 * another address of the same storage a place is not recognised.
 */

/** The condition of those that are not the first; one that stands alone has none, or True. */
#define REPOSITORY_PLACE "RepositoryLocationUnique"

/** What places are found by: equal for two Repositories exactly when they have one place. NULL:
 *  there is none. The caller frees it. Pure. */
char *repository_place_of(const json_t *repository);

/** The one that maintains the place of a Repository, when that is another one; NULL: none. New
 *  reference. */
json_t *repository_place_first(struct known *known, const json_t *repository);

/** The others of its place. New array. */
json_t *repository_place_others(struct known *known, const json_t *repository);

/** True when another one that is written to has its place. */
bool repository_place_is_shared(struct known *known, const json_t *repository);

/**
 * Sets the condition.
 *
 * @param status  Edited in place.
 * @param first   As repository_place_first().
 * @return        The message when there is news: the place is taken, or is so by another one. The
 *                caller frees it. NULL: none. Pure.
 */
char *repository_place_put(json_t *status, const json_t *repository, const json_t *first,
                           int64_t now_s);
