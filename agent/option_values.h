#pragma once

#include <stdbool.h>

#include "base/error.h"

/*
 * Values of options that several steps of Tasks have, for FLAG_BY() of base/flags.h. A Task hands
 * parameters through as text; one that nobody gave is empty.
 */

/** Seconds that a server may take to become healthy, unless somebody says otherwise; Stash's. */
#define OPTION_WAIT_S 300

/** The most that can be asked: a day. */
#define OPTION_WAIT_MAX_S 86400

/** Seconds of a wait: "300" or "300s", 1 to OPTION_WAIT_MAX_S. @param member  int64_t. */
bool option_wait(const char *text, void *member, struct error *detail);

/** A text that may be empty. @param member  const char *; belongs to argv. */
bool option_parameter(const char *text, void *member, struct error *detail);
