#pragma once

#include <stddef.h>
#include <sys/socket.h>

#include "controllers/agent_token.h"

/* Connections of each address. One thread at a time. */
struct agent_places;

/** One address that has connections. */
struct agent_place {
    unsigned char address[16]; /* IPv4 as IPv6 has it: ::ffff:a.b.c.d */
    size_t count;
    struct agent_place *next;
};

struct agent_places *agent_places_make(void);

/** NULL is fine. */
void agent_places_free(struct agent_places *places);

/** One more connection of an address; NULL when it has `max` already. To be given back. */
struct agent_place *agent_places_enter(struct agent_places *places,
                                       const struct sockaddr_storage *address, size_t max);
void agent_places_leave(struct agent_places *places, struct agent_place *place);

/** What stands for the address where failures are counted. */
struct agent_key agent_place_key(const struct agent_place *place);
