#pragma once

#include <jansson.h>
#include <stdbool.h>

/**
 * True when the labels satisfy the selector. An empty selector matches everything; an absent one
 * (NULL), or one that is malformed in any way, nothing.
 *
 * @param selector  metav1.LabelSelector: {matchLabels?, matchExpressions?}. Borrowed.
 * @param labels    Labels of an object, NULL for none. Borrowed.
 *
 * Spec: metav1.LabelSelector (NotIn and DoesNotExist also match where the label is absent).
 */
bool selector_matches(const json_t *selector, const json_t *labels);

/** Whether a namespace may use something that has a usage policy. */
enum usage {
    USAGE_ALLOWED,
    USAGE_REFUSED,
    USAGE_UNKNOWN, /* the policy asks for the labels of a namespace that is not known */
};

/**
 * Judges `allowedNamespaces` ({from?: All|Same|Selector, selector?}).
 *
 * @param allowed   The object; an absent `from` is Same, NULL refuses all. Borrowed.
 * @param owner     Namespace of the object that has the policy.
 * @param space     Namespace that wants to use it.
 * @param object    That Namespace; NULL when it is not known. Borrowed.
 */
enum usage usage_allowed(const json_t *allowed, const char *owner, const char *space,
                         const json_t *object);

/**
 * The same of a Repository: without usagePolicy only its own namespace may use it; with an empty
 * one (`{}`) nobody may.
 *
 * @param repository  Whole object. Borrowed.
 *
 * Spec: stash-behaviour 3.4.
 */
enum usage usage_of_repository(const json_t *repository, const char *space, const json_t *object);
