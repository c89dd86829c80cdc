"""The cost of the front end as tables for a person and as numbers for a machine."""

from dataclasses import asdict

from benchmarks import host, peers
from benchmarks.frontend import ORDER, PATH, WARM_S, McuCost
from benchmarks.host import HostCost
from benchmarks.mcu.image import FLAGS, TARGET
from benchmarks.sheet import number, sheet

METHOD = """\
The libraries compute 30 scales at all 1280 samples, with wavelets and plans prepared beforehand. The others
are ours: 80 columns of 30 pooled rows, the LF and HF rows, flags and the beat stream. An isolated window is
started from nothing and its end held for 624 samples, until the last column is complete; a window of a
stream is 1280 samples in steady state. For 1 s more, ours takes 256 samples, a library the whole window."""


def mcu_text(cost: McuCost) -> str:
    """What the emulated Cortex-M4 says."""
    title = f"Cortex-M4, {compiler()}: instructions per sample of the 256 Hz stream, after {WARM_S} s"
    stages = [
        (f"{stage} *" if stage in PATH else stage, *(number(i.by_stage[stage]) for i in cost.inputs))
        for stage in ORDER
        if stage in cost.inputs[0].by_stage
    ]
    stages += [
        ("Morlet path (*)", *(number(i.path) for i in cost.inputs)),
        ("complete, no resampler", *(number(i.complete) for i in cost.inputs)),
    ]
    flash = cost.flash
    sizes = [
        ("state, built for 256 Hz", cost.state_bytes),
        ("state, built for all rates", cost.state_all_rates_bytes),
        ("ring of beat samples", cost.beat_ring_bytes),
        ("image ring", cost.image_bytes),
        ("stack, harness included", cost.stack_bytes),
        ("flash: Morlet path, text", flash.path_text),
        ("flash: Morlet path, tables", flash.path_tables),
        ("flash: front end, text", flash.core_text),
        ("flash: front end, tables", flash.core_tables),
        ("flash: compiler's library (memmove ..)", flash.library),
        ("flash: whole image, start-up and harness", flash.whole_image),
    ]
    rates = [
        (
            f"{r.rate_hz} Hz",
            *(str(r.n_taps), number(r.resampler), number(r.complete)),
            *(number(n) for n in (r.table_bytes, r.text_bytes, r.state_bytes)),
        )
        for r in cost.resampling
    ]
    limits = [
        (
            limit.name,
            number(limit.measured),
            number(limit.allowed),
            limit.unit,
            "kept" if limit.kept else "BROKEN",
        )
        for limit in cost.limits()
    ]
    return "\n\n".join(
        [
            sheet(title, ("stage", *(i.drive for i in cost.inputs)), stages),
            f"Multiplications per sample, from the tables: {cost.wavelet_macs} in the wavelets, "
            f"{cost.halfband_macs} in the half-bands",
            sheet("Bytes, built for 256 Hz", ("what", "bytes"), [(name, number(n)) for name, n in sizes]),
            sheet(
                "Resampler, built for each rate alone: instructions per sample of the 256 Hz stream, bytes",
                ("input", "taps", "resampler", "complete", "table", "text", "state"),
                rates,
            ),
            sheet(
                "Limits: for the dearest input; state for all rates; complete includes the ring of beats",
                ("what", "measured", "allowed", "unit", ""),
                limits,
            ),
        ]
    )


def host_text(cost: HostCost) -> str:
    """What this machine says: ratios, with the rounds' spread."""
    ours = [t for t in cost.timings if not t.package]
    rounds = ours[0].rounds_us.size
    times = [
        (
            f"{t.name}{f' {peers.version_of(t.package)}' if t.package else ''}",
            number(t.median_us),
            number(t.least_us),
        )
        for t in cost.timings
    ]
    ratios = []
    for peer in cost.peers:
        for mine in (host.WINDOW, host.STREAMED, host.UPDATE):
            r = cost.ratio(peer, mine)
            row = (f"{peer.name} / {mine}", *(f"{v:,.2f}" for v in (r.of_medians, r.of_minima)))
            ratios.append((*row, f"{r.low:,.2f} - {r.high:,.2f}"))
    return "\n\n".join(
        [
            sheet(
                f"{cost.machine}, one core, {rounds} rounds: microseconds for a 5 s window, 30 scales",
                ("side", "median", "least"),
                times,
            ),
            METHOD,
            sheet(
                "Times longer than ours",
                ("peer / ours", "medians", "minima", "80 % of rounds"),
                ratios or [("no library is installed", "-", "-", "-")],
            ),
            *(f"{a.name}: not installed ({a.why}); {a.install}" for a in cost.absent),
        ]
    )


def numbers(mcu: McuCost | None, on_host: HostCost | None) -> dict[str, object]:
    """Everything that was measured."""
    found: dict[str, object] = {}
    if mcu is not None:
        limits = [asdict(limit) | {"kept": limit.kept} for limit in mcu.limits()]
        found["mcu"] = asdict(mcu) | {"compiler": compiler(), "limits": limits}
    if on_host is not None:
        found["host"] = _host_record(on_host)
    return found


def compiler() -> str:
    """What a count is a property of."""
    level = next(flag for flag in FLAGS if flag.startswith("-O"))
    return f"{TARGET} {level}, ziglang {peers.version_of('ziglang')}, unicorn {peers.version_of('unicorn')}"


def _host_record(cost: HostCost) -> dict[str, object]:
    timings = {
        t.name: {
            "median_us": round(t.median_us, 2),
            "least_us": round(t.least_us, 2),
            "version": peers.version_of(t.package) if t.package else "wristlead",
        }
        for t in cost.timings
    }
    ratios = {
        f"{peer.name} / {mine}": {
            name: round(value, 3) for name, value in asdict(cost.ratio(peer, mine)).items()
        }
        for peer in cost.peers
        for mine in (host.WINDOW, host.STREAMED, host.UPDATE)
    }
    rounds = int(cost.timings[0].rounds_us.size)
    absent = {a.name: a.why for a in cost.absent}
    return {"rounds": rounds, "timings": timings, "ratios": ratios, "not_installed": absent}
