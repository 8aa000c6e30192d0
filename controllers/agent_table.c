#include "controllers/agent_table.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct place {
    struct agent_key key;
    uint64_t used; /* 0: free */
};

struct agent_table {
    size_t sets, size;
    uint64_t turn;
    void (*done)(void *value);
    struct place *places;
    char *values;
};

struct agent_table *agent_table_make(size_t places, size_t size, void (*done)(void *value))
{
    struct agent_table *table = text_alloc(sizeof *table);

    assert(places > 0 && places % AGENT_TABLE_WAYS == 0);
    *table = (struct agent_table){
        .sets = places / AGENT_TABLE_WAYS,
        .size = size,
        .done = done,
        .places = text_alloc(places * sizeof *table->places),
        .values = text_alloc(places * size),
    };
    return table;
}

static void *value_of(const struct agent_table *table, size_t place)
{
    return table->values + place * table->size;
}

static void empty(struct agent_table *table, size_t place)
{
    if (table->places[place].used && table->done)
        table->done(value_of(table, place));
    memset(value_of(table, place), 0, table->size);
    table->places[place] = (struct place){.used = 0};
}

void agent_table_free(struct agent_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->sets * AGENT_TABLE_WAYS; i++)
        empty(table, i);
    free(table->places);
    free(table->values);
    free(table);
}

/* Keys are hashes: any of their bytes are as good as others. */
static size_t first_of(const struct agent_table *table, const struct agent_key *key)
{
    uint64_t number;

    memcpy(&number, key->bytes, sizeof number);
    return (size_t)(number % table->sets) * AGENT_TABLE_WAYS;
}

void *agent_table_at(struct agent_table *table, const struct agent_key *key)
{
    size_t first = first_of(table, key), oldest = first;

    for (size_t i = first; i < first + AGENT_TABLE_WAYS; i++) {
        struct place *place = &table->places[i];

        if (place->used && memcmp(&place->key, key, sizeof *key) == 0) {
            place->used = ++table->turn;
            return value_of(table, i);
        }
        if (place->used < table->places[oldest].used)
            oldest = i;
    }
    empty(table, oldest);
    table->places[oldest] = (struct place){*key, ++table->turn};
    return value_of(table, oldest);
}
