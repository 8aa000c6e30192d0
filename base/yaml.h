#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** Where something stands in a file: line and column from 1, the column in characters. */
struct yaml_place {
    unsigned line, column;
};

struct yaml_index; /* the place of every value of one document */

/** One document of a file. */
struct yaml_document {
    json_t *value;            /* owned */
    struct yaml_place place;  /* where the document's first value stands */
    struct yaml_index *index; /* owned; as the text was, whatever is done to `value` later */
};

/** All documents of a file, empty ones left out. */
struct yaml {
    struct yaml_document *documents;
    size_t count;
};

/**
 * Reads YAML (and so JSON) as Kubernetes' tools do: core schema of YAML 1.2, several documents, a
 * byte order mark of UTF-8 in front is skipped.
 *
 * Refused with place: aliases and anchors, tags other than the core ones, merge keys, duplicate
 * keys, keys that are no strings (numbers, booleans and null written plain are refused as keys, not
 * renamed), tabs as indentation, more than YAML_MAX_DEPTH levels, YAML_MAX_NODES nodes or
 * YAML_MAX_BYTES bytes, bad UTF-8 and other encodings, control characters (NUL may be written as
 * "\0" in a value, not in a key), the line breaks of YAML 1.1 (U+0085, U+2028, U+2029; their
 * escapes are fine), integers beyond int64, infinity and NaN. Work is bounded for every text: it
 * ends at the first level too deep, and libyaml looks at most 1,024 characters ahead.
 *
 * Where kubectl (YAML 1.1) reads something else there is a warning: plain `yes`, `no`, `on`, `off`,
 * `y`, `n` and numbers such as `1_000` or `0b11` stay strings. One thing is read as kubectl does,
 * since file modes are written so: `0644` is octal (420), with a warning too.
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

/** Releases one document; empty afterwards. */
void yaml_document_done(struct yaml_document *document);

static inline void auto_yaml_document(struct yaml_document *document)
{
    yaml_document_done(document);
}

/**
 * Where the value named by a JSON pointer stands: a member where its key begins, a list element
 * where its value begins. What has no place of its own (an absent field) is at its nearest
 * ancestor; a malformed pointer is at the document's place.
 *
 * Spec: RFC 6901.
 */
struct yaml_place yaml_locate(const struct yaml_document *document, const char *pointer);

/**
 * The same for a path as Kubernetes writes it in field errors: members after dots, list elements
 * as [0], keys that hold dots in brackets too, such as
 * metadata.annotations[stash.appscode.com/schedule].
 */
struct yaml_place yaml_locate_field(const struct yaml_document *document, const char *field);

/**
 * Takes the list in a top-level member apart: `{kind: List, items: [...]}` becomes its items, each
 * a document of its own with its places.
 *
 * @param out  {0} before; filled in, empty when there is no such list. The values are shared with
 *             `document`.
 */
void yaml_elements(const struct yaml_document *document, const char *key, struct yaml *out);

/**
 * Appends a tree as YAML, block style, two blanks, keys in the order of the tree except that
 * apiVersion, kind, metadata, spec come first and status last; strings quoted where YAML 1.1 or 1.2
 * would read anything else; control characters escaped. Ends with a newline. Reading it back gives
 * an equal tree.
 */
void yaml_write(struct text *out, const json_t *tree);
