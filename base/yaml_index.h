#pragma once

#include "base/span.h"
#include "base/yaml.h"

/*
 * Built by the reader while it walks a document; asked through yaml_locate() and
 * yaml_locate_field().
 */

enum yaml_shape { YAML_SHAPE_SCALAR, YAML_SHAPE_LIST, YAML_SHAPE_MAP };

/** An index without any value, on the heap. */
struct yaml_index *yaml_index_new(void);

/** NULL is fine. */
void yaml_index_free(struct yaml_index *index);

/**
 * Adds a value, in document order. What is added until yaml_index_close() lies inside of it.
 *
 * @param key  Its key in the map that it is in; {0} elsewhere. Copied.
 * @return     Number of the value, for yaml_index_close().
 */
size_t yaml_index_open(struct yaml_index *index, enum yaml_shape shape, struct span key,
                       struct yaml_place place);
void yaml_index_close(struct yaml_index *index, size_t node);

/** The place of this value's member of that key, which exists. */
struct yaml_place yaml_index_member(const struct yaml_index *index, size_t node, struct span key);
