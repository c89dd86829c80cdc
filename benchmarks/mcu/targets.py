"""The one build description: what each core is called by each compiler and by each emulator."""

from dataclasses import dataclass

from device_sim.contract.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Where flash and RAM begin, and how long they are."""

    flash_start: int = 0
    flash_bytes: int = 1 << 20
    ram_start: int = 0x20000000
    ram_bytes: int = 512 << 10

    def script(self) -> str:
        """The head of the linker script; lld wants these spaces."""
        return (
            "MEMORY\n{\n"
            f"    FLASH (rx)  : ORIGIN = {self.flash_start:#x}, LENGTH = {self.flash_bytes}\n"
            f"    RAM   (rwx) : ORIGIN = {self.ram_start:#x}, LENGTH = {self.ram_bytes}\n"
            "}\n"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A core; a field that is None has no such tool."""

    name: str
    zig_target: str
    zig_cpu: str
    gcc: str = "arm-none-eabi-gcc"
    gcc_flags: tuple[str, ...] = ()
    unicorn_cpu: str | None = None  # UC_CPU_ARM_...
    qemu_machine: str | None = None
    memory: Memory = Memory()
    is_mcu: bool = True
    bare_zig_target: str = ""  # without Linux, to count what the core alone takes

    @property
    def is_a64(self) -> bool:
        """Instructions of four bytes, registers of 64 bits."""
        return self.zig_target.startswith("aarch64")


BARE, BARE_FLOAT = "thumb-freestanding-eabi", "thumb-freestanding-eabihf"
A64_LINUX = "aarch64-linux-gnu.2.31"
HARD_FLOAT = ("-mthumb", "-mfloat-abi=hard")
# The secure memory of the emulated board that has this core.
AN505 = Memory(flash_start=0x10000000, ram_start=0x38000000)

TARGETS = {
    one.name: one
    for one in (
        Target(
            name="cortex-m0plus",
            zig_target=BARE,
            zig_cpu="cortex_m0plus",
            gcc_flags=("-mcpu=cortex-m0plus", "-mthumb"),
            unicorn_cpu="CORTEX_M0",  # the same instructions
            qemu_machine="mps2-an386",  # no board with an M0 has the memory; an M4 runs the same instructions
        ),
        Target(
            name="cortex-m4",
            zig_target=BARE_FLOAT,
            zig_cpu="cortex_m4",
            gcc_flags=("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", *HARD_FLOAT),
            unicorn_cpu="CORTEX_M4",
            qemu_machine="mps2-an386",
        ),
        Target(
            name="cortex-m7",
            zig_target=BARE_FLOAT,
            zig_cpu="cortex_m7",
            gcc_flags=("-mcpu=cortex-m7", "-mfpu=fpv5-d16", *HARD_FLOAT),
            unicorn_cpu="CORTEX_M7",
            qemu_machine="mps2-an500",
        ),
        Target(
            name="cortex-m33",
            zig_target=BARE_FLOAT,
            zig_cpu="cortex_m33+dsp",  # without +dsp: plain C, in silence
            gcc_flags=("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", *HARD_FLOAT),
            unicorn_cpu="CORTEX_M33",
            qemu_machine="mps2-an505",
            memory=AN505,
        ),
        Target(
            name="cortex-m55",
            zig_target=BARE_FLOAT,
            zig_cpu="cortex_m55+mve+mve_fp",  # without: no vectors, in silence
            gcc_flags=("-mcpu=cortex-m55", "-mfpu=auto", *HARD_FLOAT),
            qemu_machine="mps3-an547",
        ),
        Target(
            name="aarch64-linux",
            zig_target=A64_LINUX,
            zig_cpu="cortex_a72",
            gcc="aarch64-linux-gnu-gcc",
            gcc_flags=("-mcpu=cortex-a72",),
            is_mcu=False,
        ),
        *(
            # One build for all three, what a wheel is compiled to: the instructions of every such core.
            Target(
                name=f"cortex-{core}",
                zig_target=A64_LINUX,
                zig_cpu="generic",
                gcc="aarch64-linux-gnu-gcc",
                unicorn_cpu="A72",
                is_mcu=False,
                bare_zig_target="aarch64-freestanding-none",
            )
            for core in ("a53", "a72", "a76")
        ),
        Target(
            name="armhf-linux",
            zig_target="arm-linux-gnueabihf.2.31",
            zig_cpu="cortex_a7",
            gcc="arm-linux-gnueabihf-gcc",
            gcc_flags=("-mcpu=cortex-a7", "-mfpu=neon-vfpv4", "-mfloat-abi=hard"),
            is_mcu=False,
        ),
    )
}
A72 = TARGETS["cortex-a72"]
M0PLUS, M4, M7, M33, M55 = (TARGETS[f"cortex-{core}"] for core in ("m0plus", "m4", "m7", "m33", "m55"))
COUNTED = (M0PLUS, M4, M7, M33)  # with pip alone; the M55 needs QEMU


def target(name: str) -> Target:
    """By its name, or one line with the names there are."""
    if name not in TARGETS:
        raise ContractError(f"target: expected one of {', '.join(TARGETS)}, got {name[:40]!r}")
    return TARGETS[name]
