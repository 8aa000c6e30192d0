#include "kube/list.h"

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/watching.h"
#include "tests/unit/suite.h"

#define HEAD "'apiVersion':'v1','kind':'PodList'"
#define META "'metadata':{'resourceVersion':'9'}"
#define ITEM(name) "{'metadata':{'namespace':'n','name':'" name "','resourceVersion':'5'}}"
#define PART                                                                                       \
    "{'apiVersion':'meta.k8s.io/v1','kind':'PartialObjectMetadata','metadata':{'namespace':'n',"   \
    "'name':'d','resourceVersion':'5'}}"

static const struct {
    const char *body;
    const struct kube_watched *watched;
    const char *out; /* version, token, names; or the refusal */
} rows[] = {
    {"{" HEAD "," META ",'items':[" ITEM("a") "," ITEM("b") "]}\n", &watched_pods, "9 - a b"},
    {"{" HEAD
     ",'metadata':{'resourceVersion':'9','continue':'','remainingItemCount':3},'items':[]}",
     &watched_pods, "9 -"},
    {" {\n" HEAD
     " , 'metadata' : { 'resourceVersion':'9','continue':'to\\\"ken'} ,\n'items' : [\n" ITEM(
         "a") "\n] , 'more':[1,2.5,true]}",
     &watched_pods, "9 to\"ken a"},
    /* as custom resources come: what it is stands behind */
    {"{'apiVersion':'v1','items':[" ITEM("a") "],'kind':'PodList'," META "}", &watched_pods,
     "9 - a"},
    {"{" HEAD "," META ",'items':null}", &watched_pods, "9 -"},
    {"{" HEAD "," META "}", &watched_pods, "9 -"},
    {"{'apiVersion':'meta.k8s.io/v1','kind':'PartialObjectMetadataList'," META ",'items':[" PART
     "]}",
     &watched_parts, "9 - d"},
    /* L7: a table, a status, one object, items of another kind */
    {"{'apiVersion':'meta.k8s.io/v1','kind':'Table'," META ",'rows':[]}", &watched_pods,
     "!400 kind \"Table\" is no list of pods"},
    {"{'apiVersion':'v1','kind':'Status','code':200}", &watched_pods,
     "!400 kind \"Status\" is no list of pods"},
    {"{" HEAD "," META ",'items':[{'kind':'Secret','metadata':{}}]}", &watched_pods,
     "!400 an object of kind \"Secret\" instead of \"Pod\" (pods)"},
    {"{" HEAD "," META ",'items':[7]}", &watched_pods, "!400 pods: something that is no object"},
    {"{" HEAD "," META ",'items':[{'metadata':{'name':'a','namespace':'n'}}]}", &watched_pods,
     "!400 pods: an object without a resource version"},
    {"{" HEAD "," META ",'items':[" ITEM("a") "]}", &watched_things,
     "!400 things: an object with a namespace"},
    {"{" HEAD ",'metadata':{},'items':[]}", &watched_pods,
     "!400 a list without a resource version"},
    {"{" HEAD ",'items':[]}", &watched_pods, "!400 a list without a resource version"},
    /* half of it, at the end of a page, of an item, of the list */
    {"", &watched_pods, "!400 a list that was cut off"},
    {"{" HEAD "," META ",'items':[" ITEM("a"), &watched_pods, "!400 a list that was cut off"},
    {"{" HEAD "," META ",'items':[" ITEM("a") "]", &watched_pods, "!400 a list that was cut off"},
    /* AF17 */
    {"<html></html>", &watched_pods, "!400 no '{' where a list should have it"},
    {"[]", &watched_pods, "!400 no '{' where a list should have it"},
    /* no JSON */
    {"{" HEAD "," META ",'items':[" ITEM("a") ",]}", &watched_pods,
     "!400 ']' stands where a JSON value should begin"},
    {"{" HEAD "," META ",'items':[" ITEM("a") ITEM("b") "]}", &watched_pods,
     "!400 no ',' where a list should have it"},
    {"{" HEAD ",}", &watched_pods, "!400 '}' stands where a JSON value should begin"},
    {"{7 :8}", &watched_pods, "!400 a key that is no string"},
    {"{'a' 8}", &watched_pods, "!400 no ':' where a list should have it"},
    {"{" HEAD "," META ",'items':{}}", &watched_pods, "!400 no '[' where a list should have it"},
    {"{" HEAD "," META ",'items':[{'a':}]}", &watched_pods,
     "!400 1:6: found '}', expected a JSON value"},
    {"{" HEAD "," META "}{}", &watched_pods, "!400 something behind a list"},
    {"{" HEAD "," META "}]", &watched_pods, "!400 something behind a list"},
    {"{'kind':'PodList'," HEAD "," META "}", &watched_pods, "!400 a list that says \"kind\" twice"},
    {"{" HEAD "," META ",'items':[],'items':[]}", &watched_pods,
     "!400 a list that has its items twice"},
};

static bool read_pieces(struct list_reader *reader, struct span body, size_t step,
                        struct error *err)
{
    for (size_t at = 0; at < body.length; at += step) {
        size_t left = body.length - at;

        text_add(&reader->frames.buffer, body.data + at, left < step ? left : step);
        if (!list_read(reader, err))
            return false;
    }
    return true;
}

static void describe(struct text *out, const struct list_page *page, const json_t *items)
{
    const json_t *item;
    size_t i;

    text_addf(out, "%s %s", page->version, page->more ? page->more : "-");
    tree_items (items, i, item)
        text_addf(out, " %s", tree_text(tree_get(item, "metadata"), "name"));
}

START_TEST(read_however_it_is_cut)
    {
        AUTO(free) char *body = text_dup(rows[_i].body, strlen(rows[_i].body));
        size_t length = strlen(body);

        for (char *c = body; *c; c++)
            if (*c == '\'')
                *c = '"';
        for (size_t step = 1; step <= length + 1; step++) {
            AUTO(json) json_t *items = json_array();
            AUTO(list_reader)
            struct list_reader reader = {.watched = rows[_i].watched, .items = items};
            AUTO(text) struct text out = {0};
            struct list_page page;
            struct error err = {0};

            if (read_pieces(&reader, (struct span){body, length}, step, &err) &&
                list_end(&reader, &page, &err))
                describe(&out, &page, items);
            else
                text_addf(&out, "!%d %s", (int)err.code, err.message);
            ck_assert_str_eq(text_get(&out), rows[_i].out);
        }
    }
END_TEST

/* Items get the apiVersion and kind that a typed list leaves out. */
START_TEST(items_are_completed)
    {
        AUTO(json) json_t *items = json_array();
        AUTO(list_reader) struct list_reader reader = {.watched = &watched_pods, .items = items};
        struct error err = {0};
        AUTO(json)
        json_t *wanted = json_row("[{'metadata':{'namespace':'n','name':'a','resourceVersion':'5'},"
                                  "'apiVersion':'v1','kind':'Pod'}]");

        text_puts(&reader.frames.buffer,
                  "{\"items\":[{\"metadata\":{\"namespace\":\"n\",\"name\":\"a\","
                  "\"resourceVersion\":\"5\",\"managedFields\":[{}]}}");
        ck_assert(list_read(&reader, &err));
        ck_assert(tree_equal(items, wanted));
    }
END_TEST

/* AF10: a hundred thousand objects need no more than themselves */
START_TEST(long_lists_need_no_buffer)
    {
        AUTO(json) json_t *items = json_array();
        AUTO(list_reader) struct list_reader reader = {.watched = &watched_pods, .items = items};
        struct error err = {0};
        struct list_page page;

        text_puts(&reader.frames.buffer, "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"metadata\":"
                                         "{\"resourceVersion\":\"1\"},\"items\":[");
        for (int i = 0; i < 100000; i++) {
            text_addf(&reader.frames.buffer,
                      "%s{\"metadata\":{\"namespace\":\"n\",\"name\":\"a%d\","
                      "\"resourceVersion\":\"5\"}}",
                      i ? "," : "", i);
            ck_assert(list_read(&reader, &err));
        }
        text_puts(&reader.frames.buffer, "]}");
        ck_assert(list_read(&reader, &err) && list_end(&reader, &page, &err));
        ck_assert_uint_eq(json_array_size(items), 100000);
        ck_assert_uint_lt(reader.frames.buffer.room, 1024);
    }
END_TEST

/* What is beside the items is bounded too, as one value and as many. */
START_TEST(heads_are_bounded)
    {
        AUTO(json) json_t *items = json_array();
        AUTO(list_reader) struct list_reader reader = {.watched = &watched_pods, .items = items};
        struct error err = {0};
        bool fine = true;

        text_puts(&reader.frames.buffer, "{\"a\":1");
        for (unsigned i = 0; fine && i < KUBE_ENVELOPE_MAX_BYTES; i++) {
            text_addf(&reader.frames.buffer, ",\"a%u\":1", i);
            fine = list_read(&reader, &err);
        }
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
    }
END_TEST

SUITE(kube_list)
{
    suite_rows(tests, read_however_it_is_cut, rows);
    tcase_add_test(tests, items_are_completed);
    tcase_add_test(tests, long_lists_need_no_buffer);
    tcase_add_test(tests, heads_are_bounded);
}
