#include "kube/catalog.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

#define A "{apiVersion: v1, kind: A, metadata: {name: a}}\n"
#define B "{apiVersion: v1, kind: B, metadata: {name: b}}\n"
#define C "{apiVersion: v1, kind: C, metadata: {name: c}}\n"

static void make(const struct folder *folder, const char *name, const char *text)
{
    if (!text)
        folder_make_folder(folder, name);
    else if (strncmp(text, "-> ", 3) == 0)
        folder_link(folder, name, text + 3);
    else
        folder_write(folder, name, text);
}

/* One line "file:line:column kind namespace/name" for each object, or "code message"; "DIR" stands
 * for the folder. */
static char *outcome(const struct folder *folder, const char *path, struct text *warnings)
{
    AUTO(catalog_documents) struct catalog_documents documents = {0};
    AUTO(text) struct text out = {0};
    struct error err = {0};

    if (!catalog_documents(path, &documents, warnings, &err))
        text_addf(&out, "%d %s", err.code, err.message);
    for (size_t i = 0; i < documents.count; i++) {
        const struct yaml_document *document = &documents.items[i].document;
        const json_t *metadata = tree_get(document->value, "metadata");
        const char *namespace = tree_text(metadata, "namespace");

        text_addf(&out, "%s:%u:%u %s %s%s%s\n", documents.items[i].file, document->place.line,
                  document->place.column, tree_text(document->value, "kind"),
                  namespace ? namespace : "", namespace ? "/" : "", tree_text(metadata, "name"));
    }

    struct text shown = {0};
    const char *at = text_get(&out), *next;

    for (; (next = strstr(at, folder->path)); at = next + strlen(folder->path)) {
        text_add(&shown, at, (size_t)(next - at));
        text_puts(&shown, "DIR");
    }
    text_puts(&shown, at);
    return text_take(&shown);
}

/* Files in the order of making; text NULL is a folder, "-> x" a link. */
struct file {
    const char *name, *text;
};

static const struct {
    struct file files[8];
    const char *path, *wanted;
} rows[] = {
    {{{0}}, "", ""},
    /* names decide the order, not time or kind of entry */
    {{{"b.yaml", B}, {"c", NULL}, {"c/x.json", C}, {"a.yml", A}, {"d.yaml", "# nothing\n"}},
     "",
     "DIR/a.yml:1:1 A a\nDIR/b.yaml:1:1 B b\nDIR/c/x.json:1:1 C c\n"},
    {{{"notes.txt", "{"}, {"yaml", "{"}, {".yaml", "{"}, {"a.yaml~", "{"}, {"a.YAML", "{"}},
     "",
     ""},
    {{{".hidden.yaml", "{"}, {".git", NULL}, {".git/x.yaml", "{"}}, "", ""},
    /* one file, whatever its name; several documents */
    {{{"any.txt", "---\n" A "---\n\n" B "--- # none\n"}},
     "/any.txt",
     "DIR/any.txt:2:1 A a\nDIR/any.txt:5:1 B b\n"},
    /* as a ConfigMap is mounted */
    {{{"..2026", NULL},
      {"..2026/a.yaml", A},
      {"..data", "-> ..2026"},
      {"a.yaml", "-> ..data/a.yaml"}},
     "",
     "DIR/a.yaml:1:1 A a\n"},
    /* each folder once: up, beside, and by two names */
    {{{"s", NULL}, {"s/a.yaml", A}, {"s/up", "-> .."}, {"t", "-> s"}, {"u", "-> ../nowhere"}},
     "",
     "DIR/s/a.yaml:1:1 A a\n"},
    /* lists */
    {{{"l.yaml", "apiVersion: v1\nkind: List\nitems:\n- " A "- " B}},
     "",
     "DIR/l.yaml:4:3 A a\nDIR/l.yaml:5:3 B b\n"},
    {{{"l.json", "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[" A ",\n" B "]}"}},
     "",
     "DIR/l.json:1:43 A a\nDIR/l.json:3:1 B b\n"},
    {{{"l.yaml", "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [" A
                 "]}, " B "]}"}},
     "",
     "DIR/l.yaml:1:75 A a\nDIR/l.yaml:2:5 B b\n"},
    {{{"l.yaml", "{apiVersion: apps/v1, kind: DeploymentList, items: [{metadata: {name: x}}]}"}},
     "",
     "DIR/l.yaml:1:53 Deployment x\n"},
    {{{"l.yaml", "{apiVersion: v1, kind: List}"},
      {"m.yaml", "{apiVersion: v1, kind: List, items: }"}},
     "",
     ""},
    {{{"l.yaml", "{apiVersion: v1, kind: PriceList, metadata: {name: x}}"}},
     "",
     "DIR/l.yaml:1:1 PriceList x\n"},
    {{{"l.yaml", "apiVersion: v1\nkind: List\nitems: {}\n"}},
     "",
     "422 DIR/l.yaml:3:1: items is not a list"},
    {{{"l.yaml", "apiVersion: v1\nkind: List\nitems:\n- " A "- x\n"}},
     "",
     "422 DIR/l.yaml:5:3: not an object of Kubernetes"},
    {{{"l.yaml", "apiVersion: v1\nkind: List\nitems:\n- {kind: A}\n"}},
     "",
     "422 DIR/l.yaml:4:3: apiVersion is missing, or no string"},
    /* documents that are no objects */
    {{{"a.yaml", A "---\n[1]\n"}}, "", "422 DIR/a.yaml:3:1: not an object of Kubernetes"},
    {{{"a.yaml", "just text\n"}}, "", "422 DIR/a.yaml:1:1: not an object of Kubernetes"},
    {{{"a.yaml", "kind: A\n"}}, "", "422 DIR/a.yaml:1:1: apiVersion is missing, or no string"},
    {{{"a.yaml", "apiVersion: v1\nkind: 5\n"}},
     "",
     "422 DIR/a.yaml:2:1: kind is missing, or no string"},
    {{{"a.yaml", "apiVersion: v1\nkind: ''\n"}}, "", "422 DIR/a.yaml:2:1: kind is empty"},
    /* what the reader of YAML says comes with the file's name */
    {{{"a.yaml", A}, {"b.yaml", "a:\n\tb: 1\n"}},
     "",
     "422 DIR/b.yaml:2:1: a tab can not indent: use blanks"},
    /* twice */
    {{{"a.yaml", B A}, {"z", NULL}},
     "",
     "422 DIR/a.yaml:2:1: did not find expected <document start>"},
    {{{"a.yaml", A "---\n" B}, {"s", NULL}, {"s/b.yaml", "# again\n" A}},
     "",
     "422 DIR/s/b.yaml:2:1: A a stands also in DIR/a.yaml:1:1"},
    {{{"a.yaml", A}, {"b.yaml", "-> a.yaml"}},
     "",
     "422 DIR/b.yaml:1:1: A a stands also in DIR/a.yaml:1:1"},
    {{{"a.yaml", "apiVersion: apps/v1\nkind: D\nmetadata: {namespace: ns, name: x}\n---\n"
                 "apiVersion: apps/v1beta1\nkind: D\nmetadata: {namespace: ns, name: x}\n"}},
     "",
     "422 DIR/a.yaml:5:1: D ns/x stands also in DIR/a.yaml:1:1"},
    /* the same name in another group, kind or namespace is another object */
    {{{"a.yaml", "{apiVersion: g/v1, kind: D, metadata: {name: x}}\n---\n"
                 "{apiVersion: v1, kind: D, metadata: {name: x}}\n---\n"
                 "{apiVersion: v1, kind: E, metadata: {name: x}}\n---\n"
                 "{apiVersion: v1, kind: D, metadata: {name: x, namespace: ns}}\n"}},
     "",
     "DIR/a.yaml:1:1 D x\nDIR/a.yaml:3:1 D x\nDIR/a.yaml:5:1 E x\nDIR/a.yaml:7:1 D ns/x\n"},
    /* Y7: what is no file, and what can not be reached */
    {{{0}}, "/none.yaml", "404 DIR/none.yaml: No such file or directory"},
    {{{"a.yaml", A}}, "/a.yaml/x", "404 DIR/a.yaml/x: Not a directory"},
    {{{"f.yaml", NULL}}, "", "422 DIR/f.yaml: is a folder, not a file"},
    {{{"f.yaml", NULL}, {"f.yaml/a.yaml", A}}, "/f.yaml", "DIR/f.yaml/a.yaml:1:1 A a\n"},
    {{{"a.yaml", "-> b.yaml"}, {"b.yaml", "-> a.yaml"}},
     "",
     "422 DIR/a.yaml: Too many levels of symbolic links"},
    {{{"loop", "-> loop"}}, "", "422 DIR/loop: Too many levels of symbolic links"},
    {{{"a.yaml", "-> nowhere"}}, "", "404 DIR/a.yaml: No such file or directory"},
    {{{"d.yaml", "-> /dev/zero"}}, "", "422 DIR/d.yaml: is a device, not a file"},
    {{{"d.yaml", "-> /dev/zero"}}, "/d.yaml", "422 DIR/d.yaml: is a device, not a file"},
};

START_TEST(reads_folders)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(text) struct text warnings = {0};

        for (size_t i = 0; i < 8 && rows[_i].files[i].name; i++)
            make(&folder, rows[_i].files[i].name, rows[_i].files[i].text);

        AUTO(free) char *path = text_format("%s%s", folder.path, rows[_i].path);
        AUTO(free) char *got = outcome(&folder, path, &warnings);

        ck_assert_str_eq(got, rows[_i].wanted);
        ck_assert_str_eq(text_get(&warnings), "");
    }
END_TEST

/* Y7: a FIFO must not block, also when it is named by itself */
START_TEST(refuses_fifos_and_sockets)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *fifo = folder_path(&folder, "a.yaml");
        AUTO(free) char *socket_path = folder_path(&folder, "0.yaml");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        AUTO(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(mkfifo(fifo, 0644), 0);

        AUTO(free) char *in_folder = outcome(&folder, folder.path, NULL);
        AUTO(free) char *alone = outcome(&folder, fifo, NULL);

        ck_assert_str_eq(in_folder, "422 DIR/a.yaml: is a FIFO, not a file");
        ck_assert_str_eq(alone, "422 DIR/a.yaml: is a FIFO, not a file");

        ck_assert_uint_lt(strlen(socket_path), sizeof address.sun_path);
        memcpy(address.sun_path, socket_path, strlen(socket_path));
        ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);

        AUTO(free) char *with_socket = outcome(&folder, folder.path, NULL);

        ck_assert_str_eq(with_socket, "422 DIR/0.yaml: is a socket, not a file");
    }
END_TEST

/* Y7: root may read everything, so the test is somebody else for a moment */
static char *outcome_as_nobody(const struct folder *folder)
{
    bool root = geteuid() == 0;

    ck_assert(!root || seteuid(65534) == 0);

    char *got = outcome(folder, folder->path, NULL);

    ck_assert(!root || seteuid(0) == 0);
    return got;
}

START_TEST(says_what_it_may_not_read)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *file = folder_path(&folder, "z.yaml");
        AUTO(free) char *sub = folder_path(&folder, "sub");

        folder_write(&folder, "z.yaml", A);
        ck_assert_int_eq(chmod(file, 0), 0);

        AUTO(free) char *first = outcome_as_nobody(&folder);

        ck_assert_str_eq(first, "403 DIR/z.yaml: Permission denied");
        folder_make_folder(&folder, "sub");
        ck_assert_int_eq(chmod(sub, 0), 0);

        AUTO(free) char *second = outcome_as_nobody(&folder);

        ck_assert_str_eq(second, "403 DIR/sub: Permission denied");
        ck_assert_int_eq(chmod(sub, 0755), 0);
    }
END_TEST

START_TEST(refuses_large_files)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(text) struct text text = {0};

        text_puts(&text, A "#");
        while (text.length < YAML_MAX_BYTES)
            text_putc(&text, 'x');
        folder_write(&folder, "a.yaml", text_get(&text));

        AUTO(free) char *full = outcome(&folder, folder.path, NULL);

        ck_assert_str_eq(full, "DIR/a.yaml:1:1 A a\n");
        text_putc(&text, 'x');
        folder_write(&folder, "a.yaml", text_get(&text));

        AUTO(free) char *over = outcome(&folder, folder.path, NULL);

        ck_assert_str_eq(over, "413 DIR/a.yaml: more than 1048576 bytes");
    }
END_TEST

START_TEST(refuses_too_many_bytes)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(text) struct text text = {0};
        size_t files = CATALOG_MAX_BYTES / YAML_MAX_BYTES;

        for (size_t i = 0; i < YAML_MAX_BYTES; i++)
            text_putc(&text, '\n');
        folder_write(&folder, "000.yaml", text_get(&text));

        AUTO(free) char *first = folder_path(&folder, "000.yaml");

        for (size_t i = 1; i <= files; i++) {
            AUTO(free) char *next = text_format("%s/%03zu.yaml", folder.path, i);

            ck_assert_int_eq(link(first, next), 0);
        }

        AUTO(free) char *over = outcome(&folder, folder.path, NULL);

        ck_assert_str_eq(over, "413 DIR/256.yaml: more than 268435456 bytes with the files before");
    }
END_TEST

START_TEST(refuses_too_many_files)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *first = folder_path(&folder, "00000.yaml");

        folder_write(&folder, "00000.yaml", "");
        for (unsigned i = 1; i < CATALOG_MAX_FILES; i++) {
            AUTO(free) char *next = text_format("%s/%05u.yaml", folder.path, i);

            ck_assert_int_eq(link(first, next), 0);
        }

        /* with the folder itself there is one too many */
        AUTO(free) char *over = outcome(&folder, folder.path, NULL);

        ck_assert_str_eq(over, "413 DIR/19999.yaml: more than 20000 files and folders");
        folder_remove(&folder, "19999.yaml");

        AUTO(free) char *full = outcome(&folder, folder.path, NULL);

        ck_assert_str_eq(full, "");
    }
END_TEST

START_TEST(refuses_too_many_levels)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(text) struct text path = {0};

        text_puts(&path, "d");
        for (unsigned i = 1; i < CATALOG_MAX_LEVELS; i++) {
            folder_make_folder(&folder, text_get(&path));
            text_puts(&path, "/d");
        }

        AUTO(free) char *full = outcome(&folder, folder.path, NULL);

        ck_assert_str_eq(full, "");
        folder_make_folder(&folder, text_get(&path));

        AUTO(free) char *over = outcome(&folder, folder.path, NULL);

        ck_assert_ptr_nonnull(strstr(over, "413 DIR/d/d/"));
        ck_assert_ptr_nonnull(strstr(over, "d/d: more than 32 levels of folders"));
    }
END_TEST

START_TEST(reads_standard_input)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(text) struct text warnings = {0};
        const char *text = B "---\n{apiVersion: v1, kind: no, metadata: {name: x}}\n";
        int fds[2];

        ck_assert_int_eq(pipe(fds), 0);
        ck_assert_int_eq(write(fds[1], text, strlen(text)), (int)strlen(text));
        close(fds[1]);
        ck_assert_int_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
        close(fds[0]);

        AUTO(free) char *got = outcome(&folder, "-", &warnings);

        ck_assert_str_eq(got, "stdin:1:1 B b\nstdin:3:1 no x\n");
        ck_assert_str_eq(text_get(&warnings), "stdin:3:24: \"no\" is a string here and a boolean "
                                              "for kubectl (YAML 1.1): put it in quotes\n");
    }
END_TEST

START_TEST(remarks_name_the_file)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(text) struct text warnings = {0};
        struct error err;

        folder_write(&folder, "a\nb.yaml", "apiVersion: v1\nkind: A\ndata: {x: no, z: on}\n");

        AUTO(json) json_t *objects = catalog_read(folder.path, &warnings, &err);

        ck_assert_uint_eq(json_array_size(objects), 1);

        AUTO(free)
        char *wanted = text_format(
            "%1$s/a?b.yaml:3:11: \"no\" is a string here and a boolean for kubectl (YAML 1.1): put "
            "it in quotes\n%1$s/a?b.yaml:3:18: \"on\" is a string here and a boolean for kubectl "
            "(YAML 1.1): put it in quotes\n",
            folder.path);

        ck_assert_str_eq(text_get(&warnings), wanted);
    }
END_TEST

/* A message has 256 bytes, and what is wrong must be among them. */
START_TEST(long_paths_do_not_hide_the_message)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(text) struct text name = {0};
        struct error err;

        for (int i = 0; i < 60; i++)
            text_puts(&name, "\xc3\xa9\xc3\xa8");
        text_puts(&name, ".yaml");
        folder_write(&folder, text_get(&name),
                     "{apiVersion: v1, kind: A, metadata: {name: x}}\n"
                     "---\n"
                     "{apiVersion: v1, kind: A, metadata: {name: x}}\n");
        ck_assert_ptr_null(catalog_read(folder.path, NULL, &err));
        ck_assert_ptr_nonnull(strstr(err.message, ".yaml:3:1: A x stands also in "));
        ck_assert_int_eq(err.message[0], '\xc3');
    }
END_TEST

START_TEST(fields_of_list_items_have_places)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(catalog_documents) struct catalog_documents documents = {0};
        struct error err;

        folder_write(&folder, "l.yaml",
                     "apiVersion: v1\nkind: List\nitems:\n- " A "- apiVersion: v1\n  kind: B\n"
                     "  spec:\n    rules:\n    - paths: [/a]\n      snapshots: []\n");
        ck_assert(catalog_documents(folder.path, &documents, NULL, &err));
        ck_assert_uint_eq(documents.count, 2);

        struct yaml_place place =
            yaml_locate_field(&documents.items[1].document, "spec.rules[0].snapshots");

        ck_assert_uint_eq(place.line, 10);
        ck_assert_uint_eq(place.column, 7);
    }
END_TEST

SUITE(kube_catalog)
{
    suite_rows(tests, reads_folders, rows);
    tcase_add_test(tests, refuses_fifos_and_sockets);
    tcase_add_test(tests, says_what_it_may_not_read);
    tcase_add_test(tests, refuses_large_files);
    tcase_add_test(tests, refuses_too_many_bytes);
    tcase_add_test(tests, refuses_too_many_files);
    tcase_add_test(tests, refuses_too_many_levels);
    tcase_add_test(tests, reads_standard_input);
    tcase_add_test(tests, remarks_name_the_file);
    tcase_add_test(tests, long_paths_do_not_hide_the_message);
    tcase_add_test(tests, fields_of_list_items_have_places);
}
