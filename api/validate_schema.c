#include "api/validate_schema.h"

#include "api/quantity.h"
#include "api/syntax.h"
#include "base/tree.h"

#define SHOWN_MAX_CHARS 40
#define NAMES_MAX 80

const char *judge_type(const json_t *value)
{
    static const char *const names[] = {"an object", "a list",    "a string",  "a number",
                                        "a number",  "a boolean", "a boolean", "null"};

    return json_is_real(value) ? "a number with a fraction" : names[json_typeof(value)];
}

const json_t *judge_get(const json_t *object, const char *member)
{
    const json_t *value = tree_get(object, member);

    return json_is_null(value) ? NULL : value;
}

size_t judge_enter(struct judge *judge, const char *member)
{
    size_t mark = judge->path.length;

    if (mark && member[0] != '[')
        text_putc(&judge->path, '.');
    text_puts(&judge->path, member);
    return mark;
}

size_t judge_enter_index(struct judge *judge, size_t index)
{
    size_t mark = judge->path.length;

    text_addf(&judge->path, "[%zu]", index);
    return mark;
}

size_t judge_enter_key(struct judge *judge, const char *key)
{
    size_t mark = judge->path.length;

    text_addf(&judge->path, "[%s]", key);
    return mark;
}

void judge_leave(struct judge *judge, size_t mark)
{
    judge->path.length = mark;
    if (judge->path.data)
        judge->path.data[mark] = '\0';
}

/* False when no more findings fit; they are counted. */
static bool has_room(struct judge *judge, enum finding_level level)
{
    if (judge->findings->count < FINDINGS_MAX)
        return true;
    judge->dropped++;
    judge->dropped_error |= level == FINDING_ERROR;
    return false;
}

void judge_take(struct judge *judge, const struct findings *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct finding *item = &found->items[i];

        if (has_room(judge, item->level))
            findings_add(judge->findings, item->level, item->reason, item->field, "%s",
                         item->message);
    }
}

static void say(struct judge *judge, enum finding_level level, const char *reason,
                const char *member, const char *format, va_list args)
{
    AUTO(text) struct text message = {0};

    if (!has_room(judge, level))
        return;

    size_t mark = member ? judge_enter(judge, member) : judge->path.length;

    text_addv(&message, format, args);
    findings_add(judge->findings, level, reason, text_get(&judge->path), "%s", text_get(&message));
    judge_leave(judge, mark);
}

void judge_error(struct judge *judge, const char *reason, const char *member, const char *format,
                 ...)
{
    va_list args;

    va_start(args, format);
    say(judge, FINDING_ERROR, reason, member, format, args);
    va_end(args);
}

void judge_warning(struct judge *judge, const char *reason, const char *member, const char *format,
                   ...)
{
    va_list args;

    va_start(args, format);
    say(judge, FINDING_WARNING, reason, member, format, args);
    va_end(args);
}

bool judge_open_text(const struct judge *judge, struct span text)
{
    return judge->variables && text.length && memmem(text.data, text.length, "${", 2);
}

static void expected(struct judge *judge, const char *what, const json_t *value)
{
    judge_error(judge, REASON_TYPE_INVALID, NULL, "expected %s, found %s", what, judge_type(value));
}

static void list_words(struct text *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++) {
        if (i)
            text_puts(out, words[i + 1] ? ", " : " or ");
        text_puts(out, *words[i] ? words[i] : "\"\"");
    }
}

static void judge_word(struct judge *judge, const char *const *words, struct span text)
{
    AUTO(text) struct text list = {0};

    for (size_t i = 0; words[i]; i++)
        if (span_is(text, words[i]))
            return;

    AUTO(free) char *shown = text_printable(text, SHOWN_MAX_CHARS);

    list_words(&list, words);
    judge_error(judge, REASON_NOT_SUPPORTED, NULL, "\"%s\" is not supported, expected %s", shown,
                text_get(&list));
}

static void judge_string(struct judge *judge, const struct member *member, const json_t *value)
{
    struct span text = tree_value(value);
    struct error err = {0};

    if (!json_is_string(value)) {
        expected(judge, "a string", value);
    } else if (judge_open_text(judge, text)) {
        return;
    } else if (member->words) {
        judge_word(judge, member->words, text);
    } else if (!text.length && !(member->flags & (LIST | MAP))) {
        if ((member->flags & (REQUIRED | EMPTY_OK)) == REQUIRED)
            judge_error(judge, REASON_REQUIRED, NULL, "must not be empty%s%s",
                        member->hint ? ": " : "", member->hint ? member->hint : "");
    } else if (!(member->check ? member->check : syntax_no_nul)(text, &err)) {
        judge_error(judge, REASON_INVALID, NULL, "%s", err.message);
    }
}

static void judge_integer(struct judge *judge, const struct member *member, const json_t *value)
{
    int64_t number = json_integer_value(value);

    if (!json_is_integer(value))
        expected(judge, "a whole number", value);
    else if ((member->min || member->max) && (number < member->min || number > member->max))
        judge_error(judge, REASON_INVALID, NULL, "must be between %jd and %jd",
                    (intmax_t)member->min, (intmax_t)member->max);
}

static void judge_quantity(struct judge *judge, const struct member *member, const json_t *value)
{
    struct quantity quantity;
    struct error err = {0};

    if (!json_is_string(value) && !json_is_integer(value))
        expected(judge, "a quantity such as 512Mi", value);
    else if (judge_open_text(judge, tree_value(value)))
        return;
    else if (!quantity_read(value, &quantity, &err))
        judge_error(judge, REASON_INVALID, NULL, "%s", err.message);
    else if (quantity_sign(&quantity) < 0)
        judge_error(judge, REASON_INVALID, NULL, "must not be negative");
    else if ((member->flags & POSITIVE) && quantity_sign(&quantity) == 0)
        judge_error(judge, REASON_INVALID, NULL, "must be above zero");
}

static void judge_port(struct judge *judge, const json_t *value)
{
    struct error err = {0};

    if (json_is_integer(value)) {
        if (json_integer_value(value) < 1 || json_integer_value(value) > 65535)
            judge_error(judge, REASON_INVALID, NULL, "must be between 1 and 65535");
    } else if (!json_is_string(value)) {
        expected(judge, "a port number or the name of a port", value);
    } else if (!judge_open_text(judge, tree_value(value)) &&
               !syntax_port_name(tree_value(value), &err)) {
        judge_error(judge, REASON_INVALID, NULL, "%s", err.message);
    }
}

static void judge_value(struct judge *judge, const struct member *member, const json_t *value)
{
    switch (member->shape) {
    case ANY:
        break;
    case STRING:
        judge_string(judge, member, value);
        break;
    case BOOLEAN:
        if (!json_is_boolean(value))
            expected(judge, "true or false", value);
        break;
    case INTEGER:
        judge_integer(judge, member, value);
        break;
    case QUANTITY:
        judge_quantity(judge, member, value);
        break;
    case PORT:
        judge_port(judge, value);
        break;
    case OBJECT:
        judge_object(judge, member->of, value);
        break;
    }
}

/* Says so when this element of a list was there before; `seen` is a set of texts. */
static void judge_unique(struct judge *judge, const struct member *member, const json_t *element,
                         json_t *seen)
{
    struct span text = member->key ? tree_span(element, member->key) : tree_value(element);

    if (!text.data)
        return;
    if (json_object_getn(seen, text.data, text.length))
        (member->flags & DOUBTFUL ? judge_warning : judge_error)(judge, REASON_DUPLICATE,
                                                                 member->key, "is given twice");
    else if (json_object_setn_new_nocheck(seen, text.data, text.length, json_true()) < 0)
        abort();
}

static void judge_list(struct judge *judge, const struct member *member, const json_t *list)
{
    AUTO(json) json_t *seen = json_object();
    const json_t *element;
    size_t count = json_array_size(list), i;

    if (!json_is_array(list)) {
        expected(judge, "a list", list);
        return;
    }
    if (count < member->at_least)
        judge_error(judge, REASON_REQUIRED, NULL, "at least %u expected%s%s", member->at_least,
                    member->hint ? ": " : "", member->hint ? member->hint : "");
    if (member->at_most && count > member->at_most)
        judge_error(judge, REASON_TOO_MANY, NULL, "%zu elements, at most %u are allowed", count,
                    member->at_most);
    tree_items (list, i, element) {
        size_t mark = judge_enter_index(judge, i);

        judge_value(judge, member, element);
        if (member->flags & UNIQUE)
            judge_unique(judge, member, element, seen);
        judge_leave(judge, mark);
    }
}

static void judge_map(struct judge *judge, const struct member *member, const json_t *map)
{
    const json_t *value;
    const char *key;

    if (!json_is_object(map)) {
        expected(judge, "an object", map);
        return;
    }
    tree_each (map, key, value) {
        size_t mark = judge_enter_key(judge, key);
        struct error err = {0};

        if (member->key_check && !judge_open_text(judge, span_of(key)) &&
            !member->key_check(span_of(key), &err))
            judge_error(judge, REASON_INVALID, NULL, "the key: %s", err.message);
        judge_value(judge, member, value);
        judge_leave(judge, mark);
    }
}

static void judge_member(struct judge *judge, const struct member *member, const json_t *object)
{
    const json_t *value = judge_get(object, member->name);

    if (!value) {
        if (member->flags & REQUIRED)
            judge_error(judge, REASON_REQUIRED, member->name, "is required%s%s",
                        member->hint ? ": " : "", member->hint ? member->hint : "");
        return;
    }
    if (member->refused) {
        judge_error(judge, REASON_FORBIDDEN, member->name, "%s", member->refused);
        return;
    }

    size_t mark = judge_enter(judge, member->name);

    if (member->flags & LIST)
        judge_list(judge, member, value);
    else if (member->flags & MAP)
        judge_map(judge, member, value);
    else
        judge_value(judge, member, value);
    judge_leave(judge, mark);
}

/* The names of the members that can be chosen: all of them, or those that the object has. */
static size_t choices(const struct schema *schema, const json_t *object, struct text *names)
{
    const char *words[NAMES_MAX + 1];
    size_t count = 0;

    for (size_t i = 0; i < schema->count && count < NAMES_MAX; i++) {
        const struct member *member = &schema->members[i];

        if ((member->flags & CHOICE) && (!object || judge_get(object, member->name)))
            words[count++] = member->name;
    }
    words[count] = NULL;
    if (object) {
        for (size_t i = 0; i < count; i++)
            text_addf(names, "%s%s", i ? ", " : "", words[i]);
    } else {
        list_words(names, words);
    }
    return count;
}

static void judge_choice(struct judge *judge, const struct schema *schema, const json_t *object)
{
    AUTO(text) struct text names = {0};
    enum choose choose = schema->choose;
    size_t count = choose == ANY_OF_THEM ? 1 : choices(schema, object, &names);

    if (count > 1 && choose != AT_LEAST_ONE)
        judge_error(judge, REASON_INVALID, NULL, "only one is allowed, found %s", text_get(&names));
    if (count == 0 && choose != AT_MOST_ONE) {
        choices(schema, NULL, &names);
        judge_error(judge, REASON_REQUIRED, NULL, "%s is needed: %s",
                    choose == EXACTLY_ONE ? "exactly one" : "at least one", text_get(&names));
    }
}

static bool is_known(const struct schema *schema, const char *key, const char **names,
                     size_t *count)
{
    for (; schema; schema = schema->inlined)
        for (size_t i = 0; i < schema->count; i++) {
            if (strcmp(schema->members[i].name, key) == 0)
                return true;
            if (*count < NAMES_MAX)
                names[(*count)++] = schema->members[i].name;
        }
    return false;
}

static void judge_unknown(struct judge *judge, const struct schema *schema, const char *key)
{
    const char *names[NAMES_MAX + 1];
    size_t count = 0;

    if (is_known(schema, key, names, &count))
        return;
    names[count] = NULL;

    const char *meant =
        judge->findings->count < FINDINGS_MAX ? text_did_you_mean(span_of(key), names) : NULL;

    if (meant)
        judge_warning(judge, REASON_NOT_SUPPORTED, key, "unknown field, did you mean \"%s\"?",
                      meant);
    else
        judge_warning(judge, REASON_NOT_SUPPORTED, key, "unknown field, it has no effect");
}

void judge_object(struct judge *judge, const struct schema *schema, const json_t *object)
{
    bool variables = judge->variables;
    const json_t *value;
    const char *key;

    if (!json_is_object(object)) {
        expected(judge, "an object", object);
        return;
    }
    judge->variables |= schema->variables;
    for (const struct schema *part = schema; part; part = part->inlined) {
        for (size_t i = 0; i < part->count; i++)
            judge_member(judge, &part->members[i], object);
        judge_choice(judge, part, object);
    }
    tree_each (object, key, value)
        if (!schema->open)
            judge_unknown(judge, schema, key);
    for (const struct schema *part = schema; part; part = part->inlined)
        if (part->also)
            part->also(judge, object);
    judge->variables = variables;
}

void judge_changed(struct judge *judge, const struct schema *schema, const json_t *before,
                   const json_t *after)
{
    for (; schema; schema = schema->inlined)
        for (size_t i = 0; i < schema->count; i++) {
            const struct member *member = &schema->members[i];

            if (judge_get(before, member->name) != judge_get(after, member->name))
                judge_member(judge, member, after);
        }
}
