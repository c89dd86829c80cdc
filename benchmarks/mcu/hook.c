/* What the emulator calls before every block, and before instructions that need an aligned address. */
#include <stdint.h>

struct cell {
    uint32_t address, size, caller, region;
    uint32_t n_instructions;
    uint32_t used;
    uint64_t times;         /* entered */
    uint64_t jumped;        /* of these not from the instruction before it */
};

struct hook {
    struct cell *cells;     /* a hash table of n_cells, a power of two */
    const int32_t *owners;  /* of every halfword of code: a function, or -1 where its caller is charged */
    const uint8_t *code;
    int (*read_register)(void *uc, int number, void *value);
    int (*stop)(void *uc);
    uint64_t executed, limit;
    uint32_t n_cells, n_used;
    uint32_t code_start, code_bytes;
    uint32_t mark;          /* the function whose argument names what follows */
    uint32_t caller, region, end;
    int32_t argument;       /* number of the register that holds it */
    uint32_t is_full;
    uint32_t is_a64;        /* every instruction has four bytes */
};

/* An instruction that a core refuses on an address that is no multiple of four, and the emulator does not. */
struct strict {
    int (*read_register)(void *uc, int number, void *value);
    uint64_t n, n_unaligned;
    int32_t base;           /* the register that addresses; what is added to it is a multiple of four */
};

/** Thumb: a first halfword of 0b11101.. and above opens a four-byte instruction. */
static uint32_t count(const uint8_t *code, uint32_t size, uint32_t is_a64)
{
    uint32_t n = 0;

    if (is_a64)
        return size / 4;
    for (uint32_t at = 0; at < size; n++)
        at += (code[at + 1] >> 3) >= 0x1d ? 4 : 2;
    return n;
}

static struct cell *cell_of(struct hook *h, uint32_t address, uint32_t size, uint32_t caller)
{
    uint32_t at = (address >> 1) * 2654435761u ^ h->region * 2246822519u ^ caller * 3266489917u;

    for (;; at++) {
        struct cell *c = &h->cells[at & (h->n_cells - 1)];

        if (!c->used) {
            c->address = address, c->size = size, c->caller = caller, c->region = h->region;
            c->n_instructions = count(h->code + (address - h->code_start), size, h->is_a64);
            c->used = 1;
            h->n_used++;
        }
        if (c->address == address && c->size == size && c->caller == caller && c->region == h->region)
            return c;
    }
}

void on_block(void *uc, uint64_t address64, uint32_t size, void *user)
{
    struct hook *h = user;
    uint32_t address = (uint32_t)address64, caller = 0;
    uint64_t argument = 0; /* as wide as any register; both sides are little-endian */
    struct cell *c;
    int32_t owner;

    if (address - h->code_start >= h->code_bytes)
        return;
    if (address == h->mark) {
        h->read_register(uc, h->argument, &argument);
        h->region = (uint32_t)argument;
    }
    owner = h->owners[(address - h->code_start) >> 1];
    if (owner < 0)
        caller = h->caller;
    else
        h->caller = (uint32_t)owner;
    if (h->n_used >= h->n_cells / 4 * 3) {
        h->is_full = 1;
        h->stop(uc);
        return;
    }
    c = cell_of(h, address, size, caller);
    c->times++;
    c->jumped += address != h->end;
    h->end = address + size;
    h->executed += c->n_instructions;
    if (h->executed >= h->limit)
        h->stop(uc);
}

void on_strict(void *uc, uint64_t address, uint32_t size, void *user)
{
    struct strict *s = user;
    uint32_t base = 0;

    (void)address, (void)size;
    s->read_register(uc, s->base, &base);
    s->n++;
    s->n_unaligned += (base & 3) != 0;
}
