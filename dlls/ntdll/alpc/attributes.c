/*
 * Message attributes of a call
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "attributes.h"

#include "ntalpc/attribute.h"

/* what the system gives by itself is ignored when it is sent [4.8.2, 4.8.4] */
#define RECEIVE_ONLY (ALPC_MESSAGE_TOKEN_ATTRIBUTE | ALPC_MESSAGE_WORK_ON_BEHALF_ATTRIBUTE)
#define NOT_SENT_YET \
    (ALPC_MESSAGE_SECURITY_ATTRIBUTE | ALPC_MESSAGE_VIEW_ATTRIBUTE | ALPC_MESSAGE_HANDLE_ATTRIBUTE | \
     ALPC_MESSAGE_DIRECT_ATTRIBUTE)

static void *body(const ALPC_MESSAGE_ATTRIBUTES *attributes, ULONG allocated, ULONG attribute)
{
    return (uint8_t *)attributes + attribute_offset(allocated, attribute);
}

NTSTATUS attributes_read(const ALPC_MESSAGE_ATTRIBUTES *attributes, struct attachments_out *sent)
{
    ALPC_MESSAGE_ATTRIBUTES header;

    *sent = (struct attachments_out){ 0 };
    if (!attributes)
        return STATUS_SUCCESS;
    header = *attributes;
    if (header.ValidAttributes & ~header.AllocatedAttributes)
        return STATUS_INVALID_PARAMETER;
    if (header.ValidAttributes & NOT_SENT_YET)
        return STATUS_NOT_IMPLEMENTED;
    if (header.ValidAttributes & ALPC_MESSAGE_CONTEXT_ATTRIBUTE)
    {
        const ALPC_CONTEXT_ATTR *context = body(attributes, header.AllocatedAttributes, ALPC_MESSAGE_CONTEXT_ATTRIBUTE);

        sent->context = (ULONG_PTR)context->MessageContext;
    }
    return STATUS_SUCCESS;
}

void attributes_probe(ALPC_MESSAGE_ATTRIBUTES *attributes)
{
    if (attributes)
        probe_write(attributes, attributes_size(attributes->AllocatedAttributes));
}

static void write_context(ALPC_CONTEXT_ATTR *context, const struct message_in *in)
{
    context->PortContext = (PVOID)(ULONG_PTR)in->port_context;
    context->MessageContext = (PVOID)(ULONG_PTR)in->attachments.context;
    context->Sequence = in->sequence;
    context->MessageId = in->message_id;
    context->CallbackId = in->callback_id;
}

static void write_token(ALPC_TOKEN_ATTR *token, const struct message_in *in)
{
    token->TokenId = in->token_id;
    token->AuthenticationId = in->authentication_id;
    token->ModifiedId = in->modified_id;
}

void attributes_write(ALPC_MESSAGE_ATTRIBUTES *attributes, const struct message_in *in)
{
    ULONG allocated, valid;

    if (!attributes)
        return;
    allocated = attributes->AllocatedAttributes;
    valid = allocated & ((in->has_context ? ALPC_MESSAGE_CONTEXT_ATTRIBUTE : 0) |
                         (in->has_token ? ALPC_MESSAGE_TOKEN_ATTRIBUTE : 0));
    if (valid & ALPC_MESSAGE_CONTEXT_ATTRIBUTE)
        write_context(body(attributes, allocated, ALPC_MESSAGE_CONTEXT_ATTRIBUTE), in);
    if (valid & ALPC_MESSAGE_TOKEN_ATTRIBUTE)
        write_token(body(attributes, allocated, ALPC_MESSAGE_TOKEN_ATTRIBUTE), in);
    attributes->ValidAttributes = valid;
}
