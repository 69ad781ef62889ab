import { Stage, listen, transport } from "./stage.js";
import { Timeline } from "./timeline.js";
import { comments } from "./comments.js";
import { cutting } from "./cutting.js";

const data = JSON.parse(document.getElementById("performance-data").textContent);
const video = document.getElementById("video"), query = new URLSearchParams(location.search);
const stage = new Stage(video, data);
const chart = document.querySelector("[data-chart]");
const timeline = chart && new Timeline(chart, { seek: (t) => stage.seek(t) });
const moments = data.moments, listed = document.querySelector(".moments-list ol");
const rows = new Map([...document.querySelectorAll(".moment")].map((row) => [row.dataset.id, row]));
const caption = document.getElementById("caption");

// Where the page is, as an address that can be handed on.
const address = (time) => {
  const found = new URL(location.href);
  found.hash = "";
  for (const key of ["t", "moment"]) found.searchParams.delete(key);
  found.searchParams.set("t", time.toFixed(1));
  return found;
};
// Moments are a model's: another one names others. The time is for when that model is gone.
const addressOf = (moment) => {
  const found = new URL(location.pathname, location.href);
  found.search = new URLSearchParams({ moment: moment.id, model: data.model, t: moment.start_s.toFixed(1) });
  return found;
};

let chosen = null;
const go = (id, { loop = false } = {}) => {
  const moment = moments.find((m) => m.id === id);
  if (!moment) return;
  chosen = moment;
  stage.loop = null;
  stage.seek(moment.start_s);
  if (loop) stage.loop = [moment.start_s, moment.end_s];
  history.replaceState(null, "", addressOf(moment));
  light();
};
const inside = (t) => moments.find((m) => t >= m.start_s - 0.02 && t < m.end_s);
const next = (way) => {
  const now = stage.time;
  const found = way > 0
    ? moments.find((m) => m.start_s > now + 0.05)
    : moments.findLast((m) => m.start_s < now - (video.paused ? 0.05 : 0.8));
  if (found) go(found.id);
};
const loop = (id) => {
  const moment = (id && moments.find((m) => m.id === id)) || inside(stage.time) || chosen || moments[0];
  if (!moment) return;
  const on = stage.loop && stage.loop[0] === moment.start_s;
  if (on) { stage.loop = null; light(); return; }
  chosen = moment;
  if (!(stage.time >= moment.start_s && stage.time < moment.end_s)) stage.seek(moment.start_s);
  stage.loop = [moment.start_s, moment.end_s];
  light();
  stage.play();
};

// What the list, the timeline and the picture say of the moment that is on.
let lit = null;
const light = () => {
  const time = stage.time, now = inside(time), looped = stage.loop ? moments.find((m) => m.start_s === stage.loop[0]) : null;
  const coming = now ? null : moments.find((m) => m.start_s > time);
  const key = [now, looped, coming].map((m) => (m ? m.id : "")).join("|");
  if (key === lit) return;
  lit = key;
  for (const [id, row] of rows) {
    const on = !!now && now.id === id;
    row.classList.toggle("now", on);
    row.querySelector("[data-go]").setAttribute("aria-current", String(on));
    row.querySelector("[data-loop]").setAttribute("aria-pressed", String(!!looped && looped.id === id));
    document.querySelectorAll('[data-moment="' + row.id + '"]').forEach((e) => e.classList.toggle("lit", on));
    if (on && listed.scrollHeight > listed.clientHeight) {
      const top = row.offsetTop - listed.offsetTop;
      if (top < listed.scrollTop || top + row.offsetHeight > listed.scrollTop + listed.clientHeight) listed.scrollTop = top - 8;
    }
  }
  bar.querySelector("[data-do=loop]").setAttribute("aria-pressed", String(!!looped));
  if (!moments.length) return;
  const [number, words, value] = caption.children, row = now && rows.get(now.id);
  caption.className = "caption-now " + (now ? now.id.split("-")[0] : "");
  number.hidden = value.hidden = !now;
  number.textContent = now ? row.querySelector(".badge").textContent : "";
  value.textContent = now ? row.querySelector(".value").textContent : "";
  if (now) words.textContent = now.id.startsWith("best") ? "Raised the score" : "Lowered the score";
  else words.textContent = coming ? "Next moment at " + room.clock(coming.start_s, true) : "No moment comes after this";
};

const bar = document.querySelector(".transport"), screen = document.querySelector(".screen");
const act = transport(bar, stage, { before: () => next(-1), after: () => next(1), loop: () => loop() });
document.querySelector("[data-link]").addEventListener("click", () => room.copy(String(address(stage.time)), "A link to " + room.clock(stage.time, true) + " is copied."));
screen.addEventListener("click", (event) => { if (event.target === video) stage.toggle(); });
const round = document.querySelector("[data-round]"), sum = (of) => data.spans.reduce((all, [a, b]) => all + of(a, b), 0);
stage.on((what) => {
  if (round) {
    const at = stage.time, told = room.clock(sum((a, b) => Math.max(0, Math.min(at, b) - a)), true) + " / " + room.clock(sum((a, b) => b - a), true);
    if (round.textContent !== told) round.textContent = told;
  }
  if (timeline) timeline.place(stage.time, what === "frame");
  light();
});

document.addEventListener("click", async (event) => {
  const badge = event.target.closest(".badges a"), button = event.target.closest("[data-go], [data-loop], [data-copy-link]");
  if (badge) { event.preventDefault(); go(badge.dataset.moment.replace(/^p1-/, "")); }
  if (!button) return;
  if (button.dataset.go && rows.has(button.dataset.go)) go(button.dataset.go);
  if (button.dataset.loop) loop(button.dataset.loop);
  if (button.dataset.copyLink) room.copy(String(addressOf(moments.find((m) => m.id === button.dataset.copyLink))), "The link is copied.");
});
if (listed) listed.addEventListener("mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });

const talk = comments({ data, stage, timeline });
const cut = cutting({ data, stage });
listen({
  " ": act.play, ArrowLeft: act.before, ArrowRight: act.after, ",": act.back, ".": act.forward, l: act.loop, m: act.mute, f: act.full,
  "[": () => stage.faster(-1), "]": () => stage.faster(1), c: talk.write, i: () => cut.mark("in"), o: () => cut.mark("out"),
  "?": () => document.getElementById("keys").showModal(),
});

const box = document.getElementById("describe");
box.querySelector("[data-go]").addEventListener("click", async (event) => {
  event.preventDefault();
  const wrong = box.querySelector(".wrong"), value = (id) => document.getElementById(id).value;
  try {
    const said = ["performer", "event", "date"].filter((id) => value(id) !== document.getElementById(id).defaultValue);
    await room.call("PATCH", "/performances/" + data.key, Object.fromEntries(said.map((id) => [id, value(id)])));
    location.replace(address(stage.time));
  } catch (problem) { wrong.textContent = problem.message; wrong.hidden = false; }
});
document.querySelector("[data-delete]").addEventListener("click", async () => {
  const others = data.parts.length > 1 ? "The video stays for the other performances in it." : "The video goes too if it was brought in; one that was only pointed at stays where it is.";
  if (!(await room.ask("Delete “" + data.title + "”?", "Its comparisons, comments, scores, features and pictures go. " + others + " Models keep what they have learnt.", "Delete"))) return;
  try {
    await room.call("DELETE", "/performances/" + data.key);
    location.assign("/");
  } catch (problem) { room.toast(problem.message, true); }
});
const model = document.getElementById("model");
if (model) model.addEventListener("change", () => {
  const found = address(stage.time);
  found.searchParams.set("model", model.value);
  location.assign(found);
});
const pictures = document.getElementById("pictures"), remarks = document.getElementById("remarks");
const report = () => document.querySelectorAll("[data-report]").forEach((link) => {
  const found = new URL(link.href);
  found.searchParams.set("pictures", pictures.value);
  found.searchParams.set("remarks", remarks.checked);
  link.href = found;
});
for (const choice of [pictures, remarks]) if (choice) choice.addEventListener("change", report);
document.querySelectorAll("[data-slow]").forEach((link) => link.addEventListener("click", () => room.toast(link.dataset.slow)));

// A job that was asked for here: followed until it ends.
const follow = async (number, tell) => {
  for (;;) {
    const job = await room.call("GET", "/jobs/" + number);
    tell(job);
    if (!["queued", "running"].includes(job.state)) return job;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-look], [data-score]");
  if (!button) return;
  button.disabled = true;
  try {
    await room.call("POST", "/performances/" + data.key + ("look" in button.dataset ? "/look" : "/score"));
    location.reload();
  } catch (problem) { room.toast(problem.message, true); button.disabled = false; }
});
addEventListener("beforeunload", (event) => { if (cut.unsaved() || talk.unsaid()) event.preventDefault(); });
document.body.addEventListener("scored", () => {
  if (video.paused && !talk.writing() && !cut.open()) location.replace(address(stage.time));
});

const unplayable = document.getElementById("unplayable");
const refused = async () => {
  const why = unplayable.querySelector("[data-why]"), make = unplayable.querySelector("[data-copy]");
  unplayable.hidden = false;
  try {
    const answer = await fetch(video.src, { headers: { Range: "bytes=0-0" } });
    if (!answer.ok) {
      const found = await answer.json();
      unplayable.querySelector("h2").textContent = "The video is not there";
      why.textContent = found.error[0].toUpperCase() + found.error.slice(1) + ". " + found.advice;
      make.hidden = true;
      return;
    }
  } catch { /* the room does not answer: what is said stays true */ }
  if (data.copy) {
    why.textContent = "Not even the copy: it is H.264 in MP4, which this browser seems to lack. Try another one.";
    make.hidden = true;
  } else if (data.job) watchCopy(data.job);
};
const watchCopy = async (number) => {
  const make = unplayable.querySelector("[data-copy]"), line = unplayable.querySelector("progress");
  const why = unplayable.querySelector("[data-why]");
  make.hidden = true;
  line.hidden = false;
  try {
    const job = await follow(number, (j) => {
      line.value = j.progress;
      why.textContent = j.state === "queued" ? "It waits for its turn." : j.stage ? j.stage[0].toUpperCase() + j.stage.slice(1) + "." : "Beginning.";
    });
    if (job.state === "done") location.replace(address(stage.time));
    else { why.textContent = job.problem || "It was cancelled."; make.hidden = false; line.hidden = true; }
  } catch (problem) { room.toast(problem.message, true); make.hidden = false; line.hidden = true; }
};
video.addEventListener("error", refused);
if (video.error) refused(); // before this script ran
unplayable.querySelector("[data-copy]").addEventListener("click", async () => {
  try { watchCopy((await room.call("POST", "/performances/" + data.key + "/look?preview=true")).job); }
  catch (problem) { room.toast(problem.message, true); }
});

const same = !query.get("model") || query.get("model") === data.model; // else the moment is another one's
if (same && rows.has(query.get("moment"))) go(query.get("moment"));
else if (query.has("t") && Number.isFinite(Number(query.get("t")))) stage.seek(Number(query.get("t")));
else if (stage.start > 0) stage.seek(stage.start);
stage.tell("seek");
performance.mark("ready");
document.documentElement.dataset.ready = "";
