// What people say at a time of the video: a list in order of time, and marks on the timeline. All of it is text.
const icon = (name) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  made.setAttribute("class", "icon");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  use.setAttribute("href", "#i-" + name);
  made.append(use);
  return made;
};
const element = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};

export function comments({ data, stage, timeline }) {
  const form = document.getElementById("say"), text = document.getElementById("text"), author = document.getElementById("author");
  const at = document.getElementById("say-at"), list = document.getElementById("said"), none = document.getElementById("said-none");
  const track = document.querySelector("[data-track]"), marks = track.querySelector(".plot");
  let held = null; // the second that is being written about
  const judge = () => { try { return JSON.parse(localStorage.getItem("toprock.judge")).annotator; } catch { return ""; } };
  author.value = localStorage.getItem("toprock.author") || judge() || "";
  author.addEventListener("change", () => localStorage.setItem("toprock.author", author.value.trim()));

  const jump = (comment) => { stage.seek(comment.time_s); };
  const line = (comment) => {
    const row = element("li"), time = element("button", "at", room.clock(comment.time_s, true));
    const pen = element("button", "press quiet"), bin = element("button", "press quiet");
    const head = element("p", "head"), name = element("bdi", "", comment.author), day = element("time", "soft", room.when(comment.created));
    time.type = pen.type = bin.type = "button";
    day.dateTime = comment.created;
    pen.setAttribute("aria-label", "Change the comment at " + room.clock(comment.time_s, true));
    pen.title = "Change";
    pen.append(icon("pen"));
    pen.addEventListener("click", () => reword(comment, row));
    time.addEventListener("click", () => jump(comment));
    time.setAttribute("aria-label", "Go to " + room.clock(comment.time_s, true));
    bin.setAttribute("aria-label", "Delete the comment at " + room.clock(comment.time_s, true));
    bin.title = "Delete";
    bin.append(icon("bin"));
    bin.addEventListener("click", () => remove(comment));
    head.append(time, name, day, pen, bin);
    const said = element("p", "words", comment.text);
    said.dir = "auto";
    row.append(head, said);
    row.dataset.comment = comment.id;
    return row;
  };
  const mark = (comment) => {
    const made = element("button", "said-mark");
    made.type = "button";
    made.title = comment.author + ": " + comment.text.slice(0, 120);
    made.setAttribute("aria-label", "Comment at " + room.clock(comment.time_s, true) + " by " + comment.author);
    made.style.left = 100 * timeline.share(comment.time_s) + "%";
    made.append(icon("say"));
    made.addEventListener("click", () => jump(comment));
    return made;
  };
  const show = () => {
    data.comments.sort((a, b) => a.time_s - b.time_s || a.id - b.id);
    list.replaceChildren(...data.comments.map(line));
    none.hidden = data.comments.length > 0;
    document.querySelectorAll("[data-with-comments]").forEach((part) => { part.hidden = !data.comments.length; });
    track.hidden = !timeline || !data.comments.length;
    if (timeline) marks.replaceChildren(...data.comments.map(mark));
  };
  const reword = (comment, row) => {
    const form = element("form", "reword"), field = element("textarea"), buttons = element("p", "buttons");
    const keep = element("button", "strong", "Save"), leave = element("button", "quiet", "Cancel");
    const back = () => { show(); list.querySelector(`[data-comment="${comment.id}"] [aria-label^=Change]`).focus(); };
    leave.type = "button";
    field.value = comment.text;
    field.maxLength = 4000;
    field.required = true;
    field.setAttribute("aria-label", "Comment at " + room.clock(comment.time_s, true));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
      if (event.key === "Escape") back();
    });
    leave.addEventListener("click", back);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      keep.disabled = true;
      try {
        Object.assign(comment, await room.call("PATCH", "/comments/" + comment.id, { text: field.value.trim() }));
        back();
      } catch (problem) { room.toast(problem.message, true); keep.disabled = false; }
    });
    buttons.append(keep, leave);
    form.append(field, buttons);
    row.querySelector(".words").replaceWith(form);
    field.focus();
  };
  const remove = async (comment) => {
    const told = comment.text.length > 120 ? comment.text.slice(0, 120) + "…" : comment.text;
    if (!(await room.ask("Delete this comment?", comment.author + ": " + told, "Delete"))) return;
    try {
      await room.call("DELETE", "/comments/" + comment.id);
      data.comments = data.comments.filter((c) => c.id !== comment.id);
      show();
    } catch (problem) { room.toast(problem.message, true); }
  };

  const tell = () => { at.textContent = room.clock(held ?? stage.time, true); };
  stage.on((what) => {
    if (what === "seek") held = null;
    if (held === null) tell();
  });
  text.addEventListener("focus", () => { if (!text.value) { held = stage.time; tell(); } });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    if (event.key === "Escape") text.blur();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = { text: text.value.trim(), author: author.value.trim(), time_s: Math.round((held ?? stage.time) * 100) / 100 };
    const send = form.querySelector("button");
    if (!said.text || send.disabled) return;
    send.disabled = true;
    localStorage.setItem("toprock.author", said.author);
    try {
      data.comments.push(await room.call("POST", "/performances/" + data.key + "/comments", said));
      text.value = "";
      held = null;
      show();
    } catch (problem) { room.toast(problem.message, true); }
    send.disabled = false;
  });
  show();
  tell();
  return {
    write: () => { stage.pause(); held = stage.time; tell(); text.focus(); },
    unsaid: () => text.value.trim() !== "",
    writing: () => text.value.trim() !== "" || document.activeElement === text,
  };
}
