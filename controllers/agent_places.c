#include "controllers/agent_places.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* There are as many addresses as connections at most. */
#define CHAINS 4096u

struct agent_places {
    struct agent_place *chains[CHAINS];
};

struct agent_places *agent_places_make(void)
{
    return text_alloc(sizeof(struct agent_places));
}

void agent_places_free(struct agent_places *places)
{
    if (!places)
        return;
    for (size_t i = 0; i < CHAINS; i++)
        while (places->chains[i]) {
            struct agent_place *place = places->chains[i];

            places->chains[i] = place->next;
            free(place);
        }
    free(places);
}

static void bytes_of(const struct sockaddr_storage *address, unsigned char bytes[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    memset(bytes, 0, 16);
    if (address->ss_family == AF_INET) {
        struct sockaddr_in four;

        memcpy(&four, address, sizeof four);
        memcpy(bytes, mapped, sizeof mapped);
        memcpy(bytes + 12, &four.sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 six;

        memcpy(&six, address, sizeof six);
        memcpy(bytes, &six.sin6_addr, 16);
    }
}

/* FNV-1a: who can choose many addresses here owns the network anyway. */
static struct agent_place **chain_of(struct agent_places *places, const unsigned char bytes[16])
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < 16; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return &places->chains[hash % CHAINS];
}

struct agent_place *agent_places_enter(struct agent_places *places,
                                       const struct sockaddr_storage *address, size_t max)
{
    unsigned char bytes[16];
    struct agent_place **chain, *place;

    bytes_of(address, bytes);
    chain = chain_of(places, bytes);
    for (place = *chain; place && memcmp(place->address, bytes, 16) != 0;)
        place = place->next;
    if (place && place->count >= max)
        return NULL;
    if (!place) {
        place = text_alloc(sizeof *place);
        memcpy(place->address, bytes, 16);
        place->next = *chain;
        *chain = place;
    }
    place->count++;
    return place;
}

void agent_places_leave(struct agent_places *places, struct agent_place *place)
{
    struct agent_place **at = chain_of(places, place->address);

    if (--place->count > 0)
        return;
    while (*at != place)
        at = &(*at)->next;
    *at = place->next;
    free(place);
}

struct agent_key agent_place_key(const struct agent_place *place)
{
    return agent_key_of((struct span){(const char *)place->address, sizeof place->address});
}
