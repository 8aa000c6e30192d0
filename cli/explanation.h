#pragma once

#include <jansson.h>

#include "api/annotation.h"
#include "api/plan.h"
#include "api/target.h"
#include "base/text.h"
#include "cli/inputs.h"
#include "cli/output.h"

/** One target that is being explained: all facts, from which the sections take theirs. */
struct explanation {
    const struct output *output;
    const struct inputs *inputs;
    struct target target;
    struct annotations annotations; /* as the owner wrote them */
    struct plan plan;
    struct text trace; /* what plan_make() told */
};

/** Begins a section; writes one line of it. */
void explain_head(const struct explanation *it, const char *title);
void explain_line(const struct explanation *it, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** What each annotation did: its value, what became of it, or why it does not count. */
void explain_annotations(const struct explanation *it);

/** Which paths and mounts, and why these. */
void explain_data(const struct explanation *it);

/** As whom our container runs, and why. */
void explain_pods(const struct explanation *it);
