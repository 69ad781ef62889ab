"use strict";
(() => {
  const chosen = document.getElementById("criterion");
  if (chosen) chosen.addEventListener("change", () => chosen.form.requestSubmit());
  const file = document.getElementById("pairs-file");
  file.addEventListener("change", async () => {
    const [one] = file.files;
    file.value = "";
    if (!one) return;
    room.toast("Reading " + one.name + " …");
    try {
      const answer = await fetch("/api/v1/pairs", {
        method: "POST",
        headers: room.headers({ "Content-Type": one.name.toLowerCase().endsWith(".json") ? "application/json" : "text/csv" }),
        body: one,
      });
      const found = await answer.json().catch(() => null);
      if (!answer.ok) throw new Error(found && found.error ? found.error + ". " + (found.advice || "") : "The file could not be brought in.");
      const left = Object.keys(found.left_out), words = [];
      words.push(found.added === 1 ? "1 comparison is new." : found.added + " comparisons are new.");
      if (found.known) words.push(found.known + (found.known === 1 ? " was here already." : " were here already."));
      if (left.length) words.push(found.pairs_left_out + " left out: " + left.slice(0, 5).join(", ") + (left.length > 5 ? " and " + (left.length - 5) + " more" : "") + (left.length === 1 ? " is" : " are") + " not in the library.");
      try { sessionStorage.setItem("toprock.brought", JSON.stringify({ text: words.join(" "), bad: left.length > 0 })); } catch { /* not said then */ }
      location.reload();
    } catch (problem) { room.toast(problem instanceof TypeError ? "The room does not answer. Is it still running?" : problem.message, true); }
  });
  try {
    const told = JSON.parse(sessionStorage.getItem("toprock.brought"));
    sessionStorage.removeItem("toprock.brought");
    if (told) room.toast(told.text, told.bad);
  } catch { /* nothing to say */ }
})();
