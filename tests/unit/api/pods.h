#pragma once

#include <jansson.h>

#include "api/findings.h"

/*
 * Pods in one line, for tables:
 *
 *   "pvc a b; dir e; app a:/data e:/tmp; helper a:/etc:conf a:/x:$(POD); init:setup b:/b"
 *
 * Claims a and b, an emptyDir e, containers app and helper, an init container setup. A mount is
 * `volume:mountPath[:subPath]`; a subPath with "$(" is a subPathExpr. Behind " + " stands JSON
 * (with single quotes) whose members are put into spec, and into containers of the same name.
 */

/** The template {metadata: {}, spec}. New reference. */
json_t *pod_row(const char *row);

/** Mounts as they stand in such a row: "a:/data e:/tmp:sub", each read-only one with "!" at the
 *  end. The caller frees it. */
char *mounts_text(const json_t *mounts);

/** The messages of all findings, each on a line; the caller frees it. */
char *findings_text(const struct findings *findings);

/** Fails unless `part` is in one of the messages; with "" unless there is no finding at all. */
void findings_say(const struct findings *findings, const char *part);

/** Puts the members of `from` into `to`; objects are merged, lists of named objects by name. */
void merge_row(json_t *to, const json_t *from);
