/*
 * Text between Windows and Unix
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t unit_at(const uint8_t *utf16, size_t index)
{
    uint16_t unit;

    memcpy(&unit, utf16 + 2 * index, sizeof(unit));
    return unit;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80)
        *out++ = (char)c;
    else if (c < 0x800)
    {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    else if (c < 0x10000)
    {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    else
    {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

char *utf16_to_utf8(const void *utf16, size_t size)
{
    size_t count = size / 2, i;
    char *text = malloc(count * 3 + 1), *out = text;

    if (!text)
        return NULL;
    for (i = 0; i < count; i++)
    {
        uint32_t c = unit_at(utf16, i), low;

        if (!c)
            break;
        if (c >= 0xd800 && c < 0xe000)
        {
            low = c < 0xdc00 && i + 1 < count ? unit_at(utf16, i + 1) : 0;
            if (low >= 0xdc00 && low < 0xe000)
            {
                c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
                i++;
            }
            else
                c = 0xfffd;
        }
        out = put_utf8(out, c);
    }
    *out = 0;
    return text;
}
