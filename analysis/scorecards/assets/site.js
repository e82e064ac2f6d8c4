"use strict";
// Filter and sort of the experiments' table. Rows carry what is compared as data attributes.
(() => {
  const table = document.getElementById("portfolio");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const search = document.getElementById("q");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const status = document.getElementById("f-status");
  const selects = ["status", "code", "worst"].map((field) => [field, document.getElementById("f-" + field)]);

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const data = row.dataset;
      const fits = selects.every(([field, select]) => !select.value || data[field] === select.value)
        && (status.value || data.status !== "archived")
        && words.every((word) => data.text.includes(word));
      if (row.hidden === fits) row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
    nothing.hidden = count > 0;
  }

  function sort(button) {
    const field = button.dataset.sort;
    const numeric = "numeric" in button.dataset;
    const falling = numeric ? button.getAttribute("aria-sort") !== "descending" : button.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("button[aria-sort]")) other.removeAttribute("aria-sort");
    button.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const sign = falling ? -1 : 1;
    rows.sort((a, b) => {
      const x = a.dataset[field];
      const y = b.dataset[field];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (numeric ? x - y : x.localeCompare(y, "en"));
    });
    body.append(...rows);
  }

  search.addEventListener("input", filter);
  for (const [, select] of selects) select.addEventListener("change", filter);
  if (table.querySelector(".archived")) filter();
  for (const button of table.querySelectorAll("button[data-sort]")) button.addEventListener("click", () => sort(button));
})();
