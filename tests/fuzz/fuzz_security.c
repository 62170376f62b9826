/*
 * Fuzzer of serialized tokens and security descriptors
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: desired access (4 bytes), SECURITY_INFORMATION (4), length of the token (2), the token, then the descriptor. A
 * token that is refused is replaced by a plain one, so that descriptors can be explored alone.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/security.h"
#include "server/token.h"
#include "tests/fuzz/fuzz.h"

struct input
{
    uint32_t desired;
    uint32_t information;
    uint16_t token_size;
};

#define INPUT_SIZE 10 /* without the padding */

/* A user (S-1-5-18) and nothing else. */
static struct token *plain_token(void)
{
    static const uint8_t system_sid[] = { 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0 };
    uint64_t buffer[32];
    struct token_builder builder;
    struct token *token = NULL;

    token_build_begin(&builder, buffer, sizeof(buffer));
    builder.wire->type = TOKEN_WIRE_PRIMARY;
    token_build_sid(&builder, TOKEN_ITEM_USER, 0, system_sid);
    token_build_sid(&builder, TOKEN_ITEM_OWNER, 0, system_sid);
    token_build_sid(&builder, TOKEN_ITEM_PRIMARY_GROUP, 0, system_sid);
    token_create(buffer, token_build_end(&builder), &token);
    return token;
}

/* What is held can be given out, and what is given out is accepted again and is the same. */
static void check_round_trip(const struct security_descriptor *sd, uint32_t information)
{
    struct security_descriptor *again;
    uint32_t needed, written;
    uint8_t *buffer;

    security_descriptor_query(sd, information, NULL, 0, &needed);
    if (!(buffer = malloc(needed)))
        return;
    assert(security_descriptor_query(sd, information, buffer, needed, &written) == STATUS_SUCCESS);
    assert(written == needed);
    if (!security_descriptor_parse(buffer, needed, &again))
    {
        assert(!memcmp(again, buffer, needed));
        free(again);
    }
    else
        assert(0);
    free(buffer);
}

/* Nothing is granted that was not asked for, and all of that is. */
static void check_access(const struct security_descriptor *sd, const struct token *token, uint32_t desired)
{
    uint32_t wanted = map_generic(desired, &port_mapping) & ~MAXIMUM_ALLOWED, granted;

    if (access_check(sd, token, desired, 0, &port_mapping, &granted))
        return;
    assert(!(wanted & ~granted));
    if (!(desired & MAXIMUM_ALLOWED))
        assert(granted == wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input;
    struct security_descriptor *sd, *made;
    struct token *token;

    if (size < INPUT_SIZE)
        return 0;
    memcpy(&input, data, INPUT_SIZE);
    data += INPUT_SIZE;
    size -= INPUT_SIZE;
    if (input.token_size > size)
        return 0;
    if (token_create(data, input.token_size, &token) && !(token = plain_token()))
        return 0;
    if (!security_descriptor_create(NULL, token, &port_mapping, &made))
    {
        check_round_trip(made, input.information);
        if (!security_descriptor_parse(data + input.token_size, size - input.token_size, &sd))
        {
            check_access(sd, token, input.desired);
            check_round_trip(sd, input.information);
            security_descriptor_set(&made, sd, input.information, token, &port_mapping);
            free(sd);
        }
        check_access(made, token, input.desired);
        free(made);
    }
    token_free(token);
    return 0;
}
