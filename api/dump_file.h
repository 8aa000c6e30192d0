#pragma once

#include <stdbool.h>

/* Names that dumps of databases have in a snapshot, in its root: those of Stash where it has one,
 * so that what it has backed up comes back. Spec: stash-behaviour 9; docs/databases.md. */
#define DUMP_FILE_SQL "dumpfile.sql"
#define DUMP_FILE_RDB "dumpfile.rdb"

/** True for the path of such a file in a snapshot. Pure. */
bool dump_file_is(const char *path);
