#pragma once

#include <jansson.h>

#include "base/error.h"

/**
 * The spec that a RestoreSession should have: `rules` at the top moves to `target.rules`, where
 * that is empty.
 *
 * An update brings `rules` again, since `kubectl apply` finds them in the manifest and not in the
 * object; merged into what is stored they stand beside the `target.rules` that the creation made of
 * them, and take their place. Whether that is a change is then for others to judge. What is stored
 * with `rules` at the top, made while nobody moved them, stays so: a spec can not change.
 *
 * @param spec    Borrowed.
 * @param stored  The stored spec; NULL on creation. Borrowed.
 * @return        New reference (equal to spec when nothing moves); NULL with ERROR_INVALID when
 *                both are filled.
 *
 * Spec: stash-behaviour 1.6 and 3.2, last line; design, Admission.
 */
json_t *restore_rules_moved(const json_t *spec, const json_t *stored, struct error *err);
