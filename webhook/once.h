#pragma once

#include <stdio.h>

#include "webhook/options.h"

struct settings;

/**
 * Answers one AdmissionReview: `--once`. What can not be answered gets a metav1.Status.
 *
 * @return EXIT_FINE; EXIT_REFUSED when the answer is a Status; EXIT_CANNOT with err when the
 *         catalog or the input can not be read, or the answer not be written.
 */
enum exit_code once_run(const struct options *options, const struct settings *settings, FILE *in,
                        FILE *out, struct error *err);
