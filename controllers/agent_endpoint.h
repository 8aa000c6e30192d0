#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kube/resource.h"

/*
 * EndpointSlice granary-agents-ipv4 or -ipv6: the one address behind the Service that agents ask,
 * which is the leader's. The Service has no selector, so nobody else writes it. Pure.
 */

extern const struct kube_resource agent_endpoint_resource;

/** Who is to stand there. */
struct agent_endpoint {
    const char *space, *ip; /* an IPv4 or IPv6 address */
    int port;
};

/** Its name, by the family: a slice has one, for ever. Static. */
const char *agent_endpoint_name(const struct agent_endpoint *endpoint);

/** True for what can stand in a slice: an address of a network, not of this machine alone. */
bool agent_endpoint_possible(const char *ip);

/** The object. New reference. */
json_t *agent_endpoint_object(const struct agent_endpoint *endpoint);

/** True when a slice says so. */
bool agent_endpoint_stands(const struct agent_endpoint *endpoint, const json_t *slice);

/** A JSON patch that makes it say so, of the state that was read and of no other. New reference. */
json_t *agent_endpoint_patch(const struct agent_endpoint *endpoint, const json_t *slice);
