#pragma once

#include <stddef.h>

#include "controllers/agent_token.h"

/*
 * What is remembered of many, in bounded room: a place is found by its key, and when its
 * neighbours are all taken, the one that was used least lately goes. For what may be forgotten.
 * One thread at a time.
 */
struct agent_table;

/**
 * @param places  How many there are; a multiple of AGENT_TABLE_WAYS.
 * @param size    Bytes of a value; an empty one is all zeros.
 * @param done    Told of a value that goes; NULL: nobody.
 */
struct agent_table *agent_table_make(size_t places, size_t size, void (*done)(void *value));

/** NULL is fine. */
void agent_table_free(struct agent_table *table);

/** The value of a key, made of zeros when there is none. Valid until the next call. */
void *agent_table_at(struct agent_table *table, const struct agent_key *key);

/* Neighbours among which the least lately used goes. */
#define AGENT_TABLE_WAYS 8
