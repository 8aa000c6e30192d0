#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/validate.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * The shape of objects as tables, and the loop that walks an object along them. What no table can
 * say (two members that depend on each other) is a function of the schema, `also`.
 *
 * As the API server has it, a member that is null is absent.
 */

enum shape {
    ANY, /* not judged */
    STRING,
    BOOLEAN,
    INTEGER,  /* between min and max; both 0: any */
    QUANTITY, /* not negative; POSITIVE: above zero */
    PORT,     /* 1 to 65535, or the name of a port */
    OBJECT,   /* as the schema `of` says */
};

#define REQUIRED 1u   /* must be there; a string must not be empty */
#define LIST 2u       /* a list of such values */
#define MAP 4u        /* an object with such values under any key */
#define CHOICE 8u     /* counts for the schema's `choose` */
#define POSITIVE 16u  /* see QUANTITY */
#define UNIQUE 32u    /* of a list: no two equal strings, no two objects with the same `key` */
#define DOUBTFUL 64u  /* with UNIQUE: twice is no error, but a warning */
#define EMPTY_OK 128u /* with REQUIRED: the empty string is a value */

struct member {
    const char *name;
    enum shape shape;
    unsigned flags;
    const struct schema *of;
    const char *const *words; /* the strings that are allowed, then NULL */
    bool (*check)(struct span text,
                  struct error *err); /* of strings; a member that is empty is absent */
    bool (*key_check)(struct span text, struct error *err); /* of the keys of a MAP */
    const char *key;                                        /* see UNIQUE */
    int64_t min, max;
    uint32_t at_least, at_most; /* elements of a LIST; 0: any */
    const char *hint;           /* what belongs here, said when it is missing */
    const char *refused;        /* why it can not be used at all */
};

/* A row of a table names what is special about a member and leaves out the rest. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct judge;

enum choose { ANY_OF_THEM, EXACTLY_ONE, AT_LEAST_ONE, AT_MOST_ONE };

struct schema {
    const struct member *members;
    size_t count;
    const struct schema *inlined; /* its members stand in the same object */
    enum choose choose;           /* among the members with CHOICE (of `members` only) */
    bool open;                    /* unknown members are nobody's mistake */
    bool variables;               /* strings below may hold ${NAME} */
    void (*also)(struct judge *judge, const json_t *object);
};

#define MEMBERS(table) .members = (table), .count = sizeof(table) / sizeof *(table)
#define INT32 .min = INT32_MIN, .max = INT32_MAX
#define FROM(least) .min = (least), .max = INT32_MAX

/** One judgement under way. */
struct judge {
    const struct validation *in;
    struct findings *findings;
    struct text path;   /* of the value at hand: spec.target.rules[0] */
    const char *space;  /* namespace of the object, "" without */
    bool variables;     /* we are below a schema with variables: "${" is not judged */
    size_t dropped;     /* findings beyond FINDINGS_MAX */
    bool dropped_error; /* one of them was an error */
};

/** Findings of one judgement; one more says how many were left out. */
#define FINDINGS_MAX 100u

/** Judges the value at the judge's path. What is not an object is a finding, and no more is said.
 */
void judge_object(struct judge *judge, const struct schema *schema, const json_t *object);

/** The same, but only those members that are not the very same value in both objects, and without
 *  what the schema says of the whole object. */
void judge_changed(struct judge *judge, const struct schema *schema, const json_t *before,
                   const json_t *after);

/** Adds a finding at the judge's path, or below it: `member` is NULL, "name" or "name[0].other". */
void judge_error(struct judge *judge, const char *reason, const char *member, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
void judge_warning(struct judge *judge, const char *reason, const char *member, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/** Adds what somebody else found (whole fields, not below the path), as far as there is room. */
void judge_take(struct judge *judge, const struct findings *found);

/** Moves the path down to a member, an index or a key of a map; leave with what it returned. */
size_t judge_enter(struct judge *judge, const char *member);
size_t judge_enter_index(struct judge *judge, size_t index);
size_t judge_enter_key(struct judge *judge, const char *key);
void judge_leave(struct judge *judge, size_t mark);

/** True when the string is not to be judged now, since variables in it will be replaced. */
bool judge_open_text(const struct judge *judge, struct span text);

/** The value, or NULL when it is absent: also null. */
const json_t *judge_get(const json_t *object, const char *member);

/** What it is, in words: "a list". */
const char *judge_type(const json_t *value);
