#include "base/yaml.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/limits.h"
#include "base/scalar.h"
#include "base/tree.h"
#include "base/yaml_index.h"
#include "base/yaml_text.h"

/* Remarks on one text: who gets a hundred of them has seen what is wrong with it. */
#define WARNINGS_MAX 100

/* Characters of a scalar shown in a message. */
#define SHOWN_MAX_CHARS 40

#define CORE_TAG "tag:yaml.org,2002:"

/* A list or map that is still open. */
struct level {
    json_t *container; /* borrowed from the document */
    size_t node;       /* of the index */
    bool has_key;      /* a key that still waits for its value */
    struct text key;
    struct yaml_place key_place;
};

struct reader {
    yaml_parser_t parser;
    struct level levels[YAML_MAX_DEPTH];
    size_t depth, nodes, warned;
    struct yaml_document document; /* being built */
    struct yaml *out;
    struct text *warnings;
    struct error *err;
};

void yaml_document_done(struct yaml_document *document)
{
    json_decref(document->value);
    yaml_index_free(document->index);
    *document = (struct yaml_document){0};
}

void yaml_done(struct yaml *yaml)
{
    for (size_t i = 0; i < yaml->count; i++)
        yaml_document_done(&yaml->documents[i]);
    free(yaml->documents);
    *yaml = (struct yaml){0};
}

static void auto_reader(struct reader **reader)
{
    for (size_t i = 0; i < YAML_MAX_DEPTH; i++)
        text_done(&(*reader)->levels[i].key);
    yaml_document_done(&(*reader)->document);
    yaml_parser_delete(&(*reader)->parser);
    free(*reader);
}

static void auto_event(yaml_event_t *event)
{
    yaml_event_delete(event);
}

/* Messages */

static struct yaml_place place_of(yaml_mark_t mark)
{
    return (struct yaml_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* Says something about a scalar that does not stop the reading. */
static void remark(struct reader *reader, struct yaml_place place, struct span scalar,
                   const char *what)
{
    if (!reader->warnings || ++reader->warned > WARNINGS_MAX)
        return;

    AUTO(free) char *shown = text_printable(scalar, SHOWN_MAX_CHARS);

    text_addf(reader->warnings, "%u:%u: \"%s\" %s\n", place.line, place.column, shown, what);
}

/* The character that libyaml stumbled over is a tab. */
static bool at_tab(struct span text, yaml_mark_t mark)
{
    size_t characters = 0;

    for (size_t i = 0; text.data && i < text.length; i++) {
        if (((unsigned char)text.data[i] & 0xc0) == 0x80)
            continue;
        if (characters++ == mark.index)
            return text.data[i] == '\t';
    }
    return false;
}

/* What libyaml found wrong. */
static bool broken(struct reader *reader, struct span text)
{
    const yaml_parser_t *parser = &reader->parser;
    struct yaml_place place = place_of(parser->problem_mark);
    struct yaml_place context = place_of(parser->context_mark);

    if (parser->error == YAML_MEMORY_ERROR)
        abort();
    if (parser->error == YAML_READER_ERROR)
        return yaml_fail(reader->err, yaml_place_at(text, parser->problem_offset), ERROR_INVALID,
                         "%s (0x%02X)", parser->problem, (unsigned)parser->problem_value);
    if (at_tab(text, parser->problem_mark))
        return yaml_fail(reader->err, place, ERROR_INVALID, "a tab can not indent: use blanks");
    if (!parser->context || (context.line == place.line && context.column == place.column))
        return yaml_fail(reader->err, place, ERROR_INVALID, "%s", parser->problem);
    return yaml_fail(reader->err, place, ERROR_INVALID, "%s, %s that began at %u:%u",
                     parser->problem, parser->context, context.line, context.column);
}

/* Building the tree */

static bool refuse_tag(struct reader *reader, struct yaml_place place, const char *tag)
{
    bool core = strncmp(tag, CORE_TAG, strlen(CORE_TAG)) == 0;
    AUTO(free)
    char *shown = text_printable(span_of(tag + (core ? strlen(CORE_TAG) : 0)), SHOWN_MAX_CHARS);

    return yaml_fail(reader->err, place, ERROR_INVALID, "tag \"%s%s\" is not supported here",
                     core ? "!!" : "", shown);
}

static struct level *innermost(struct reader *reader)
{
    return reader->depth ? &reader->levels[reader->depth - 1] : NULL;
}

static struct span key_of(const struct level *level)
{
    return (struct span){text_get(&level->key), level->key.length};
}

/* Puts a value where the text has it. Its number in the index. */
static size_t add_new(struct reader *reader, enum yaml_shape shape, json_t *value,
                      struct yaml_place place)
{
    struct level *level = innermost(reader);
    struct yaml_index *index = reader->document.index;

    if (!value)
        abort();
    if (!level) {
        reader->document.value = value;
        reader->document.place = place;
        return yaml_index_open(index, shape, (struct span){0}, place);
    }
    if (!level->has_key) {
        tree_push_new(level->container, value);
        return yaml_index_open(index, shape, (struct span){0}, place);
    }
    level->has_key = false;
    if (json_object_setn_new(level->container, level->key.data, level->key.length, value) < 0)
        abort();
    return yaml_index_open(index, shape, key_of(level), level->key_place);
}

static bool key_expected(struct reader *reader)
{
    const struct level *level = innermost(reader);

    return level && json_is_object(level->container) && !level->has_key;
}

/* What every value is checked for. `anchor` is NULL when it has none. */
static bool admissible(struct reader *reader, struct yaml_place place, const yaml_char_t *anchor)
{
    if (++reader->nodes > YAML_MAX_NODES)
        return yaml_fail(reader->err, place, ERROR_TOO_LARGE, "more than %u values",
                         YAML_MAX_NODES);
    if (anchor)
        return yaml_fail(
            reader->err, place, ERROR_INVALID,
            "anchors and aliases are not supported: write the value where it is needed");
    return true;
}

static bool begin(struct reader *reader, enum yaml_shape shape, struct yaml_place place)
{
    if (key_expected(reader))
        return yaml_fail(reader->err, place, ERROR_INVALID, "a key must be a string");
    if (reader->depth == YAML_MAX_DEPTH)
        return yaml_fail(reader->err, place, ERROR_TOO_LARGE, "more than %u levels of nesting",
                         YAML_MAX_DEPTH);

    json_t *container = shape == YAML_SHAPE_LIST ? json_array() : json_object();
    size_t node = add_new(reader, shape, container, place);
    struct level *level = &reader->levels[reader->depth++];

    level->container = container;
    level->node = node;
    level->has_key = false;
    return true;
}

static bool begin_tagged(struct reader *reader, enum yaml_shape shape, const yaml_event_t *event,
                         const yaml_char_t *anchor, const yaml_char_t *tag)
{
    const char *core = shape == YAML_SHAPE_LIST ? CORE_TAG "seq" : CORE_TAG "map";
    struct yaml_place place = place_of(event->start_mark);

    if (!admissible(reader, place, anchor))
        return false;
    if (tag && strcmp((const char *)tag, core) != 0)
        return refuse_tag(reader, place, (const char *)tag);
    return begin(reader, shape, place);
}

static bool end(struct reader *reader)
{
    yaml_index_close(reader->document.index, reader->levels[--reader->depth].node);
    return true;
}

/* Scalars */

/* A scalar as its event tells it. */
struct scalar {
    struct span text;
    struct yaml_place place;
    enum scalar_kind kind;
    bool plain; /* neither quoted nor tagged */
    bool real;  /* tagged !!float: 5 means 5.0 */
};

/* Kubernetes' tools see something else in it: tell. */
static void remark_scalar(struct reader *reader, const struct scalar *scalar)
{
    if (!scalar->plain)
        return;
    if (scalar->kind == SCALAR_OCTAL)
        remark(reader, scalar->place, scalar->text,
               "is read as an octal number, as kubectl does: write it with 0o or in decimal");
    else if (scalar_is_legacy_boolean(scalar->text))
        remark(reader, scalar->place, scalar->text,
               "is a string here and a boolean for kubectl (YAML 1.1): put it in quotes");
    else if (scalar_is_legacy_number(scalar->text))
        remark(reader, scalar->place, scalar->text,
               "is a string here and a number for kubectl (YAML 1.1): put it in quotes");
}

static bool tag_accepts(const char *tag, enum scalar_kind kind)
{
    static const struct {
        const char *tag;
        unsigned kinds;
    } rows[] = {
        {CORE_TAG "null", 1u << SCALAR_NULL},
        {CORE_TAG "bool", 1u << SCALAR_TRUE | 1u << SCALAR_FALSE},
        {CORE_TAG "int", 1u << SCALAR_INTEGER | 1u << SCALAR_OCTAL},
        {CORE_TAG "float", 1u << SCALAR_INTEGER | 1u << SCALAR_REAL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(tag, rows[i].tag) == 0)
            return rows[i].kinds >> kind & 1;
    return false;
}

/* Decides what a scalar is, by its tag, its quotes or its text. */
static bool classify(struct reader *reader, const yaml_event_t *event, struct scalar *scalar)
{
    const char *tag = (const char *)event->data.scalar.tag;

    *scalar = (struct scalar){
        .text = {(const char *)event->data.scalar.value, event->data.scalar.length},
        .place = place_of(event->start_mark),
        .plain = !tag && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
    };
    if (!admissible(reader, scalar->place, event->data.scalar.anchor))
        return false;
    if (scalar->plain)
        scalar->kind = scalar_kind(scalar->text);
    if (!tag || strcmp(tag, "!") == 0 || strcmp(tag, CORE_TAG "str") == 0)
        return true;
    scalar->kind = scalar_kind(scalar->text);
    scalar->real = strcmp(tag, CORE_TAG "float") == 0;
    return tag_accepts(tag, scalar->kind) || refuse_tag(reader, scalar->place, tag);
}

static json_t *number_tree(const struct scalar *scalar)
{
    AUTO(json) json_t *value = scalar_number(scalar->text, scalar->kind);

    if (value && scalar->real)
        return json_real(json_number_value(value));
    return TAKE(value);
}

static json_t *scalar_tree(const struct scalar *scalar)
{
    switch (scalar->kind) {
    case SCALAR_NULL:
        return json_null();
    case SCALAR_TRUE:
        return json_true();
    case SCALAR_FALSE:
        return json_false();
    case SCALAR_INTEGER:
    case SCALAR_OCTAL:
    case SCALAR_REAL:
        return number_tree(scalar);
    case SCALAR_NOT_FINITE:
        return NULL;
    case SCALAR_STRING:
        break;
    }
    return json_stringn(scalar->text.data, scalar->text.length);
}

static bool add_scalar(struct reader *reader, const struct scalar *scalar)
{
    json_t *value = scalar_tree(scalar);

    if (!value) {
        AUTO(free) char *shown = text_printable(scalar->text, SHOWN_MAX_CHARS);

        return yaml_fail(reader->err, scalar->place, ERROR_INVALID,
                         "%s %s: put it in quotes if it is a text", shown,
                         scalar->kind == SCALAR_INTEGER || scalar->kind == SCALAR_OCTAL
                             ? "does not fit into an integer of 64 bits"
                             : "is no number that JSON can hold");
    }
    yaml_index_close(reader->document.index,
                     add_new(reader, YAML_SHAPE_SCALAR, value, scalar->place));
    return true;
}

static bool key_admissible(struct reader *reader, const struct scalar *scalar)
{
    AUTO(free) char *shown = text_printable(scalar->text, SHOWN_MAX_CHARS);
    const struct level *level = innermost(reader);

    if (scalar->kind != SCALAR_STRING)
        return yaml_fail(reader->err, scalar->place, ERROR_INVALID,
                         "a key must be a string: put %s in quotes", *shown ? shown : "it");
    if (scalar->plain && span_is(scalar->text, "<<"))
        return yaml_fail(reader->err, scalar->place, ERROR_INVALID, "merge keys are not supported");
    if (memchr(scalar->text.data, '\0', scalar->text.length))
        return yaml_fail(reader->err, scalar->place, ERROR_INVALID, "a key can not hold NUL");
    if (json_object_getn(level->container, scalar->text.data, scalar->text.length)) {
        struct yaml_place first =
            yaml_index_member(reader->document.index, level->node, scalar->text);

        return yaml_fail(reader->err, scalar->place, ERROR_INVALID,
                         "duplicate key \"%s\" (first at %u:%u)", shown, first.line, first.column);
    }
    return true;
}

static bool add_key(struct reader *reader, const struct scalar *scalar)
{
    if (!key_admissible(reader, scalar))
        return false;

    struct level *level = innermost(reader);

    level->key.length = 0;
    text_add(&level->key, scalar->text.data, scalar->text.length);
    level->key_place = scalar->place;
    level->has_key = true;
    return true;
}

static bool take_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct scalar scalar;

    if (!classify(reader, event, &scalar))
        return false;
    remark_scalar(reader, &scalar);
    return key_expected(reader) ? add_key(reader, &scalar) : add_scalar(reader, &scalar);
}

/* Documents */

static void begin_document(struct reader *reader)
{
    reader->document.index = yaml_index_new();
}

static void end_document(struct reader *reader)
{
    struct yaml *out = reader->out;

    if (json_is_null(reader->document.value)) {
        yaml_document_done(&reader->document);
        return;
    }
    /* the list doubles whenever it is full, at every power of two */
    if ((out->count & (out->count - 1)) == 0)
        out->documents =
            text_realloc(out->documents, (2 * out->count + 1) * sizeof *out->documents);
    out->documents[out->count++] = reader->document;
    reader->document = (struct yaml_document){0};
}

static bool take(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        begin_document(reader);
        return true;
    case YAML_DOCUMENT_END_EVENT:
        end_document(reader);
        return true;
    case YAML_ALIAS_EVENT:
        return admissible(reader, place_of(event->start_mark), event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        return take_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin_tagged(reader, YAML_SHAPE_LIST, event, event->data.sequence_start.anchor,
                            event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return begin_tagged(reader, YAML_SHAPE_MAP, event, event->data.mapping_start.anchor,
                            event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(reader);
    default:
        return true;
    }
}

static bool read_all(struct reader *reader, struct span text)
{
    yaml_event_type_t type = YAML_NO_EVENT;

    while (type != YAML_STREAM_END_EVENT) {
        AUTO(event) yaml_event_t event = {0};

        if (!yaml_parser_parse(&reader->parser, &event))
            return broken(reader, text);
        if (!take(reader, &event))
            return false;
        type = event.type;
    }
    return true;
}

bool yaml_read(struct yaml *yaml, struct span text, struct text *warnings, struct error *err)
{
    AUTO(yaml) struct yaml out = {0};

    AUTO(text) struct text copy = {0};

    if (!yaml_text_admit(&text, err))
        return false;
    text = yaml_text_join_halves(text, &copy);

    AUTO(reader) struct reader *reader = text_alloc(sizeof *reader);

    reader->out = &out;
    reader->warnings = warnings;
    reader->err = err;
    if (!yaml_parser_initialize(&reader->parser))
        abort();
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const yaml_char_t *)(text.data ? text.data : ""),
                                 text.length);
    if (!read_all(reader, text))
        return false;
    *yaml = out;
    out = (struct yaml){0};
    return true;
}
