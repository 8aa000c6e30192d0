#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** Where a value stands in a file: line and column from 1. */
struct yaml_place {
    unsigned line, column;
};

struct yaml_index; /* pointer -> place, of one document */

/** One document of a file. */
struct yaml_document {
    json_t *value;            /* owned */
    struct yaml_place place;  /* where the document's first value stands */
    struct yaml_index *index; /* owned; places of all values inside */
};

/** All documents of a file, empty ones left out. */
struct yaml {
    struct yaml_document *documents;
    size_t count;
};

/**
 * Reads YAML (and so JSON) as Kubernetes' tools do: core schema of YAML 1.2, several documents.
 * Refused with place: aliases and anchors, tags other than the core ones, merge keys, duplicate
 * keys, keys that are no strings (numbers, booleans and null written plain are refused as keys, not
 * renamed), tabs as indentation, more than YAML_MAX_DEPTH levels (checked before libyaml sees the
 * text), YAML_MAX_NODES nodes or YAML_MAX_BYTES bytes, NUL, bad UTF-8, integers beyond int64.
 * Plain `yes`, `no`, `on`, `off` are strings and raise a warning finding, since kubectl (YAML 1.1)
 * reads them as booleans.
 *
 * @param yaml      {0} before; filled in. Release with yaml_done().
 * @param text      Borrowed.
 * @param warnings  One line per remark, "line:column: text\n"; may be NULL.
 * @return          False: ERROR_INVALID or ERROR_TOO_LARGE, message "line:column: what".
 *
 * Spec: YAML 1.2.2 chapter 10.3; catalogue Y1 to Y8.
 */
bool yaml_read(struct yaml *yaml, struct span text, struct text *warnings,
               struct error *err) MUST_CHECK;

void yaml_done(struct yaml *yaml);

static inline void auto_yaml(struct yaml *yaml)
{
    yaml_done(yaml);
}

/** Where the value named by a JSON pointer stands; of the nearest ancestor when it has no entry. */
struct yaml_place yaml_locate(const struct yaml_document *document, const char *pointer);

/**
 * Appends a tree as YAML, block style, two blanks, keys in the order of the tree except that
 * apiVersion, kind, metadata, spec come first and status last; strings quoted where YAML 1.1 or 1.2
 * would read anything else; control characters escaped. Ends with a newline. Reading it back gives
 * an equal tree.
 */
void yaml_write(struct text *out, const json_t *tree);
