#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A map from text to JSON values of which a changed copy costs what is changed: it is cut into
 * parts by the hash of the keys, and a copy has its own of those only that differ. A map that has
 * been copied is not edited any more, and any thread may read it.
 */

/* Of 10,000 keys, a part has about 80. */
#define SHARED_MAP_PARTS 128

/** {0} is empty. */
struct shared_map {
    json_t *parts[SHARED_MAP_PARTS]; /* objects; NULL: empty */
    bool own[SHARED_MAP_PARTS];      /* not shared with the map that this was copied from */
    size_t size;                     /* keys */
};

void shared_map_done(struct shared_map *map);

/** Fills `map` ({0}) with all that `before` has. */
void shared_map_copy(struct shared_map *map, const struct shared_map *before);

/** NULL when absent. Borrowed. */
const json_t *shared_map_get(const struct shared_map *map, const char *key);

/** Sets one key. The value is stolen; it is not NULL. Returns whether there was another one. */
bool shared_map_put_new(struct shared_map *map, const char *key, json_t *value);

/** Takes one key away; absent is fine. */
void shared_map_remove(struct shared_map *map, const char *key);
