/*
 * Prints values of a JSON text, for shell scripts
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     json_value PATH... < TEXT
 *
 * Each PATH leads to a value that is printed on a line of its own: strings as they are, anything else as JSON.  Its
 * steps, divided by slashes, are a key of an object, an index or "#" (the length) of an array, or KEY=VALUE, the first
 * object in an array that has such a member.  What is not there is an error.
 */

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

/* as it is printed; the caller frees it */
static char *text_of(const json_t *value)
{
    return json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static json_t *select_object(const json_t *list, const char *step)
{
    size_t length = strcspn(step, "="), i;
    json_t *object;

    json_array_foreach(list, i, object)
    {
        char *key = strndup(step, length), *text = text_of(json_object_get(object, key));
        int found = text && !strcmp(text, step + length + 1);

        free(text);
        free(key);
        if (found)
            return json_incref(object);
    }
    return NULL;
}

/* a new reference, NULL when there is no such step */
static json_t *take_step(const json_t *value, const char *step)
{
    if (json_is_object(value))
        return json_incref(json_object_get(value, step));
    if (!strcmp(step, "#"))
        return json_is_array(value) ? json_integer((json_int_t)json_array_size(value)) : NULL;
    if (strchr(step, '='))
        return select_object(value, step);
    return json_incref(json_array_get(value, strtoul(step, NULL, 10)));
}

static json_t *follow(json_t *value, char *path)
{
    json_t *next;
    char *step;

    json_incref(value);
    while (value && (step = strsep(&path, "/")))
    {
        next = take_step(value, step);
        json_decref(value);
        value = next;
    }
    return value;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *whole = json_loadf(stdin, 0, &error);
    int code = whole ? 0 : 1;

    if (!whole)
        fprintf(stderr, "json_value: line %d: %s\n", error.line, error.text);
    for (int i = 1; whole && i < argc; i++)
    {
        char *path = strdup(argv[i]);
        json_t *value = follow(whole, path);
        char *text = value ? text_of(value) : NULL;

        if (text)
            puts(text);
        else
        {
            fprintf(stderr, "json_value: no %s\n", argv[i]);
            code = 1;
        }
        free(text);
        free(path);
        json_decref(value);
    }
    json_decref(whole);
    return code;
}
