import { Stage, listen, transport } from "./stage.js";
import { Timeline } from "./timeline.js";
import { Pair } from "./pair.js";

const data = JSON.parse(document.getElementById("compare-data").textContent);
const stages = data.sides.map((side, i) => new Stage(document.getElementById("video-" + i), side));
const pair = new Pair(stages, data.sides.map((side) => side.zero));
const bar = document.querySelector(".transport"), screens = [...document.querySelectorAll(".screen")];
const timelines = data.sides.map((side, i) => {
  const chart = document.querySelector('[data-half="' + i + '"] [data-chart]');
  return chart && new Timeline(chart, { seek: (t) => pair.seek(pair.at(i, t)), label: "Time in performance " + (i + 1) });
});
const moments = data.sides.flatMap((side, i) => side.moments.map((m) => ({ ...m, side: i })));

const starts = () => moments.map((m) => ({ id: m.id, at: pair.at(m.side, m.start_s) })).sort((a, b) => a.at - b.at);
let chosen = null;
const go = (id) => {
  const found = moments.find((m) => m.id === id);
  if (!found) return;
  chosen = found;
  pair.loop = null;
  pair.seek(pair.at(found.side, found.start_s));
};
const loop = (id) => {
  const on = (m) => stages[m.side].time >= m.start_s - 0.02 && stages[m.side].time < m.end_s;
  const found = moments.find((m) => m.id === id) || moments.find(on) || chosen || moments[0];
  if (!found) return;
  const span = [pair.at(found.side, found.start_s), pair.at(found.side, found.end_s)];
  const again = pair.loop && pair.loop[0] === span[0] && pair.loop[1] === span[1];
  pair.loop = null;
  if (!again) {
    chosen = found;
    if (!(pair.time >= span[0] && pair.time < span[1])) pair.seek(span[0]);
    pair.loop = span;
    pair.play();
  }
  show();
};
const next = (way) => {
  const now = pair.time, back = pair.wants ? 0.8 : 0.05;
  const found = way > 0 ? starts().find((m) => m.at > now + 0.05) : starts().findLast((m) => m.at < now - back);
  if (found) pair.seek(found.at);
};

let heard = 0;
const hear = (which) => {
  heard = which;
  stages.forEach((stage, i) => { stage.video.muted = i !== which; });
  for (const b of bar.querySelectorAll("[data-sound]")) b.setAttribute("aria-pressed", String(b.dataset.sound === (which < 0 ? "" : String(which))));
};
const turn = (mode) => {
  pair.turn(mode);
  for (const b of bar.querySelectorAll("[data-step]")) b.setAttribute("aria-pressed", String(b.dataset.step === mode));
};
const act = transport(bar, pair, { before: () => next(-1), after: () => next(1), loop: () => loop() });
document.querySelector("[data-link]").addEventListener("click", () => {
  const found = new URL(location.href);
  found.hash = "";
  found.searchParams.set("t", pair.time.toFixed(1));
  if (data.model) found.searchParams.set("model", data.model);
  room.copy(String(found), "A link to " + room.clock(pair.time, true) + " is copied.");
});
bar.addEventListener("click", (event) => {
  const sound = event.target.closest("[data-sound]"), step = event.target.closest("[data-step]");
  if (sound) hear(sound.dataset.sound === "" ? -1 : Number(sound.dataset.sound));
  if (step) turn(step.dataset.step);
});
hear(0);

let lit = "";
const show = (what) => {
  stages.forEach((stage, i) => {
    if (timelines[i]) timelines[i].place(stage.time, what === "frame");
    const now = room.clock(Math.max(0, stage.time - pair.zeros[i]), true), label = screens[i].querySelector("[data-at]");
    if (label.textContent !== now) label.textContent = now;
  });
  const on = moments.filter((m) => stages[m.side].time >= m.start_s - 0.02 && stages[m.side].time < m.end_s).map((m) => m.id);
  const looped = pair.loop ? chosen.id : "", told = on.join() + "|" + looped;
  if (told === lit) return;
  lit = told;
  bar.querySelector("[data-do=loop]").setAttribute("aria-pressed", String(!!looped));
  for (const b of document.querySelectorAll("[data-loop]")) b.setAttribute("aria-pressed", String(b.dataset.loop === looped));
  for (const m of moments) {
    const row = document.getElementById(m.id);
    if (row) row.classList.toggle("now", on.includes(m.id));
    document.querySelectorAll('[data-moment="' + m.id + '"]').forEach((e) => e.classList.toggle("lit", on.includes(m.id)));
  }
};
pair.on(show);

document.addEventListener("click", (event) => {
  const badge = event.target.closest(".badges a"), button = event.target.closest("[data-go], [data-loop]");
  if (badge) { event.preventDefault(); go(badge.dataset.moment); }
  if (button && button.dataset.go) go(button.dataset.go);
  if (button && button.dataset.loop) loop(button.dataset.loop);
});
screens.forEach((screen, i) => {
  stages[i].video.addEventListener("click", () => pair.toggle());
  const refused = () => { screen.querySelector(".unplayable").hidden = false; };
  stages[i].video.addEventListener("error", refused);
  if (stages[i].video.error) refused(); // before this script ran
});
listen({
  " ": act.play, ArrowLeft: act.before, ArrowRight: act.after, ",": act.back, ".": act.forward,
  "[": () => pair.faster(-1), "]": () => pair.faster(1), s: () => turn(pair.mode === "seconds" ? "share" : "seconds"),
  l: act.loop, f: act.full, m: () => hear(heard < 0 ? 0 : -1), "?": () => document.getElementById("keys").showModal(),
});
const model = document.getElementById("model");
if (model) model.addEventListener("change", () => model.form.submit());

const asked = new URLSearchParams(location.search).get("t");
pair.seek(asked !== null && Number.isFinite(Number(asked)) ? Number(asked) : 0);
show();
performance.mark("ready");
document.documentElement.dataset.ready = "";
