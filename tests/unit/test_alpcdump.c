/*
 * Tests of alpcdump's decoder and of its two forms of output
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "security_fixture.h"

#include "ntalpc/nt.h"
#include "ntalpc/shm.h"
#include "programs/alpcdump/json.h"
#include "programs/alpcdump/names.h"
#include "programs/alpcdump/snapshot.h"
#include "programs/alpcdump/text.h"

#include <jansson.h>

/* ---------------------------------------------------------------------------------------------- records */

struct records
{
    _Alignas(8) uint8_t data[FIXTURE_SIZE];
    size_t size;
};

static void put_bytes(struct records *records, const void *data, size_t size)
{
    assert_true(records->size + protocol_pad(size) <= sizeof(records->data));
    memset(records->data + records->size, 0, protocol_pad(size));
    if (size)
        memcpy(records->data + records->size, data, size);
    records->size += protocol_pad(size);
}

/* appends a record, whose sizes are filled in already, with its pieces of variable data */
static void put_record(struct records *records, enum record_type type, void *record, const void *const *data)
{
    const struct request_part *part = &record_types[type].part;
    struct record_header *header = record;
    const uint8_t *at = (const uint8_t *)(header + 1);
    size_t begin = records->size;
    uint32_t size;

    header->type = type;
    put_bytes(records, record, part->size);
    for (const struct request_field *field = part->fields; field->name; at += protocol_field_size(field++))
        if (field->kind >= FIELD_DATA)
            put_bytes(records, *data++, protocol_field_value(field, at));
    size = (uint32_t)(records->size - begin);
    memcpy(records->data + begin, &size, sizeof(size));
}

static void put_server(struct records *records)
{
    struct server_record record = { .pid = 4242, .protocol = PROTOCOL_VERSION };

    put_record(records, RECORD_server, &record, NULL);
}

static void put_port(struct records *records, struct port_record record, const char *name, const char *program,
                     const char *security)
{
    static uint8_t descriptor[FIXTURE_SIZE];
    const void *const data[] = { name, program, descriptor };

    record.name_size = (uint32_t)strlen(name);
    record.program_size = (uint32_t)strlen(program);
    record.security_size = security ? put_sd(descriptor, security) : 0;
    put_record(records, RECORD_port, &record, data);
}

static void put_connection(struct records *records, struct connection_record record, const char *client,
                           const char *server)
{
    const void *const data[] = { client, server };

    record.client_program_size = (uint32_t)strlen(client);
    record.server_program_size = (uint32_t)strlen(server);
    put_record(records, RECORD_connection, &record, data);
}

static void put_message(struct records *records, struct message_record record)
{
    put_record(records, RECORD_message, &record, NULL);
}

/* a server with a client, one that has gone and a port without a name; in another order than they are shown */
static const struct records *all_records(void)
{
    static struct records records;

    records.size = 0;
    put_server(&records);
    put_port(&records,
             (struct port_record){ .port = 12,
                                   .connection = 3,
                                   .kind = PORT_SERVER,
                                   .process = 0x20,
                                   .pid = 1000,
                                   .flags = ALPC_PORFLG_ALLOW_LPC_REQUESTS,
                                   .max_message = 65535 },
             "", "server.exe", "O:SY G:SY");
    put_port(&records,
             (struct port_record){ .port = 10,
                                   .process = 0x20,
                                   .pid = 1000,
                                   .flags = 0x370001 | ALPC_PORFLG_DIRECT_MESSAGE |
                                            ALPC_PORFLG_ALLOW_MULTIHANDLE_ATTRIBUTE,
                                   .max_message = 512,
                                   .number = 2,
                                   .connections = 1,
                                   .queued = 1,
                                   .receivers = 2 },
             "\\RPC Control\\t\xc3\xa4st", "server.exe",
             "O:BA G:BU D:(A;;0x1;WD)(A;;GA;BA)(D;;GA;AL)(A;;GA;BO)(A;;GA;S-1-5-21-1-2-3-4711)");
    put_port(&records,
             (struct port_record){ .port = 11,
                                   .connection = 3,
                                   .kind = PORT_CLIENT,
                                   .process = 0x24,
                                   .pid = 1001,
                                   .max_message = 65535,
                                   .queued = 3,
                                   .receivers = 1,
                                   .disconnected = 1 },
             "", "", NULL);
    put_port(&records, (struct port_record){ .port = 9, .process = 0x28, .pid = 1002, .max_message = 65535 }, "",
             "other.exe", "");
    put_connection(&records,
                   (struct connection_record){ .connection = 4,
                                               .server_port = 0,
                                               .port_context = UINT64_MAX,
                                               .slot = 2,
                                               .stage = LINK_CONNECTED | LINK_CLIENT_GONE | LINK_SERVER_GONE |
                                                        LINK_CLIENT_CLOSED,
                                               .client_process = 0x2c,
                                               .client_pid = 1003,
                                               .server_process = 0x20,
                                               .server_pid = 1000 },
                   "gone.exe", "server.exe");
    put_message(&records, (struct message_record){ .connection = 3,
                                                   .age = 90500000000,
                                                   .id = 0x20008,
                                                   .callback = 2,
                                                   .type = LPC_REQUEST,
                                                   .data_length = 100,
                                                   .total_length = 140,
                                                   .process = 0x24,
                                                   .thread = 0x30,
                                                   .phase = CELL_HELD + END_SERVER,
                                                   .flags = CONTENT_SYNC | CONTENT_RELEASE,
                                                   .holder_process = 0x20,
                                                   .holder_thread = 0x34 });
    put_message(&records, (struct message_record){ .connection = 3,
                                                   .age = 120000000000,
                                                   .id = 0x20004,
                                                   .callback = 1,
                                                   .type = LPC_REPLY,
                                                   .total_length = 40,
                                                   .process = 0x20,
                                                   .thread = 0x34,
                                                   .phase = CELL_SPENT });
    put_message(&records, (struct message_record){ .connection = 3,
                                                   .age = 4000000,
                                                   .id = 0x2000c,
                                                   .callback = 3,
                                                   .process = 0x24,
                                                   .thread = 0x30,
                                                   .phase = CELL_OWNED,
                                                   .holder_process = 0x24,
                                                   .holder_thread = 0x30 });
    put_connection(&records,
                   (struct connection_record){ .connection = 3,
                                               .server_port = 10,
                                               .client_port = 11,
                                               .server_end = 12,
                                               .port_context = 0xabcd,
                                               .slot = 1,
                                               .stage = LINK_CONNECTED,
                                               .client_process = 0x24,
                                               .client_pid = 1001,
                                               .server_process = 0x20,
                                               .server_pid = 1000,
                                               .messages = 3 },
                   "client.exe", "server.exe");
    return &records;
}

static struct snapshot decode(const struct records *records)
{
    struct snapshot snapshot = { .rows = { NULL } };

    assert_null(snapshot_decode(&snapshot, records->data, records->size));
    return snapshot;
}

/* the caller frees it */
static char *text_of(const struct snapshot *snapshot)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    text_print(out, snapshot);
    fclose(out);
    return text;
}

static char *json_of(const struct snapshot *snapshot, bool one_line)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_true(json_print(out, snapshot, one_line));
    fclose(out);
    return text;
}

/* ---------------------------------------------------------------------------------------------- decoding */

static void test_fields(void **state)
{
    struct snapshot snapshot = decode(all_records());
    size_t count;

    (void)state;
    assert_int_equal(snapshot.count[RECORD_port], 4);
    assert_int_equal(snapshot.count[RECORD_connection], 2);
    assert_int_equal(snapshot.count[RECORD_message], 3);
    assert_int_equal(snapshot_server(&snapshot, 0)->pid, 4242);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(snapshot_port(&snapshot, i)->port, 9 + i);
    assert_string_equal(snapshot_port(&snapshot, 1)->name, "\\RPC Control\\t\xc3\xa4st");
    assert_string_equal(snapshot_port(&snapshot, 3)->security, "O:SYG:SY");
    assert_null(snapshot_port(&snapshot, 2)->security);
    assert_int_equal(snapshot_port(&snapshot, 1)->queued, 1);
    assert_int_equal(snapshot_connection(&snapshot, 1)->port_context, UINT64_MAX);
    assert_string_equal(snapshot_connection(&snapshot, 1)->client_program, "gone.exe");
    assert_int_equal(snapshot_message(&snapshot, 0)->callback, 1);
    assert_int_equal(snapshot_message(&snapshot, 2)->callback, 3);
    assert_int_equal(snapshot_message(&snapshot, 1)->holder_thread, 0x34);
    assert_ptr_equal(snapshot_find_port(&snapshot, 11), snapshot_port(&snapshot, 2));
    assert_null(snapshot_find_port(&snapshot, 13));
    assert_ptr_equal(snapshot_find_connection(&snapshot, 4), snapshot_connection(&snapshot, 1));
    assert_null(snapshot_find_connection(&snapshot, 0));
    assert_int_equal(snapshot_find_messages(&snapshot, 3, &count), 0);
    assert_int_equal(count, 3);
    snapshot_find_messages(&snapshot, 4, &count);
    assert_int_equal(count, 0);
    snapshot_free(&snapshot);
    assert_int_equal(snapshot.count[RECORD_port], 0);
    snapshot_free(&snapshot);
}

static void test_filter(void **state)
{
    struct snapshot snapshot = decode(all_records());

    (void)state;
    snapshot_keep_port(&snapshot, "\\rpc CONTROL\\t\xc3\xa4st");
    assert_int_equal(snapshot.count[RECORD_server], 1);
    assert_int_equal(snapshot.count[RECORD_port], 3);
    assert_int_equal(snapshot_port(&snapshot, 0)->port, 10);
    assert_int_equal(snapshot.count[RECORD_connection], 1);
    assert_int_equal(snapshot.count[RECORD_message], 3);
    snapshot_keep_port(&snapshot, "\\RPC Control");
    for (enum record_type type = RECORD_port; type < RECORD_COUNT; type++)
        assert_int_equal(snapshot.count[type], 0);
    snapshot_free(&snapshot);
}

/* an error of one line, and nothing is left behind */
static void assert_refused(const void *data, size_t size, const char *expected)
{
    struct snapshot snapshot = { .rows = { NULL } };
    const char *error = snapshot_decode(&snapshot, data, size);

    assert_non_null(error);
    if (!strstr(error, expected))
        fail_msg("expected '%s', got '%s'", expected, error);
    assert_null(strchr(error, '\n'));
    for (enum record_type type = 0; type < RECORD_COUNT; type++)
        assert_null(snapshot.rows[type]);
}

static void test_truncation(void **state)
{
    const struct records *records = all_records();
    struct snapshot snapshot = { .rows = { NULL } };
    size_t whole = 0;
    uint8_t *block;

    (void)state;
    for (size_t length = 0; length < records->size; length++)
    {
        const uint8_t *copy = exact_copy(records->data, length, 0, &block);

        if (!length || snapshot_decode(&snapshot, copy, length))
            assert_refused(copy, length, "malformed");
        else
        {
            whole++; /* cut between two records */
            snapshot_free(&snapshot);
        }
        free(block);
    }
    assert_int_equal(whole, 9);
}

/* a record whose size is changed to one that it cannot have */
static void refuse_size(uint32_t size)
{
    static struct records records;

    records = *all_records();
    memcpy(records.data, &size, sizeof(size));
    assert_refused(records.data, records.size, "malformed");
}

static void test_bad_records(void **state)
{
    static struct records records;
    struct message_record message = { .connection = 1 };
    struct server_record future = { .pid = 1, .protocol = PROTOCOL_VERSION + 1 };

    (void)state;
    for (uint32_t size = 0; size < 64; size++)
        if (size != sizeof(struct server_record))
            refuse_size(size);
    refuse_size(UINT32_MAX);
    refuse_size(UINT32_MAX - 7);

    records.size = 0;
    put_message(&records, message);
    assert_refused(records.data, records.size, "out of place");

    records.size = 0;
    put_server(&records);
    put_server(&records);
    assert_refused(records.data, records.size, "out of place");

    records.size = 0;
    put_server(&records);
    put_message(&records, message);
    records.data[sizeof(struct server_record) + 4] = RECORD_COUNT;
    assert_refused(records.data, records.size, "type 4");

    records.size = 0;
    put_record(&records, RECORD_server, &future, NULL);
    put_bytes(&records, "whatever", 8);
    assert_refused(records.data, records.size, "another version");
}

static void test_bad_descriptor(void **state)
{
    static const char damaged[] = "no descriptor";
    static struct records records;
    struct port_record port = { .security_size = sizeof(damaged) };
    const void *const data[] = { "", "", damaged };

    (void)state;
    records.size = 0;
    put_server(&records);
    put_record(&records, RECORD_port, &port, data);
    assert_refused(records.data, records.size, "a security descriptor of a port");
}

/* RFC 3629, and no zeros */
static void test_utf8(void **state)
{
    static const struct
    {
        const char *text;
        bool valid;
    } rows[] = {
        { "", true },
        { "plain", true },
        { "\x7f\x01\x1b", true },
        { "\xc2\x80\xdf\xbf", true },
        { "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", true },
        { "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true },
        { "\x80", false },
        { "\xbf", false },
        { "\xc0\x80", false },
        { "\xc1\xbf", false },
        { "\xc2", false },
        { "\xc2\x41", false },
        { "\xc2\xc2", false },
        { "\xe0\x80\x80", false },
        { "\xe0\x9f\xbf", false },
        { "\xe1\x80", false },
        { "\xe1\x80\x41", false },
        { "\xed\xa0\x80", false },
        { "\xed\xbf\xbf", false },
        { "\xf0\x80\x80\x80", false },
        { "\xf0\x8f\xbf\xbf", false },
        { "\xf1\x80\x80", false },
        { "\xf4\x90\x80\x80", false },
        { "\xf5\x80\x80\x80", false },
        { "\xf8\x88\x80\x80\x80", false },
        { "\xff", false },
    };
    static struct records records;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        struct snapshot snapshot = { .rows = { NULL } };
        uint8_t *block;

        records.size = 0;
        put_server(&records);
        put_port(&records, (struct port_record){ .port = 1 }, rows[i].text, "", NULL);
        exact_copy(records.data, records.size, 0, &block);
        assert_rule(rows[i].text, !snapshot_decode(&snapshot, block, records.size), rows[i].valid);
        snapshot_free(&snapshot);
        free(block);
    }
    records.size = 0;
    put_server(&records);
    put_port(&records, (struct port_record){ .port = 1 }, "a.b", "", NULL);
    *(uint8_t *)memchr(records.data, '.', records.size) = 0;
    assert_refused(records.data, records.size, "a text of a port");
}

/* whether a terminal shows the text and obeys nothing in it */
static void assert_harmless(const char *text)
{
    const uint8_t *at;

    for (at = (const uint8_t *)text; *at; at++)
    {
        assert_true(*at == '\n' || *at >= 0x20);
        assert_int_not_equal(*at, 0x7f);
        if (at[0] == 0xc2)
            assert_true(at[1] >= 0xa0);
    }
}

static void test_mutation(void **state)
{
    const struct records *records = all_records();
    uint64_t seed = 0x64756d70ull;
    size_t accepted = 0;

    (void)state;
    for (int i = 0; i < 30000; i++)
    {
        struct snapshot snapshot = { .rows = { NULL } };
        uint8_t *block, *copy = exact_copy(records->data, records->size, 0, &block);
        char *text, *json;

        mutate(copy, records->size, &seed);
        if (!snapshot_decode(&snapshot, copy, records->size))
        {
            accepted++;
            text = text_of(&snapshot);
            assert_harmless(text);
            json = json_of(&snapshot, true);
            for (const char *at = json; *at; at++)
                assert_in_range(*at, '\n', 0x7f);
            free(text);
            free(json);
            snapshot_keep_port(&snapshot, "");
        }
        snapshot_free(&snapshot);
        free(block);
    }
    assert_in_range(accepted, 1000, 29000); /* both ways were taken often */
}

/* ---------------------------------------------------------------------------------------------- output */

#define TEXT_OF(value) #value
#define TEXT(macro) TEXT_OF(macro)

static void test_text(void **state)
{
    struct snapshot snapshot = decode(all_records());
    char *text = text_of(&snapshot);

    (void)state;
    assert_string_equal(
        text,
        "alpcserver 4242, protocol " TEXT(PROTOCOL_VERSION) ": 4 ports, 2 connections, 3 messages\n"
        "\n"
        "(unnamed)\n"
        "  port          9, connection port, messages up to 65535 bytes\n"
        "  owner         other.exe, process 0028, Unix 1002\n"
        "  flags         none\n"
        "  security      none\n"
        "  queue         0 messages, 0 receivers asleep\n"
        "  connections   0\n"
        "\n"
        "\\RPC Control\\t\xc3\xa4st (number 2)\n"
        "  port          10, connection port, messages up to 512 bytes\n"
        "  owner         server.exe, process 0020, Unix 1000\n"
        "  flags         ALLOW_IMPERSONATION ALLOW_LPC_REQUESTS WAITABLE_PORT SYSTEM_PROCESS WAKE_POLICY1\n"
        "                DIRECT_MESSAGE ALLOW_MULTIHANDLE_ATTRIBUTE 0x1\n"
        "  security      O:BAG:BUD:(A;;CC;;;WD)(A;;GA;;;BA)(D;;GA;;;S-1-5-21-1-2-3-1001)\n"
        "                (A;;GA;;;S-1-5-21-1-2-3-1002)(A;;GA;;;S-1-5-21-1-2-3-4711)\n"
        "  queue         1 message, 2 receivers asleep\n"
        "  connections   1\n"
        "\n"
        "  connection 3: connected; slot 1, context 0xabcd\n"
        "    client      client.exe, process 0024, Unix 1001\n"
        "      port      11, client communication port, messages up to 65535 bytes, disconnected\n"
        "      flags     none\n"
        "      security  (unknown)\n"
        "      queue     3 messages, 1 receiver asleep\n"
        "    server      server.exe, process 0020, Unix 1000\n"
        "      port      12, server communication port, messages up to 65535 bytes\n"
        "      flags     ALLOW_LPC_REQUESTS\n"
        "      security  O:SYG:SY\n"
        "    messages    3\n"
        "      id       callback type        data/total sender      age  state\n"
        "      00020004        1 LPC_REPLY         0/40 0020:0034 2m00s  answered and read\n"
        "      00020008        2 LPC_REQUEST    100/140 0024:0030 1m30s  held by server 0020:0034\n"
        "      0002000c        3 -                  0/0 0024:0030  4 ms  being written 0024:0030\n"
        "\n"
        "(refused, or the connection port has gone)\n"
        "\n"
        "  connection 4: connected, client gone, server gone, client closed; slot 2, context 0xffffffffffffffff\n"
        "    client      gone.exe, process 002c, Unix 1003\n"
        "      port      closed\n"
        "    server      server.exe, process 0020, Unix 1000\n"
        "      port      closed\n");
    free(text);
    snapshot_free(&snapshot);
}

static void test_json(void **state)
{
    static const char port_9[] =
        "{'port': 9, 'connection': 0, 'kind': 0, 'kind_name': 'connection port', 'process': 40, 'pid': 1002,"
        " 'flags': 0, 'flag_names': [], 'max_message': 65535, 'number': 0, 'connections': 0, 'queued': 0,"
        " 'receivers': 0, 'disconnected': 0, 'name': '', 'program': 'other.exe', 'security': ''}";
    static const char connection_4[] =
        "{'connection': 4, 'server_port': 0, 'client_port': 0, 'server_end': 0, 'port_context': -1, 'slot': 2,"
        " 'stage': 115, 'stage_names': ['connected', 'client gone', 'server gone', 'client closed'],"
        " 'client_process': 44, 'client_pid': 1003, 'server_process': 32, 'server_pid': 1000, 'messages': 0,"
        " 'client_program': 'gone.exe', 'server_program': 'server.exe'}";
    static const char message_2[] =
        "{'connection': 3, 'age': 90500000000, 'id': 131080, 'callback': 2, 'type': 1, 'type_name': 'LPC_REQUEST',"
        " 'data_length': 100, 'total_length': 140, 'process': 36, 'thread': 48, 'phase': 11,"
        " 'phase_name': 'held by server', 'flags': 3, 'flag_names': ['sync', 'release'], 'holder_process': 32,"
        " 'holder_thread': 52}";
    static const struct
    {
        const char *list;
        size_t count, index;
        const char *expected;
    } rows[] = {
        { "ports", 4, 0, port_9 },
        { "connections", 2, 1, connection_4 },
        { "messages", 3, 1, message_2 },
    };
    struct snapshot snapshot = decode(all_records());
    char *text = json_of(&snapshot, false);
    json_t *json = json_loads(text, 0, NULL);

    (void)state;
    assert_int_equal(json_object_size(json), 4);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "server"), "pid")), 4242);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "ports"), 2), "security")));
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "messages"), 2), "type_name")));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        json_t *list = json_object_get(json, rows[i].list), *expected;
        char *quoted = strdup(rows[i].expected);

        for (char *at = quoted; *at; at++)
            *at = *at == '\'' ? '"' : *at;
        expected = json_loads(quoted, 0, NULL);
        assert_int_equal(json_array_size(list), rows[i].count);
        assert_true(json_equal(json_array_get(list, rows[i].index), expected));
        json_decref(expected);
        free(quoted);
    }
    json_decref(json);
    free(text);
    snapshot_free(&snapshot);
}

static void test_nothing(void **state)
{
    const struct snapshot snapshot = { .rows = { NULL } };
    char *text = text_of(&snapshot), *json = json_of(&snapshot, true);

    (void)state;
    assert_string_equal(text, "no alpcserver runs for this prefix\n");
    assert_string_equal(json, "{\"server\":null,\"ports\":[],\"connections\":[],\"messages\":[]}\n");
    free(text);
    free(json);
}

static void test_ages(void **state)
{
    static const struct
    {
        uint64_t ns;
        const char *text;
    } rows[] = {
        { 0, "0 ms" },
        { 999999, "0 ms" },
        { 999999999, "999 ms" },
        { 1000000000, "1.0 s" },
        { 59999999999, "59.9 s" },
        { 60000000000, "1m00s" },
        { 3599999999999, "59m59s" },
        { 3600000000000, "1h00m" },
        { 86399999999999, "23h59m" },
        { 86400000000000, "1d00h" },
        { UINT64_MAX, "213503d23h" },
    };
    char text[TEXT_AGE_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        text_age(text, rows[i].ns);
        assert_string_equal(text, rows[i].text);
    }
}

/* every phase that a message can be in has a name of its own, and what has no name is left over */
static void test_names(void **state)
{
    const struct value_name *name, *before = NULL;

    (void)state;
    for (uint32_t phase = CELL_OWNED; phase < CELL_PHASES; phase++)
    {
        if (phase == CELL_VOID + 1) /* phases that have an end begin with an even number */
            continue;
        assert_non_null(name = names_next(&message_phase_names, phase, NULL));
        assert_null(names_next(&message_phase_names, phase, name));
        assert_ptr_not_equal(name, before);
        before = name;
    }
    assert_null(names_next(&message_phase_names, CELL_FREE, NULL));
    for (uint32_t type = LPC_REQUEST; type <= LPC_CANCELED; type++)
        assert_non_null(names_next(&message_type_names, type, NULL));
    assert_null(names_next(&message_type_names, LPC_CANCELED + 1, NULL));
    assert_int_equal(names_rest(&port_flag_names, ALPC_PORFLG_WAITABLE_PORT | 0x80000001), 0x80000001);
    assert_int_equal(names_rest(&connection_stage_names, LINK_REFUSED | LINK_SERVER_GONE), 0);
    assert_int_equal(names_rest(&connection_stage_names, 0xf | 0x1000), 0x100f);
    assert_ptr_equal(names_of_field(RECORD_message, "flags"), &message_flag_names);
    assert_null(names_of_field(RECORD_message, "kind"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_filter),         cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_bad_records), cmocka_unit_test(test_bad_descriptor), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_mutation),    cmocka_unit_test(test_text),           cmocka_unit_test(test_json),
        cmocka_unit_test(test_nothing),     cmocka_unit_test(test_ages),           cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
