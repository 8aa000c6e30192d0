#include "api/shared_map.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/tree.h"

/* FNV-1a. Whoever chooses keys that all fall into one part makes copies as slow as one map is. */
static size_t part_of(const char *key)
{
    uint32_t hash = 2166136261u;

    for (const char *at = key; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return (hash ^ hash >> 16) % SHARED_MAP_PARTS;
}

/* The part to edit. */
static json_t *own(struct shared_map *map, size_t place)
{
    json_t *shared = map->parts[place];

    if (map->own[place])
        return shared;
    map->parts[place] = shared ? json_copy(shared) : json_object();
    if (!map->parts[place])
        abort();
    map->own[place] = true;
    json_decref(shared);
    return map->parts[place];
}

void shared_map_done(struct shared_map *map)
{
    for (size_t i = 0; i < SHARED_MAP_PARTS; i++)
        json_decref(map->parts[i]);
    *map = (struct shared_map){0};
}

void shared_map_copy(struct shared_map *map, const struct shared_map *before)
{
    for (size_t i = 0; i < SHARED_MAP_PARTS; i++)
        map->parts[i] = json_incref(before->parts[i]);
    map->size = before->size;
}

const json_t *shared_map_get(const struct shared_map *map, const char *key)
{
    return map->size ? tree_get(map->parts[part_of(key)], key) : NULL;
}

bool shared_map_put_new(struct shared_map *map, const char *key, json_t *value)
{
    json_t *part = own(map, part_of(key));
    size_t before = json_object_size(part);

    tree_put_new(part, key, value);

    bool added = json_object_size(part) > before;

    map->size += added;
    return !added;
}

void shared_map_remove(struct shared_map *map, const char *key)
{
    size_t place = part_of(key);

    if (!tree_get(map->parts[place], key))
        return;
    json_object_del(own(map, place), key);
    map->size--;
}
