"use strict";
/* What a device says as it says it: two minutes are kept, the newest seconds are shown. */

const KEPT_S = 120, BEHIND_S = 0.4, AGAIN_MS = 1000, SPOKEN_EVERY_MS = 3000, ROWS_SHOWN = 30;
const NOTHING_UV = GAP;
const LINES = {
  live: ["live", 0], silent: ["silent: the line is open and nothing comes", 2],
  away: ["unplugged: waiting for it to come back", 1], ended: ["ended", 5],
  lost: ["no answer from wristlead serve: trying again", 1],
};
const byId = identity => document.getElementById(identity);

/* the newest entries of a stream that has holes */
class Tape {
  constructor(Kind, capacity, stride, blank) {
    Object.assign(this, { values: new Kind(capacity * stride), capacity, stride, blank, first: 0, n: 0 });
  }

  append(index, entries) {
    const count = entries.length / this.stride, hole = index - this.first - this.n;
    if (this.n === 0 || hole < 0 || hole + count > this.capacity / 2) this.first = index, this.n = 0;
    else if (hole) this._put(new Array(hole * this.stride).fill(this.blank));
    this._put(entries);
  }

  _put(entries) {
    const count = entries.length / this.stride;
    if (this.n + count > this.capacity) {
      const drop = Math.max(this.capacity / 4, count);
      this.values.copyWithin(0, drop * this.stride, this.n * this.stride);
      this.first += drop;
      this.n -= drop;
    }
    this.values.set(entries, this.n * this.stride);
    this.n += count;
  }
}

class Model {
  constructor(hello) {
    const columns = KEPT_S / hello.column_s;
    this.hello = hello;
    this.x = new Tape(Int32Array, KEPT_S * hello.rate_hz, 1, NOTHING_UV);
    this.codes = new Tape(Int8Array, columns, ROWS, -128);
    this.bits = new Tape(Uint8Array, columns, 1, 0);
    this.beats = [];
    this.lanes = hello.lanes.map(lane => ({ ...lane, start: [], word: [], score: [], by: [] }));
    Object.assign(this, { low_mv: -1, high_mv: 1.5, top_db: 60, centre_uv: 0, bpm: null, isNew: true });
  }

  get first_s() { return this.x.first / this.hello.rate_hz; }
  get seconds() { return Math.max(LEAST_S, this.x.n / this.hello.rate_hz); }
  get end_s() { return (this.x.first + this.x.n) / this.hello.rate_hz; }
  get ecg() { return { x: this.x.values, n: this.x.n, rate_hz: this.hello.rate_hz, first_s: this.first_s }; }

  get columns() {
    const { column_s, columns_first_s } = this.hello;
    return {
      codes: this.codes.values, flags: this.bits.values, n: this.bits.n, step_s: column_s,
      first_s: columns_first_s + this.bits.first * column_s,
    };
  }

  take(moment) {
    this.x.append(moment.first, moment.x.map(uv => uv === null ? NOTHING_UV : uv));
    const codes = Uint8Array.from(atob(moment.codes), c => c.charCodeAt(0));
    if (moment.flags.length) {
      this.codes.append(moment.column, Array.from(new Int8Array(codes.buffer)));
      this.bits.append(moment.column, moment.flags);
    }
    this.beats.push(...moment.beats);
    for (const [k, start, word, score, by] of moment.said) {
      const lane = this.lanes[k];
      lane.start.push(start); lane.word.push(word); lane.score.push(score); lane.by.push(by);
    }
    this.bpm = moment.bpm;
    this._forget();
    this._fit();
  }

  _forget() {
    const old = lowerBound(this.beats, this.first_s);
    this.beats.splice(0, old);
    for (const lane of this.lanes) {
      const n = lowerBound(lane.start, this.first_s);
      for (const part of [lane.start, lane.word, lane.score, lane.by]) part.splice(0, n);
    }
  }

  /* limits that fit an ordinary one of the last ten seconds; they move slowly */
  _fit() {
    const rate = this.hello.rate_hz, lows = [], highs = [], { values, n } = this.x;
    for (let at = n; at > Math.max(0, n - 10 * rate); at -= rate) {
      let low = Infinity, high = -Infinity;
      for (let k = Math.max(0, at - rate); k < at; k++) {
        if (values[k] === NOTHING_UV) continue;
        if (values[k] < low) low = values[k];
        if (values[k] > high) high = values[k];
      }
      if (low <= high) { lows.push(low); highs.push(high); }
    }
    if (!lows.length) return;
    const middle = some => some.sort((a, b) => a - b)[some.length >> 1];
    const low = middle(lows), high = middle(highs), margin = Math.max(50, 0.4 * (high - low));
    if (this.isNew || Math.abs((low + high) / 2 - this.centre_uv) > 5000) this.centre_uv = (low + high) / 2;
    const wanted = [(low - margin - this.centre_uv) / 1000, (high + margin - this.centre_uv) / 1000];
    const share = this.isNew ? 1 : 0.15;
    this.low_mv += share * (wanted[0] - this.low_mv);
    this.high_mv += share * (wanted[1] - this.high_mv);
    this.isNew = this.x.n < 2 * rate;
  }

  flagsNow() {
    const { flags, n } = this.columns;
    let bits = 0;
    for (let k = Math.max(0, n - 16); k < n; k++) bits |= flags[k];
    return FLAGS.filter((_name, bit) => bits >> bit & 1);
  }
}

class LivePage {
  constructor() {
    this.root = byId("picture");
    this.isHeld = false;
    this.spokenAt = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    byId("hold").addEventListener("click", () => this.hold(!this.isHeld));
    this.root.querySelector("canvas").addEventListener("keydown", event => {
      if (event.key !== " " && event.key !== "0") return;
      this.hold(event.key === " " && !this.isHeld);
      event.preventDefault();
    });
    this.listen();
  }

  listen() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/stream${location.search}`);
    this.socket.addEventListener("message", event => event.data.split("\n").forEach(line => this.hear(JSON.parse(line))));
    this.socket.addEventListener("close", () => {
      this.line("lost");
      setTimeout(() => this.listen(), AGAIN_MS);
    });
  }

  hear(said) {
    if (said.kind === "hello") this.begin(said);
    else if (said.kind === "state") this.state(said);
    else {
      this.model.take(said);
      this.told(said);
      if (this.calm.matches || document.hidden) this.show();
    }
  }

  begin(hello) {
    this.model = new Model(hello);
    byId("about").textContent = `lead ${hello.lead}, ${hello.rate_hz} Hz${hello.bundle ? ", " + hello.bundle : ""}`;
    byId("changes").textContent = "";
    byId("tiles").replaceChildren(
      ...hello.lanes.map((lane, k) => tile(lane.name, `said-${k}`)), tile("heart rate", "bpm"),
      tile("flags of the last second", "flags"), tile("time", "time"), tile("missed by this page", "missed"));
    this.shown_s = null;
    this.span = this.root.clientWidth < 560 ? 6 : 12;
    if (this.picture) { this.picture.model = this.model; this.picture.panels = null; return this.hold(false); }
    this.picture = new Picture(this.root.querySelector("canvas"), this.model);
    controlled(this.picture, this.root);
    this.wrapLook();
    this.hold(false);
    requestAnimationFrame(now => this.frame(now));
  }

  /* whoever moves along time wants to look at something: hold. Who zooms while it runs wants more or less of it. */
  wrapLook() {
    const look = this.picture.look.bind(this.picture);
    this.picture.look = (start, end) => {
      if (!this.isHeld && Math.abs(end - start - this.span) > 1e-6) {
        this.span = Math.min(Math.max(end - start, 2), KEPT_S / 2);
        this.tellSpan();
        return;
      }
      this.hold(true);
      look(start, end);
    };
  }

  hold(isHeld) {
    this.isHeld = isHeld;
    const button = byId("hold");
    button.setAttribute("aria-pressed", String(isHeld));
    button.textContent = isHeld ? "go on" : "hold";
    if (!isHeld) this.tellSpan();
  }

  tellSpan() { this.root.querySelector("output").textContent = `the newest ${this.span.toFixed(0)} s`; }

  frame(now_ms) {
    const passed_s = Math.min(0.25, (now_ms - (this.before_ms || now_ms)) / 1000);
    this.before_ms = now_ms;
    if (!this.calm.matches) {
      const wanted = this.model.end_s - BEHIND_S;
      if (this.shown_s === null || Math.abs(wanted - this.shown_s) > 3) this.shown_s = wanted;
      else this.shown_s = Math.min(this.shown_s + passed_s * (1 + 0.5 * (wanted - this.shown_s)), this.model.end_s);
      if (!this.isHeld) this.show(this.shown_s);
    }
    requestAnimationFrame(next => this.frame(next));
  }

  show(end_s = this.model.end_s) {
    if (!this.picture || this.isHeld) return;
    this.picture.view = [end_s - this.span, end_s];
    this.picture.draw();
  }

  told(moment) {
    const model = this.model;
    byId("bpm").textContent = model.bpm === null ? "unknown" : `${model.bpm} bpm`;
    byId("flags").textContent = model.flagsNow().join(", ") || "none";
    byId("time").textContent = clock(model.end_s, 1);
    for (const [k, start, word, score, by] of moment.said) {
      const lane = model.lanes[k], words = lane.words[word];
      const [chip, about] = [byId(`said-${k}`), byId(`said-${k}-about`)];
      chip.textContent = words;
      chip.className = `figure word word-${lane.hues[word]}`;
      about.textContent = by ? BYS[by] : score < 0 ? "not judged" : `score ${(score / 1000).toFixed(2)}`;
      const isOrdinary = lane.areBeats ? lane.hues[word] === 0 : words === lane.lastWord;
      lane.lastWord = words;
      if (!isOrdinary) this.changed(start, lane, word, about.textContent);
    }
  }

  changed(start_s, lane, word, about) {
    const row = document.createElement("tr"), cells = ["th", "td", "td"].map(kind => document.createElement(kind));
    const chip = document.createElement("span");
    chip.textContent = lane.words[word];
    chip.className = `word word-${lane.hues[word]}`;
    cells[0].scope = "row";
    cells[0].textContent = clock(start_s, 1);
    cells[1].append(chip);
    cells[2].textContent = about;
    row.append(...cells);
    byId("changes").prepend(row);
    while (byId("changes").children.length > ROWS_SHOWN) byId("changes").lastChild.remove();
    this.speak(lane.words[word]);
  }

  state(said) {
    this.line(said.line, said.failed);
    if (byId("missed")) byId("missed").textContent = said.dropped ? `${said.dropped / 4} s` : "nothing";
  }

  line(name, failed = "") {
    const [words, hue] = LINES[name], shown = failed || words;
    if (byId("line").textContent === shown) return;
    byId("line").textContent = shown;
    byId("line").className = `word word-${hue}`;
    this.speak(shown, true);
  }

  speak(words, always = false) {
    const now = performance.now();
    if (!always && now - this.spokenAt < SPOKEN_EVERY_MS) return;
    this.spokenAt = now;
    byId("spoken").textContent = words;
  }
}

function tile(name, identity) {
  const [box, term, value, about] = ["div", "dt", "dd", "dd"].map(kind => document.createElement(kind));
  term.textContent = name;
  value.append(document.createElement("span"));
  value.firstChild.id = identity;
  value.firstChild.className = "figure";
  value.firstChild.textContent = "–";
  about.id = `${identity}-about`;
  about.className = "quiet";
  box.append(term, value, about);
  return box;
}

const page = new LivePage();
