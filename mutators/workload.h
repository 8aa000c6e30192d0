#pragma once

#include <jansson.h>

#include "mutators/inject.h"

/** A workload on its way into the cluster. All borrowed. */
struct change {
    const struct settings *settings;
    const struct cluster *cluster;
    const struct target *target; /* as wanted; with a template */
    const struct target *stored; /* as it is in the cluster; NULL on CREATE */
};

/** Why the template looks as it does afterwards. */
enum rule {
    RULE_UNTOUCHED, /* not ours, or somebody else's container has our name */
    RULE_STAYS,     /* nothing that matters to us changed: our part stays byte for byte */
    RULE_KEPT,      /* no plan can be made: our part stays as far as it fits */
    RULE_PLANNED,   /* today's plan */
};

/** A static word for logs and audit: "untouched", "stays", "kept", "planned". */
const char *rule_name(enum rule rule);

/**
 * The template that this workload should have.
 *
 * On CREATE: as planned; where no plan can say it, what the template already carries stays. On
 * UPDATE our part stays as it is stored, present or absent, if the owner's part of the template is
 * the same, what today's plan carries is the same for the stored object's annotations as for the
 * new one's, and no stamp has a new value. Otherwise: today's plan; or, when none can be made, what
 * is there, as far as it fits.
 *
 * @param plan  Of change->target with the owner's part of its template alone, see
 *              template_owners_part().
 * @return      New reference; equal to the template as received when nothing is to change.
 *
 * Spec: design, Admission, When the template changes; Removal needs a reason that is gone.
 */
json_t *workload_template(const struct change *change, const struct plan *plan, enum rule *rule);

/** True when none of the annotations that a plan depends on differs between both objects. */
bool workload_same_annotations(const struct change *change);

/** NULL when template, volumes, containers and annotations have the shapes that Kubernetes gives
 *  them; else a static sentence that says which has not. Such an object is the API server's to
 *  refuse. */
const char *workload_misshapen(const json_t *template);
