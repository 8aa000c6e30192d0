#include "api/hook_template.h"

#include "base/text.h"
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

SUITE(api_hook_template)
{
    suite_rows(tests, templates, rows);
    tcase_add_test(tests, levels_are_bounded);
}
