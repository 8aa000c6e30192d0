#pragma once

#include <jansson.h>

/*
 * Our part of a pod template: two containers, their volumes and our mark; and Stash's. A plan is
 * made of the rest, the owner's part, so that nothing of ours is ever a reason for itself.
 */

/** Whose containers and volumes of our names a template holds. */
enum template_owner {
    TEMPLATE_CLEAN,   /* none of our names in it */
    TEMPLATE_OURS,    /* our mark is there */
    TEMPLATE_STASH,   /* Stash's hash annotation is there: to be taken over */
    TEMPLATE_FOREIGN, /* our names without any mark: somebody else's, nothing is injected */
};

enum template_owner template_owner_of(const json_t *template);

/** The first name of ours that a container or volume of the template has, whosever it is; NULL when
 *  none has. */
const char *template_name_of_ours(const json_t *template);

/** The template without our part (or Stash's); what is foreign stays. New reference; what is below
 *  the lists is shared with the template, so nobody may edit it. */
json_t *template_strip(const json_t *template, enum template_owner owner);

/** Where one element of ours stands: a list below spec, and its name. */
struct place {
    const char *list, *name;
};

extern const struct place sidecar_place, init_place;

/** Names of our volumes, and of those that Stash's releases put into pods; NULL at the end. */
extern const char *const our_volumes[], *const stash_volumes[];

/** The element at this place, or NULL. Borrowed. */
const json_t *template_element(const json_t *template, struct place place);

/** A copy whose metadata, annotations, spec and three lists may be edited; everything below them is
 *  shared with the original. New reference. */
json_t *template_editable(const json_t *template);

/** Takes the element out, and the list with it when nothing is left in there. */
void template_remove(json_t *template, struct place place);

/** Takes the volumes of these names (NULL at the end) out. */
void template_remove_volumes(json_t *template, const char *const *names);

/** Takes the annotation out, and the annotations with it when none is left. */
void template_remove_annotation(json_t *template, const char *key);
