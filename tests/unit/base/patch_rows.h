#pragma once

#include <stddef.h>

/*
 * What patch_apply() makes of documents and patches, for the unit tests and for the comparison with
 * another implementation. JSON with single quotes in place of double ones. Catalogue JP2, JP3.
 */

static const struct patch_row {
    const char *document, *patch, *result; /* result NULL: refused with the message */
    const char *message;
} apply_rows[] = {
    /* RFC 6902 appendix A.1 to A.7: each operation on a member and on an element */
    {"{'app': 'web'}", "[{'op': 'add', 'path': '/tier', 'value': 'front'}]",
     "{'app': 'web', 'tier': 'front'}", NULL},
    {"{'args': ['a', 'c']}", "[{'op': 'add', 'path': '/args/1', 'value': 'b'}]",
     "{'args': ['a', 'b', 'c']}", NULL},
    {"{'app': 'web', 'tier': 'front'}", "[{'op': 'remove', 'path': '/tier'}]", "{'app': 'web'}",
     NULL},
    {"{'args': ['a', 'b', 'c']}", "[{'op': 'remove', 'path': '/args/1'}]", "{'args': ['a', 'c']}",
     NULL},
    {"{'app': 'web', 'tier': 'front'}", "[{'op': 'replace', 'path': '/tier', 'value': 'back'}]",
     "{'app': 'web', 'tier': 'back'}", NULL},
    {"{'from': {'app': 'web', 'lost': 'label'}, 'to': {'tier': 'front'}}",
     "[{'op': 'move', 'from': '/from/lost', 'path': '/to/found'}]",
     "{'from': {'app': 'web'}, 'to': {'tier': 'front', 'found': 'label'}}", NULL},
    {"{'args': ['a', 'd', 'b', 'c']}", "[{'op': 'move', 'from': '/args/1', 'path': '/args/3'}]",
     "{'args': ['a', 'b', 'c', 'd']}", NULL},
    /* A.8, A.9: a test that holds, and one that does not */
    {"{'app': 'web', 'args': ['a', 2, 'c']}",
     "[{'op': 'test', 'path': '/app', 'value': 'web'},"
     " {'op': 'test', 'path': '/args/1', 'value': 2}]",
     "{'app': 'web', 'args': ['a', 2, 'c']}", NULL},
    {"{'app': 'web'}", "[{'op': 'test', 'path': '/app', 'value': 'db'}]", NULL,
     "operation 0 (test /app): the value there is another one"},
    /* A.10: an object as a new member */
    {"{'app': 'web'}", "[{'op': 'add', 'path': '/labels', 'value': {'of': 'it'}}]",
     "{'app': 'web', 'labels': {'of': 'it'}}", NULL},
    /* A.11: members that the specification does not know */
    {"{'app': 'web'}", "[{'op': 'add', 'path': '/tier', 'value': 'front', 'why': 'told so'}]",
     "{'app': 'web', 'tier': 'front'}", NULL},
    /* A.12: nothing to add to */
    {"{'app': 'web'}", "[{'op': 'add', 'path': '/labels/of', 'value': 'it'}]", NULL,
     "operation 0 (add /labels/of): there is no \"labels\" to go through"},
    /* A.14: the order of the escapes */
    {"{'/': 1, '~1': 2}", "[{'op': 'test', 'path': '/~01', 'value': 2}]", "{'/': 1, '~1': 2}",
     NULL},
    /* A.15: a string of digits is no number */
    {"{'/': 1, '~1': 2}", "[{'op': 'test', 'path': '/~01', 'value': '2'}]", NULL,
     "operation 0 (test /~01): the value there is another one"},
    /* A.16: a list as one new element */
    {"{'args': ['a']}", "[{'op': 'add', 'path': '/args/-', 'value': ['b', 'c']}]",
     "{'args': ['a', ['b', 'c']]}", NULL},

    /* section 3: the shape of a patch */
    {"{}", "[]", "{}", NULL},
    {"1", "[]", "1", NULL},
    {"{}", "{}", NULL, "a JSON Patch is a list of operations"},
    {"{}", "null", NULL, "a JSON Patch is a list of operations"},
    {"{}", "[1]", NULL, "operation 0 ( ): it is not an object"},
    {"{}", "[[]]", NULL, "operation 0 ( ): it is not an object"},
    {"{}", "[{}]", NULL, "operation 0 ( ): \"op\" is missing or no string"},
    {"{}", "[{'op': 1, 'path': ''}]", NULL, "operation 0 ( ): \"op\" is missing or no string"},
    {"{}", "[{'op': '', 'path': '/a'}]", NULL, "operation 0 ( /a): there is no operation \"\""},
    {"{}", "[{'op': 'Add', 'path': '/a', 'value': 1}]", NULL,
     "operation 0 (Add /a): there is no operation \"Add\""},
    {"{}", "[{'op': 'add\\u0000', 'path': '/a', 'value': 1}]", NULL,
     "operation 0 (add? /a): there is no operation \"add?\""},
    {"{}", "[{'op': 'add', 'value': 1}]", NULL,
     "operation 0 (add ): \"path\" is missing or no string"},
    {"{}", "[{'op': 'remove', 'path': null}]", NULL,
     "operation 0 (remove ): \"path\" is missing or no string"},
    {"{}", "[{'op': 'add', 'path': '/a'}]", NULL, "operation 0 (add /a): \"value\" is missing"},
    {"{'a': 1}", "[{'op': 'replace', 'path': '/a'}]", NULL,
     "operation 0 (replace /a): \"value\" is missing"},
    {"{'a': 1}", "[{'op': 'test', 'path': '/a'}]", NULL,
     "operation 0 (test /a): \"value\" is missing"},
    {"{'a': 1}", "[{'op': 'move', 'path': '/b'}]", NULL,
     "operation 0 (move /b): \"from\" is missing or no string"},
    {"{'a': 1}", "[{'op': 'copy', 'path': '/b', 'from': 7}]", NULL,
     "operation 0 (copy /b): \"from\" is missing or no string"},
    {"{'a': 1}", "[{'op': 'move', 'from': '/a'}]", NULL,
     "operation 0 (move ): \"path\" is missing or no string"},
    {"{'a': 1}", "[{'op': 'copy', 'from': '/a'}]", NULL,
     "operation 0 (copy ): \"path\" is missing or no string"},
    /* the order of the members of an operation means nothing; null is a value */
    {"{}", "[{'value': null, 'path': '/a', 'op': 'add'}]", "{'a': null}", NULL},

    /* section 4: pointers are strict */
    {"{'a': 1}", "[{'op': 'replace', 'path': 'a', 'value': 2}]", NULL,
     "operation 0 (replace a): a JSON pointer begins with \"/\" or is empty"},
    {"{'~': 1}", "[{'op': 'remove', 'path': '/~'}]", NULL,
     "operation 0 (remove /~): \"~\" without 0 or 1 in a JSON pointer"},
    {"{'a': 1}", "[{'op': 'copy', 'from': 'a', 'path': '/b'}]", NULL,
     "operation 0 (copy /b): a JSON pointer begins with \"/\" or is empty"},
    {"{'a': {'b': 1}}", "[{'op': 'test', 'path': '/a//b', 'value': 1}]", NULL,
     "operation 0 (test /a//b): there is no \"\" to go through"},

    /* 4.1 add: to the document itself, over a member that is there, at every index up to the end */
    {"{'a': 1}", "[{'op': 'add', 'path': '', 'value': [2]}]", "[2]", NULL},
    {"{'a': 1}", "[{'op': 'add', 'path': '/a', 'value': 2}]", "{'a': 2}", NULL},
    {"{'a': 1}", "[{'op': 'add', 'path': '/', 'value': 2}]", "{'a': 1, '': 2}", NULL},
    {"{}", "[{'op': 'add', 'path': '/-', 'value': 2}]", "{'-': 2}", NULL},
    {"{}", "[{'op': 'add', 'path': '/0', 'value': 2}]", "{'0': 2}", NULL},
    {"{}", "[{'op': 'add', 'path': '/~1~0~01', 'value': 2}]", "{'/~~1': 2}", NULL},
    {"[]", "[{'op': 'add', 'path': '/0', 'value': 1}]", "[1]", NULL},
    {"[]", "[{'op': 'add', 'path': '/-', 'value': 1}]", "[1]", NULL},
    {"[1]", "[{'op': 'add', 'path': '/0', 'value': 0}]", "[0, 1]", NULL},
    /* JP2: the index that equals the length, and "-" */
    {"[1]", "[{'op': 'add', 'path': '/1', 'value': 2}]", "[1, 2]", NULL},
    {"[1]", "[{'op': 'add', 'path': '/-', 'value': 2}]", "[1, 2]", NULL},
    {"[1]", "[{'op': 'add', 'path': '/2', 'value': 2}]", NULL,
     "operation 0 (add /2): index 2 is beyond the end of the list"},
    {"[1]", "[{'op': 'add', 'path': '/01', 'value': 2}]", NULL,
     "operation 0 (add /01): \"01\" is no index of a list"},
    {"[1]", "[{'op': 'add', 'path': '/-1', 'value': 2}]", NULL,
     "operation 0 (add /-1): \"-1\" is no index of a list"},
    {"[1]", "[{'op': 'add', 'path': '/', 'value': 2}]", NULL,
     "operation 0 (add /): \"\" is no index of a list"},
    {"[1]", "[{'op': 'add', 'path': '/99999999999999999999', 'value': 2}]", NULL,
     "operation 0 (add /99999999999999999999): \"99999999999999999999\" is no index of a list"},
    {"[[1]]", "[{'op': 'add', 'path': '/-/0', 'value': 2}]", NULL,
     "operation 0 (add /-/0): there is no \"-\" to go through"},
    {"{'a': 1}", "[{'op': 'add', 'path': '/a/b', 'value': 2}]", NULL,
     "operation 0 (add /a/b): what should hold \"b\" is neither object nor list"},
    {"{'a': null}", "[{'op': 'add', 'path': '/a/b', 'value': 2}]", NULL,
     "operation 0 (add /a/b): what should hold \"b\" is neither object nor list"},
    {"'text'", "[{'op': 'add', 'path': '/0', 'value': 2}]", NULL,
     "operation 0 (add /0): what should hold \"0\" is neither object nor list"},
    {"{}", "[{'op': 'add', 'path': '/a\\u0000b', 'value': 2}]", NULL,
     "operation 0 (add /a?b): \"a?b\" holds NUL, which no key may"},

    /* 4.2 remove */
    {"{'a': null}", "[{'op': 'remove', 'path': '/a'}]", "{}", NULL},
    {"[1, 2]", "[{'op': 'remove', 'path': '/1'}]", "[1]", NULL},
    {"{'0': 1, '1': 2}", "[{'op': 'remove', 'path': '/1'}]", "{'0': 1}", NULL},
    {"{'a': 1}", "[{'op': 'remove', 'path': '/b'}]", NULL,
     "operation 0 (remove /b): there is no \"b\""},
    {"{'a': 1}", "[{'op': 'remove', 'path': '/a\\u0000'}]", NULL,
     "operation 0 (remove /a?): there is no \"a?\""},
    {"[1]", "[{'op': 'remove', 'path': '/1'}]", NULL, "operation 0 (remove /1): there is no \"1\""},
    {"[1]", "[{'op': 'remove', 'path': '/-'}]", NULL, "operation 0 (remove /-): there is no \"-\""},
    {"[1]", "[{'op': 'remove', 'path': '/00'}]", NULL,
     "operation 0 (remove /00): there is no \"00\""},
    {"[1]", "[{'op': 'remove', 'path': ''}]", NULL,
     "operation 0 (remove ): the document itself can not be removed"},

    /* 4.3 replace: only what is there */
    {"{'a': null}", "[{'op': 'replace', 'path': '/a', 'value': {}}]", "{'a': {}}", NULL},
    {"[1, 2]", "[{'op': 'replace', 'path': '/1', 'value': [3]}]", "[1, [3]]", NULL},
    {"[1, 2]", "[{'op': 'replace', 'path': '', 'value': 'x'}]", "'x'", NULL},
    {"{'a': 1}", "[{'op': 'replace', 'path': '/b', 'value': 1}]", NULL,
     "operation 0 (replace /b): there is no \"b\""},
    {"[1]", "[{'op': 'replace', 'path': '/1', 'value': 1}]", NULL,
     "operation 0 (replace /1): there is no \"1\""},
    {"[1]", "[{'op': 'replace', 'path': '/-', 'value': 1}]", NULL,
     "operation 0 (replace /-): there is no \"-\""},
    {"{'a': 'x'}", "[{'op': 'replace', 'path': '/a/0', 'value': 1}]", NULL,
     "operation 0 (replace /a/0): there is no \"0\""},

    /* 4.4 move: removed first, then added; not into itself; onto itself changes nothing */
    {"{'a': 1, 'b': 2}", "[{'op': 'move', 'from': '/a', 'path': '/b'}]", "{'b': 1}", NULL},
    {"[1, 2, 3]", "[{'op': 'move', 'from': '/0', 'path': '/-'}]", "[2, 3, 1]", NULL},
    {"[1, 2, 3]", "[{'op': 'move', 'from': '/2', 'path': '/0'}]", "[3, 1, 2]", NULL},
    {"{'a': {'b': 1}}", "[{'op': 'move', 'from': '/a/b', 'path': '/a'}]", "{'a': 1}", NULL},
    {"{'a': {'b': 1}}", "[{'op': 'move', 'from': '/a/b', 'path': ''}]", "1", NULL},
    {"{'a': 1}", "[{'op': 'move', 'from': '/a', 'path': '/a'}]", "{'a': 1}", NULL},
    {"{'a': 1}", "[{'op': 'move', 'from': '', 'path': ''}]", "{'a': 1}", NULL},
    {"{'a': 1, 'ab': {}}", "[{'op': 'move', 'from': '/a', 'path': '/ab/c'}]", "{'ab': {'c': 1}}",
     NULL},
    {"{'a': {'b': {}}}", "[{'op': 'move', 'from': '/a', 'path': '/a/b/c'}]", NULL,
     "operation 0 (move /a/b/c): nothing can be moved into itself"},
    {"{'a': {}}", "[{'op': 'move', 'from': '', 'path': '/a'}]", NULL,
     "operation 0 (move /a): nothing can be moved into itself"},
    {"{'a': 1}", "[{'op': 'move', 'from': '/b', 'path': '/b'}]", NULL,
     "operation 0 (move /b): there is no \"b\""},
    {"[1]", "[{'op': 'move', 'from': '/0', 'path': '/1'}]", NULL,
     "operation 0 (move /1): index 1 is beyond the end of the list"},
    {"{'a': {'b': 1}, 'c': 2}", "[{'op': 'move', 'from': '/c', 'path': '/x/y'}]", NULL,
     "operation 0 (move /x/y): there is no \"x\" to go through"},

    /* 4.5 copy: the copy is another value from then on */
    {"{'a': [1]}",
     "[{'op': 'copy', 'from': '/a', 'path': '/b'}, {'op': 'add', 'path': '/b/-', 'value': 2}]",
     "{'a': [1], 'b': [1, 2]}", NULL},
    {"{'a': {}}", "[{'op': 'copy', 'from': '', 'path': '/a/b'}]", "{'a': {'b': {'a': {}}}}", NULL},
    {"[1, 2]", "[{'op': 'copy', 'from': '/1', 'path': '/0'}]", "[2, 1, 2]", NULL},
    {"{'a': 1}", "[{'op': 'copy', 'from': '/b', 'path': '/c'}]", NULL,
     "operation 0 (copy /c): there is no \"b\""},
    {"{'a': 1}", "[{'op': 'copy', 'from': '/a', 'path': '/b/c'}]", NULL,
     "operation 0 (copy /b/c): there is no \"b\" to go through"},

    /* 4.6 test: objects without order, lists in order, numbers by value */
    {"{'a': {'x': 1, 'y': [1, null, true, 'z']}}",
     "[{'op': 'test', 'path': '', 'value': {'a': {'y': [1.0, null, true, 'z'], 'x': 1e0}}}]",
     "{'a': {'x': 1, 'y': [1, null, true, 'z']}}", NULL},
    {"[1.5, 2.0, 3]", "[{'op': 'test', 'path': '', 'value': [1.5, 2, 3]}]", "[1.5, 2.0, 3]", NULL},
    {"1", "[{'op': 'test', 'path': '', 'value': 2}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"1", "[{'op': 'test', 'path': '', 'value': 1.5}]", NULL,
     "operation 0 (test ): the value there is another one"},
    /* neither side of 2^53 nor of 2^63 is rounded into the other */
    {"9007199254740993", "[{'op': 'test', 'path': '', 'value': 9007199254740992.0}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"9223372036854775807", "[{'op': 'test', 'path': '', 'value': 9223372036854775808.0}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"-9223372036854775808", "[{'op': 'test', 'path': '', 'value': -9223372036854775808.0}]",
     "-9223372036854775808", NULL},
    {"[1, 2]", "[{'op': 'test', 'path': '', 'value': [2, 1]}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"[1, 2]", "[{'op': 'test', 'path': '', 'value': [1]}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"{'a': 1}", "[{'op': 'test', 'path': '', 'value': {'a': 1, 'b': 2}}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"{'a': 1}", "[{'op': 'test', 'path': '', 'value': {'b': 1}}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"{'a': 1}", "[{'op': 'test', 'path': '', 'value': {'a': '1'}}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"{'a': 'x\\u0000y'}", "[{'op': 'test', 'path': '/a', 'value': 'x\\u0000z'}]", NULL,
     "operation 0 (test /a): the value there is another one"},
    {"{'a': null}", "[{'op': 'test', 'path': '/b', 'value': null}]", NULL,
     "operation 0 (test /b): there is no \"b\""},
    {"[true, null, {}]", "[{'op': 'test', 'path': '', 'value': [true, null, {}]}]",
     "[true, null, {}]", NULL},
    {"true", "[{'op': 'test', 'path': '', 'value': false}]", NULL,
     "operation 0 (test ): the value there is another one"},
    {"0", "[{'op': 'test', 'path': '', 'value': false}]", NULL,
     "operation 0 (test ): the value there is another one"},

    /* section 5: in order, each on the result of the one before, and all or nothing */
    {"{}",
     "[{'op': 'add', 'path': '/a', 'value': []}, {'op': 'add', 'path': '/a/-', 'value': 1},"
     " {'op': 'test', 'path': '/a/0', 'value': 1}, {'op': 'move', 'from': '/a', 'path': '/b'}]",
     "{'b': [1]}", NULL},
    {"{'a': 1}",
     "[{'op': 'remove', 'path': '/a'}, {'op': 'add', 'path': '/b', 'value': 1},"
     " {'op': 'remove', 'path': '/a'}]",
     NULL, "operation 2 (remove /a): there is no \"a\""},
    /* hostile text in a message is cut and made harmless, and the reason still fits */
    {"{}",
     "[{'op': 'remove', 'path': "
     "'/\\u001b[31mred\\u202eaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}"
     "]",
     NULL,
     "operation 0 (remove /?[31mred?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...): there is "
     "no"
     " \"?[31mred?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\""},
};
