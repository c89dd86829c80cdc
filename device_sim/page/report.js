"use strict";
/* The recording that lies in this page becomes the picture's model. */

async function modelOf(kept) {
  const x = await unpacked(kept.ecg.x, Int16Array);
  const codes = await unpacked(kept.columns.codes, Int8Array, ROWS);
  const flags = await unpacked(kept.columns.flags, Uint8Array);
  const seconds = values => Float64Array.from(values, ms => ms / 1000);
  const lanes = await Promise.all(kept.lanes.map(async lane => ({
    ...lane,
    start: seconds(await unpacked(lane.start, Int32Array)),
    word: await unpacked(lane.word, Uint8Array),
    score: await unpacked(lane.score, Int16Array),
    by: await unpacked(lane.by, Uint8Array),
  })));
  return {
    ...kept, lanes,
    ecg: { ...kept.ecg, x, n: x.length },
    columns: { ...kept.columns, codes, flags, n: flags.length },
    beats: seconds(await unpacked(kept.beats, Int32Array)),
  };
}

async function begin() {
  const kept = document.getElementById("recording-data");
  if (!kept || !window.DecompressionStream) return;
  const model = await modelOf(JSON.parse(kept.textContent)), root = document.getElementById("picture");
  const picture = new Picture(root.querySelector("canvas"), model);
  root.classList.add("moves");
  controlled(picture, root);
  picture.draw();
}

begin();
