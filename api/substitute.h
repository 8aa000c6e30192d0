#pragma once

#include <jansson.h>

#include "api/findings.h"
#include "api/variables.h"
#include "base/error.h"

/** How a whole blueprint is resolved: api/expand.h for each of its strings. */
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
 * @return       New reference; NULL: code as expand_text(), the message names blueprint, field
 *               and variable.
 */
json_t *substitute_tree(const json_t *tree, const struct substitution *how, const char *field,
                        struct error *err) MUST_CHECK;

/** For the validator: adds an error for each string of a blueprint that no target could resolve
 *  (malformed, a name that no target has and no default). */
void substitute_check(const json_t *tree, const char *field, struct findings *findings);
