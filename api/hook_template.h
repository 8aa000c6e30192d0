#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/**
 * Judges a text of a hook (part of a command, body of a request) in which `{{ }}` stand. What is
 * understood, of Go's text/template:
 *
 *   {{ .Field }}                    Name, Namespace, RetryLeft, Invoker.{APIGroup,Kind,Name},
 *                                   Target.{APIVersion,Kind,Name,Namespace},
 *                                   Status.{Phase,Duration,Error}
 *   {{ if eq .Field "text" }}       also ne; text in double quotes or backquotes; whole numbers
 *   {{ else }} {{ else if ... }} {{ end }}
 *   {{- and -}}                     take white space away; {{/ * a comment * /}}
 *
 * @return False: ERROR_INVALID, the message says what is not understood. A text without `{{` is
 *         always fine.
 *
 * Spec: stash-behaviour 5.7; Go's package text/template.
 */
bool hook_template_check(struct span text, struct error *err) MUST_CHECK;

/**
 * Fills such a text in.
 *
 * @param data  What the fields stand for: {"Name": ..., "Status": {"Phase": ...}}, texts and whole
 *              numbers; what it lacks is empty. It is compared as it is written.
 * @param max   Bytes that may be appended.
 * @param out   Appended; untouched on failure.
 * @return      False: ERROR_INVALID, as hook_template_check() has it; ERROR_TOO_LARGE.
 */
bool hook_template_fill(struct span text, const json_t *data, size_t max, struct text *out,
                        struct error *err) MUST_CHECK;
