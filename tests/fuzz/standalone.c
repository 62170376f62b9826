/*
 * A main program for fuzzers where there is no libFuzzer: random inputs for some seconds, or the files that are named.
 *
 * Usage: FUZZER [-s SECONDS] [-r SEED] [-n BYTES] [FILE]...
 *
 * The seed is printed; an input that crashes is left in the file named crash-SEED.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 65536u

static uint8_t input[INPUT_MAX];
static size_t input_size;
static char crash_name[64];

static uint64_t next_random(uint64_t *state)
{
    /* xorshift: a repeatable order of inputs matters more than its quality */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void save_crash(int sign)
{
    int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    if (fd >= 0)
    {
        if (write(fd, input, input_size) < 0)
            _exit(99);
        close(fd);
    }
    signal(sign, SIG_DFL);
    raise(sign);
}

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (!file)
    {
        perror(path);
        return false;
    }
    input_size = fread(input, 1, sizeof(input), file);
    fclose(file);
    LLVMFuzzerTestOneInput(input, input_size);
    return true;
}

/* Mostly small values: they are flags, widths and offsets to most readers. */
static void make_input(uint64_t *state, size_t longest)
{
    input_size = next_random(state) % longest + 1;
    for (size_t i = 0; i < input_size; i++)
    {
        uint64_t random = next_random(state);

        input[i] = (uint8_t)(random >> 8);
        if (random % 4 == 0)
            input[i] &= 0x0f;
        if (random % 16 == 1)
            input[i] = random & 0x100 ? 0xff : 0;
    }
}

int main(int argc, char *argv[])
{
    uint64_t seed = (uint64_t)time(NULL), state, runs = 0;
    size_t longest = 256;
    time_t seconds = 10, end;
    bool good = true;
    int option;

    while ((option = getopt(argc, argv, "s:r:n:")) != -1)
    {
        if (option == 's')
            seconds = atol(optarg);
        if (option == 'r')
            seed = strtoull(optarg, NULL, 0);
        if (option == 'n')
            longest = strtoull(optarg, NULL, 0);
        if (option == '?')
            return 2;
    }
    if (longest < 1 || longest > INPUT_MAX)
        longest = INPUT_MAX;
    for (; optind < argc; optind++)
    {
        good = run_file(argv[optind]) && good;
        seconds = 0;
    }
    if (!seconds)
        return !good;

    snprintf(crash_name, sizeof(crash_name), "crash-%llu", (unsigned long long)seed);
    printf("%s: seed %llu\n", argv[0], (unsigned long long)seed);
    fflush(stdout);
    signal(SIGABRT, save_crash);
    signal(SIGSEGV, save_crash);
    state = seed * 2 + 1;
    end = time(NULL) + seconds;
    for (; time(NULL) < end; runs++)
    {
        make_input(&state, longest);
        LLVMFuzzerTestOneInput(input, input_size);
    }
    printf("%s: %llu inputs\n", argv[0], (unsigned long long)runs);
    return 0;
}
