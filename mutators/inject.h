#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/part.h"
#include "api/plan.h"
#include "api/settings.h"

/*
 * What admission changes in a pod template: our two containers, their volumes and our mark. All of
 * it is replaced or removed as a whole; nothing else is ever touched.
 */

/**
 * Makes the template carry what the plan wants: exactly our part is placed, replaced or removed.
 * Containers keep the place in their list that they have in `template`, else the one they had in
 * `previous`, else the backup goes last and the restore first.
 *
 * @param plan      PLAN_MADE or PLAN_NONE.
 * @param template  As received. Borrowed, not edited.
 * @param previous  The stored template on UPDATE, or NULL. Borrowed.
 * @param keep_init The restore container of `previous` stays although the plan has none. (The
 *                  backup's container stays when plan->backup_broken.)
 * @return          New reference to the wanted template; shares values with `template`.
 */
json_t *template_inject(const struct plan *plan, const struct settings *settings,
                        const json_t *template, const json_t *previous, bool keep_init);

/**
 * Puts our part of `previous` into the owner's new template as it was, for a plan that can not be
 * made: what the new template can not hold any more (mounts of volumes that are gone) is left out.
 *
 * @return New reference to the wanted template.
 */
json_t *template_keep(const json_t *template, const json_t *previous);

/**
 * The owner's part of a template. The stored one may know better whose the names in it are: a
 * request that dropped our mark but not our container is still about ours.
 *
 * @param previous  The stored template on UPDATE, or NULL. Borrowed.
 * @return          As template_strip().
 */
json_t *template_owners_part(const json_t *template, const json_t *previous);

/** True when the owner's part of both templates is the same. */
bool template_same_owner_part(const json_t *template, const json_t *previous);
