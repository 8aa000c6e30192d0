#pragma once

#include <jansson.h>

#include "base/error.h"

/**
 * The spec that a RestoreSession should have: `rules` at the top moves to `target.rules`, where
 * that is empty.
 *
 * @param spec  Borrowed.
 * @return      New reference (equal to spec when nothing moves); NULL with ERROR_INVALID when both
 *              are filled.
 *
 * Spec: stash-behaviour 1.6 and 3.2, last line; design, Admission.
 */
json_t *restore_rules_moved(const json_t *spec, struct error *err);
