#pragma once

#include <stdint.h>

#include "agent/database.h"
#include "agent/options.h"

/*
 * The step of a Task that dumps or restores a database: it claims its work like any step, and calls
 * restic with itself as the program whose output is backed up. So the dump goes through one pipe
 * into the repository, and restic makes no snapshot unless all of it was proven.
 */

enum database_verb {
    DATABASE_BACKUP,  /* the step itself */
    DATABASE_RESTORE, /* likewise */
    DATABASE_CHECK,   /* its helpers: waits until the database answers; */
    DATABASE_READY,   /* until its server does, which need not have that database yet; */
    DATABASE_DUMP,    /* writes a dump to standard output; */
    DATABASE_LOAD     /* gives the database the dump that restic writes */
};

/** All strings belong to argv. */
struct database_options {
    enum database_verb verb;
    const struct database_kind *kind;
    struct database_wish wish;
    int64_t wait_s;
    const char *tools, *secrets, *scratch, *restic, *identity;
    char **words; /* behind the verb, up to "--": helpers get the same */
    int word_count;
    char **behind; /* what is behind "--", ended by NULL: words of restic, for DATABASE_LOAD */
};

/** True for the first word of one of these. */
bool database_is_verb(const char *word);

/** @param argv  From the verb on. */
enum agent_exit database_main(int argc, char **argv);

/** The verb's word. */
const char *database_verb_word(enum database_verb verb);

/** Runs a helper: 0 when all went well; else why not is in its result file. */
enum agent_exit database_help(const struct database_options *options);

/** {"facts": {...}} or {"reason", "message"}: what a helper came to. Heap string: its path. */
char *database_result_path(const char *scratch);
