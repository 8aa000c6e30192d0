#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

/*
 * What the steps of a Task leave for the last one, `update-status`, which uploads it: a folder, and
 * beside it output.json as Stash's addons write it. Spec: stash-behaviour 5.3; docs/jobs.md.
 */

/* Bytes of output.json. */
#define DUMP_OUTPUT_MAX_BYTES (256u << 10)

/** A dump. Release with dump_done(). */
struct dump {
    char *path;       /* folder to be uploaded; NULL when there is an error */
    char error[1024]; /* why there is none; "": there is */
    json_t *facts;    /* {etcd: {...}} that stand in the status, or NULL */
};

void dump_done(struct dump *dump);

static inline void auto_dump(struct dump *dump)
{
    dump_done(dump);
}

/**
 * What output.json says, with the folder of the Task for a step that names none.
 *
 *   {"targetStatus": {"stats": [{"hostname", "phase", "error"}]}, "dump": {"path", "etcd"}}
 *
 * @param text    The file; absent: no step wrote one, which is no failure.
 * @param folder  INTERIM_DATA_DIR.
 * @param scratch Mount of the scratch volume: a path lies below it or below the interim volume.
 * @return        False with ERROR_INVALID: no JSON, or a path somewhere else.
 */
bool dump_read(struct span text, const char *folder, const char *scratch, struct dump *dump,
               struct error *err) MUST_CHECK;

/** Reads it from the folder of output, and looks whether there is something in the dump's. */
void dump_look(const char *output, const char *folder, const char *scratch, struct dump *dump);

/** Writes output.json of a step: phase Failed with an error, else Succeeded. @param dump Stolen. */
bool dump_tell_new(const char *output, const char *host, const char *error, json_t *dump,
                   struct error *err) MUST_CHECK;
