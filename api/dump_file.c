#include "api/dump_file.h"

#include <stddef.h>
#include <string.h>

bool dump_file_is(const char *path)
{
    static const char *const paths[] = {"/" DUMP_FILE_SQL, "/" DUMP_FILE_RDB};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return false;
}
