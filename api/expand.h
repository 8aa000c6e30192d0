#pragma once

#include <stdbool.h>

#include "api/variables.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * Variables in one string.
 *
 *   ${NAME}                   the value
 *   ${NAME:=d}  = :-          d where there is no such variable; an empty value stays
 *   ${#NAME}                  how many characters
 *   ${NAME^}  ^^ , ,,         first or all letters (ASCII) in upper or lower case
 *   ${NAME:pos}  :pos:len     from the pos-th character; " -1" (with the blank) is the last one
 *   ${NAME#p}  ## % %%        without the shortest or longest match of p at the start or end
 *   ${NAME/p/r}  // /# /%     the longest match of p replaced: first, all, at the start, at the end
 *   $$                        one $
 *
 * A default may hold variables itself, and \} for a brace. Patterns: api/pattern.h. $NAME and
 * $(NAME) are left alone: they belong to shells and to the kubelet. A value is put in as it is and
 * never read again, so it can not bring variables of its own.
 */

/** What to do with `${` that names no variable of ours. */
enum unknown {
    UNKNOWN_REFUSED, /* an error */
    UNKNOWN_KEPT,    /* left as it is, default and all: hooks are full of shell text. A name that
                        some target has (variable_names) is ours all the same */
};

/** Bytes that a variable's value may have: an object's name and a little. */
#define VARIABLE_MAX_BYTES 256u

/** How a string is expanded. All borrowed; 0 and NULL are what a blueprint has. */
struct expanding {
    const struct variables *variables;
    const struct variable *further; /* instead of those, of a Task; see task_variables.h */
    size_t further_count;
    const char *const *names; /* of all variables that are ours: variable_names */
    const char *absent;       /* why one of them has no value: "is known only for an AppBinding" */
    size_t value_max_bytes;   /* VARIABLE_MAX_BYTES */
    enum unknown unknown;
    /* Told about each variable whose value was used; may be NULL. */
    void (*used)(void *context, const struct variable *variable);
    void *context;
};

/**
 * Appends a string with its variables replaced.
 *
 * @return False: ERROR_INVALID (unknown variable without default, malformed, a value with control
 *         characters or longer than VARIABLE_MAX_BYTES), ERROR_TOO_LARGE (more than
 *         RESOLVED_MAX_BYTES); `out` is as before.
 */
bool expand_text(struct text *out, struct span in, const struct expanding *how,
                 struct error *err) MUST_CHECK;
