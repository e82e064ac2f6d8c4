"use strict";
// The planner as a calculator: what is answered, by `design.js`.
(() => {
  const form = document.getElementById("calculator");
  const field = form.elements;
  const data = JSON.parse(document.getElementById("plan-data").textContent);
  const { grid, metrics, longest } = data;
  const { share, wrong, design } = window.fairsplitDesign(data);
  const out = (name) => document.getElementById("calc-" + name);
  const grouped = (value) => value.toLocaleString("en-US");

  function answers() {
    return {
      baseline: share(field.baseline.value), sd: field.sd.value.trim() === "" ? null : share(field.sd.value),
      effect: share(field.effect.value), alpha: grid.alphas.indexOf(Number(field.alpha.value)),
      power: grid.powers.indexOf(Number(field.power.value)), method: grid.methods.indexOf(field.method.value),
      arms: Number(field.arms.value), correlation: share(field.correlation.value || "0"),
      daily: field.daily.value.trim() === "" ? null : share(field.daily.value), window: share(field.window.value || "0"),
    };
  }

  const word = (text) => text.trim();

  function command(a) {
    const parts = ["fairsplit plan", `--baseline=${word(field.baseline.value)}`];
    if (a.sd !== null) parts.push("--sd", String(a.sd));
    parts.push(`--effect=${word(field.effect.value)}`, "--power", field.power.value, "--alpha", field.alpha.value,
      "--method", field.method.value, "--arms", field.arms.value);
    if (a.correlation !== 0) parts.push("--correlation", String(a.correlation));
    if (a.daily !== null) parts.push("--daily", String(a.daily), "--window", String(a.window));
    return parts.join(" ");
  }

  function show() {
    const a = answers();
    const problem = wrong(a);
    out("wrong").textContent = problem;
    const found = problem ? null : design(a);
    for (const name of ["control", "arm", "total", "expected"]) out(name).textContent = found ? grouped(found[name]) : "–";
    out("days").textContent = !found || a.daily === null ? "–" : found.days === null ? `over ${longest}` : grouped(found.days);
    out("command").textContent = found ? command(a) : "";
  }

  function take() {
    const metric = metrics[field.metric.value];
    if (!metric) return;
    for (const name of ["baseline", "sd", "correlation", "daily", "window"]) field[name].value = metric[name];
    field.effect.value = metric.falls ? "-5%" : "5%";
  }

  field.metric.addEventListener("change", () => { take(); show(); });
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
