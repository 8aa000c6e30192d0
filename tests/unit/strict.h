#pragma once

#include <jansson.h>

/**
 * Judges a pod template as strictly as an API server judges a workload, and a kubelet a container:
 * fields and their types, names, volumes and where they are mounted, resources, users. A misspelt
 * field, which an API server would drop without a word, is a fault here. Only the part of the API
 * that tests use. Catalogue JP6.
 *
 * @param claim_templates  Of a StatefulSet, or NULL. Borrowed.
 * @return                 NULL when sound; else the first fault with its path: the caller frees it.
 */
char *strict_fault(const json_t *template, const json_t *claim_templates);
