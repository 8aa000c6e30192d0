#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

/*
 * What a string may look like. Each function judges one; false: ERROR_INVALID and a message that
 * says what was expected. The text itself stands in no message, so that none of them gives away a
 * secret that was written into the wrong field. All take any bytes, also NUL.
 */

/** RFC 1123 label, RFC 1123 subdomain. */
bool syntax_label(struct span text, struct error *err) MUST_CHECK;
bool syntax_subdomain(struct span text, struct error *err) MUST_CHECK;

/** Key of a label or annotation: an optional subdomain and "/", then a name of 63 characters;
 *  the value of a label; the key of an annotation (any case). */
bool syntax_label_key(struct span text, struct error *err) MUST_CHECK;
bool syntax_label_value(struct span text, struct error *err) MUST_CHECK;
bool syntax_annotation_key(struct span text, struct error *err) MUST_CHECK;

/** Name of an environment variable, by the rule that every release of Kubernetes accepts. */
bool syntax_env_name(struct span text, struct error *err) MUST_CHECK;

/** Key of a ConfigMap or Secret. */
bool syntax_data_key(struct span text, struct error *err) MUST_CHECK;

/** Name of a container port (IANA service name). */
bool syntax_port_name(struct span text, struct error *err) MUST_CHECK;

/** Name of an HTTP header. Spec: RFC 9110 section 5.1. */
bool syntax_header_name(struct span text, struct error *err) MUST_CHECK;

/** Value of an HTTP header: no control characters. */
bool syntax_header_value(struct span text, struct error *err) MUST_CHECK;

/** Absolute path without "..", control characters, at most PATH_MAX_BYTES. */
bool syntax_absolute_path(struct span text, struct error *err) MUST_CHECK;

/** The same of a relative path (subPath). */
bool syntax_relative_path(struct span text, struct error *err) MUST_CHECK;

/** A pattern or argument that stands alone on a line: no control characters. */
bool syntax_line(struct span text, struct error *err) MUST_CHECK;

/** A text that C strings can carry (arguments, environment): no NUL. */
bool syntax_no_nul(struct span text, struct error *err) MUST_CHECK;

/** Host as restic files it: letters, digits, ".", "_", "-", not first; 253 characters. */
bool syntax_host(struct span text, struct error *err) MUST_CHECK;

/** Snapshot as restic names it: 8 to 64 hex digits of its ID, or "latest". */
bool syntax_snapshot(struct span text, struct error *err) MUST_CHECK;

/** A point in time. Spec: RFC 3339, with zone. */
bool syntax_time(struct span text, struct error *err) MUST_CHECK;

/** A UID: 36 characters, 32 lower-case hex digits and dashes. Spec: RFC 9562 section 4, as
 *  Kubernetes writes it. */
#define SYNTAX_UID_CHARS 36u
bool syntax_uid(struct span text, struct error *err) MUST_CHECK;

/** Base64 with padding, as the API server reads bytes. Spec: RFC 4648 section 4. */
bool syntax_base64(struct span text, struct error *err) MUST_CHECK;

/** Image reference as Kubernetes takes it: not empty, no white space at the ends or inside. */
bool syntax_image(struct span text, struct error *err) MUST_CHECK;

/** A schedule, a duration above zero, one of at least zero, a keep-within span, a quantity. */
bool syntax_schedule(struct span text, struct error *err) MUST_CHECK;
bool syntax_duration_positive(struct span text, struct error *err) MUST_CHECK;
bool syntax_duration(struct span text, struct error *err) MUST_CHECK;
bool syntax_within(struct span text, struct error *err) MUST_CHECK;

/** Bucket or container of an object store: what no store takes is refused. */
bool syntax_bucket(struct span text, struct error *err) MUST_CHECK;

/** Folder inside a bucket; leading and closing slashes are fine. */
bool syntax_prefix(struct span text, struct error *err) MUST_CHECK;

/** Address of an S3 service: host, host:port, or http(s)://host[:port][/path]; no credentials, no
 *  query, no link-local host (the metadata service of clouds). */
bool syntax_s3_endpoint(struct span text, struct error *err) MUST_CHECK;

/** Address of a restic REST server: http(s)://..., else as above. */
bool syntax_rest_url(struct span text, struct error *err) MUST_CHECK;

/** True when the host of an address is the machine (or pod) itself: localhost, 127.x.x.x, ::1. */
bool syntax_is_loopback(struct span url);

/** True when a URL carries "user:password@" before its host. */
bool syntax_has_credentials(struct span url);
