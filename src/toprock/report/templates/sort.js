"use strict";
(() => {
  const spoken = document.getElementById("sorted");
  document.querySelectorAll("[data-sortable]").forEach((table) => {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    const value = (row, i, kind) => {
      const text = row.cells[i].dataset.value || "";
      return kind === "number" && text !== "" ? Number(text) : text.toLocaleLowerCase();
    };
    heads.forEach((head, i) => {
      const kind = head.dataset.sort;
      if (!kind) return;
      const button = document.createElement("button"), name = head.textContent;
      button.type = "button";
      button.textContent = name;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const up = now ? now === "descending" : kind === "text";
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [value(row, i, kind), row]);
        rows.sort(([a], [b]) => {
          if (a === "" || b === "") return (a === "") - (b === "");
          const order = kind === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
          return up ? order : -order;
        });
        body.append(...rows.map(([, row]) => row));
        if (spoken) spoken.textContent = "Sorted by " + name + ", " + (up ? "ascending" : "descending") + ".";
      });
    });
  });
})();
