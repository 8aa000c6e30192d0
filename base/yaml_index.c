#include "base/yaml_index.h"

#include <stdlib.h>

#include "base/pointer.h"
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

static size_t child(const struct yaml_index *index, size_t node, struct span token)
{
    size_t position;

    if (index->nodes[node].shape == YAML_SHAPE_LIST && pointer_index(token, &position))
        return element(index, node, position);
    return member(index, node, token);
}

/* The next step of a JSON pointer. False at its end or where it is broken. */
static bool next_token(struct span *rest, struct text *token)
{
    struct error err;

    return pointer_token(rest, token, &err);
}

/* Where the bracket that opens the span ends: before ".", "[" or the end. 0 when it does not. */
static size_t bracket_end(struct span rest)
{
    for (size_t i = 1; i < rest.length; i++)
        if (rest.data[i] == ']' &&
            (i + 1 == rest.length || rest.data[i + 1] == '.' || rest.data[i + 1] == '['))
            return i;
    return 0;
}

/* The next step of a path such as a.b[0][x.y/z]. False at its end or where it is broken. */
static bool next_field(struct span *rest, struct text *token)
{
    bool bracket = rest->length && *rest->data == '[';
    size_t start = bracket || (rest->length && *rest->data == '.'), end = start;

    if (bracket)
        end = bracket_end(*rest);
    else
        while (end < rest->length && rest->data[end] != '.' && rest->data[end] != '[')
            end++;
    if (!end)
        return false;
    token->length = 0;
    text_add(token, rest->data + start, end - start);
    end += bracket;
    *rest = (struct span){rest->data + end, rest->length - end};
    return true;
}

static struct yaml_place locate(const struct yaml_document *document, struct span path,
                                bool (*step)(struct span *rest, struct text *token))
{
    AUTO(text) struct text token = {0};
    size_t node = 0;

    if (!document->index || !document->index->count)
        return document->place;
    while (step(&path, &token)) {
        size_t next = child(document->index, node, (struct span){text_get(&token), token.length});

        if (next == ABSENT)
            break;
        node = next;
    }
    return node ? document->index->nodes[node].place : document->place;
}

struct yaml_place yaml_locate(const struct yaml_document *document, const char *pointer)
{
    return locate(document, span_of(pointer), next_token);
}

struct yaml_place yaml_locate_field(const struct yaml_document *document, const char *field)
{
    return locate(document, span_of(field), next_field);
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

void yaml_elements(const struct yaml_document *document, const char *key, struct yaml *out)
{
    const json_t *list = tree_member(document->value, key, JSON_ARRAY);
    size_t root = member(document->index, 0, span_of(key));

    if (!list || root == ABSENT)
        return;
    out->documents = text_alloc(json_array_size(list) * sizeof *out->documents);
    for (size_t i = root + 1;
         inside(document->index, root, i) && out->count < json_array_size(list);
         i = document->index->nodes[i].end) {
        out->documents[out->count] = (struct yaml_document){
            .value = tree_share(json_array_get(list, out->count)),
            .place = document->index->nodes[i].place,
            .index = part(document->index, i),
        };
        out->count++;
    }
}
