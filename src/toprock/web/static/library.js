"use strict";
(() => {
  const uploads = document.getElementById("uploads"), files = document.getElementById("files");
  const list = document.getElementById("performances");
  const say = (text) => { document.getElementById("uploads-said").textContent = text; }; // aloud; the end is a toast
  let waiting = [], going = 0, brought = 0, known = [];

  // Shows what is here now; resolves to whether the page is loaded anew, as it is where an empty library has become one.
  const refresh = async () => {
    if (document.querySelector(".finder")) {
      htmx.ajax("GET", location.pathname + location.search, "#performances");
      return false;
    }
    if (going || waiting.length) return false; // the page that sends them stays until they are here
    const found = await room.call("GET", "/performances?count=1").catch(() => ({ total: 0 }));
    if (found.total) location.reload();
    return found.total > 0;
  };

  // Of many that failed all are closed with one button.
  const all = document.getElementById("uploads-close");
  const tidy = () => {
    const bad = uploads.querySelectorAll(".bad");
    all.hidden = bad.length < 4;
    all.textContent = "Close all " + bad.length + " that were left out";
  };
  all.addEventListener("click", () => { uploads.querySelectorAll(".bad").forEach((made) => made.remove()); tidy(); });

  const row = (file) => {
    const made = document.createElement("div"), name = document.createElement("b"), state = document.createElement("span");
    const bar = document.createElement("progress"), stop = document.createElement("button");
    made.className = "upload";
    name.textContent = file.name;
    state.textContent = "waits";
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", "Upload of " + file.name);
    stop.type = "button";
    stop.className = "quiet";
    stop.textContent = "Cancel";
    stop.setAttribute("aria-label", "Cancel the upload of " + file.name);
    made.append(name, state, stop, bar);
    uploads.append(made);
    const one = { file, made, state, bar, stop, cancelled: false, abort: null };
    stop.addEventListener("click", () => {
      one.cancelled = true;
      if (one.abort) one.abort();
      else { waiting = waiting.filter((other) => other !== one); made.remove(); }
    });
    return one;
  };

  const send = (one) => new Promise((resolve) => {
    const { file, made, state, bar, stop } = one, request = new XMLHttpRequest();
    let sent = false; // all of it: the room may keep it whatever becomes of this request, so that its answer counts
    request.open("POST", "/api/v1/performances?filename=" + encodeURIComponent(file.name));
    for (const [name, value] of Object.entries(room.headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      bar.value = event.loaded / event.total;
      state.textContent = event.loaded < event.total ? Math.round(100 * bar.value) + " %" : "is looked at";
    };
    request.upload.onload = () => { sent = true; };
    one.abort = () => {
      stop.disabled = true;
      if (!sent) return request.abort();
      state.textContent = "is taken away again";
      return undefined;
    };
    const end = () => { one.abort = () => { made.remove(); tidy(); }; resolve(); };
    const gone = () => { made.remove(); end(); };
    const fail = (text) => {
      made.classList.add("bad");
      state.textContent = text;
      stop.textContent = "Close";
      stop.setAttribute("aria-label", "Close what is said of " + file.name);
      stop.disabled = false;
      bar.remove();
      tidy();
      say(file.name + ": " + text);
      end();
    };
    request.onabort = gone;
    request.onload = async () => {
      let found = null;
      try { found = JSON.parse(request.responseText); } catch { /* said below */ }
      if (request.status === 201 && one.cancelled) {
        try { await room.call("DELETE", "/performances/" + found.key); gone(); } catch (problem) { fail(problem.message); }
      } else if (request.status === 201) {
        brought += 1;
        gone();
      } else if (one.cancelled) gone();
      else if (request.status === 409 && found && found.error) {
        known.push(file.name + ": " + found.error + ".");
        gone();
      }
      else fail(found && found.error ? found.error + ". " + (found.advice || "") : "The upload failed. Try it again.");
    };
    request.onerror = () => (one.cancelled ? gone() : fail("The upload broke off. Bring it again."));
    request.send(file);
  });

  const next = async () => {
    if (going >= 2 || !waiting.length) return;
    going += 1;
    await send(waiting.shift());
    going -= 1;
    if (!going && !waiting.length) {
      if (known.length) room.toast(known.length === 1 ? known[0] : known.length + " were here already.", known.length === 1);
      if (brought) {
        room.toast(brought === 1 ? "One video is here." : brought + " videos are here.");
        refresh();
      }
      brought = 0;
      known = [];
    }
    next();
  };
  const bring = (found) => {
    if (!found.length) return;
    say(found.length === 1 ? found[0].name + " is being uploaded." : found.length + " videos are being uploaded.");
    for (const file of found) waiting.push(row(file));
    next();
    next();
  };
  files.addEventListener("change", () => { bring(files.files); files.value = ""; });
  addEventListener("beforeunload", (event) => { if (going || waiting.length) event.preventDefault(); });

  // The videos below a folder that was dropped; what was dropped itself is brought whatever it is called.
  const isVideo = (name) => !name.startsWith(".") && files.dataset.suffixes.split(" ").includes(name.slice(name.lastIndexOf(".")).toLowerCase());
  const answered = (ask) => new Promise((resolve, reject) => ask(resolve, reject));
  const inFolder = async (folder) => {
    const reader = folder.createReader(), found = [];
    for (let some = [null]; some.length;) { // no more than a hundred come at once
      some = await answered((resolve, reject) => reader.readEntries(resolve, reject));
      for (const entry of some) {
        if (entry.isDirectory) found.push(...await inFolder(entry));
        else if (isVideo(entry.name)) found.push(await answered((resolve, reject) => entry.file(resolve, reject)));
      }
    }
    return found;
  };
  const dropped = async (transfer) => {
    // both are asked for at once: after this event the browser no longer says
    const things = [...transfer.items].filter((item) => item.kind === "file").map((item) => [item.webkitGetAsEntry(), item.getAsFile()]);
    for (const [entry, file] of things) {
      if (!entry || !entry.isDirectory) { bring(file ? [file] : []); continue; }
      try {
        const found = await inFolder(entry);
        if (found.length) bring(found);
        else room.toast("There is no video in the folder “" + entry.name + "”.", true);
      } catch (problem) { room.toast("The folder “" + entry.name + "” cannot be read: " + problem.message, true); }
    }
  };

  const page = document.body;
  let inside = 0;
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  page.addEventListener("dragenter", (event) => { if (carriesFiles(event)) { inside += 1; page.classList.add("dropping"); } });
  page.addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); if (!inside) page.classList.remove("dropping"); });
  page.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  page.addEventListener("drop", (event) => {
    inside = 0;
    page.classList.remove("dropping");
    if (!carriesFiles(event)) return;
    event.preventDefault();
    dropped(event.dataTransfer);
  });

  const chosen = new Set();
  const tray = document.getElementById("selection");
  const show = () => {
    tray.hidden = !chosen.size;
    tray.querySelector("[data-count]").textContent = chosen.size;
    tray.querySelector("[data-compare]").disabled = chosen.size !== 2;
  };
  const mark = () => list.querySelectorAll(".pick").forEach((box) => { box.checked = chosen.has(box.value); });
  list.addEventListener("change", (event) => {
    if (!event.target.matches(".pick")) return;
    chosen[event.target.checked ? "add" : "delete"](event.target.value);
    show();
  });
  list.addEventListener("click", (event) => {
    if (!event.target.closest("[data-all]")) return;
    for (const box of list.querySelectorAll(".pick")) chosen.add(box.value);
    mark();
    show();
  });
  document.addEventListener("htmx:afterSettle", mark);
  tray.addEventListener("click", async (event) => {
    if (event.target.closest("[data-none]")) { chosen.clear(); mark(); show(); }
    if (event.target.closest("[data-compare]")) {
      const [a, b] = chosen;
      location.assign("/compare?a=" + a + "&b=" + b);
    }
    if (event.target.closest("[data-delete]")) {
      const many = chosen.size === 1 ? "this performance" : "these " + chosen.size + " performances";
      const sure = await room.ask("Delete " + many + "?",
        "Comparisons, comments, scores, features and pictures go too, and videos that were brought in. Videos that were only pointed at stay where they are. Models keep what they have learnt.", "Delete");
      if (!sure) return;
      try {
        await room.call("POST", "/performances/delete", { keys: [...chosen] });
        chosen.clear();
        show();
        refresh();
      } catch (problem) { room.toast(problem.message, true); }
    }
  });

  // Shows what a folder brings as it comes, and at last what it could not; goes on where the page is loaded anew.
  const TAKING = "toprock.taking";
  const taking = (number) => {
    try {
      if (number) sessionStorage.setItem(TAKING, String(number)); else sessionStorage.removeItem(TAKING);
    } catch { /* then it ends with this page */ }
  };
  const follow = async (number) => {
    taking(number);
    let job = null;
    try { job = await room.call("GET", "/jobs/" + number); } catch (problem) {
      if (problem.status === 404) return taking(0);
    }
    if (!job || job.state === "queued" || job.state === "running") {
      if (job && job.progress && await refresh()) return undefined;
      return setTimeout(() => follow(number), 1500);
    }
    if (job.kind !== "take") return taking(0); // another library's, at the same address
    if (await refresh()) return undefined;
    taking(0);
    const left = Object.entries(job.result.failed || {});
    if (job.problem) room.toast(job.problem, true);
    if (left.length) room.toast(left.length + " left out, such as " + left[0][0] + ": " + left[0][1], true);
    if (job.result.known) room.toast(job.result.known + " were here already.");
    return undefined;
  };
  try { if (sessionStorage.getItem(TAKING)) follow(Number(sessionStorage.getItem(TAKING))); } catch { /* none is known */ }
  const folder = document.getElementById("folder");
  folder.querySelector("[data-go]").addEventListener("click", async (event) => {
    event.preventDefault();
    const wrong = folder.querySelector(".wrong"), go = event.target;
    wrong.hidden = true;
    go.disabled = true;
    try {
      const { job } = await room.call("POST", "/performances/folder", { path: document.getElementById("place").value.trim() });
      folder.close();
      room.toast("The videos are being taken in.");
      follow(job);
    } catch (problem) {
      wrong.textContent = problem.message;
      wrong.hidden = false;
    } finally { go.disabled = false; }
  });

  const keeping = document.getElementById("keeping");
  keeping.querySelector("[data-go]").addEventListener("click", async (event) => {
    event.preventDefault();
    const days = Number(document.getElementById("days").value);
    keeping.close();
    if (days > 0 && !(await room.ask("Delete what is older?", "Everything that came in more than " + days + " days ago is deleted now, and the rest when its time comes.", "Keep " + days + " days"))) return;
    try {
      await room.call("PUT", "/settings", { retention_days: days });
      location.reload();
    } catch (problem) { room.toast(problem.message, true); }
  });
})();
