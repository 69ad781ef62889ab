"use strict";
// Buttons of jobs and models, on the pages Jobs and Train.
(() => {
  // A button that is at it is not disabled, which would take the keyboard from it.
  const act = async (button, path, method = "POST", body) => {
    if (button.getAttribute("aria-disabled") === "true") return undefined;
    button.setAttribute("aria-disabled", "true");
    try { return await room.call(method, path, body); }
    catch (problem) { room.toast(problem.message, true); button.removeAttribute("aria-disabled"); return undefined; }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.job) await act(button, "/jobs/" + button.dataset.job + "/" + button.dataset.do);
    if (button.dataset.do === "retry" && document.getElementById("training")) location.reload();
    if (button.dataset.choose && (await act(button, "/models/" + button.dataset.choose + "/choose"))) location.reload();
    if (button.dataset.drop) {
      const sure = await room.ask("Delete " + button.dataset.name + "?", "Its folder and all scores that it gave go too.", "Delete");
      if (sure && (await act(button, "/models/" + button.dataset.drop, "DELETE"))) location.assign("/train");
    }
  });

  const train = document.getElementById("train");
  if (train) {
    train.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wanted = Object.fromEntries(new FormData(train));
      if (await act(train.querySelector("button"), "/models", "POST", wanted)) location.reload();
    });
    const criterion = document.getElementById("criterion");
    if (criterion) criterion.addEventListener("change", () => location.assign("/train?criterion=" + encodeURIComponent(criterion.value)));
  }
  const folder = document.getElementById("folder");
  if (folder) folder.querySelector("[data-go]").addEventListener("click", async (event) => {
    event.preventDefault();
    const wrong = folder.querySelector(".wrong");
    try {
      await room.call("POST", "/models/folder", { path: document.getElementById("place").value.trim() });
      location.reload();
    } catch (problem) {
      wrong.textContent = problem.message;
      wrong.hidden = false;
    }
  });
  const said = document.getElementById("training-said");
  document.addEventListener("htmx:afterSwap", (event) => {
    const now = said && document.querySelector("#training [data-said]");
    if (now && said.textContent !== now.dataset.said) said.textContent = now.dataset.said;
    const ended = event.target && document.querySelector(".training[data-ended]");
    if (ended && document.getElementById("training")) location.reload();
  });
})();
