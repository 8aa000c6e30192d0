#pragma once

#include <stdint.h>

#include "base/text.h"

/*
 * Metrics as Prometheus reads them. Spec: text exposition format 0.0.4.
 */

/** What is said of a name, once before its series. All static or borrowed. */
void exposition_head(struct text *text, const char *name, const char *type, const char *help);

/** Appends `name="value"`, after a comma when `text` has something: the inside of the braces. The
 *  value may be any text; NULL is an empty one. */
void exposition_label(struct text *text, const char *name, const char *value);

/** A series with its value; `labels` as exposition_label() leaves them, "" without any. */
void exposition_series(struct text *text, const char *name, const char *labels, int64_t value);
