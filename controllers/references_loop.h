#pragma once

#include "controllers/loops.h"

/** Repositories: who refers to them. Keys: "namespace/name". */
extern const struct loop references_loop;
