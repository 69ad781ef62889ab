// A video becomes rounds: starts and ends are marked at the playhead, and kept together.
const SVG = "http://www.w3.org/2000/svg";
const element = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};
const seconds = (t) => String(Math.round(t * 10) / 10);
// Seconds of `12-45.5;60-70`, or null where it is no such thing.
export const read = (text) => {
  const parts = text.split(";").map((part) => part.trim()).filter(Boolean).map((part) => /^(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)$/.exec(part));
  if (!parts.length || parts.some((p) => !p || Number(p[2]) <= Number(p[1]))) return null;
  return parts.map((p) => [Number(p[1]), Number(p[2])]);
};

export function cutting({ data, stage }) {
  const panel = document.getElementById("cutting"), list = panel.querySelector("[data-spans]"), reel = panel.querySelector("[data-reel] svg");
  const out = panel.querySelector("[data-mark=out]"), marked = panel.querySelector("[data-marked]"), none = panel.querySelector("[data-none]");
  const whole = panel.querySelector("[data-whole]"), wrong = panel.querySelector(".wrong");
  const toggles = document.querySelectorAll("[data-cut]");
  let rounds = data.parts.filter((p) => p.intervals).map((p) => ({ text: p.intervals, performer: p.performer }));
  let begun = null, kept = JSON.stringify(rounds);
  const before = data.parts.map((p) => p.intervals), wholeOne = data.parts.find((p) => !p.intervals);
  whole.checked = !!wholeOne && rounds.length > 0;
  const length = () => stage.video.duration || data.duration_s || 1;

  const draw = () => {
    const made = (name, values) => {
      const one = document.createElementNS(SVG, name);
      for (const [k, v] of Object.entries(values)) one.setAttribute(k, v);
      return one;
    };
    const percent = (t) => (100 * Math.max(0, Math.min(1, t / length()))).toFixed(2) + "%";
    const parts = rounds.flatMap((r) => read(r.text) || []).map(([a, b]) => made("rect", { class: "round", x: percent(a), y: 5, width: percent(b - a), height: 24, rx: 4 }));
    if (begun !== null) parts.push(made("line", { class: "begun", x1: percent(begun), x2: percent(begun), y1: 0, y2: 34 }));
    const head = made("line", { class: "head", x1: percent(stage.time), x2: percent(stage.time), y1: 0, y2: 34 });
    reel.replaceChildren(made("rect", { class: "reel", x: 0, y: 9, width: "100%", height: 16, rx: 3 }), ...parts, head);
  };
  const row = (round, i) => {
    const made = element("li"), span = element("input"), who = element("input"), play = element("button", "quiet", "Watch"), gone = element("button", "quiet", "Remove");
    span.type = who.type = "text";
    span.value = round.text;
    who.value = round.performer;
    who.maxLength = 500;
    span.inputMode = "decimal";
    span.setAttribute("aria-label", "Seconds of round " + (i + 1) + ", as 12-45.5");
    who.setAttribute("aria-label", "Performer of round " + (i + 1));
    who.placeholder = "Performer";
    play.type = gone.type = "button";
    span.addEventListener("input", () => {
      round.text = span.value.trim();
      span.setAttribute("aria-invalid", String(!read(round.text)));
      draw();
    });
    who.addEventListener("input", () => { round.performer = who.value; });
    play.addEventListener("click", () => { const found = read(round.text); if (found) { stage.seek(found[0][0]); stage.play(); } });
    gone.addEventListener("click", () => { rounds.splice(i, 1); show(); });
    made.append(element("b", "", String(i + 1)), span, who, play, gone);
    return made;
  };
  const show = () => {
    rounds.sort((a, b) => ((read(a.text) || [[1e9]])[0][0]) - ((read(b.text) || [[1e9]])[0][0]));
    list.replaceChildren(...rounds.map(row));
    none.hidden = rounds.length > 0;
    draw();
  };
  const mark = (what) => {
    if (panel.hidden) return;
    const now = stage.time;
    if (what === "in") begun = now;
    else if (begun !== null && now > begun + 0.2) {
      rounds.push({ text: seconds(begun) + "-" + seconds(now), performer: "" });
      begun = null;
      show();
    } else room.toast(begun === null ? "Mark where it starts first." : "It ends after it starts.", true);
    out.disabled = begun === null;
    marked.textContent = begun === null ? "" : "Starts at " + room.clock(begun, true) + ".";
    draw();
  };
  const open = () => {
    const on = panel.hidden;
    panel.hidden = !on;
    stage.free = on;
    for (const t of toggles) if (t.hasAttribute("aria-expanded")) t.setAttribute("aria-expanded", String(on));
    if (on) { show(); panel.scrollIntoView({ block: "nearest" }); panel.querySelector("[data-mark=in]").focus({ preventScroll: true }); }
    else if (!stage.spans.some(([a, b]) => stage.time >= a && stage.time <= b)) stage.seek(stage.time);
    stage.tell("seek");
  };

  const save = async () => {
    wrong.hidden = true;
    const bad = rounds.find((r) => !read(r.text));
    const parts = rounds.map((r) => ({ intervals: (read(r.text) || []).map(([a, b]) => a + "-" + b).join(";"), performer: r.performer.trim() }));
    if (whole.checked) parts.push({ intervals: "", performer: wholeOne ? wholeOne.performer : "" });
    if (bad || !parts.length) {
      wrong.textContent = bad ? "“" + bad.text + "” is no span. Write seconds, as in 12-45.5." : "Mark a round first, or keep the whole video.";
      wrong.hidden = false;
      return;
    }
    const same = (a, b) => JSON.stringify(a ? read(a) : "") === JSON.stringify(b ? read(b) : "");
    const lost = before.filter((text) => !parts.some((p) => same(p.intervals, text)));
    if (lost.length && !(await room.ask(
      lost.length === 1 ? "One performance goes" : lost.length + " performances go",
      (lost.includes("") ? "The whole video no longer counts as a performance of its own" : "Rounds that you took off the list go") +
        ", and what was said of that goes too: comparisons, comments, scores. The video itself stays.",
      "Save the rounds"))) return;
    try {
      const found = await room.call("PUT", "/performances/" + data.key + "/parts", parts);
      kept = JSON.stringify(rounds);
      location.assign("/performance/" + (found.keys.includes(data.key) ? data.key : found.keys[0]));
    } catch (problem) { wrong.textContent = problem.message; wrong.hidden = false; }
  };

  for (const t of toggles) t.addEventListener("click", open);
  panel.querySelector("[data-mark=in]").addEventListener("click", () => mark("in"));
  out.addEventListener("click", () => mark("out"));
  panel.querySelector("[data-save]").addEventListener("click", save);
  panel.querySelector("[data-reel]").addEventListener("click", (event) => {
    const frame = reel.getBoundingClientRect();
    stage.seek((event.clientX - frame.left) / frame.width * length());
  });
  stage.on(() => { if (!panel.hidden) draw(); });
  return { mark, open: () => !panel.hidden, unsaved: () => !panel.hidden && JSON.stringify(rounds) !== kept };
}
