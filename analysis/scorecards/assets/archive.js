"use strict";
// Search over the archive: every word must stand somewhere in an entry, its hypothesis included.
(() => {
  const search = document.getElementById("archive-q");
  const outcome = document.getElementById("archive-outcome");
  const shown = document.getElementById("archive-shown");
  const entries = Array.from(document.getElementById("entries").children, (item) => [
    item, (item.textContent + " " + item.dataset.text).toLowerCase(),
  ]);

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [item, text] of entries) {
      const fits = (!outcome.value || item.dataset.outcome === outcome.value) && words.every((word) => text.includes(word));
      item.hidden = !fits;
      count += fits;
    }
    shown.textContent = count.toLocaleString("en") + " of " + entries.length.toLocaleString("en");
  }

  search.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  document.getElementById("archive-filters").hidden = false;
  filter();
})();
