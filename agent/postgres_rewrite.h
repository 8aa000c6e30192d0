#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "agent/lines.h"
#include "base/span.h"
#include "base/text.h"

/*
 * What a dump of PostgreSQL says, as it is said to a server that is not new: roles that are there
 * are not made again, who restores keeps his own password, databases that may be replaced are
 * removed first. Pure. Spec: docs/databases.md.
 */

struct postgres_rewrite {
    const json_t *roles; /* {"name as SQL has it": true} that are there; borrowed */
    const char *own;     /* who restores, likewise */
    int server;          /* server_version_num, 150018 */
    bool clears;         /* what the database postgres holds goes */
    /* how far it is */
    struct lines lines;
    struct text *out;
    bool copy, in_rows, names_database;
};

void postgres_rewrite_done(struct postgres_rewrite *rewrite);

/** Appends to rewrite->out what is to be said for the next bytes. */
void postgres_rewrite_add(struct postgres_rewrite *rewrite, struct span piece);

/** At the end of all. */
void postgres_rewrite_end(struct postgres_rewrite *rewrite);

/** Appends what removes all schemas of a database. */
void postgres_clear(struct text *out, int server);
