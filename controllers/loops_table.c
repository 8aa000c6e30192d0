#include "controllers/loops_table.h"

#include "controllers/target_loop.h"

const struct loop *const loops_table[] = {
    &target_loop,
    NULL,
};
