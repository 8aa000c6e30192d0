#include "api/selector.h"

#include <stddef.h>

#include "base/tree.h"

static bool listed(const json_t *values, struct span label)
{
    const json_t *value;
    size_t i;

    tree_items (values, i, value)
        if (json_is_string(value) && span_equal(tree_value(value), label))
            return true;
    return false;
}

static bool expression_matches(const json_t *expression, const json_t *labels)
{
    const char *key = tree_text(expression, "key");
    struct span op = tree_span(expression, "operator");
    const json_t *values = tree_member(expression, "values", JSON_ARRAY);

    if (!key || json_string_length(tree_get(expression, "key")) != strlen(key))
        return false;

    const json_t *label = tree_member(labels, key, JSON_STRING);
    bool among = label && listed(values, tree_value(label));

    if (span_is(op, "In"))
        return json_array_size(values) && among;
    if (span_is(op, "NotIn"))
        return json_array_size(values) && !among;
    if (span_is(op, "Exists"))
        return label && !json_array_size(values);
    return span_is(op, "DoesNotExist") && !label && !json_array_size(values);
}

static bool labels_match(const json_t *wanted, const json_t *labels)
{
    const json_t *value;
    const char *key;

    tree_each (wanted, key, value) {
        const json_t *label = tree_member(labels, key, JSON_STRING);

        if (!label || !tree_equal(label, value))
            return false;
    }
    return true;
}

static bool absent(const json_t *value)
{
    return !value || json_is_null(value);
}

bool selector_matches(const json_t *selector, const json_t *labels)
{
    const json_t *wanted = tree_get(selector, "matchLabels");
    const json_t *expressions = tree_get(selector, "matchExpressions"), *expression;
    size_t i;

    if (!json_is_object(selector) || (!absent(wanted) && !json_is_object(wanted)) ||
        (!absent(expressions) && !json_is_array(expressions)))
        return false;
    tree_items (expressions, i, expression)
        if (!expression_matches(expression, labels))
            return false;
    return labels_match(wanted, labels);
}

static enum usage usage_if(bool allowed)
{
    return allowed ? USAGE_ALLOWED : USAGE_REFUSED;
}

enum usage usage_allowed(const json_t *allowed, const char *owner, const char *space,
                         const json_t *object)
{
    const json_t *from = tree_get(allowed, "from");
    struct span word = tree_value(from);

    if (!json_is_object(allowed))
        return USAGE_REFUSED;
    if (absent(from) || span_is(word, "Same"))
        return usage_if(strcmp(owner, space) == 0);
    if (span_is(word, "All"))
        return USAGE_ALLOWED;
    if (!span_is(word, "Selector"))
        return USAGE_REFUSED;
    if (!object)
        return USAGE_UNKNOWN;
    return usage_if(
        selector_matches(tree_get(allowed, "selector"), tree_at(object, "metadata.labels")));
}

enum usage usage_of_repository(const json_t *repository, const char *space, const json_t *object)
{
    const char *owner = tree_text(tree_get(repository, "metadata"), "namespace");
    const json_t *policy = tree_get(tree_get(repository, "spec"), "usagePolicy");

    if (absent(policy))
        return usage_if(strcmp(owner ? owner : "", space) == 0);
    return usage_allowed(tree_get(policy, "allowedNamespaces"), owner ? owner : "", space, object);
}
