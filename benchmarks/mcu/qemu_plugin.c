/* Counts instructions from main to wl_halt in QEMU: version 1 of its plugin interface, declared here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef void (*tb_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned cpu, void *user);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_cb cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_cb cb, int flags, void *user);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *at, uint64_t by);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t at);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

int qemu_plugin_version = 1;

static uint64_t count, main_at, halt_at;
static char out[4096];

static void at_main(unsigned cpu, void *user)
{
    (void)cpu, (void)user;
    count = 0;
}

static void at_halt(unsigned cpu, void *user)
{
    FILE *file = fopen(out, "w");

    (void)cpu, (void)user;
    if (file) {
        fprintf(file, "%" PRIu64 "\n", count);
        fclose(file);
    }
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);

        if (address == main_at)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, at_main, 0, 0);
        if (address == halt_at)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, at_halt, 0, 0);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, &count, 1);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "main=", 5))
            main_at = strtoull(argv[i] + 5, 0, 10);
        else if (!strncmp(argv[i], "halt=", 5))
            halt_at = strtoull(argv[i] + 5, 0, 10);
        else if (!strncmp(argv[i], "out=", 4))
            snprintf(out, sizeof out, "%s", argv[i] + 4);
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
