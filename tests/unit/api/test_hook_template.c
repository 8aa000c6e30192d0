#include "api/hook_template.h"

#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct {
    const char *text, *message; /* NULL: fine */
} rows[] = {
    {"", NULL},
    {"no template }} at all {", NULL},
    {"{{ .Name }}", NULL},
    {"{{.Status.Phase}} of {{ .Target.Kind }}/{{ .Target.Name }} {{- .RetryLeft -}} end", NULL},
    {"{{ .Target.APIVersion }}{{ .Target.Namespace }}{{ .Invoker.APIGroup }}{{ .Invoker.Kind }}",
     NULL},
    {"{{ if eq .Status.Phase `Succeeded` }}ok{{ else }}{{ .Status.Error }}{{ end }}", NULL},
    {"{{if eq .Status.Phase \"Succeeded\"}}ok{{else if ne .RetryLeft 0}}again{{else}}no{{end}}",
     NULL},
    {"{{ if eq .Name `a }} b` }}x{{ end }}", NULL},
    {"{{ if eq .Name \"a\\\" }} b\" }}x{{ end }}", NULL},
    {"{{ if eq .Name `a` `b` }}{{ if ne .Name `c` }}x{{ end }}{{ end }}", NULL},
    {"{{/* a comment */}}{{- /* another */ -}}", NULL},
    {"{\"a\": {\"b\": {}}}", NULL},
    {"{{", "{{ without }}"},
    {"{{ .Name", "{{ without }}"},
    {"{{ `a }}", "{{ without }}"},
    {"{{}}", "nothing between"},
    {"{{ - }}", "only fields"},
    {"{{ . }}", "only fields"},
    {"{{ .Status.Phas }}", "did you mean .Status.Phase?"},
    {"{{ .Env.SECRET }}", "only fields such as"},
    {"{{ env `HOME` }}", "not understood"},
    {"{{ .Name | upper }}", "not understood"},
    {"{{ printf `x` }}", "not understood"},
    {"{{ range .Name }}{{ end }}", "not understood"},
    {"{{ $x := .Name }}", "not understood"},
    {"{{ `text` }}", "only fields"},
    {"{{ if .Name }}x{{ end }}", "expected eq or ne"},
    {"{{ if }}x{{ end }}", "expected eq or ne"},
    {"{{ if gt .RetryLeft 1 }}x{{ end }}", "expected eq or ne"},
    {"{{ if eq .Name }}x{{ end }}", "compare two"},
    {"{{ if eq .Name x }}x{{ end }}", "only fields"},
    {"{{ if eq .Name \"x }}x{{ end }}", "{{ without }}"},
    {"{{ if eq .Name (print) }}x{{ end }}", "only fields"},
    {"{{ if eq .Name `x` }}", "if without end"},
    {"{{ end }}", "end without if"},
    {"{{ else }}", "else without if"},
    {"{{ if eq .Name `x` }}{{ else }}{{ else }}{{ end }}", "else without if"},
    {"{{ if eq .Name `x` }}{{ else }}{{ else if eq .Name `y` }}{{ end }}", "else without if"},
    {"{{ if eq .Name `x` }}{{ else when }}{{ end }}", "expected if behind else"},
    {"{{ if eq .Name `x` }}{{ end .Name }}", "not understood"},
};

START_TEST(templates)
    {
        struct error err = {0};
        bool fine = hook_template_check(span_of(rows[_i].text), &err);

        ck_assert_msg(fine == !rows[_i].message, "%s: %s", rows[_i].text, err.message);
        if (!fine)
            ck_assert_msg(strstr(err.message, rows[_i].message), "%s: %s", rows[_i].text,
                          err.message);
    }
END_TEST

START_TEST(levels_are_bounded)
    {
        struct error err = {0};
        struct text text = {0};

        for (int i = 0; i < 32; i++)
            text_puts(&text, "{{ if eq .Name `x` }}");
        for (int i = 0; i < 32; i++)
            text_puts(&text, "{{ end }}");
        ck_assert(hook_template_check(span_of(text_get(&text)), &err));
        text_done(&text);
        for (int i = 0; i < 33; i++)
            text_puts(&text, "{{ if eq .Name `x` }}");
        ck_assert(!hook_template_check(span_of(text_get(&text)), &err));
        ck_assert_msg(strstr(err.message, "levels"), "%s", err.message);
        text_done(&text);
    }
END_TEST

#define DATA                                                                                       \
    "{'Name': 's-1', 'RetryLeft': 0, 'Status': {'Phase': 'Failed', 'Error': 'say no {{x}}'}, "     \
    "'Target': {'Kind': 'Deployment'}}"

static const struct {
    const char *text, *filled;
} fill_rows[] = {
    {"", ""},
    {"plain } text {", "plain } text {"},
    {"{{ .Name }}-{{.Target.Kind}}", "s-1-Deployment"},
    /* what a value holds is no template; what is not known is empty */
    {"<{{ .Status.Error }}><{{ .Invoker.Name }}>", "<say no {{x}}><>"},
    {"{{ .RetryLeft }}", "0"},
    {"{{ if eq .Status.Phase `Succeeded` }}ok{{ else }}bad: {{ .Name }}{{ end }}!", "bad: s-1!"},
    {"{{ if eq .Status.Phase `Running` `Failed` }}a{{ end }}", "a"},
    {"{{ if ne .Status.Phase `Failed` }}a{{ else if eq .RetryLeft 0 }}b{{ else }}c{{ end }}", "b"},
    {"{{ if eq .RetryLeft 0 }}a{{ else if eq .RetryLeft 0 }}b{{ else }}c{{ end }}", "a"},
    {"{{ if eq .Name `x` }}{{ if eq .Name `s-1` }}a{{ else }}b{{ end }}{{ else }}c{{ end }}", "c"},
    {"{{ if eq .Name `s-1` }}{{ if eq .Name `x` }}a{{ else }}b{{ end }}{{ else }}c{{ end }}", "b"},
    {"{{ if eq \"a\\\"\\n\" `a` }}x{{ else }}y{{ end }}", "y"},
    {"a  {{- .Name -}} \n b {{- /* c */ -}} d {{ /* e */}}f", "as-1bd f"},
};

START_TEST(filled)
    {
        AUTO(json) json_t *data = json_row(DATA);
        AUTO(text) struct text out = {0};
        struct error err = {0};

        ck_assert_msg(hook_template_fill(span_of(fill_rows[_i].text), data, 100, &out, &err), "%s",
                      err.message);
        ck_assert_str_eq(text_get(&out), fill_rows[_i].filled);
    }
END_TEST

START_TEST(not_filled)
    {
        AUTO(json) json_t *data = json_row(DATA);
        AUTO(text) struct text out = {0};
        struct error err = {0};

        text_puts(&out, "before");
        ck_assert(!hook_template_fill(span_of("{{ .Name | upper }}"), data, 100, &out, &err));
        ck_assert(!hook_template_fill(span_of("{{ .Name }}{{ .Name }}"), data, 5, &out, &err));
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
        ck_assert_str_eq(text_get(&out), "before");
        ck_assert(hook_template_fill(span_of("{{ .Name }}{{ .Name }}"), NULL, 0, &out, &err));
    }
END_TEST

SUITE(api_hook_template)
{
    suite_rows(tests, filled, fill_rows);
    tcase_add_test(tests, not_filled);
    suite_rows(tests, templates, rows);
    tcase_add_test(tests, levels_are_bounded);
}
