"use strict";
// Filter and sort of the experiments' table. Rows carry what is compared as data attributes.
(() => {
  const table = document.getElementById("portfolio");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const search = document.getElementById("q");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const more = document.getElementById("more");
  let most = Number(table.dataset.shown);
  const status = document.getElementById("f-status");
  const selects = ["status", "code", "worst"].map((field) => [field, document.getElementById("f-" + field)]);

  // What is asked stands in the address behind #, so that a list can be linked, reloaded and gone back to.
  let sorted = "";

  function keep() {
    const asked = new URLSearchParams();
    if (search.value) asked.set("q", search.value);
    for (const [field, select] of selects) if (select.value) asked.set(field, select.value);
    if (sorted) asked.set("sort", sorted);
    const text = asked.toString();
    const named = location.hash && !location.hash.includes("=");
    if (text || !named) history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  }

  function recall() {
    const asked = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    search.value = asked.get("q") || "";
    for (const [field, select] of selects) select.value = asked.get(field) || "";
    const [, minus, field] = /^(-?)([a-z]+)$/.exec(asked.get("sort") || "") || [];
    const button = field && table.querySelector(`button[data-sort="${field}"]`);
    if (button) sort(button, minus === "-");
    filter();
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    // Only so many are laid out at first: a browser takes longer over a thousand rows than a reader waits.
    for (const row of rows) {
      const data = row.dataset;
      const fits = selects.every(([field, select]) => !select.value || data[field] === select.value)
        && (status.value || data.status !== "archived")
        && words.every((word) => data.text.includes(word));
      if (fits) count += 1;
      const stands = fits && count <= most;
      if (row.hidden === stands) row.hidden = !stands;
    }
    if (more) more.hidden = count <= most;
    keep();
    shown.textContent = count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
    nothing.hidden = count > 0;
  }

  function sort(button, wanted) {
    const field = button.dataset.sort;
    const numeric = "numeric" in button.dataset;
    const falling = wanted !== undefined ? wanted : numeric ? button.getAttribute("aria-sort") !== "descending" : button.getAttribute("aria-sort") === "ascending";
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
    sorted = (falling ? "-" : "") + field;
    filter();
  }

  search.addEventListener("input", filter);
  for (const [, select] of selects) select.addEventListener("change", filter);
  for (const button of table.querySelectorAll("button[data-sort]")) button.addEventListener("click", () => sort(button));
  if (more) more.addEventListener("click", () => { most = Infinity; filter(); });
  window.addEventListener("hashchange", recall);
  recall();
})();
