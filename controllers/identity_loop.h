#pragma once

#include "controllers/loops.h"

/**
 * ConfigMap granary-agent in each namespace where a pod of ours may run: the CAs and addresses of
 * the agent API, as they stand in that of our own namespace. A namespace that needs it no more
 * keeps it; nothing secret is in it.
 */
extern const struct loop identity_loop;
