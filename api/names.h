#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/*
 * Names of the objects that we make, and what may be a name at all.
 *
 * The simplest name of a target is Stash's: `<short kind>-<name>`, such as `deploy-web`. Whenever
 * that is not possible (too long, not a legal name) or not enough (another namespace, a second
 * blueprint, another storage location), the name ends in "-" and eight hex digits of SHA-256 over
 * everything that makes it unique, each part closed by "/". At least one of the eight is a letter,
 * and a simple name that happens to end like that (not one that ends in a date) gets a hash too; so
 * two targets can not be given the same name by choosing theirs cleverly. 32 bits are no seal
 * against somebody who computes collisions: what an object belongs to says its annotation
 * KEY_TARGET, and nobody writes to one that names another target.
 *
 * All results are heap strings that the caller frees, at most NAME_MAX_CHARS long, lower-case RFC
 * 1123 subdomains (they keep dots) and so also legal label values, whatever the input was.
 */

/* A CronJob appends up to 11 characters to its name for its Jobs. */
#define CRONJOB_NAME_MAX_CHARS 52u

/** RFC 1123 subdomain as Kubernetes means it: labels of lower-case letters, digits and "-" joined
 *  by dots, each beginning and ending with a letter or digit, 253 characters in all. */
bool name_is_subdomain(struct span name);

/** RFC 1123 label: the same without dots, at most 63 characters. */
bool name_is_label(struct span name);

/** Value of a label: empty, or letters, digits, "-", "_" and "." that begin and end with a letter
 *  or digit, at most 63 characters. */
bool name_is_label_value(struct span value);

/** `deploy` for Deployment, `sts`, `ds`, `rc`, `pvc`, `po`, `app`; any other kind in lower case. */
char *name_short(const char *kind);

/** N: the name of Repository and BackupConfiguration in the target's own namespace. */
char *name_of_target(const char *kind, const char *name);

/** Name in another namespace than the target's: `<namespace>-<short>-<name>-<hash>`, always with
 *  the hash (namespace a-b with target c is not namespace a with target b-c). */
char *name_outside(const char *space, const char *kind, const char *name);

/** Name for the second and each further blueprint of a target: `<short>-<name>-<blueprint>-<hash>`,
 *  with `<namespace>-` in front when `space` (the target's namespace) is not NULL, for objects
 *  that stand in another one. */
char *name_further(const char *space, const char *kind, const char *name, const char *blueprint);

/** Name of a Repository whose location is not the one that `name` stands for: `<name>-<hash>`. */
char *name_at_location(const char *name, const char *location);

/** The name itself when it is legal and has at most max_chars (10 to 63), else cut, with hash. */
char *name_fit(const char *name, size_t max_chars);

/** The value as a label can carry it: itself when it is legal, else cut and mended, with hash. */
char *name_label_value(const char *value);
