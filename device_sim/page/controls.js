"use strict";
/* Keys, buttons, fingers and a wheel move the view of a picture; what is under the pointer is told in words. */

const STEP_SHARE = 0.25, ZOOM = 0.6;

function controlled(picture, root) {
  const canvas = picture.canvas, told = root.querySelector("output"), slider = root.querySelector("input");
  const acts = {
    closer: () => picture.zoom(ZOOM),
    farther: () => picture.zoom(1 / ZOOM),
    back: () => picture.pan(-STEP_SHARE),
    on: () => picture.pan(STEP_SHARE),
    all: () => picture.look(picture.model.first_s, picture.model.first_s + picture.model.seconds),
    next: () => change(picture, 1),
    before: () => change(picture, -1),
  };
  const keys = {
    "+": "closer", "=": "closer", "-": "farther", ArrowLeft: "back", ArrowRight: "on",
    Home: "all", "0": "all", n: "next", p: "before",
  };
  const range = () => {
    const [start, end] = picture.view, step = (end - start) / 100;
    return `${clock(start, step)} to ${clock(end, step)} shown`;
  };
  const say = words => { told.textContent = words; };
  picture.onlook = view => {
    const { first_s, seconds } = picture.model, span = view[1] - view[0];
    if (slider) {
      slider.disabled = span >= seconds;
      slider.value = seconds > span ? 1000 * (view[0] - first_s) / (seconds - span) : 0;
      slider.setAttribute("aria-valuetext", range());
    }
    say(range());
  };
  root.querySelectorAll("button[data-act]").forEach(button =>
    button.addEventListener("click", () => acts[button.dataset.act]()));
  if (slider) slider.addEventListener("input", () => {
    const { first_s, seconds } = picture.model, span = picture.view[1] - picture.view[0];
    picture.look(first_s + slider.value / 1000 * (seconds - span), first_s + slider.value / 1000 * (seconds - span) + span);
  });
  canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    acts[keys[event.key]]();
    event.preventDefault();
  });
  canvas.addEventListener("wheel", event => {
    const isZoom = event.ctrlKey, along = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!isZoom && !along) return;  // the page itself is being scrolled
    if (isZoom) picture.zoom(Math.exp(event.deltaY / 100), picture.secondsAt(event.offsetX));
    else picture.pan(event.deltaX / picture.width);
    event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("dblclick", event => picture.zoom(ZOOM, picture.secondsAt(event.offsetX)));
  fingers(picture, say);
  picture.onlook(picture.view);
}

/* one finger moves, two stretch; a mouse without a button only asks */
function fingers(picture, say) {
  const canvas = picture.canvas, down = new Map();
  const xs = () => [...down.values()];
  canvas.addEventListener("pointerdown", event => {
    down.set(event.pointerId, event.offsetX);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    if (!down.has(event.pointerId)) return ask(picture, event.offsetX, say);
    const before = xs();
    down.set(event.pointerId, event.offsetX);
    const now = xs();
    if (now.length === 1) return picture.pan((before[0] - now[0]) / picture.width);
    const wide = Math.max(8, Math.abs(now[0] - now[1])), was = Math.max(8, Math.abs(before[0] - before[1]));
    picture.zoom(was / wide, picture.secondsAt((now[0] + now[1]) / 2));
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, event => {
    down.delete(event.pointerId);
    if (event.pointerType === "touch") ask(picture, event.offsetX, say);
  });
  canvas.addEventListener("pointerleave", () => { picture.cursor_s = null; picture.draw(); });
}

function ask(picture, x, say) {
  if (x < picture.left) return;
  picture.cursor_s = picture.secondsAt(x);
  say(picture.told(picture.cursor_s));
  picture.draw();
}

/* the next verdict that differs from the one before it, in the middle of twenty seconds */
function change(picture, direction) {
  const lane = picture.model.lanes[0];
  if (!lane) return;
  const middle = (picture.view[0] + picture.view[1]) / 2, span = Math.min(20, picture.view[1] - picture.view[0]);
  const from = lowerBound(lane.start, middle + (direction > 0 ? 1e-3 : -1e-3));
  for (let k = direction > 0 ? Math.max(1, from) : from - 1; k > 0 && k < lane.start.length; k += direction) {
    if (lane.word[k] !== lane.word[k - 1] && Math.abs(lane.start[k] - middle) > 1e-3) {
      picture.look(lane.start[k] - span / 2, lane.start[k] + span / 2);
      return;
    }
  }
}
