#pragma once

#include <jansson.h>

#include "api/cluster.h"
#include "api/findings.h"

/** A change of a valid object, and what is then said of it. */
struct judged {
    const char *pointer; /* JSON pointer; missing parents are made. NULL: nothing is changed */
    const char *value;   /* as json_row() reads it; NULL removes */
    const char *field;   /* of a finding; NULL: there must be none at all */
    const char *message; /* a part of it; begins with "warning: " for a warning */
};

/** Sets (or, with NULL, removes) the value at a pointer; `value` is stolen. */
void judged_set(json_t *object, const char *pointer, json_t *value);

/** Judges `object` after the change of one row and checks what is said. With a field of NULL no
 *  finding at all, else one with this field and message; if it is a warning, no error. */
void judged_row(const char *object, const struct judged *row);

/** Judges an UPDATE from `old` to that with the changes made. */
void judged_update(const char *old, const struct judged *row);

/** The same with other objects known. */
void judged_in(const char *object, const struct judged *row, const struct cluster *cluster);

/** Each value within an object is removed, made null and replaced by values of all types; all of
 *  these are judged, as new and as old object. Nothing may crash. Returns how many there were.
 *  Catalogue J9. */
size_t judged_mutations(const char *object);
