"use strict";
// The landed files: filtered and turned in leaves. Where there are more than the page holds, a script brings them all.
(() => {
  const table = document.getElementById("files");
  const body = table.tBodies[0];
  const leaf = Number(table.dataset.page);
  const search = document.getElementById("file-q");
  const rows = document.getElementById("file-rows");
  const shown = document.getElementById("file-shown");
  const back = document.getElementById("file-back");
  const on = document.getElementById("file-on");
  const parts = ["rowsRead", "accepted", "duplicates", "quarantined"];
  const pattern = body.rows[0].cloneNode(true);
  const files = window.landedFiles || Array.from(body.rows, (row) => [
    row.cells[0].textContent, row.cells[1].textContent,
    ...parts.map((part, place) => Number(row.cells[2 + place].dataset[part])), !row.classList.contains("missing"),
  ]);
  const grouped = (value) => value.toLocaleString("en-US");
  let at = 0;

  function line(file) {
    const row = pattern.cloneNode(true);
    row.className = file[6] ? "" : "missing";
    row.cells[0].textContent = file[0];
    row.cells[1].textContent = file[1];
    parts.forEach((part, place) => {
      row.cells[2 + place].dataset[part] = file[2 + place];
      row.cells[2 + place].textContent = grouped(file[2 + place]);
    });
    row.cells[6].textContent = file[6] ? "✓ yes" : "✕ no";
    return row;
  }

  const wanted = { "": () => true, duplicates: (file) => file[4] > 0, quarantined: (file) => file[5] > 0, wrong: (file) => !file[6] };

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = files.filter((file) => wanted[rows.value](file)
      && words.every((word) => (file[0] + " " + file[1]).toLowerCase().includes(word)));
    at = Math.max(0, Math.min(at, Math.ceil(fits.length / leaf) - 1));
    const first = at * leaf;
    const part = fits.slice(first, first + leaf);
    body.replaceChildren(...part.map(line));
    shown.textContent = part.length ? `${grouped(first + 1)} to ${grouped(first + part.length)} of ${grouped(fits.length)}` : "none";
    back.disabled = at === 0;
    on.disabled = first + leaf >= fits.length;
  }

  search.addEventListener("input", () => { at = 0; show(); });
  rows.addEventListener("change", () => { at = 0; show(); });
  back.addEventListener("click", () => { at -= 1; show(); });
  on.addEventListener("click", () => { at += 1; show(); });
  document.getElementById("file-filters").hidden = false;
  show();
})();
