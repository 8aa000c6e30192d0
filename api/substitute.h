#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/findings.h"
#include "api/variables.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * Variables in the strings of a blueprint.
 *
 *   ${NAME}                        the value
 *   ${NAME:=d} ${NAME=d} ${NAME:-d}  d where there is no such variable (an empty value stays); d
 * may hold variables itself, and \} for a brace
 *   ${#NAME}                       how many characters
 *   ${NAME^} ${NAME^^} ${NAME,} ${NAME,,}  first or all letters (ASCII) in upper or lower case
 *   ${NAME:pos} ${NAME:pos:len}    from the pos-th character; a negative pos (behind a blank)
 * counts from the end
 *   ${NAME#p} ## % %%              without the shortest or longest match of p at the start or end
 *   ${NAME/p/r} // /# /%           the longest match of p replaced: first, all, at the start, at
 * the end; patterns: api/pattern.h
 *   $$                             one $
 *
 * $NAME and $(NAME) are left alone: they belong to shells and to the kubelet. A value is put in as
 * it is and never read again, so it can not bring variables of its own.
 */

/** What to do with `${` that names no variable of ours. */
enum unknown {
    UNKNOWN_REFUSED, /* an error */
    UNKNOWN_KEPT,    /* left as it is: hooks are full of shell text */
};

/** Bytes that a variable's value may have: an object's name and a little. */
#define VARIABLE_MAX_BYTES 256u

/**
 * Appends a string with its variables replaced.
 *
 * @return False: ERROR_INVALID (unknown variable without default, malformed, a value with control
 *         characters or longer than VARIABLE_MAX_BYTES), ERROR_TOO_LARGE (more than
 *         RESOLVED_MAX_BYTES); `out` is as before.
 */
bool substitute_text(struct text *out, struct span in, const struct variables *variables,
                     enum unknown unknown, struct error *err) MUST_CHECK;

/** How a whole blueprint is resolved. */
struct substitution {
    const struct variables *variables;
    const char *blueprint; /* name, for messages */
    /* Told about each variable that was used, and where; may be NULL. */
    void (*used)(void *context, const struct variable *variable, const char *field);
    void *context;
};

/**
 * Replaces the variables in all strings of a tree; keys stay as they are. Below `spec.hooks`
 * unknown names are kept. Where an owner's free text (the type or version of an AppBinding) could
 * do harm, the result is judged: no ".." in `prefix`, `subPath` and `mountPath`, a legal
 * name in the fields that name a Secret, a ServiceAccount or a namespace.
 *
 * @param tree   Borrowed; subtrees without variables are shared with the result, so nobody may edit
 *               them any more.
 * @param field  Where the tree stands in its blueprint: "spec".
 * @return       New reference; NULL: code as substitute_text(), the message names blueprint, field
 *               and variable.
 */
json_t *substitute_tree(const json_t *tree, const struct substitution *how, const char *field,
                        struct error *err) MUST_CHECK;

/** For the validator: adds an error for each string of a blueprint that no target could resolve
 *  (malformed, a name that no target has and no default). */
void substitute_check(const json_t *tree, const char *field, struct findings *findings);
