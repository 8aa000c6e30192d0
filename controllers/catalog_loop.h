#pragma once

#include "controllers/loops.h"

/*
 * The Functions and Tasks that the image carries are applied, once for each release; what somebody
 * else made of one, or under the name of one, is his, and is said. Those of loops_functions(); what
 * a release does not carry any more stays. A key is "Function/name" or "Task/name".
 */
extern const struct loop catalog_loop;
