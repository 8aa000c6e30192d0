#pragma once

#include <jansson.h>

#include "tests/property/random.h"

/**
 * A workload that an API server would take, and a cluster that may or may not protect it: volumes
 * of many sources, several containers and users, resources, Pod Security of all levels, names of
 * ours that are taken, blueprints of all kinds and their absence, annotations of owners good and
 * bad. Release with scene_done().
 */
struct scene {
    json_t *object;  /* owned; of any kind of workload */
    json_t *objects; /* owned; list: what the cluster holds */
    bool loose;      /* the administrator asks for a container that Pod Security may not like */
};

struct scene scene_make(struct random *random);

void scene_done(struct scene *scene);

static inline void auto_scene(struct scene *scene)
{
    scene_done(scene);
}

/** A pod template alone. New reference. */
json_t *scene_template(struct random *random, bool with_claim_templates);

/** spec.template, spec.template.spec. Borrowed, to be edited. */
json_t *scene_template_of(json_t *object);
json_t *scene_pod_of(json_t *object);
