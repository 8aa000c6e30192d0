#pragma once

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"
#include "base/yaml.h"

/* What happens to a text before libyaml sees it. */

/** Where a byte of the text stands. */
struct yaml_place yaml_place_at(struct span text, size_t offset);

/** error_set() with "line:column: " in front of the message. Always false. */
bool yaml_fail(struct error *err, struct yaml_place place, enum error_code code, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/**
 * Takes a byte order mark of UTF-8 off, and refuses what libyaml would bear badly or read otherwise
 * than YAML 1.2 and JSON do: too many bytes, other encodings, masses of directives, the line breaks
 * of YAML 1.1.
 */
bool yaml_text_admit(struct span *text, struct error *err) MUST_CHECK;

/**
 * JSON escapes characters beyond U+FFFF as two halves, \ud83d\ude00, which YAML does not know:
 * writes them as \U0001F600. Only where the text is JSON from its first character on; ends where it
 * no longer is.
 *
 * @param copy  Holds the changed text; empty when there is nothing to change.
 * @return      The text to read: of `copy`, or as it was.
 *
 * Spec: RFC 8259 section 7; YAML 1.2.2 section 5.7.
 */
struct span yaml_text_join_halves(struct span text, struct text *copy);
