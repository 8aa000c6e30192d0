#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/cluster.h"
#include "api/settings.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "kube/catalog.h"

/** Everything that a command reads, once it has read it. */
struct inputs {
    struct catalog_documents given; /* of -f, in order; each namespaced object has a namespace */
    struct catalog_documents known; /* of --catalog */
    struct cluster *cluster;        /* of both: what is given counts before what is known */
    struct settings settings;
    struct text remarks; /* "file:line:column: text", one a line: what YAML readers disagree on */
};

/**
 * Reads all files.
 *
 * @param inputs  {0} before; release with inputs_done().
 * @return        False: "file:line:column: what" of the first file that can not be read.
 */
bool inputs_read(struct inputs *inputs, const struct arguments *arguments,
                 struct error *err) MUST_CHECK;

void inputs_done(struct inputs *inputs);

static inline void auto_inputs(struct inputs *inputs)
{
    inputs_done(inputs);
}

/** The document with this object, given or known, or NULL. @param space "" for cluster-scoped
 *  kinds. */
const struct catalog_document *inputs_find(const struct inputs *inputs, const char *kind,
                                           const char *space, const char *name);

/** "Kind namespace/name" of an object, printable; the caller frees it. */
char *inputs_title(const json_t *object);

/** The API group of an object ("" is the core group). Borrowed. */
struct span inputs_group(const json_t *object);
