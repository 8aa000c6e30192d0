#include "base/yaml_index.h"

#include <stdlib.h>

#include "base/tree.h"

#define ABSENT SIZE_MAX

/* A value. Those inside of it follow at once, up to `end` (ABSENT while it is open): the tree in
 * preorder. */
struct node {
    struct yaml_place place;
    enum yaml_shape shape;
    size_t end;
    size_t key_at, key_length; /* in `keys` */
};

struct yaml_index {
    struct node *nodes;
    size_t count, room;
    struct text keys;
};

struct yaml_index *yaml_index_new(void)
{
    return text_alloc(sizeof(struct yaml_index));
}

void yaml_index_free(struct yaml_index *index)
{
    if (!index)
        return;
    text_done(&index->keys);
    free(index->nodes);
    free(index);
}

size_t yaml_index_open(struct yaml_index *index, enum yaml_shape shape, struct span key,
                       struct yaml_place place)
{
    if (index->count == index->room) {
        index->room = index->room ? 2 * index->room : 64;
        index->nodes = text_realloc(index->nodes, index->room * sizeof *index->nodes);
    }
    index->nodes[index->count] = (struct node){
        .place = place,
        .shape = shape,
        .end = ABSENT,
        .key_at = index->keys.length,
        .key_length = key.length,
    };
    text_add(&index->keys, key.data, key.length);
    return index->count++;
}

void yaml_index_close(struct yaml_index *index, size_t node)
{
    index->nodes[node].end = index->count;
}

static struct span key_of(const struct yaml_index *index, size_t node)
{
    return (struct span){text_get(&index->keys) + index->nodes[node].key_at,
                         index->nodes[node].key_length};
}

static bool inside(const struct yaml_index *index, size_t node, size_t at)
{
    return at < index->nodes[node].end && at < index->count;
}

static size_t member(const struct yaml_index *index, size_t node, struct span key)
{
    if (index->nodes[node].shape != YAML_SHAPE_MAP)
        return ABSENT;
    for (size_t i = node + 1; inside(index, node, i); i = index->nodes[i].end)
        if (span_equal(key_of(index, i), key))
            return i;
    return ABSENT;
}

static size_t element(const struct yaml_index *index, size_t node, size_t position)
{
    if (index->nodes[node].shape != YAML_SHAPE_LIST)
        return ABSENT;
    for (size_t i = node + 1; inside(index, node, i); i = index->nodes[i].end)
        if (position-- == 0)
            return i;
    return ABSENT;
}

struct yaml_place yaml_index_member(const struct yaml_index *index, size_t node, struct span key)
{
    size_t found = member(index, node, key);

    return index->nodes[found == ABSENT ? node : found].place;
}

/* A list index: digits without leading zeros, small enough to count. */
static bool position_parse(struct span token, size_t *position)
{
    if (!token.length || token.length > 9 || (token.length > 1 && token.data[0] == '0'))
        return false;
    *position = 0;
    for (size_t i = 0; i < token.length; i++) {
        if (token.data[i] < '0' || token.data[i] > '9')
            return false;
        *position = *position * 10 + (size_t)(token.data[i] - '0');
    }
    return true;
}

static size_t child(const struct yaml_index *index, size_t node, struct span token)
{
    size_t position;

    if (index->nodes[node].shape == YAML_SHAPE_LIST && position_parse(token, &position))
        return element(index, node, position);
    return member(index, node, token);
}

/* The next reference token of a JSON pointer, unescaped. False at its end or where it is broken. */
static bool pointer_step(const char **rest, struct text *token)
{
    if (**rest != '/')
        return false;
    token->length = 0;
    for ((*rest)++; **rest && **rest != '/'; (*rest)++) {
        if (**rest != '~') {
            text_putc(token, **rest);
            continue;
        }
        (*rest)++;
        if (**rest != '0' && **rest != '1')
            return false;
        text_putc(token, **rest == '0' ? '~' : '/');
    }
    return true;
}

/* The next step of a path such as a.b[0][x.y/z]; a bracket ends before ".", "[" or the end. */
static bool field_step(const char **rest, struct text *token)
{
    const char *start = *rest, *end;

    token->length = 0;
    if (*start == '[') {
        start++;
        end = strchr(start, ']');
        while (end && end[1] && end[1] != '.' && end[1] != '[')
            end = strchr(end + 1, ']');
        if (!end)
            return false;
        *rest = end + 1;
    } else {
        start += *start == '.';
        end = start + strcspn(start, ".[");
        *rest = end;
    }
    text_add(token, start, (size_t)(end - start));
    return true;
}

static struct yaml_place locate(const struct yaml_document *document, const char *path,
                                bool (*step)(const char **rest, struct text *token))
{
    AUTO(text) struct text token = {0};
    size_t node = 0;

    if (!document->index || !document->index->count)
        return document->place;
    while (*path && step(&path, &token)) {
        size_t next = child(document->index, node, (struct span){text_get(&token), token.length});

        if (next == ABSENT)
            break;
        node = next;
    }
    return node ? document->index->nodes[node].place : document->place;
}

struct yaml_place yaml_locate(const struct yaml_document *document, const char *pointer)
{
    return locate(document, pointer, pointer_step);
}

struct yaml_place yaml_locate_field(const struct yaml_document *document, const char *field)
{
    return locate(document, field, field_step);
}

/* A copy of one value and all inside of it. */
static struct yaml_index *part(const struct yaml_index *index, size_t root)
{
    struct yaml_index *copy = yaml_index_new();
    size_t end = index->nodes[root].end;

    for (size_t i = root; i < end; i++) {
        const struct node *node = &index->nodes[i];

        yaml_index_open(copy, node->shape, key_of(index, i), node->place);
        copy->nodes[i - root].end = node->end - root;
    }
    return copy;
}

struct yaml_document yaml_element(const struct yaml_document *document, const char *key,
                                  size_t position)
{
    const json_t *value = json_array_get(tree_get(document->value, key), position);
    size_t list = member(document->index, 0, span_of(key));
    size_t root = list == ABSENT ? ABSENT : element(document->index, list, position);

    if (!value || root == ABSENT)
        return (struct yaml_document){0};
    return (struct yaml_document){
        .value = tree_share(value),
        .place = document->index->nodes[root].place,
        .index = part(document->index, root),
    };
}
