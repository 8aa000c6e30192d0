#include "controllers/loops_table.h"

const struct loop *const loops_table[] = {
    NULL,
};
