"use strict";
(() => {
  const uploads = document.getElementById("uploads"), files = document.getElementById("files");
  const list = document.getElementById("performances");
  let waiting = [], going = 0, brought = 0;

  // Shows what is here now; resolves to whether the page is loaded anew, as it is where an empty library has become one.
  const refresh = async () => {
    if (document.querySelector(".finder")) {
      htmx.ajax("GET", location.pathname + location.search, "#performances");
      return false;
    }
    const found = await room.call("GET", "/performances?count=1").catch(() => ({ total: 0 }));
    if (found.total) location.reload();
    return found.total > 0;
  };

  const row = (file) => {
    const made = document.createElement("div");
    made.className = "upload";
    const name = document.createElement("b"), state = document.createElement("span"), bar = document.createElement("progress");
    name.textContent = file.name;
    state.textContent = "waits";
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", "Upload of " + file.name);
    made.append(name, state, bar);
    uploads.append(made);
    return { made, state, bar };
  };

  const send = ({ file, made, state, bar }) => new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/performances?filename=" + encodeURIComponent(file.name));
    for (const [name, value] of Object.entries(room.headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      bar.value = event.loaded / event.total;
      state.textContent = event.loaded < event.total ? Math.round(100 * bar.value) + " %" : "is looked at";
    };
    const fail = (text) => {
      made.classList.add("bad");
      state.textContent = text;
      bar.remove();
      resolve();
    };
    request.onload = () => {
      let found = null;
      try { found = JSON.parse(request.responseText); } catch { /* said below */ }
      if (request.status === 201) {
        brought += 1;
        made.remove();
        resolve();
      } else fail(found && found.error ? found.error + ". " + (found.advice || "") : "The upload failed. Try it again.");
    };
    request.onerror = () => fail("The upload broke off. Bring it again.");
    request.send(file);
  });

  const next = async () => {
    if (going >= 2 || !waiting.length) return;
    going += 1;
    await send(waiting.shift());
    going -= 1;
    if (!going && !waiting.length && brought) {
      room.toast(brought === 1 ? "One video is here." : brought + " videos are here.");
      brought = 0;
      refresh();
    }
    next();
  };
  const bring = (found) => {
    for (const file of found) waiting.push({ file, ...row(file) });
    next();
    next();
  };
  files.addEventListener("change", () => { bring(files.files); files.value = ""; });

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
    bring(event.dataTransfer.files);
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
