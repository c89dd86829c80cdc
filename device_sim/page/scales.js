"use strict";
/* Numbers become places, colours and words. */

const STOPS = [[11, 11, 30], [58, 29, 110], [160, 44, 125], [240, 103, 92], [253, 233, 184]];

/* little-endian differences, deflated, in base64 */
async function unpacked(text, Kind, stride = 1) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const values = new Kind(await new Response(stream).arrayBuffer());
  for (let i = stride; i < values.length; i++) values[i] += values[i - stride];
  return values;
}

function colourOf(level) {
  const at = Math.min(Math.max(level, 0), 1) * (STOPS.length - 1), k = Math.min(Math.floor(at), STOPS.length - 2);
  return STOPS[k].map((low, c) => Math.round(low + (STOPS[k + 1][c] - low) * (at - k)));
}

function lowerBound(values, wanted, n = values.length) {
  let low = 0, high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1; else high = middle;
  }
  return low;
}

/* 1, 2 or 5 times a power of ten, so that about `n` of them fit */
function stepOf(span, n) {
  const raw = span / n, power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5, 10].find(f => f * power >= raw) || 10);
}

/* the same for time, which is counted in sixties */
function timeStep(span, n) {
  const whole = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800];
  return span / n < 1 ? stepOf(span, n) : whole.find(step => step >= span / n) || 86400;
}

function clock(seconds, step) {
  const s = Math.abs(seconds), sign = seconds < 0 ? "-" : "";
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
  if (s < 60) return sign + s.toFixed(digits) + " s";
  const whole = Math.floor(s / 60), rest = (s - 60 * whole).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  if (s < 3600) return `${sign}${whole}:${rest}`;
  return `${sign}${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}:${rest}`;
}

const COLOURS = Array.from({ length: 256 }, (_one, k) => [...colourOf(k / 255), 255]);
