"use strict";
/* The picture of an ECG as the device saw it: one canvas, one time axis. A recording gives it everything at
   once, a live page appends; both hand over the same model. Without this script a page shows a still picture. */

const FLAGS = ["rail", "flat", "lead-off", "warm-up", "clip", "gap"];
const ROWS = 32, WAVELETS = 30, HF = 31, LF = 30, TOP_HZ = 61.44;
const TICKS_HZ = [50, 20, 10, 5, 3];
const DB_PER_CODE = Math.log10(2);
const GAP = -32768;  // in place of a sample that never came
const BYS = ["", "by rule", "by gate"];  // who spoke instead of the network
const LEAST_S = 0.5;  // no closer than this

class Picture {
  constructor(canvas, model) {
    this.canvas = canvas;
    this.model = model;
    this.view = [model.first_s, model.first_s + model.seconds];
    this.tile = document.createElement("canvas");
    const again = () => { this.panels = null; this.draw(); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new ResizeObserver(again).observe(canvas.parentElement);
  }

  look(start_s, end_s) {
    const model = this.model, span = Math.min(Math.max(end_s - start_s, LEAST_S), model.seconds);
    const start = Math.min(Math.max(start_s, model.first_s), model.first_s + model.seconds - span);
    this.view = [start, start + span];
    this.draw();
    if (this.onlook) this.onlook(this.view);
  }

  zoom(factor, at_s = (this.view[0] + this.view[1]) / 2) {
    const [start, end] = this.view;
    this.look(at_s - (at_s - start) * factor, at_s + (end - at_s) * factor);
  }

  pan(share) {
    const by = share * (this.view[1] - this.view[0]);
    this.look(this.view[0] + by, this.view[1] + by);
  }

  secondsAt(x) { return this.view[0] + (x - this.left) / this.width * (this.view[1] - this.view[0]); }
  xAt(seconds) { return this.left + (seconds - this.view[0]) / (this.view[1] - this.view[0]) * this.width; }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this._draw(); });
  }

  _measure() {
    const full = this.canvas.parentElement.clientWidth, isNarrow = full < 560;
    const scored = this.model.lanes.filter(lane => lane.hasScore);
    const panels = [["ecg", isNarrow ? 150 : 190]];
    this.model.lanes.forEach(lane => panels.push(["lane", 24, lane]));
    scored.forEach(lane => panels.push(["score", 56, lane]));
    panels.push(["hf", 12], ["wavelets", isNarrow ? 120 : 160], ["lf", 12], ["flags", 66]);
    this.left = isNarrow ? 44 : 66;
    this.width = full - this.left - (isNarrow ? 4 : 10);
    let y = 18;
    this.panels = panels.map(([kind, height, lane]) => {
      const panel = { kind, y, height, lane };
      y += height + (kind === "hf" || kind === "wavelets" ? 2 : 10);
      return panel;
    });
    this.height = y + 18;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(full * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = this.height + "px";
    this.pen = this.canvas.getContext("2d");
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.pen.font = `${isNarrow ? 10 : 12}px system-ui, sans-serif`;
    const style = getComputedStyle(this.canvas);
    const colours = new Map();
    this.palette = name => {
      if (!colours.has(name)) colours.set(name, style.getPropertyValue(name).trim());
      return colours.get(name);
    };
    this.full = full;
  }

  _draw() {
    if (!this.panels) this._measure();
    const pen = this.pen;
    pen.clearRect(0, 0, this.full, this.height);
    this._axis();
    for (const panel of this.panels) this["_" + panel.kind](panel);
    if (this.cursor_s !== undefined && this.cursor_s !== null) {
      const x = this.xAt(this.cursor_s);
      pen.fillStyle = this.palette("--accent");
      if (x >= this.left) pen.fillRect(x - 0.5, 10, 1, this.height - 36);
    }
  }

  _name(panel, words, y = panel.y + panel.height / 2) {
    this.pen.fillStyle = this.palette("--quiet");
    this.pen.textAlign = "right";
    this.pen.textBaseline = "middle";
    this.pen.fillText(words, this.left - 7, y, this.left - 9);
  }

  _inside(panel, paint) {
    const pen = this.pen;
    pen.save();
    pen.beginPath();
    pen.rect(this.left, panel.y, this.width, panel.height);
    pen.clip();
    paint(pen);
    pen.restore();
  }

  _axis() {
    const pen = this.pen, [start, end] = this.view, step = timeStep(end - start, this.width / 90);
    const bottom = this.height - 26;
    pen.textBaseline = "top";
    for (let t = Math.ceil(start / step) * step; t <= end; t += step) {
      const x = Math.round(this.xAt(t)) + 0.5;
      pen.fillStyle = this.palette("--grid");
      pen.fillRect(x - 0.5, 14, 1, bottom - 14);
      pen.fillStyle = this.palette("--quiet");
      const words = clock(t, step), half = pen.measureText(words).width / 2;
      pen.textAlign = x + half > this.full ? "right" : "center";
      pen.fillText(words, x + half > this.full ? this.full - 2 : x, bottom + 6);
    }
  }

  _ecg(panel) {
    const { ecg } = this.model, low = this.model.low_mv, high = this.model.high_mv;
    const yAt = mv => panel.y + panel.height * (high - mv) / (high - low);
    const step = stepOf(high - low, 4), digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    for (let mv = Math.ceil(low / step) * step; mv <= high; mv += step) {
      this.pen.fillStyle = this.palette("--grid");
      this.pen.fillRect(this.left, Math.round(yAt(mv)), this.width, 1);
      this._name(panel, Math.abs(mv) < step / 2 ? "0 mV" : mv.toFixed(digits), yAt(mv));
    }
    this._inside(panel, pen => {
      pen.strokeStyle = this.palette("--ink");
      pen.lineJoin = "round";
      pen.lineWidth = 1.1;
      pen.beginPath();
      this._trace(ecg, yAt);
      pen.stroke();
      pen.fillStyle = this.palette("--accent");
      const beats = this.model.beats, shown = this._range(beats);
      const size = Math.min(4, this.width / Math.max(1, shown[1] - shown[0]) / 3);
      if (size < 1.2) return;  // beats nearer than that are one line
      for (let k = shown[0]; k < shown[1]; k++) {
        const x = this.xAt(beats[k]);
        pen.beginPath();
        pen.moveTo(x - size, panel.y + 1);
        pen.lineTo(x + size, panel.y + 1);
        pen.lineTo(x, panel.y + 1 + 1.6 * size);
        pen.fill();
      }
    });
  }

  /* every sample where there is room, else the lowest and highest of each half pixel */
  _trace(ecg, yAt) {
    const pen = this.pen, { x, n, rate_hz, first_s } = ecg, centre = this.model.centre_uv || 0;
    const from = Math.max(0, Math.floor((this.view[0] - first_s) * rate_hz) - 1);
    const to = Math.min(n, Math.ceil((this.view[1] - first_s) * rate_hz) + 2);
    const each = Math.max(1, Math.floor((to - from) / (2 * this.width)));
    const begin = from - from % each;  // the same groups wherever one looks: nothing flickers
    let isDown = false;
    const go = (k, uv) => {
      const at = this.xAt(first_s + k / rate_hz), y = yAt((uv - centre) / 1000);
      if (isDown) pen.lineTo(at, y); else pen.moveTo(at, y);
      isDown = true;
    };
    for (let k = begin; k < to; k += each) {
      let low = Infinity, high = -Infinity;
      for (let i = k; i < Math.min(k + each, to); i++) {
        if (x[i] === GAP) continue;
        if (x[i] < low) low = x[i];
        if (x[i] > high) high = x[i];
      }
      if (low === Infinity) { isDown = false; continue; }
      go(k, low);
      if (high !== low) go(k, high);
    }
  }

  _range(starts, reach_s = 0) {
    return [lowerBound(starts, this.view[0] - reach_s), lowerBound(starts, this.view[1] + 1e-9)];
  }

  /* stretches with the word inside, or a mark for each beat; what is not as wanted is hatched or stands out */
  _lane(panel) {
    const lane = panel.lane, [from, to] = this._range(lane.start, lane.length_s);
    this._name(panel, this.left < 50 ? "says" : lane.label);
    this._inside(panel, pen => lane.areBeats ? this._marks(pen, panel, lane, from, to)
      : this._bands(pen, panel, lane, from, to));
  }

  _bands(pen, panel, lane, from, to) {
    for (let k = from; k < to;) {
      let last = k;
      while (last + 1 < to && lane.word[last + 1] === lane.word[k]
             && lane.start[last + 1] - lane.start[last] < 1.5 * lane.length_s) last++;
      const x = this.xAt(lane.start[k]), end = this.xAt(lane.start[last] + lane.length_s), word = lane.word[k];
      this._fill(pen, word, lane, x, panel.y, end - x, panel.height);
      this._word(pen, lane, word, Math.max(x, this.left), Math.min(end, this.left + this.width), panel);
      k = last + 1;
    }
  }

  _fill(pen, word, lane, x, y, width, height) {
    const hue = lane.hues[word];
    pen.fillStyle = this.palette(`--band-${hue}`);
    pen.fillRect(x, y, Math.max(width, 1), height);
    pen.fillStyle = this.palette(`--ink-${hue}`);
    pen.fillRect(x, hue ? y : y + height - 3, Math.max(width, 1), 3);
  }

  _word(pen, lane, word, x, end, panel) {
    const words = lane.words[word];
    if (pen.measureText(words).width + 8 > end - x) return;
    pen.fillStyle = this.palette(`--ink-${lane.hues[word]}`);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(words, (x + end) / 2, panel.y + panel.height / 2 + 0.5);
  }

  _marks(pen, panel, lane, from, to) {
    const room = this.width / Math.max(1, to - from);
    if (room < 4) return this._shares(pen, panel, lane, from, to);
    for (let k = from; k < to; k++) {
      const word = lane.word[k], hue = lane.hues[word], x = this.xAt(lane.start[k] + lane.length_s / 2);
      pen.fillStyle = this.palette(`--ink-${hue}`);
      const tall = hue ? panel.height : panel.height / 2;
      pen.fillRect(x - 1, panel.y + panel.height - tall, hue ? 2.5 : 1.5, tall);
      const until = k + 1 < to ? this.xAt(lane.start[k + 1] + lane.length_s / 2) : this.left + this.width;
      this._besideMark(pen, lane.words[word], hue, x, panel, until - x);
    }
  }

  /* where beats are too many to tell apart: how many of them are called what */
  _shares(pen, panel, lane, from, to) {
    const bin = 4, order = lane.words.map((_word, k) => k).sort((a, b) => lane.hues[a] - lane.hues[b]);
    for (let x = this.left, k = from; x < this.left + this.width; x += bin) {
      const counts = new Array(order.length).fill(0), until = this.secondsAt(x + bin) - lane.length_s / 2;
      let n = 0;
      for (; k < to && lane.start[k] < until; k++, n++) counts[lane.word[k]]++;
      let y = panel.y + panel.height;
      for (const word of order) {
        const height = n ? panel.height * counts[word] / n : 0;
        pen.fillStyle = this.palette(`--ink-${lane.hues[word]}`);
        pen.fillRect(x, y - height, bin, height);
        y -= height;
      }
    }
  }

  _besideMark(pen, words, hue, x, panel, room) {
    const isRoomy = room > pen.measureText(words).width + 8;
    const shown = isRoomy ? words : hue && room > 14 ? words[0].toUpperCase() : "";
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillText(shown, x + 4, panel.y);
  }

  _score(panel) {
    const lane = panel.lane, [from, to] = this._range(lane.start, lane.length_s);
    for (const at of [0, 0.5, 1]) {
      const y = panel.y + 3 + (panel.height - 6) * (1 - at);
      this.pen.fillStyle = this.palette("--grid");
      this.pen.fillRect(this.left, Math.round(y), this.width, 1);
      this._name(panel, at === 0.5 ? (this.left < 50 ? "score" : "score ½") : String(at), y);
    }
    this._inside(panel, pen => {
      const room = this.width / Math.max(1, to - from), radius = room > 5 ? 2.2 : lane.areBeats ? 0.8 : 0;
      pen.strokeStyle = pen.fillStyle = this.palette("--accent");
      pen.lineWidth = 1.3;
      pen.beginPath();
      let isDown = false;
      for (let k = from; k < to; k++) {
        if (lane.score[k] < 0) { isDown = false; continue; }
        const x = this.xAt(lane.start[k] + lane.length_s / 2);
        const y = panel.y + 3 + (panel.height - 6) * (1 - lane.score[k] / 1000);
        if (isDown && !lane.areBeats) pen.lineTo(x, y); else pen.moveTo(x, y);
        isDown = true;
        if (radius) { pen.moveTo(x + radius, y); pen.arc(x, y, radius, 0, 7); pen.moveTo(x, y); }
      }
      pen.stroke();
    });
  }

  _hf(panel) { this._name(panel, "HF"); this._codes(panel, HF, 1); }
  _lf(panel) { this._name(panel, "LF"); this._codes(panel, LF, 1); }

  _wavelets(panel) {
    for (const hz of TICKS_HZ) {
      const y = panel.y + panel.height * (6 * Math.log2(TOP_HZ / hz) + 0.5) / WAVELETS;
      this._name(panel, hz === 10 ? "10 Hz" : String(hz), y);
    }
    this._codes(panel, 0, WAVELETS);
  }

  /* what is seen, a pixel a column or the loudest of those that share one */
  _codes(panel, row, n) {
    const { codes, n: total, step_s, first_s } = this.model.columns, top = this.model.top_db;
    const from = Math.max(0, Math.floor((this.view[0] - first_s) / step_s));
    const to = Math.min(total, Math.ceil((this.view[1] - first_s) / step_s) + 1);
    if (to <= from) return;
    const each = Math.max(1, Math.floor((to - from) / this.width)), begin = from - from % each;
    const width = Math.ceil((to - begin) / each);
    this.tile.width = width;
    this.tile.height = n;
    const pen = this.tile.getContext("2d"), image = pen.createImageData(width, n);
    for (let c = 0; c < width; c++) for (let r = 0; r < n; r++) {
      let code = -128;
      for (let k = begin + c * each; k < Math.min(begin + (c + 1) * each, to); k++)
        code = Math.max(code, codes[k * ROWS + row + r]);
      const rgb = COLOURS[Math.round(255 * Math.min((code + 128) * DB_PER_CODE / top, 1))];
      image.data.set(rgb, 4 * (r * width + c));
    }
    pen.putImageData(image, 0, 0);
    this._inside(panel, pen => {
      pen.imageSmoothingEnabled = false;
      const x = this.xAt(first_s + begin * step_s), end = this.xAt(first_s + (begin + width * each) * step_s);
      pen.drawImage(this.tile, x, panel.y, end - x, panel.height);
    });
  }

  _flags(panel) {
    const { flags, n, step_s, first_s } = this.model.columns, height = panel.height / FLAGS.length;
    const from = Math.max(0, Math.floor((this.view[0] - first_s) / step_s));
    const to = Math.min(n, Math.ceil((this.view[1] - first_s) / step_s) + 1);
    this.pen.save();
    this.pen.font = `${Math.min(10.5, height)}px system-ui, sans-serif`;
    FLAGS.forEach((name, bit) => this._name(panel, name, panel.y + (bit + 0.5) * height));
    this.pen.restore();
    this._inside(panel, pen => FLAGS.forEach((_name, bit) => {
      const y = panel.y + bit * height;
      pen.fillStyle = this.palette("--grid");
      pen.fillRect(this.left, Math.round(y + height / 2), this.width, 1);
      pen.fillStyle = this.palette("--flag");
      for (let k = from; k < to; k++) {
        if (!(flags[k] >> bit & 1)) continue;
        let last = k;
        while (last + 1 < to && flags[last + 1] >> bit & 1) last++;
        const x = this.xAt(first_s + k * step_s), end = this.xAt(first_s + (last + 1) * step_s);
        pen.fillRect(x, y + 1.5, Math.max(1.5, end - x), height - 3);
        k = last;
      }
    }));
  }

  /* one moment in words */
  told(seconds) {
    const { ecg, columns, lanes } = this.model, said = [clock(seconds, 0.01)];
    const uv = ecg.x[Math.round((seconds - ecg.first_s) * ecg.rate_hz)];
    const mv = (uv - (this.model.centre_uv || 0)) / 1000;
    if (uv !== undefined) said.push(uv === GAP ? "no sample" : `${mv.toFixed(2)} mV`);
    for (const lane of lanes) {
      const k = lowerBound(lane.start, seconds + 1e-9) - 1;
      if (k < 0 || seconds > lane.start[k] + lane.length_s) continue;
      const score = lane.score[k] >= 0 ? `, score ${(lane.score[k] / 1000).toFixed(2)}` : "";
      said.push(`${lane.words[lane.word[k]]}${score}${lane.by[k] ? ", " + BYS[lane.by[k]] : ""}`);
    }
    const bits = columns.flags[Math.floor((seconds - columns.first_s) / columns.step_s)] || 0;
    const names = FLAGS.filter((_name, bit) => bits >> bit & 1);
    if (names.length) said.push("flags: " + names.join(", "));
    return said.join(" · ");
  }
}
